"""`durable server --processes` under a load: processes are killed, stopped and terminated for real."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import urllib.request
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.processes import durable as command
from tests.support.processes import nats_of
from tests.support.waiting import eventually

from .several_processes import PATIENCE_SECONDS, System, gone, served


@pytest_asyncio.fixture(scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """Two processes, which run; a test leaves them so."""
    folder = tmp_path_factory.mktemp("system")
    async with served(folder, "--processes", "2", "--http", "127.0.0.1:0") as system:
        yield system


async def test_the_processes_share_the_partitions_and_one_address(system: System) -> None:
    view = await system.led_by(2)
    assert {it.address for it in view.nodes} == {system.address}
    assert system.processes().keys() == {it.name for it in view.nodes} == {"p1", "p2"}
    # Each of two has as many, and so would each of 3, 4, 6 or 12.
    assert len(view.partitions) == 12
    # Only the parent announces itself.
    assert system.child.text().count("durable: ") == 2
    await system.add()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_a_process_that_ends_is_replaced_and_no_call_fails(
    system: System, how: signal.Signals
) -> None:
    await system.led_by(2)
    before = system.processes()
    async with system.load():
        before["p1"].send_signal(how)
        await eventually(lambda: system.processes().get("p1", before["p1"]) != before["p1"])
        await system.led_by(2)
    assert system.processes()["p2"] == before["p2"]
    reason = "by SIGKILL" if how is signal.SIGKILL else "with code 0"
    assert f"process 1 (pid {before['p1'].pid}) ended {reason}; it starts again" in (
        system.child.text()
    )


async def test_a_process_that_hangs_loses_its_partitions_and_its_life(system: System) -> None:
    """It has its stores open, so that nobody else may open them before it has ended."""
    await system.led_by(2)
    stopped = system.processes()["p2"]
    async with system.load():
        stopped.suspend()
        await eventually(partial(gone, [stopped]), PATIENCE_SECONDS)
        await system.led_by(2)
    assert f"process {stopped.pid} holds the store" in system.child.text()


async def test_the_processes_find_a_nats_server_that_was_started_again(system: System) -> None:
    await system.led_by(2)
    before, server = system.processes(), nats_of(system.child)
    async with system.load():
        server.kill()
        await eventually(partial(gone, [server]))
    assert system.processes() == before
    assert nats_of(system.child).pid != server.pid


async def test_a_scrape_has_the_series_of_all_processes(system: System) -> None:
    await system.led_by(2)
    http = json.loads((system.child.output.parent / "server.ready").read_text())["http"]
    for _ in range(4):  # whichever process answers
        page = await asyncio.to_thread(
            lambda: urllib.request.urlopen(f"http://{http}/metrics").read()
        )
        lines = page.decode().splitlines()
        epochs = [it for it in lines if it.startswith("durable_epoch{")]
        assert len(epochs) == 12
        assert {it.split('node="')[1].split('"')[0] for it in epochs} == {"p1", "p2"}
        # One group for each series, as the format has it.
        assert lines.count("# TYPE durable_epoch gauge") == 1


async def test_another_system_cannot_share_the_address(system: System, tmp_path: Path) -> None:
    options = ("--processes", "2", "--listen", system.address, "--data-dir", str(tmp_path / "data"))
    code, said = await refused(*options)
    assert code == 1
    assert f"cannot listen on {system.address}: it is taken by another process" in said


async def test_what_no_process_can_do_is_said_once(tmp_path: Path) -> None:
    options = ("--processes", "2", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data"))
    code, said = await refused(*options, "--snapshots", "nowhere://x")
    assert code == 1
    assert said.count("nowhere://x") == len(said.splitlines()) == 1


async def refused(*options: str) -> tuple[int, str]:
    """Runs a control plane that does not start; returns its exit code and what it has said."""
    ended = await asyncio.to_thread(
        subprocess.run, command("server", *options), capture_output=True, text=True, check=False
    )
    return ended.returncode, ended.stderr
