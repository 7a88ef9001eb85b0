"""Builds from the command line, with workers of two builds as processes."""

from __future__ import annotations

import contextlib
import io
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import durable
from durable_cli import main
from durable_cli.wait_reasons import is_stuck, reason
from tests.support.processes import Child, control_plane, running, until
from tests.support.processes import durable as command

from .conftest import Run

MODULE = """
import durable

@durable.workflow(versioning="pinned")
async def parcel(ctx: durable.Context) -> str:
    packed = await ctx.run("pack", str, "{build}")
    await ctx.signal("sent")
    return packed
"""


class Cli:
    """The command line, in this process, and a client of the same control plane."""

    def __init__(self, address: str, data_dir: Path, client: durable.Client) -> None:
        self.address = address
        self.data_dir = data_dir
        self.client = client

    def __call__(self, *arguments: str) -> Run:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main.run([*arguments, "--address", self.address])
        return Run(code, out.getvalue(), err.getvalue())

    def ok(self, *arguments: str) -> Run:
        """Runs a command that must work."""
        done = self(*arguments)
        assert done.code == 0, done
        return done


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """A control plane of its own, because promotions concern whoever else uses the handlers."""
    folder: Path = tmp_path_factory.mktemp("deployments")
    with control_plane(folder) as (_, address), durable.Client(address) as client:
        yield Cli(address, folder / "data", client)


@contextmanager
def build(cli: Cli, folder: Path, name: str) -> Iterator[Child]:
    """A worker of a build."""
    module = folder / name / "parcels.py"
    module.parent.mkdir(exist_ok=True)
    module.write_text(MODULE.replace("{build}", name))
    arguments = command("worker", str(module), "--address", cli.address, "--build-id", name)
    with running(arguments, folder / f"{name}.log") as worker:
        until(lambda: workers(cli, name), f"worker of {name}", worker)
        yield worker
    until(lambda: not workers(cli, name), f"end of {name}")


def workers(cli: Cli, name: str) -> int:
    found = cli.client.list_deployments().get(name)
    return 0 if found is None else found.worker_count


def states(cli: Cli) -> dict[str, str]:
    """Returns the state of each build in words, as the table shows it."""
    head, *rows = cli.ok("deployments").out.partition("\n\n")[0].splitlines() or [""]
    if not head:
        return {}
    begin, end = head.index("STATE"), head.index("HANDLERS")
    return {row.split()[0]: row[begin:end].strip() for row in rows}


def parcel(cli: Cli) -> str:
    """Starts an invocation that has a journal and waits; returns its id."""
    invocation_id = cli.client.invoke_async("parcel")
    until(lambda: cli.client.get(invocation_id).journal_length == 2, "two steps")
    return invocation_id


def send(cli: Cli, invocation_id: str) -> str:
    """Lets it end; returns which build has packed it."""
    cli.client.signal(invocation_id, "sent")
    return str(cli.client.get_result(invocation_id).value())


def test_a_deploy(cli: Cli, tmp_path: Path) -> None:
    assert "no worker has said which build it runs" in cli.ok("deployments").err
    assert "nothing to roll back" in cli("rollback").err
    with build(cli, tmp_path, "v1"):
        old = parcel(cli)
        assert states(cli) == {"v1": "serving"}
        done = cli.ok("promote", "v1", "--percent", "10")
        assert done.err == "parcel: there is no other build, so this one gets all of them\n"
        done = cli.ok("promote", "v1", "--reason", "the first")
        assert done.out == "parcel: new invocations go to v1\n"
        with build(cli, tmp_path, "v2"):
            assert states(cli) == {
                "v2": "gets nothing new: may be stopped",
                "v1": "current for 1 handler",
            }
            [share] = cli.ok("promote", "v2", "--percent", "10", "--json").json
            assert (share["ramping_build_id"], share["ramping_percent"]) == ("v2", 10)
            assert states(cli)["v2"] == "ramping 10 % for 1 handler"
            back = cli.ok("rollback")
            assert back.err == "rolling back build v2\n"
            assert back.out == "parcel: new invocations go to v1\n"
            assert cli.ok("promote", "v2").out == "parcel: new invocations go to v2 (before: v1)\n"
            head, *rows = cli.ok("workers").out.splitlines()
            begin = head.index("BUILD")
            assert {it[begin : begin + 2] for it in rows} == {"v1", "v2"}
            new = parcel(cli)
            found = cli.ok("get", new).out
            assert "v2, pinned" in found
            assert cli("drain", "v2").code == 5
            text = cli.ok("drain", "v1").out
            assert text.startswith("build v1 gets no new invocations; 1 pinned")
            assert states(cli)["v1"] == "draining"
            with waiting(cli, "v1") as wait:
                assert wait.stderr is not None
                assert wait.stderr.readline().startswith("build v1: 1 pinned")
                assert send(cli, old) == "v1"
                assert wait.communicate(timeout=20)[0] == (
                    "build v1 is drained: its workers may be stopped\n"
                )
            assert states(cli)["v1"] == "drained: may be stopped"
            assert "new invocations again" in cli.ok("drain", "v1", "--undo").out
            assert send(cli, new) == "v2"
            assert "automatic again" in cli.ok("promote", "v2", "--automatic").out
            assert states(cli) == {"v2": "serving", "v1": "serving"}
            cli.ok("drain", "v2")
            alone = cli.ok("drain", "v1").out
            assert "no other build has workers for parcel, so it gets those still" in alone
            assert "no new invocations" not in alone
            assert states(cli) == {"v2": "draining", "v1": "draining"}
            cli.ok("drain", "v1", "--undo")
            assert states(cli)["v2"] == "drained: may be stopped"


