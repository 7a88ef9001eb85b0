"""The roles of a partition on two nodes, over one log in memory and real stores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest

from durable_server.core.limits import Limits
from durable_server.core.messages import SendSignal
from durable_server.core.model import Handler, HandlerKind, State
from durable_server.core.outcomes import NULL_OUTCOME
from durable_server.core.records import HandlerRegistered, Invoked, Received, Started
from durable_server.core.replies import Created, Reply
from durable_server.log.fenced import FencedLog
from durable_server.log.interface import DeposedError, Log, LogDataLostError, LogUnavailableError
from durable_server.log.memory import MemoryLog, MemoryStream, MemoryStreamClient
from durable_server.log.stream import StreamUnavailableError
from durable_server.node.followed import FollowedLog
from durable_server.node.host import PartitionHost, Role
from durable_server.processor import follower, loop
from durable_server.processor.build import build_follower, build_processor
from durable_server.processor.clock import WallClock
from durable_server.processor.demand import Demand
from durable_server.processor.errors import NotLeadingError, ProcessorEndedError
from durable_server.processor.follower import Follower
from durable_server.processor.loop import Processor
from durable_server.processor.queue import Wanted
from durable_server.processor.router import Router
from durable_server.processor.trimming import Snapshots
from durable_server.processor.workers import Workers
from durable_server.rpc.session_writer import SessionWriter
from durable_server.sessions.sessions import Hello, Sessions
from durable_server.sessions.times import SessionTimes
from durable_server.store.interface import Store
from durable_server.store.sqlite import SqliteStore
from tests.formats.facts import store_facts
from tests.support.waiting import PATIENCE_SECONDS, eventually


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

    def log(self, partition: int) -> FencedLog:
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


async def test_a_follower_that_is_interrupted_leaves_nothing_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has read more than it has applied then."""
    monkeypatch.setattr(follower, "_GROUP_RECORDS", 10)
    async with two_nodes(tmp_path) as (first, second):
        await second.host.follow()
        for number in range(50):
            await first.invoke(number)
        catching_up = asyncio.ensure_future(second.host.catch_up())
        while not second.host.position.sequence:  # noqa: ASYNC110  # the next moment would be too late
            await asyncio.sleep(0)
        catching_up.cancel()
        await asyncio.wait({catching_up})
        assert catching_up.cancelled()
        assert second.host.position.sequence < first.host.position.sequence
        await first.invoke(50)
        await second.host.catch_up()
        assert second.host.position == first.host.position
        assert second.ids() == first.ids()


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


class _SlowClient(MemoryStreamClient):
    """A client that gets four messages before the time is up."""

    async def read(self, first: int, last: int, deliver: Callable[[int, bytes], None]) -> None:
        await super().read(first, min(first + 3, last), deliver)
        if last > first + 3:
            raise StreamUnavailableError("no answer within 5 s")


class _FarNode(HostedNode):
    def log(self, partition: int) -> FencedLog:
        return FencedLog(_SlowClient(self.stream))


async def test_a_follower_goes_on_from_where_a_slow_log_has_left_it(tmp_path: Path) -> None:
    async with two_nodes(tmp_path) as (first, _):
        for number in range(20):
            await first.invoke(number)
        far = _FarNode(tmp_path / "far", first.stream)
        await far.host.follow()
        applied = [0]
        while far.host.position != first.host.position:
            with suppress(LogUnavailableError):
                await far.host.catch_up()
            assert far.host.position.sequence > applied[-1]
            applied.append(far.host.position.sequence)
        assert len(applied) > 3
        await far.host.close()
    assert far.ids() == first.ids()


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


class _FollowedNode(HostedNode):
    """A node without snapshots, whose log is trimmed as often as possible."""

    follower: HostedNode

    def processor(
        self,
        partition: int,
        log: Log,
        store: Store,
        snapshots: Snapshots | None,  # as in `Builders`
    ) -> Processor:
        followed = FollowedLog(lambda: self.follower.host.position.sequence)
        limits = Limits(trim_bytes=1)
        return build_processor(log, store, limits, WallClock(), self.workers, snapshots=followed)


async def test_a_log_without_snapshots_keeps_what_a_live_follower_has_not_applied(
    tmp_path: Path,
) -> None:
    stream = MemoryStream()
    first = _FollowedNode(tmp_path / "a", stream)
    first.follower = second = HostedNode(tmp_path / "b", stream)
    await first.host.lead()
    await first.register()
    await second.host.follow()
    await second.host.catch_up()
    applied = second.host.position.sequence
    for number in range(100):
        await first.invoke(number)
    await eventually(lambda: stream.first == applied)
    await second.host.catch_up()
    assert second.host.position == first.host.position
    await first.invoke(100)
    # Without what it needs no more.
    await eventually(lambda: stream.first == second.host.position.sequence)
    await first.host.close()
    await second.host.close()


async def start_at(node: HostedNode, worker_id: str) -> str:
    """Lets an invocation run on a worker; returns its id."""
    await node.invoke(1)
    invocation_id = f"{1:032x}"
    node.workers.expect(worker_id).owned[invocation_id] = 1
    await node.router.any().inputs.propose(Started(invocation_id, 1, worker_id, "v1"))
    return invocation_id


async def test_a_partition_that_is_given_back_unserved_leaves_no_workers(tmp_path: Path) -> None:
    """Invocations of other partitions would wait for their versions for ever."""
    async with two_nodes(tmp_path) as (first, second):
        await start_at(first, "w")
        await second.host.take_over()
        await second.host.release()
        assert not second.workers.candidates(Wanted("work", "v1"))


async def test_a_worker_that_is_lost_during_a_takeover_loses_what_it_had_there(
    tmp_path: Path,
) -> None:
    async with two_nodes(tmp_path) as (first, second):
        invocation_id = await start_at(first, "w")
        times = SessionTimes(heartbeat=5.0, timeout=15.0, grace=0.3)
        sessions = Sessions(second.router, second.workers, Limits(), times)
        sessions.demand = Demand(second.workers)
        hello = Hello("w", "", "", 1, [Handler("work", version="v1")], {})
        session = await sessions.open(hello, SessionWriter(Limits(), times))
        sessions.close(session, left=False)
        processor = await second.host.take_over()
        await eventually(lambda: second.workers.get("w") is None)
        second.host.serve()

        def released() -> bool:
            found = processor.find(invocation_id)
            return found is not None and found.state is not State.RUNNING

        await eventually(released)


async def test_a_request_for_a_partition_that_left_and_came_back_does_not_use_up_a_handler(
    tmp_path: Path,
) -> None:
    """It has waited for another node to tell the handler, and still has the processor of before."""
    async with two_nodes(tmp_path) as (first, _):
        before = first.router.any()
        await first.host.release()
        now = await first.host.lead()
        first.router.declare([Handler("cart.add", HandlerKind.OBJECT_EXCLUSIVE)])
        assert first.router.handler(before, "cart.add") is not None
        assert first.router.handler(now, "cart.add") is not None
        await first.register()
        assert "cart.add" in now.partition.handlers


async def test_messages_that_are_being_checked_when_their_partition_is_closed_are_refused(
    tmp_path: Path,
) -> None:
    """Any other error would end the partition that sends them."""
    async with two_nodes(tmp_path) as (first, _):
        signal = SendSignal(f"{1:032x}", "s", NULL_OUTCOME, f"{2:032x}", 0)
        received = Received(1, 1, (signal,) * 20_000)
        receiving = asyncio.create_task(first.router.receive(0, received))
        await asyncio.sleep(0)
        await first.host.close()
        with pytest.raises(ProcessorEndedError):
            await receiving
