"""Throughput and latency of workflows, with CPU per process: `python benchmarks/run.py`.

It starts a control plane with embedded NATS, a worker and HelloService as processes, on loopback
and on a new data dir, and loads them from one client process. Each row shows workflows per second,
latency, CPU microseconds per workflow in each process, and appends to the log per workflow.

`--access` says how callers are let in: `open` as on loopback, `tls`, or `secure`, which is TLS with API
tokens and an audit.

`--yardsticks DIR` also runs other systems, in turn with this one, and prints the ratios. Each is a
script `DIR/NAME/run.sh CONCURRENCY...` that prints lines with `three` or `grpc3`, `c=` or `conc=`,
and a rate as `N/s`. Machines differ and are noisy: compare only ratios of one run.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import click
import grpc
import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import durable as durable_sdk  # noqa: E402

WORKLOADS = ("three", "grpc3", "keyed")
ACCESSES = ("open", "tls", "secure")
START_SECONDS = 60.0


@contextmanager
def child(command: list[str], **streams: Any) -> Iterator[subprocess.Popen[str]]:
    """Runs a command for the length of the block."""
    process = subprocess.Popen(command, cwd=ROOT, text=True, **streams)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def await_file(path: Path, process: subprocess.Popen[str]) -> Any:
    """Waits for a ready file and returns its JSON."""
    deadline = time.monotonic() + START_SECONDS
    while not path.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise click.ClickException(f"{process.args!r} does not start")
        time.sleep(0.02)
    return json.loads(path.read_text())


class System:
    """A control plane, a worker and a service, and how much CPU each has used."""

    def __init__(
        self, stack: ExitStack, folder: Path, partitions: int, processes: int, access: str
    ) -> None:
        python = sys.executable
        durable = [python, "-m", "durable_server"]
        anywhere = ["--listen", "127.0.0.1:0"]
        ready, said = folder / "ready", folder / "service"
        service = stack.enter_context(
            child([python, "examples/hello_service.py", *anywhere, "--ready-file", str(said)])
        )
        services = ["--service", f"HelloService={await_file(said, service)['address']}"]
        data = folder / "data"
        options: list[str] = []
        self.environment = dict(os.environ)
        """That of clients and workers: which authority they trust, and their token."""
        if access != "open":
            certificates = folder / "certificates"
            command = [*durable, "certs", str(certificates), "--host", "127.0.0.1"]
            subprocess.run(command, check=True, capture_output=True)
            options += ["--tls-cert", str(certificates / "server.pem")]
            options += ["--tls-key", str(certificates / "server.key")]
            self.environment["DURABLE_TLS_CA"] = str(certificates / "ca.pem")
        if access == "secure":
            options.append("--auth")
            self.environment["DURABLE_TOKEN_FILE"] = str(data / "admin-token")
        server = stack.enter_context(
            child(
                [
                    *durable,
                    "server",
                    *anywhere,
                    *("--ready-file", str(ready), "--data-dir", str(data)),
                    *("--partitions", str(partitions), "--processes", str(processes), *options),
                ],
                stdout=subprocess.DEVNULL,
            )
        )
        self.address: str = await_file(ready, server)["address"]
        worker = stack.enter_context(
            child(
                [*durable, "worker", "benchmarks.workflows", "--address", self.address, *services],
                env=self.environment,
            )
        )
        plane = psutil.Process(server.pid)
        nats = next(it for it in plane.children() if "nats" in it.name())
        self.processes = {
            "control plane": [plane, *(it for it in plane.children() if it != nats)],
            "nats-server": [nats],
            "worker": [psutil.Process(worker.pid)],
            "service": [psutil.Process(service.pid)],
        }
        self._client = stack.enter_context(
            durable_sdk.Client(
                self.address,
                tls=grpc.ssl_channel_credentials(certificates.joinpath("ca.pem").read_bytes())
                if access != "open"
                else None,
                token=(data / "admin-token").read_text().strip() if access == "secure" else None,
            )
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._client.list_workers():
            if time.monotonic() > deadline:
                raise click.ClickException("the worker does not connect")
            time.sleep(0.02)

    def appends(self) -> int:
        """How many frames were appended to the log."""
        return self._client.server_info().append_count

    def cpu(self, client: psutil.Process) -> dict[str, float]:
        """CPU seconds of the processes of each kind so far."""
        used = {}
        for name, processes in {**self.processes, "client": [client]}.items():
            times = [it.cpu_times() for it in processes]
            used[name] = sum(it.user + it.system for it in times)
        return used


def run_ours(
    workloads: tuple[str, ...],
    partitions: int,
    processes: int,
    access: str,
    concurrencies: list[int],
) -> list[dict[str, Any]]:
    """Measures the workloads; returns a row for each of them and each concurrency."""
    rows = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="durable-bench-")))
        system = System(stack, folder, partitions, processes, access)
        for workload in workloads:
            command = [sys.executable, "-m", "benchmarks.load", system.address, workload]
            command += map(str, concurrencies)
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            with child(command, env=system.environment, **pipes) as load:
                assert load.stdin is not None
                assert load.stdout is not None
                client = psutil.Process(load.pid)
                for callers in concurrencies:
                    _expect(load.stdout, "ready")
                    appends, before = system.appends(), system.cpu(client)
                    load.stdin.write("go\n")
                    load.stdin.flush()
                    row = json.loads(_expect(load.stdout, "{"))
                    after = system.cpu(client)
                    count = row["count"]
                    row |= {"workload": workload, "concurrency": callers, "partitions": partitions}
                    row |= {"processes": processes, "access": access}
                    row["appends"] = (system.appends() - appends) / count
                    row["cpu_us"] = {
                        name: (after[name] - before[name]) / count * 1e6 for name in after
                    }
                    rows.append(row)
                    click.echo(describe(row), err=True)
    return rows


def _expect(stream: IO[str], start: str) -> str:
    line = stream.readline()
    if not line.startswith(start):
        raise click.ClickException(f"the load has ended early: {line!r}")
    return line


def describe(row: dict[str, Any]) -> str:
    """Returns one row as a line of text."""
    cpu = ", ".join(f"{name} {us:.0f}" for name, us in row["cpu_us"].items())
    return (
        f"{row['workload']:5} {row['access']:6} N={row['processes']:<2} P={row['partitions']:<3}"
        f" c={row['concurrency']:<4} "
        f"{row['rate']:6.0f}/s  "
        f"p50 {row['p50_ms']:6.1f} ms  p99 {row['p99_ms']:6.1f} ms  "
        f"{row['appends']:.2f} appends  CPU us: {cpu}"
    )


_LINE = re.compile(r"(three|grpc3)\b.*?\bc(?:onc)?=(\d+).*?:\s*(\d+)/s p50 ([\d.]+)")


def run_yardstick(script: Path, concurrencies: list[int]) -> dict[tuple[str, int], list[float]]:
    """Runs a yardstick; returns rate and p50 in ms by workload and concurrency."""
    command = ["bash", str(script), *map(str, concurrencies)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    found = {}
    for workload, callers, rate, p50 in _LINE.findall(ended.stdout):
        found[workload, int(callers)] = [float(rate), float(p50)]
    if not found:
        raise click.ClickException(f"{script} printed no figures:\n{ended.stderr[-2000:]}")
    for (workload, callers), (rate, p50) in found.items():
        click.echo(
            f"{script.parent.name}: {workload:5} c={callers:<4} {rate:6.0f}/s  p50 {p50:6.1f} ms",
            err=True,
        )
    return found


def table(rounds: list[dict[str, Any]], names: list[str]) -> str:
    """Returns all rounds as a Markdown table, with the ratios to the yardsticks."""
    head = ["workload", "access", "processes", "partitions", "callers", "ours"]
    for name in names:
        head += [name, f"ours / {name}"]
    head += ["p50 ours", *(f"p50 {name}" for name in names), "appends per workflow"]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for index, first in enumerate(rounds[0]["ours"]):
        key = (first["workload"], first["concurrency"])
        mine = [it["ours"][index] for it in rounds]
        rate = _middle([it["rate"] for it in mine])
        cells = [key[0], first["access"]]
        cells += [str(first[it]) for it in ("processes", "partitions", "concurrency")]
        cells.append(f"{rate:,.0f}/s")
        latencies = [f"{_middle([it['p50_ms'] for it in mine]):.1f} ms"]
        for name in names:
            theirs = [it[name][key] for it in rounds if key in it[name]]
            if not theirs:  # it does not have this workload
                cells += ["", ""]
                latencies.append("")
                continue
            other = _middle([it[0] for it in theirs])
            cells += [f"{other:,.0f}/s", f"{rate / other:.2f}"]
            latencies.append(f"{_middle([it[1] for it in theirs]):.1f} ms")
        cells += [*latencies, f"{_middle([it['appends'] for it in mine]):.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


@click.command()
@click.option("--concurrency", "-c", multiple=True, type=int, help="Callers; may be repeated.")
@click.option(
    "--partitions", "-p", multiple=True, type=int, help="Partitions, 1 by default; may be repeated."
)
@click.option(
    "--processes", "-n", multiple=True, type=int, help="Control plane processes, 1 by default."
)
@click.option(
    "--workload",
    multiple=True,
    type=click.Choice(WORKLOADS),
    default=("three", "grpc3"),
    show_default=True,
    help="What runs; may be repeated.",
)
@click.option(
    "--access",
    multiple=True,
    type=click.Choice(ACCESSES),
    default=("open", "secure"),
    show_default=True,
    help="How callers are let in; may be repeated.",
)
@click.option("--rounds", default=1, show_default=True, help="Repeat everything; print medians.")
@click.option(
    "--yardsticks",
    type=click.Path(exists=True, path_type=Path),
    help="A folder of other systems to compare with.",
)
@click.option(
    "--json", "json_path", type=click.Path(path_type=Path), help="Write all figures here."
)
def main(
    concurrency: tuple[int, ...],
    partitions: tuple[int, ...],
    processes: tuple[int, ...],
    workload: tuple[str, ...],
    access: tuple[str, ...],
    rounds: int,
    yardsticks: Path | None,
    json_path: Path | None,
) -> None:
    """Measure workflows per second, latency and CPU on this machine."""
    concurrencies = list(concurrency) or [1, 64, 256]
    scripts = sorted(yardsticks.glob("*/run.sh")) if yardsticks else []
    names = [script.parent.name for script in scripts]
    measured: list[dict[str, Any]] = []
    for _ in range(rounds):
        one: dict[str, Any] = {"ours": []}
        for count in partitions or (1,):
            for number in processes or (1,):
                for kind in access:
                    one["ours"] += run_ours(workload, count, number, kind, concurrencies)
        for script in scripts:
            one[script.parent.name] = run_yardstick(script, concurrencies)
        measured.append(one)
    click.echo(table(measured, names))
    if json_path is not None:
        plain = [
            {
                name: [{"workload": it[0], "concurrency": it[1], "rate": v[0], "p50_ms": v[1]}
                       for it, v in found.items()] if isinstance(found, dict) else found
                for name, found in one.items()
            }
            for one in measured
        ]  # fmt: skip
        json_path.write_text(json.dumps(plain, indent=1))


if __name__ == "__main__":
    main()
