"""The roles of one node: what goes wrong while it takes a partition over, leads or drains."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from durable_server.cluster.member import Member
from durable_server.core.model import Handler
from durable_server.core.records import HandlerRegistered
from durable_server.log.fenced import FencedLog
from durable_server.log.memory import MemoryStream, MemoryStreamClient
from durable_server.node.host import Role
from durable_server.node.roles import Roles
from durable_server.node.store_lock import StoreLock
from durable_server.processor.errors import NotLeadingError, ProcessorEndedError
from durable_server.snapshots.place import PlaceError
from durable_server.store.sqlite import SqliteStore, StoreUnusableError, explain_error
from tests.cluster.nodes import member
from tests.sim.virtual import run
from tests.support.waiting import PATIENCE_SECONDS, eventually

from .test_host import HostedNode


class _Node(HostedNode):
    """A node whose snapshots cannot be read at the first time; with the members that it knows."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, MemoryStream())
        self.name = "a"
        self.current = True
        self.others: dict[str, Member] = {}
        self.tries = 0
        self.lock = False
        """Whether the store has a lock, as in a data dir that was shared."""
        self.alone = True
        self.changed: Callable[[], None] = lambda: None
        self.returns: Callable[[], None] = lambda: None

    @property
    def live(self) -> Mapping[str, Member]:
        roles = self.roles
        own = member("a", leads=roles.leads, takes=roles.takes, follows=roles.follows)
        return {"a": own, **self.others}

    def start(self) -> None:
        self.roles = Roles([self.host], standbys=1, settle=0.01)
        self.roles.start(self)

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        self.changed = callback
        return lambda: None

    def heard(self, callback: Callable[[Member], None]) -> Callable[[], None]:
        return lambda: None

    def returning(self, callback: Callable[[], None]) -> None:
        self.returns = callback

    def may_serve(self, partition: int) -> bool:
        return self.alone

    def renew_now(self) -> None:
        pass

    async def open_store(self, partition: int) -> SqliteStore:
        self.tries += 1
        if self.tries == 1:
            raise PlaceError("the bucket does not answer")
        if self.lock:
            StoreLock.take(self.path, make=False).release()
        return await super().open_store(partition)

    @contextmanager
    def explained(self, partition: int) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise explain_error(self.path, error) from error


async def test_snapshots_that_cannot_be_read_now_are_tried_again(tmp_path: Path) -> None:
    node = _Node(tmp_path / "a")
    node.start()
    try:
        await eventually(lambda: node.host.role is Role.LEADING or node.roles.failed.done())
        assert not node.roles.failed.done()
        assert node.tries == 2
    finally:
        await node.roles.close()


def test_a_store_that_an_earlier_process_holds_is_named_once_and_followed_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def follow() -> None:
        node = _Node(tmp_path / "a")
        node.others["b"] = member("b", leads={0: (1, 1)})
        held = StoreLock.take(node.path, make=True)
        node.lock = True
        node.start()
        await asyncio.sleep(60)
        assert node.host.role is Role.IDLE
        held.release()
        await eventually(lambda: node.host.role is Role.FOLLOWING)
        await node.roles.close()

    run(follow())
    (said,) = [it.getMessage() for it in caplog.records if "is held by" in it.getMessage()]
    assert said.startswith("partition 0: the store ")


async def test_a_store_that_fails_while_the_node_leads_is_named(tmp_path: Path) -> None:
    node = _Node(tmp_path / "a")
    node.start()
    try:
        await eventually(lambda: any(map(node.router.answers, node.router.all())))
        with sqlite3.connect(node.path) as damaged:
            damaged.execute("DROP TABLE handlers")
        damaged.close()
        with pytest.raises(ProcessorEndedError):
            await node.register()
        with pytest.raises(StoreUnusableError, match=r"partition-0\.db"):
            await asyncio.wait_for(node.roles.failed, PATIENCE_SECONDS)
    finally:
        await node.roles.close()


