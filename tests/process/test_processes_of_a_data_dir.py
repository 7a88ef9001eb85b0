"""`durable server --processes` from start to end, and with other numbers of them on one data dir."""

from __future__ import annotations

import asyncio
import subprocess
from functools import partial
from pathlib import Path

import pytest

from durable_server.nats.endpoint import fixed, parse_urls
from durable_server.processes import tell_ended
from tests.support.external_nats import JETSTREAM, external_nats
from tests.support.processes import control_plane, until
from tests.support.processes import durable as command

from .several_processes import gone, served


@pytest.mark.parametrize("how", ["killed", "terminated"])
async def test_nothing_outlives_the_parent(tmp_path: Path, how: str) -> None:
    with control_plane(tmp_path, "--processes", "2") as (child, _):
        left = child.descendants()
        assert len(left) == 3  # with nats-server
        if how == "killed":
            # A process that was stopped cannot see that its parent has ended; others can.
            child.kill()
        else:
            assert child.terminate() == 0, child.text()
            assert gone(left)
            assert not (tmp_path / "server.ready").exists()
            # When all stop, nobody takes over what the others led.
            assert "released partition" not in child.text().partition("Shutting down")[0]
        await asyncio.to_thread(until, partial(gone, left), "end of the processes")


async def test_a_system_runs_with_any_number_of_processes(tmp_path: Path) -> None:
    added = 0
    for options in (["--processes", "2"], [], ["--processes", "3"]):
        async with served(tmp_path, *options) as system:
            system.added = added
            await system.add()
            await system.add()
            added = system.added
            view = await system.client.cluster()
            assert len(view.partitions) == 12
            assert len(view.nodes) == (int(options[1]) if options else 1)
            if options:
                await system.led_by(int(options[1]))
            assert "waits" not in system.child.text()


async def test_a_nats_system_that_refuses_the_parent_does_not_end_the_processes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The others find out about the end at the end of the lease, and the process starts again."""
    config = f"{JETSTREAM}\nauthorization {{ user: a, password: b }}"
    async with external_nats(tmp_path / "nats", config) as nats:
        refused = parse_urls(nats.url.replace("//", "//a:old@"))
        await tell_ended(fixed(refused), "p1", 12)
    (said,) = [it.getMessage() for it in caplog.records if it.name == "durable.processes"]
    assert said.startswith("the others are not told that process p1 has ended: NATS at ")
    assert "refuses the login" in said


async def test_more_processes_than_partitions_are_a_warning(tmp_path: Path) -> None:
    async with served(tmp_path) as system:
        await system.add()
    async with served(tmp_path, "--processes", "2") as system:
        system.added = 1
        await system.add()
        assert [len(it.led_partitions) for it in (await system.client.cluster()).nodes] in (
            [0, 1],
            [1, 0],
        )
        (line,) = [it for it in system.child.text().splitlines() if "--processes 2:" in it]
        assert (
            "--processes 2: this system has 1 partition, and the number is fixed, so 1 of" in line
        )
        assert "leads none and only passes requests on; --processes 1 is faster" in line


async def test_over_an_external_nats_system_that_no_other_node_uses(tmp_path: Path) -> None:
    async with external_nats(tmp_path / "nats", JETSTREAM) as nats:
        options = ("--nats", nats.url, "--processes", "2")
        async with served(tmp_path, *options) as system:
            await system.add()
            assert len(system.child.descendants()) == 2
            refused = await asyncio.to_thread(
                subprocess.run,
                command(
                    *("server", *options, "--listen", "127.0.0.1:0"),
                    *("--data-dir", str(tmp_path / "other")),
                ),
                capture_output=True,
                text=True,
                check=False,
            )
            assert refused.returncode == 1
            assert "led by the nodes p1, p2" in refused.stderr
