"""The roles of a partition on two nodes, over one log in memory and real stores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from durable_server.core.limits import Limits
from durable_server.core.model import Handler
from durable_server.core.records import HandlerRegistered, Invoked
from durable_server.core.replies import Created, Reply
from durable_server.log.interface import DeposedError, Log, LogDataLostError
from durable_server.log.memory import MemoryLog, MemoryStream
from durable_server.node.host import PartitionHost, Role
from durable_server.processor import loop
from durable_server.processor.build import build_follower, build_processor
from durable_server.processor.clock import WallClock
from durable_server.processor.errors import NotLeadingError, ProcessorEndedError
from durable_server.processor.follower import Follower
from durable_server.processor.loop import Processor
from durable_server.processor.router import Router
from durable_server.processor.trimming import Snapshots
from durable_server.processor.workers import Workers
from durable_server.store.interface import Store
from durable_server.store.sqlite import SqliteStore
from tests.formats.facts import store_facts
from tests.support.waiting import PATIENCE_SECONDS


class HostedNode:
    """Storage and builders of one node; the log is shared."""

    def __init__(self, folder: Path, stream: MemoryStream) -> None:
        self.path = folder / "partition-0.db"
        folder.mkdir()
        self.stream = stream
        self.workers = Workers()
        self.released: list[int] = []
        self.router = Router(1)
        self.host = PartitionHost(0, self.router, self, self, folder.name)

    def log(self, partition: int) -> MemoryLog:
        return MemoryLog(self.stream)

    async def open_store(self, partition: int) -> SqliteStore:
        return SqliteStore(self.path)

    async def add_snapshots(self, partition: int) -> None:
        return None

    def remove_snapshots(self, partition: int) -> None:
        self.released.append(partition)

    @contextmanager
    def explained(self, partition: int) -> Iterator[None]:
        yield

    def processor(
        self, partition: int, log: Log, store: Store, snapshots: Snapshots | None
    ) -> Processor:
        return build_processor(log, store, Limits(), WallClock(), self.workers)

    def follower(self, partition: int, log: Log, store: Store) -> Follower:
        return build_follower(log, store, WallClock(), index=0, count=1)

    async def register(self) -> None:
        await self.router.any().inputs.propose(HandlerRegistered(Handler("work")))

    async def invoke(self, number: int) -> None:
        inputs = self.router.any().inputs
        reply = await inputs.propose(Invoked(f"{number:032x}", "work", b"input"))
        assert isinstance(reply, Created)

    def ids(self) -> list[str]:
        store = SqliteStore(self.path)
        found = sorted(it.id for it in store.recover().active)
        store.close()
        return found


@asynccontextmanager
async def two_nodes(folder: Path) -> AsyncIterator[tuple[HostedNode, HostedNode]]:
    """Makes two nodes; the first one leads and knows the handler `work`."""
    stream = MemoryStream()
    first, second = HostedNode(folder / "a", stream), HostedNode(folder / "b", stream)
    await first.host.lead()
    await first.register()
    try:
        yield first, second
    finally:
        await first.host.close()
        await second.host.close()


async def append_in_flight(node: HostedNode, settle_by: float = 0.0) -> asyncio.Future[Reply]:
    """Proposes an invocation; returns its reply's future when the record is on its way to the log."""
    inputs = node.router.any().inputs
    invoked = inputs.propose(Invoked(f"{1:032x}", "work", b"input"), settle_by=settle_by)
    while inputs.waiting:  # noqa: ASYNC110  # the next moment would be too late
        await asyncio.sleep(0)
    assert not invoked.done()
    return invoked