async def test_nothing_goes_on_in_a_partition_while_another_node_may_answer_for_it(
    tmp_path: Path,
) -> None:
    node = _Node(tmp_path / "a")
    node.alone = False
    node.start()
    try:
        await eventually(lambda: node.host.role is Role.TAKING)
        position = node.host.position
        assert node.roles.takes == {0: position.epoch}
        assert not node.roles.leads
        assert not node.router.all()
        assert node.host.processor is not None
        waiting = node.host.processor.inputs.propose(HandlerRegistered(Handler("work")))
        await asyncio.sleep(0)
        assert not waiting.done()
        assert node.host.position == position
        node.alone = True
        node.changed()
        assert node.roles.leads == {0: (position.epoch, position.sequence)}
        assert not node.roles.takes
        await waiting
    finally:
        await node.roles.close()


async def test_a_node_that_hears_of_another_leader_answers_no_more_at_once(tmp_path: Path) -> None:
    node = _Node(tmp_path / "a")
    node.start()
    try:
        await eventually(lambda: node.host.role is Role.LEADING)
        node.others["b"] = member("b", takes={0: node.host.position.epoch + 1})
        node.changed()
        assert not node.router.all()
        await eventually(lambda: node.host.role is Role.FOLLOWING)
    finally:
        await node.roles.close()


@pytest.mark.parametrize(
    ("role", "lapse"), [(Role.TAKING, True), (Role.LEADING, True), (Role.TAKING, False)]
)
async def test_a_node_answers_nothing_before_its_log_shows_that_nobody_has_led_meanwhile(
    tmp_path: Path, role: Role, lapse: bool
) -> None:
    """Another node has led meanwhile, and has left: no member tells that."""
    node = _Node(tmp_path / "a")
    node.alone = role is Role.LEADING
    node.start()
    other = HostedNode(tmp_path / "b", node.stream)
    try:
        await eventually(lambda: node.host.role is role)
        stale = node.host.processor
        assert stale is not None
        node.current = not lapse
        await other.host.lead()
        await other.register()
        await other.invoke(1)
        await other.host.close()

        def serves() -> bool:
            with suppress(NotLeadingError):
                return node.router.for_id(f"{1:032x}") is stale or node.router.any() is stale
            return False

        if lapse:
            node.returns()
        node.current = node.alone = True
        node.changed()
        while node.host.processor is stale:  # it must not answer at any moment
            assert not serves()
            await asyncio.sleep(0)
        await eventually(lambda: any(map(node.router.answers, node.router.all())))
        assert node.router.for_id(f"{1:032x}").find(f"{1:032x}") is not None
    finally:
        await node.roles.close()
        await other.host.close()


async def test_a_node_that_has_its_lease_again_answers_once_its_log_shows_that_it_leads(
    tmp_path: Path,
) -> None:
    node = _Node(tmp_path / "a")
    node.start()
    try:
        await eventually(lambda: any(map(node.router.answers, node.router.all())))
        epoch = node.router.any().epoch
        told: list[None] = []
        node.router.listen(lambda: told.append(None))
        node.returns()
        node.returns()
        with pytest.raises(NotLeadingError):
            node.router.for_id(f"{1:032x}")
        await eventually(lambda: told)
        assert node.router.for_id(f"{1:032x}").epoch == node.router.any().epoch == epoch
    finally:
        await node.roles.close()


async def test_a_node_without_a_lease_does_not_wait_for_successors(tmp_path: Path) -> None:
    node = _Node(tmp_path / "a")
    node.start()
    try:
        await eventually(lambda: node.host.role is Role.LEADING)
        node.others["b"] = member("b")
        node.current = False
        await asyncio.wait_for(node.roles.drain(1000), PATIENCE_SECONDS)
        assert node.roles.leads
    finally:
        await node.roles.close()