@contextmanager
def waiting(cli: Cli, name: str) -> Iterator[subprocess.Popen[str]]:
    """`durable drain --wait` as a process that Ctrl-C interrupts."""
    arguments = [sys.executable, "-m", "durable_cli", "drain", name, "--wait"]
    arguments += ["--address", cli.address]
    with subprocess.Popen(
        arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background may ignore SIGINT, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_what_a_lost_build_strands_is_told_and_moved(cli: Cli, tmp_path: Path) -> None:
    with build(cli, tmp_path, "w1"):
        first, second = parcel(cli), parcel(cli)
        with waiting(cli, "w1") as wait:
            assert wait.stderr is not None
            said = wait.stderr.readline()
            assert said.startswith("build w1: 2 pinned")
            # Nobody else would take new invocations.
            assert said.endswith("no other build has workers for parcel, so it gets those still\n")
            wait.send_signal(signal.SIGINT)
            assert wait.wait(20) == 130
            assert "build w1 goes on draining; 2 pinned" in wait.stderr.read()
    assert states(cli)["w1"] == "MISSING: 2 pinned and no worker, draining"
    lost = "2 pinned, and no worker: start one, or `durable repin`"
    assert lost in cli.ok("drain", "w1").out
    with build(cli, tmp_path, "w2"):
        cli.client.signal(first, "sent")
        until(lambda: cli.client.get(first).status == "pending", "the wait for a worker")
        said = "waits for build w1, which has no worker"
        assert said in cli.ok("list", "--pinned-to", "w1").out
        hint = f"`durable repin {first} --to BUILD --module MODULE`"
        assert f"build w1, which has no worker: start one, or {hint}" in cli.ok("get", first).out
        assert cli.ok("get", first, "--json").json["waiting_for_build"] == "w1"
        found = cli.client.get(first)
        assert f"it {said} for parcel: start one, or {hint}" in reason(cli.client, found)
        assert is_stuck(cli.client, found)
        doctor = cli("doctor", "--data-dir", str(cli.data_dir), "--json").json
        [check] = [it for it in doctor if it["name"] == "builds"]
        assert check["verdict"] == "warn"
        assert "w1 has no worker, and 2 invocations are pinned to it" in check["found"]
        assert "durable repin --from w1 --to BUILD" in check["advice"]
        assert cli("repin", "--from", "w1", "--to", "w2").code == 2
        promoted = cli.ok("promote", "w1")
        assert promoted.err == "warning: build w1 has no worker, so new invocations wait for one\n"
        assert cli.ok("promote", "w2", "--automatic").err == ""
        planned = cli.ok("repin", "--from", "w1", "--to", "w2", "--dry-run")
        assert planned.err == "would repin 2\n"
        assert cli("repin", first, "--to", "w3", "--no-preflight").code == 3
        empty = cli("repin", first, "--to", "", "--no-preflight")  # not a way to say "any"
        assert (empty.code, cli.client.get(first).pinned) == (2, True)
        changed, same = tmp_path / "changed_parcel.py", tmp_path / "same_parcel.py"
        same.write_text(MODULE.format(build="w2"))
        changed.write_text(MODULE.format(build="w2").replace('"pack"', '"wrap"'))
        away = ("repin", "--from", "w1", "--to", "w2", "--yes")
        refused = cli(*away, "--module", str(changed))
        assert refused.code == 1
        assert "the journal has RUN 'pack'" in refused.err
        assert "repin: 2 of 2 refused" in refused.err
        assert cli.client.get(first).build_id == "w1"
        moved = cli.ok(*away, "--module", str(same))
        assert {it.split()[0] for it in moved.out.splitlines()} == {first, second}
        assert cli.client.get_result(first).value() == "w1"  # its journal is that of the old build
        assert cli.client.get(second).build_id == "w2"
        assert cli("repin", first, "--to", "any", "--no-preflight").code == 5
        assert send(cli, second) == "w1"
        doctor = cli("doctor", "--data-dir", str(cli.data_dir), "--json").json
        [check] = [it for it in doctor if it["name"] == "builds"]
        assert check["verdict"] == "ok"
