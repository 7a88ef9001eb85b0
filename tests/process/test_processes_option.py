"""`durable worker --processes`: several workers under one supervisor, killed and stopped for real."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest

import durable
from durable._client.server_views import WorkerInfo
from tests.support.processes import Child, control_plane, interrupt, running, until
from tests.support.processes import durable as command
from tests.support.waiting import eventually

from . import flows
from .service import Hello

EXPECTED = [f"Hello, x-{number}!" for number in (1, 2, 3)]


@contextmanager
def workers(
    folder: Path, address: str, *options: str, module: str = "tests.process.flows"
) -> Iterator[Child]:
    """Runs a `durable worker` with some options."""
    arguments = command(
        "-v", "worker", module, "--address", address, *options, module="durable_cli"
    )
    with running(arguments, folder / "workers.log") as child:
        yield child


@asynccontextmanager
async def serving(
    folder: Path, hello: Hello, count: int, *options: str
) -> AsyncIterator[tuple[durable.AsyncClient, Child]]:
    """Runs a control plane and `count` worker processes, which are connected."""
    with control_plane(folder) as (_, address):
        async with durable.AsyncClient(address) as client:
            service = f"HelloService={hello.address}"
            with workers(
                folder, address, "--processes", str(count), "--service", service, *options
            ) as child:
                await eventually(partial(connected, client, count))
                yield client, child


async def connected(client: durable.AsyncClient, count: int) -> list[WorkerInfo]:
    """Returns the workers if there are `count`, else none."""
    found = await client.list_workers()
    return found if len(found) == count else []


def pid_of(worker: WorkerInfo) -> int:
    return int(worker.identity.rpartition(":")[2])


async def owner(client: durable.AsyncClient, invocation_id: str) -> WorkerInfo:
    """Returns the worker that runs an invocation."""
    found = await client.get(invocation_id)
    (worker,) = [it for it in await client.list_workers() if it.worker_id == found.worker_id]
    return worker


async def held(hello: Hello) -> None:
    async with asyncio.timeout(30):
        await hello.held.wait()


def gone(processes: list[psutil.Process]) -> bool:
    return not any(it.is_running() and it.status() != psutil.STATUS_ZOMBIE for it in processes)


async def gone_soon(processes: list[psutil.Process]) -> None:
    await asyncio.to_thread(until, partial(gone, processes), "end of the processes")


@pytest.mark.parametrize("to", ["the parent", "all"])
async def test_each_process_is_a_worker_and_sigterm_drains_all(tmp_path: Path, to: str) -> None:
    async with Hello() as hello:
        hello.hold("x-3")
        options = ("--build-id", "b-7", "--max-concurrent", "9")
        async with serving(tmp_path, hello, 2, *options) as (client, child):
            found = await client.list_workers()
            assert {pid_of(it) for it in found} == {it.pid for it in child.descendants()}
            assert {(it.build_id, it.slot_count) for it in found} == {("b-7", 9)}
            invocation_id = await client.invoke_async(flows.three_calls, "x")
            await held(hello)
            left = child.descendants()
            if to == "all":  # as a service manager does
                for process in left:
                    process.terminate()
            child.process.terminate()
            # The process that has nothing to do ends, the other one drains.
            (draining,) = await eventually(partial(connected, client, 1))
            assert draining.worker_id == (await client.get(invocation_id)).worker_id
            hello.open.set()
            result = await client.get_result(invocation_id, flows.three_calls)
            assert result.value() == EXPECTED
            assert await asyncio.to_thread(child.process.wait, 30) == 0, child.text()
            assert gone(left)
    assert hello.calls == {"x-1": 1, "x-2": 1, "x-3": 1}
    lines = re.findall(
        r"process (\d) durable\.worker: worker \S+ of build b-7 serves", child.text()
    )
    assert sorted(lines) == ["1", "2"]


async def test_a_second_signal_ends_all_at_once(tmp_path: Path) -> None:
    async with Hello() as hello:
        hello.hold("x-1")
        async with serving(tmp_path, hello, 2, "--drain-timeout", "1h") as (client, child):
            await client.invoke_async(flows.three_calls, "x")
            await held(hello)
            left = child.descendants()
            child.process.send_signal(signal.SIGINT)
            await eventually(partial(connected, client, 1))
            assert await asyncio.to_thread(interrupt, child) == 0, child.text()
            assert gone(left)


async def test_the_work_of_a_killed_process_goes_on_in_another(tmp_path: Path) -> None:
    async with Hello() as hello:
        hello.hold("x-3")
        async with serving(tmp_path, hello, 2) as (client, child):
            invocation_id = await client.invoke_async(flows.three_calls, "x")
            await held(hello)
            before = {pid_of(it) for it in await client.list_workers()}
            victim = pid_of(await owner(client, invocation_id))
            os.kill(victim, signal.SIGKILL)
            hello.hold("")

            async def replaced() -> bool:
                now = {pid_of(it) for it in await client.list_workers()}
                return len(now) == 2 and now > before - {victim} and victim not in now

            await eventually(replaced)
            result = await client.get_result(invocation_id, flows.three_calls)
            assert result.value() == EXPECTED
            assert f"(pid {victim}) ended by SIGKILL; it starts again in " in child.text()
            assert child.process.poll() is None
    assert hello.calls == {"x-1": 1, "x-2": 1, "x-3": 2}


@pytest.mark.parametrize("moment", ["while they serve", "while they import"])
async def test_a_killed_parent_leaves_nothing(tmp_path: Path, moment: str) -> None:
    opened = tmp_path / "opened"
    os.mkfifo(opened)
    module = tmp_path / "slow_flows.py"
    module.write_text(f"open({str(opened)!r}).read()\n")
    async with Hello() as hello:
        if moment == "while they serve":
            async with serving(tmp_path, hello, 3) as (_, child):
                left = child.descendants()
                assert len(left) == 3
                child.kill()
                await gone_soon(left)
            return
    with workers(tmp_path, "127.0.0.1:1", "--processes", "3", module=str(module)) as child:
        await eventually(lambda: "takes a while" in child.text())
        left = child.descendants()
        assert len(left) == 3
        child.kill()
        await gone_soon(left)


BLOCKS = """
import time
import durable