async def test_a_follower_whose_store_is_too_old_does_not_end_the_node(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    node = _Node(tmp_path / "a")
    leader = HostedNode(tmp_path / "b", node.stream)
    await leader.host.lead()
    await leader.register()
    node.tries = 1  # its snapshots can be read
    await node.host.follow()
    await node.host.catch_up()
    await node.host.close()
    for number in range(10):
        await leader.invoke(number)
    node.others["b"] = member("b", leads={0: (1, leader.host.position.sequence)})
    await leader.host.log.trim(leader.host.position.sequence)
    node.start()
    try:
        says = "partition 0 cannot be followed here, and is tried again in 1 s: "
        await eventually(lambda: says in caplog.text or node.roles.failed.done())
        await eventually(lambda: node.host.role is Role.IDLE)
        assert not node.roles.failed.done()
        assert "the log begins at sequence 12" in caplog.text
    finally:
        await node.roles.close()
        await leader.host.close()


class _BlindNode(HostedNode):
    """A node that never hears of another one."""

    def __init__(self, folder: Path, stream: MemoryStream) -> None:
        super().__init__(folder, stream)
        self.name = folder.name
        self.current = True
        self.roles = Roles([self.host], standbys=0, settle=0.01)
        self.roles.start(self)

    @property
    def live(self) -> Mapping[str, Member]:
        roles = self.roles
        own = member(self.name, leads=roles.leads, takes=roles.takes, follows=roles.follows)
        return {self.name: own}

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        return lambda: None

    def heard(self, callback: Callable[[Member], None]) -> Callable[[], None]:
        return lambda: None

    def returning(self, callback: Callable[[], None]) -> None:
        pass

    def may_serve(self, partition: int) -> bool:
        return True

    def renew_now(self) -> None:
        pass


def test_nodes_that_do_not_hear_of_each_other_depose_each_other_less_and_less(
    tmp_path: Path,
) -> None:
    async def depose() -> tuple[int, int]:
        stream = MemoryStream()
        nodes = [_BlindNode(tmp_path / name, stream) for name in "ab"]

        async def append(seconds: int) -> int:
            """Appends at both nodes all the time; returns the epoch after so many seconds."""
            epoch = 0
            for _ in range(10 * seconds):
                await asyncio.sleep(0.1)
                for node in nodes:
                    try:
                        await node.register()
                    except (NotLeadingError, ProcessorEndedError):
                        continue
                    epoch = max(epoch, node.router.any().epoch)
            return epoch

        first = await append(60)
        second = await append(60) - first
        for node in nodes:
            await node.roles.close()
        return first, second

    first, second = run(depose())
    assert 2 < first < 30
    assert 0 < second < first


async def test_a_node_that_is_drained_before_it_has_joined_takes_nothing(tmp_path: Path) -> None:
    node = _Node(tmp_path / "a")
    node.others["b"] = member("b")
    node.roles = Roles([node.host], standbys=1, settle=0.01)
    node.roles.set_drained(True)
    assert node.roles.draining
    node.roles.set_drained(False)
    assert not node.roles.draining


async def test_a_second_signal_ends_a_drain_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    node = _Node(tmp_path / "a")
    node.start()
    try:
        await eventually(lambda: node.host.role is Role.LEADING)
        node.others["b"] = member("b")  # it does not follow, so nothing can be given to it
        draining = asyncio.ensure_future(node.roles.drain(1000))
        await asyncio.sleep(0)
        assert not draining.done()
        node.roles.hurry()
        await asyncio.wait_for(draining, PATIENCE_SECONDS)
        assert node.roles.leads
        assert "a second signal: this node stops without waiting" in caplog.text
    finally:
        await node.roles.close()


class _MuteClient(MemoryStreamClient):
    """A client whose first question has no answer, as of a NATS server that has died."""

    def __init__(self, stream: MemoryStream) -> None:
        super().__init__(stream)
        self.asked = asyncio.Event()

    async def bounds(self, create: bool) -> tuple[int, int]:
        if not self.asked.is_set():
            self.asked.set()
            await asyncio.Event().wait()
        return await super().bounds(create)


class _MutedNode(_Node):
    def log(self, partition: int) -> FencedLog:
        self.client = _MuteClient(self.stream)
        return FencedLog(self.client)


async def test_a_takeover_does_not_wait_for_what_the_follower_reads(tmp_path: Path) -> None:
    node = _MutedNode(tmp_path / "a")
    node.others["b"] = member("b", leads={0: (1, 1)})
    node.start()
    try:
        await asyncio.wait_for(node.client.asked.wait(), PATIENCE_SECONDS)
        assert node.host.role is Role.FOLLOWING
        del node.others["b"]
        node.changed()
        await eventually(lambda: node.host.role is Role.LEADING)
    finally:
        await node.roles.close()
