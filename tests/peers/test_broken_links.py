"""Links that end: processes killed and stopped, connections cut and held, nodes that move or leave."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from durable_server.peers.interface import PeerUnavailableError
from durable_server.peers.limits import LinkLimits
from durable_server.peers.links import Links
from durable_server.peers.server import NodeAddressError, PeerServer

from ..support.processes import Child, running, until
from ..support.waiting import eventually
from .conftest import credentials
from .methods import RecordedMethods
from .proxy import proxy

IMPATIENT = LinkLimits(silence_seconds=0.4)
PATIENT = LinkLimits(silence_seconds=600)


@contextmanager
def node_process(folder: Path, *arguments: str) -> Iterator[tuple[Child, str]]:
    """Runs a node of its own process; gives it and its address."""
    command = [sys.executable, "-m", "tests.peers.node_process", *arguments]
    with running(command, folder / f"{arguments[0]}.log") as child:
        until(lambda: child.text().endswith("\n"), "address", child)
        yield child, child.text().strip()


async def answers(links: Links) -> bool:
    """Whether node b answers a call."""
    try:
        return await links.call("b", "Echo", b"x", 30) == b"x"
    except PeerUnavailableError:
        return False


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [it.getMessage() for it in caplog.records if it.levelno == logging.WARNING]


async def test_a_node_that_is_killed_ends_its_calls_and_streams(tmp_path: Path) -> None:
    with node_process(tmp_path, "b") as (child, address):
        links = Links(credentials("a"), {"b": address}.get, PATIENT)
        stream = links.open("b", "Double", b"first")
        stream.send(b"2")
        assert await stream.receive() == b"first"
        calls = [asyncio.create_task(links.call("b", "Wait", b"", None)) for _ in range(100)]
        assert await links.call("b", "Echo", b"all have arrived", 30)
        child.kill()
        assert {type(it) for it in await asyncio.gather(*calls, return_exceptions=True)} == {
            PeerUnavailableError
        }
        assert await stream.receive() == b"22"
        with pytest.raises(PeerUnavailableError, match=r"node b at .* cannot be asked"):
            await stream.receive()
        with pytest.raises(PeerUnavailableError):
            await links.call("b", "Echo", b"", None)
        await links.close()


async def test_a_node_that_is_stopped_is_noticed_by_its_silence(tmp_path: Path) -> None:
    with node_process(tmp_path, "b") as (child, address):
        links = Links(credentials("a"), {"b": address}.get, IMPATIENT)
        assert await links.call("b", "Echo", b"x", 30) == b"x"
        child.process.send_signal(signal.SIGSTOP)
        with pytest.raises(PeerUnavailableError, match=r"nothing was heard for 0\.4 s"):
            await links.call("b", "Wait", b"", None)
        # The connection is accepted by the system, and nobody answers on it.
        with pytest.raises(PeerUnavailableError, match=r"nothing was heard for 0\.4 s"):
            await links.call("b", "Wait", b"", None)
        child.process.send_signal(signal.SIGCONT)
        await eventually(lambda: answers(links))
        await links.close()


async def test_what_waits_for_a_node_that_reads_nothing_is_bounded(tmp_path: Path) -> None:
    with node_process(tmp_path, "b") as (child, address):
        limits = PATIENT._replace(unwritten_bytes=4 * 2**20)
        links = Links(credentials("a"), {"b": address}.get, limits)
        stream = links.open("b", "Ignore", b"")
        assert await links.call("b", "Echo", b"x", 30) == b"x"
        child.process.send_signal(signal.SIGSTOP)
        receiving = asyncio.create_task(stream.receive())
        while not receiving.done():
            stream.send(bytes(100_000))
            await asyncio.sleep(0)
        with pytest.raises(PeerUnavailableError, match="more than the limit unwritten_bytes"):
            await receiving
        await links.close()


@pytest.mark.parametrize("limits", [PATIENT._replace(unwritten_bytes=4 * 2**20)])
async def test_what_waits_for_a_caller_that_reads_nothing_is_bounded(
    addresses: dict[str, str],
    methods: RecordedMethods,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "durable.peers")
    with node_process(tmp_path, "c", addresses["b"], "Ignore", "x" * 10_000) as (child, _):
        await methods.waiting.wait()
        child.process.send_signal(signal.SIGSTOP)
        await methods.cancelled.wait()
        ends = [it for it in caplog.messages if it.startswith("the link from node c has ended")]
        assert len(ends) == 1
        assert "more than the limit unwritten_bytes (4194304)" in ends[0]


async def test_a_connection_that_is_cut_ends_the_link_and_the_next_call_dials(
    addresses: dict[str, str], links: Links, methods: RecordedMethods
) -> None:
    async with proxy(addresses["b"]) as between:
        addresses["b"] = between.address
        stream = links.open("b", "Collect", b"first")
        call = asyncio.create_task(links.call("b", "Wait", b"", None))
        await methods.waiting.wait()
        between.cut()
        for broken in (call, stream.receive()):
            with pytest.raises(PeerUnavailableError):
                await broken
        await methods.cancelled.wait()
        # An accepted link that breaks is dialled anew without a pause.
        assert await links.call("b", "Echo", b"again", 30) == b"again"
        assert between.connections == 2


@pytest.mark.parametrize("limits", [IMPATIENT])
async def test_a_connection_that_is_held_ends_the_link_on_both_sides(
    addresses: dict[str, str], links: Links, methods: RecordedMethods
) -> None:
    async with proxy(addresses["b"]) as between:
        addresses["b"] = between.address
        call = asyncio.create_task(links.call("b", "Wait", b"", None))
        await methods.waiting.wait()
        between.hold()
        with pytest.raises(PeerUnavailableError, match="nothing was heard"):
            await call
        await methods.cancelled.wait()


@pytest.mark.parametrize("limits", [IMPATIENT])
async def test_heartbeats_keep_a_link_on_which_nothing_happens(
    links: Links, methods: RecordedMethods
) -> None:
    call = asyncio.create_task(links.call("b", "Wait", b"late", None))
    await methods.waiting.wait()
    # Nothing happens but that time passes.
    await asyncio.sleep(4 * IMPATIENT.silence_seconds)
    assert not call.done()
    methods.let_go.set()
    assert await call == b"late"


async def test_a_node_that_is_down_is_dialled_at_intervals_and_found_again(
    server: PeerServer, caplog: pytest.LogCaptureFixture
) -> None:
    address = await server.start("127.0.0.1:0")
    links = Links(credentials("a"), {"b": address}.get)
    assert await answers(links)
    await server.stop(0)
    dialled = 0
    for _ in range(2000):
        try:
            await links.call("b", "Echo", b"", None)
        except PeerUnavailableError:
            dialled += 1
    assert dialled == 2000
    (warning,) = warnings_of(caplog)
    assert warning.startswith(f"the link to node b at {address} has ended: ")
    again = PeerServer(credentials("b"), RecordedMethods())
    assert await again.start(address) == address
    await eventually(lambda: answers(links))
    await links.close()
    await again.stop(0)


async def test_a_node_with_another_address_is_called_there(
    addresses: dict[str, str], links: Links, methods: RecordedMethods
) -> None:
    call = asyncio.create_task(links.call("b", "Wait", b"", None))
    await methods.waiting.wait()
    moved_methods = RecordedMethods()
    moved = PeerServer(credentials("b"), moved_methods)
    addresses["b"] = await moved.start("127.0.0.1:0")
    assert await links.call("b", "Echo", b"x", 30) == b"x"
    assert moved_methods.calls_seen == 1
    with pytest.raises(PeerUnavailableError, match="its address is"):
        await call
    await methods.cancelled.wait()
    await moved.stop(0)


async def test_a_node_that_is_not_live_is_not_called(
    addresses: dict[str, str], links: Links, methods: RecordedMethods
) -> None:
    call = asyncio.create_task(links.call("b", "Wait", b"", None))
    await methods.waiting.wait()
    del addresses["b"]
    with pytest.raises(PeerUnavailableError, match=r"^node b is not live$"):
        await links.call("b", "Echo", b"", None)
    with pytest.raises(PeerUnavailableError, match=r"^node b is not live$"):
        await links.open("b", "Double", b"").receive()
    with pytest.raises(PeerUnavailableError):
        await call
    await methods.cancelled.wait()


async def test_a_dropped_link_ends_at_once_and_is_dialled_anew(
    links: Links, methods: RecordedMethods
) -> None:
    call = asyncio.create_task(links.call("b", "Wait", b"", None))
    await methods.waiting.wait()
    links.drop("b")
    links.drop("nobody")
    with pytest.raises(PeerUnavailableError, match="it is not live any more"):
        await call
    assert await links.call("b", "Echo", b"x", 30) == b"x"


async def test_after_close_nothing_is_called(links: Links) -> None:
    stream = links.open("b", "Double", b"")
    await links.close()
    with pytest.raises(PeerUnavailableError, match="this node stops"):
        await links.call("b", "Echo", b"", None)
    with pytest.raises(PeerUnavailableError, match="this node stops"):
        await stream.receive()


async def test_an_address_that_is_taken_is_named(addresses: dict[str, str]) -> None:
    other = PeerServer(credentials("c"), RecordedMethods())
    with pytest.raises(NodeAddressError, match="--node-listen") as caught:
        await other.start(addresses["b"])
    assert addresses["b"] in str(caught.value)