async def test_a_follower_has_what_the_leader_has_and_goes_on_from_there(tmp_path: Path) -> None:
    async with two_nodes(tmp_path) as (first, second):
        await second.host.follow()
        for number in range(100):  # more than are read at once
            await first.invoke(number)
        await second.host.catch_up()
        assert second.host.position == first.host.position
        assert second.host.role is Role.FOLLOWING
        with pytest.raises(NotLeadingError):
            second.router.any()
        await first.host.release()
        with pytest.raises(NotLeadingError):
            first.router.for_id("0" * 32)
        processor = await second.host.lead()
        assert processor.epoch == 2
        await second.invoke(100)
        await first.host.follow()
        await first.host.catch_up()
        assert first.host.position == second.host.position
        await first.host.close()
        await second.host.close()
    assert len(first.ids()) == 101
    assert store_facts(first.path) == store_facts(second.path)


async def test_a_leader_that_is_deposed_refuses_what_waits_and_can_follow(tmp_path: Path) -> None:
    async with two_nodes(tmp_path) as (first, second):
        await first.invoke(1)
        processor = first.router.any()
        await second.host.lead()
        await second.invoke(2)
        with pytest.raises(ProcessorEndedError):
            await first.invoke(3)
        assert isinstance(processor.ended.exception(), DeposedError)
        await first.host.release()
        await first.host.follow()
        await first.host.catch_up()
        assert first.host.position == second.host.position
    assert first.ids() == second.ids() == [f"{it:032x}" for it in (1, 2)]


async def test_a_release_ends_the_append_in_flight_and_answers_it(tmp_path: Path) -> None:
    async with two_nodes(tmp_path) as (first, second):
        invoked = await append_in_flight(first)
        await first.host.release()
        assert isinstance(await invoked, Created)
        await second.host.lead()
        assert second.router.for_id(f"{1:032x}").find(f"{1:032x}") is not None


async def test_a_release_refuses_the_append_in_flight_that_the_log_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_STOP_SECONDS", 0.05)
    async with two_nodes(tmp_path) as (first, _):
        invoked = await append_in_flight(first)
        first.stream.available = False
        await first.host.release()
        with pytest.raises(ProcessorEndedError):
            await asyncio.wait_for(invoked, PATIENCE_SECONDS)


async def test_a_release_refuses_what_waits_for_the_end_of_what_is_in_flight(
    tmp_path: Path,
) -> None:
    async with two_nodes(tmp_path) as (first, _):
        now = asyncio.get_running_loop().time()
        invoked = await append_in_flight(first, settle_by=now + 1000)
        await first.host.release()
        with pytest.raises(ProcessorEndedError):
            await asyncio.wait_for(invoked, PATIENCE_SECONDS)


async def test_a_release_that_is_cancelled_is_completed_by_the_close(tmp_path: Path) -> None:
    async with two_nodes(tmp_path) as (first, second):
        invoked = await append_in_flight(first)
        release = asyncio.create_task(first.host.release())
        await asyncio.sleep(0)
        release.cancel()
        with pytest.raises(asyncio.CancelledError):
            await release
        await first.host.close()
        assert isinstance(await asyncio.wait_for(invoked, PATIENCE_SECONDS), Created)
        assert first.released == [0]
        await second.host.lead()
        assert second.router.for_id(f"{1:032x}").find(f"{1:032x}") is not None


async def test_a_follower_behind_the_trimmed_log_says_so(tmp_path: Path) -> None:
    async with two_nodes(tmp_path) as (first, second):
        await second.host.follow()
        for number in range(10):
            await first.invoke(number)
        await first.host.log.trim(first.host.position.sequence)
        with pytest.raises(LogDataLostError, match="are missing"):
            await second.host.catch_up()


async def test_a_follower_of_another_log_says_so(tmp_path: Path) -> None:
    async with two_nodes(tmp_path) as (first, second):
        await second.host.follow()
        await second.host.catch_up()
        await second.host.close()
        await first.invoke(1)
        # The same sequences, written by somebody else.
        other = HostedNode(tmp_path / "c", MemoryStream())
        for _ in range(3):
            await other.host.lead()
            await other.host.release()
        await other.host.close()
        second.stream.messages[:] = other.stream.messages
        await second.host.follow()
        with pytest.raises(LogDataLostError, match="not the log"):
            await second.host.catch_up()
        await first.host.close()