@durable.workflow
async def blocks(ctx: durable.Context) -> None:
    print("blocked", flush=True)
    time.sleep(3600)
"""


@pytest.mark.parametrize("how", ["it is stopped", "its parent is killed"])
async def test_a_process_that_cannot_drain_is_killed(tmp_path: Path, how: str) -> None:
    module = tmp_path / "blocking.py"
    module.write_text(BLOCKS)
    options = ("--processes", "2", "--drain-timeout", "0s")
    with (
        control_plane(tmp_path) as (_, address),
        workers(tmp_path, address, *options, module=str(module)) as child,
    ):
        async with durable.AsyncClient(address) as client:
            await eventually(partial(connected, client, 2))
            await client.invoke_async("blocks")
            await eventually(lambda: "blocked\n" in child.text())
        left = child.descendants()
        if how == "it is stopped":
            assert await asyncio.to_thread(child.terminate) == 1
            assert "does not end and is killed" in child.text()
            assert "1 of 2 worker processes did not end in time" in child.text()
        else:
            child.kill()
        await gone_soon(left)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["no_such_module"], 1, "durable: no module 'no_such_module'"),
        (["json"], 1, "no workflow"),
        (["tests.process.flows", "--address", "nowhere"], 2, "Error: address 'nowhere'"),
        (["tests.process.flows", "--metrics", "9100"], 2, "Error: --metrics '9100'"),
        (["tests.process.flows", "--processes", "0"], 2, "a number from 1 to 256 nor 'auto'"),
        (["tests.process.flows", "--processes", "257"], 2, "'257' is neither"),
        (["tests.process.flows", "--processes", "many"], 2, "'many' is neither"),
    ],
)
def test_what_no_process_can_do_is_said_once(arguments: list[str], code: int, words: str) -> None:
    ended = subprocess.run(
        command("worker", "--processes", "3", *arguments),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == code, ended.stderr
    (line,) = ended.stderr.splitlines()
    assert words in line


def test_it_gives_up_when_the_processes_die_again_and_again(tmp_path: Path) -> None:
    module = tmp_path / "crashes.py"
    module.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    ended = subprocess.run(
        command("worker", str(module), "--processes", "2"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1, ended.stderr
    *lines, last = ended.stderr.splitlines()
    assert all("ended by SIGKILL; it starts again in" in line for line in lines)
    assert last.startswith("durable: worker process ")
    assert "4 times in a row" in last


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
@pytest.mark.parametrize("cpus", ["all", "one"])
async def test_auto_is_a_process_for_each_cpu(tmp_path: Path, cpus: str) -> None:
    usable = sorted(os.sched_getaffinity(0))[: 1 if cpus == "one" else None]
    program = "import os, sys; os.sched_setaffinity(0, {}); os.execv(sys.argv[1], sys.argv[1:])"
    with control_plane(tmp_path) as (_, address):
        arguments = command("worker", "tests.process.flows", "--address", address)
        bound = [sys.executable, "-c", program.format(set(usable)), *arguments]
        with running([*bound, "--processes", "auto"], tmp_path / "workers.log") as child:
            async with durable.AsyncClient(address) as client:
                found = await eventually(partial(connected, client, len(usable)))
                # One worker needs no parent.
                expected = {it.pid for it in child.descendants()} or {child.pid}
                assert {pid_of(it) for it in found} == expected
                assert len(expected) == len(usable)


def free_ports() -> int:
    """Returns a port that is free now, and so is the next one."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


async def shows(url: str, line: bytes) -> bool:
    page = await asyncio.to_thread(lambda: urllib.request.urlopen(url).read())
    return line in page


async def test_each_process_serves_metrics_at_a_port_of_its_own(tmp_path: Path) -> None:
    port = free_ports()
    options = ("--metrics", f"127.0.0.1:{port}")
    async with Hello() as hello, serving(tmp_path, hello, 2, *options) as (_, child):
        for number in (1, 2):
            url = f"http://127.0.0.1:{port + number - 1}/metrics"
            assert f"durable: metrics of process {number} on {url}\n" in child.text()
            # The control plane may list a worker before the worker knows that it is welcome.
            await eventually(partial(shows, url, b"durable_worker_connected 1.0"))


USES = """
import os, subprocess, sys
import durable

@durable.workflow
async def surroundings(ctx: durable.Context) -> list[str]:
    def step() -> list[str]:
        read = subprocess.run(["cat"], capture_output=True, text=True, timeout=30).stdout
        return [read, sys.stdin.read(), os.environ.get("DURABLE_WORKER_PROCESS", "unset")]
    return await ctx.run("step", step)
"""


async def test_user_code_sees_nothing_of_the_link_to_the_parent(tmp_path: Path) -> None:
    module = tmp_path / "uses.py"
    module.write_text(USES)
    with (
        control_plane(tmp_path) as (_, address),
        workers(tmp_path, address, "--processes", "2", module=str(module)) as child,
    ):
        async with durable.AsyncClient(address) as client:
            await eventually(partial(connected, client, 2))
            result = await client.invoke("surroundings")
            assert result.value() == ["", "", "unset"]
        assert await asyncio.to_thread(child.terminate) == 0, child.text()
