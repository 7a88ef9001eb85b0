"""The system's format level rises when all members agree; members with other levels or clocks.

The members are in this process, over a real NATS server. Those of a newer version say so in their
records.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from durable_server.cluster import members as members_module
from durable_server.cluster import metadata, raising
from durable_server.cluster.clocks import ClockDiffersError, wall_ms
from durable_server.cluster.level import SystemLevel
from durable_server.cluster.member import Member, encode
from durable_server.cluster.metadata import METADATA_SUBJECT, MetadataError
from durable_server.cluster.raising import LevelRaiser, raise_alone
from durable_server.cluster.records import MEMBER_PREFIX, read_record, read_standing, write_record
from durable_server.nats.api import ApiError
from durable_server.nats.connection import Connection
from tests.support.external_nats import JETSTREAM, external_nats
from tests.support.waiting import PATIENCE_SECONDS, eventually

from .nodes import PARTITIONS, Node, at, make_system, member, with_nats

SETTLE = 0.2


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """A NATS server with a new system of level 1."""
    async with external_nats(tmp_path / "nats", JETSTREAM) as nats:
        await make_system(nats.url)
        yield nats.url


@pytest.fixture(autouse=True)
def newer(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """From now on this code is of a version that reads level 2."""
    for module in (metadata, members_module, raising):
        monkeypatch.setattr(module, "FORMAT_LEVEL", 2)


class RaisingNode(Node):
    """A node that raises the level too."""

    def __init__(self, url: str, own: Member) -> None:
        self.level = SystemLevel(1)
        super().__init__(at(url), own, level=self.level)
        self._raiser = LevelRaiser(at(url), self.members, PARTITIONS, self.level, settle=SETTLE)

    async def __aenter__(self) -> RaisingNode:
        await super().__aenter__()
        self._raiser.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._raiser.close()
        await super().__aexit__()

    async def has_level(self, level: int) -> None:
        await eventually(lambda: self.level.now == level)


@asynccontextmanager
async def nodes(url: str, *own: Member) -> AsyncIterator[list[RaisingNode]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(RaisingNode(url, it)) for it in own]


async def level_of(url: str) -> tuple[int, str]:
    """Returns the level in the metadata record, and the version that has raised it."""
    found: list[metadata.Metadata] = []

    async def use(connection: Connection) -> None:
        it = await metadata.read(connection)
        assert it is not None
        found.append(it)

    await with_nats(url, use)
    return found[0].format_level, found[0].level_version


async def test_the_level_rises_when_all_agree_and_all_learn_it(url: str) -> None:
    async with nodes(url, *(member(it, format_level=2) for it in "abc")) as all_of_them:
        for node in all_of_them:
            await node.has_level(2)
        assert (await level_of(url))[0] == 2


async def test_a_node_that_reads_less_or_holds_it_keeps_the_level(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    old = member("b", format_level=1)
    async with nodes(url, member("a", format_level=2), old) as (a, b):
        await a.until_live("a", "b")
        b.now_has(format_level=2, level_hold=1)
        await a.until(lambda it: it.live["b"].level_hold)
        await asyncio.sleep(2 * SETTLE)  # longer than it would take
        assert (a.level.now, (await level_of(url))[0]) == (1, 1)
        b.now_has(level_hold=0)
        await a.has_level(2)
        await b.has_level(2)
    told = [it.getMessage() for it in caplog.records if "of the system stays 1" in it.getMessage()]
    for why in ("b (version 1.2.3) reads up to 1", "b (version 1.2.3) is held at 1 by --format-"):
        # Both nodes say it, each once.
        assert sum(why in it for it in told) == 2, told


async def test_what_a_later_version_has_in_the_metadata_stays(url: str) -> None:
    async def add(connection: Connection) -> None:
        record = await read_record(connection, METADATA_SUBJECT)
        assert record is not None
        more = json.dumps({**json.loads(record.data), "region": "eu"}).encode()
        await write_record(connection, METADATA_SUBJECT, more, expected=record.sequence)

    async def check(connection: Connection) -> None:
        record = await read_record(connection, METADATA_SUBJECT)
        assert record is not None
        fields = json.loads(record.data)
        assert (fields["region"], fields["format_level"]) == ("eu", 2)

    await with_nats(url, add)
    level = SystemLevel(1)
    await raise_alone(at(url), level, 2)
    assert level.now == 2
    await with_nats(url, check)


@pytest.mark.parametrize("first", ["the raiser", "the node"])
async def test_an_old_node_that_joins_in_the_moment_of_the_rise(
    url: str, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old node publishes its record after the raiser has read the members, or after its write."""
    published = asyncio.Event()
    write_level = metadata.write_level
    tries: list[bool] = []

    async def write_late(
        connection: Connection, level: int, version: str, expected_last: int
    ) -> None:
        if first == "the node" and not tries:
            await join_as_old(connection)
        try:
            await write_level(connection, level, version, expected_last)
        except ApiError:
            tries.append(False)
            raise
        tries.append(True)
        published.set()

    async def join_as_old(connection: Connection) -> None:
        old = encode(member("old", format_level=1))
        await write_record(connection, f"{MEMBER_PREFIX}old", old, expected=0)

    monkeypatch.setattr(metadata, "write_level", write_late)
    async with nodes(url, member("a", format_level=2)) as (a,):
        if first == "the node":
            await eventually(lambda: bool(tries))
            await a.until_live("a", "old")
            assert (tries, a.level.now) == ([False], 1)
            assert (await level_of(url))[0] == 1
        else:
            await published.wait()
            monkeypatch.setattr(metadata, "FORMAT_LEVEL", 1)
            with pytest.raises(MetadataError, match="this system has format level 2, and this"):
                await Node(at(url), member("old", format_level=1)).members.join()
            await with_nats(url, no_record_of_old)


async def test_an_old_node_reads_the_level_after_its_own_record_stands(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The level rises after the old node has read all there is, and before it is seen itself."""
    for module in (metadata, members_module):
        monkeypatch.setattr(module, "FORMAT_LEVEL", 1)
    write = members_module.write_record

    async def write_after_the_rise(connection: Connection, *args: Any, **options: Any) -> int:
        last = (await read_standing(connection)).last_sequence
        await metadata.write_level(connection, 2, "9.9", last)
        return await write(connection, *args, **options)

    monkeypatch.setattr(members_module, "write_record", write_after_the_rise)
    with pytest.raises(MetadataError, match="this system has format level 2"):
        await Node(at(url), member("old", format_level=1)).members.join()
    await with_nats(url, no_record_of_old)


async def no_record_of_old(connection: Connection) -> None:
    assert f"{MEMBER_PREFIX}old" not in (await read_standing(connection)).records


async def test_an_old_node_that_runs_ends_when_it_hears_of_a_level_that_it_cannot_read(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (metadata, members_module):
        monkeypatch.setattr(module, "FORMAT_LEVEL", 1)

    async def raised(connection: Connection) -> None:
        """Raises the level as if the raiser had not seen the old node."""

        async def written() -> bool:
            last = (await read_standing(connection)).last_sequence
            try:
                await metadata.write_level(connection, 2, "9.9", last)
            except ApiError:  # the old node has renewed its record meanwhile
                return False
            return True

        await eventually(written)
        new = encode(member("new", format_level=2, system_level=2))
        await write_record(connection, f"{MEMBER_PREFIX}new", new, expected=0)

    async with Node(at(url), member("old", format_level=1), level=SystemLevel(1)) as old:
        await with_nats(url, raised)
        with pytest.raises(MetadataError, match=r"start version 9\.9, or a newer one"):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await old.members.failed


# Clocks


class WallClock:
    """The clock of a machine, which a test may set."""

    def __init__(self, ahead_seconds: float = 0.0) -> None:
        self.ahead_seconds = ahead_seconds

    def __call__(self) -> int:
        return wall_ms() + int(self.ahead_seconds * 1000)


def with_clock(url: str, name: str, ahead_seconds: float) -> Node:
    return Node(at(url), member(name), wall=WallClock(ahead_seconds))


@pytest.mark.parametrize(
    ("ahead", "says"),
    [(60.5, "60 s ahead of that of node a"), (-60.5, "60 s behind that of node a")],
)
async def test_a_clock_that_differs_from_all_others_is_refused(
    url: str, ahead: float, says: str
) -> None:
    async with Node(at(url), member("a")) as a:
        with pytest.raises(ClockDiffersError, match=f"{says}: let NTP set it") as caught:
            await with_clock(url, "b", ahead).members.join()
        assert "\n" not in str(caught.value)
        assert a.members.live.keys() == {"a"}
        async with with_clock(url, "b", ahead / 3):  # 20 s
            await a.until_live("a", "b")


async def test_a_clock_that_goes_wrong_is_named_once_by_each_other_node(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    clock = WallClock()

    def warnings(*parts: str) -> int:
        return sum(all(it in one.getMessage() for it in parts) for one in caplog.records)

    async def renewed(node: Node) -> None:
        """Waits for some more records of b."""
        renewal = node.members.live["b"].renewal
        await node.until(lambda it: it.live["b"].renewal > renewal + 3)

    async with (
        Node(at(url), member("a")) as a,
        Node(at(url), member("b"), wall=clock) as b,
    ):
        await a.until_live("a", "b")
        await b.until_live("a", "b")
        await renewed(a)
        assert not warnings("the clock of this machine")
        clock.ahead_seconds = 60.5
        await eventually(lambda: warnings("s behind that of node b"))
        await eventually(lambda: warnings("s ahead of that of node a"))
        # It has the same time as one of the others.
        async with Node(at(url), member("c")) as c:
            await c.until_live("a", "b", "c")
            await eventually(lambda: warnings("s behind that of node b") == 2)
            await renewed(a)
            assert warnings("s behind that of node b") == 2
            clock.ahead_seconds = 0
            await renewed(a)
            clock.ahead_seconds = -60.5
            await eventually(lambda: warnings("s ahead of that of node b") == 2)


async def test_the_clock_of_a_node_that_is_gone_does_not_count(url: str) -> None:
    async def left_behind(connection: Connection) -> None:
        gone = encode(member("gone", time_ms=wall_ms() - 3_600_000))
        await write_record(connection, f"{MEMBER_PREFIX}gone", gone, expected=0)

    await with_nats(url, left_behind)
    node = Node(at(url), member("a"))

    async def joins() -> bool:
        try:
            await node.members.join()
        except ClockDiffersError:  # while it may live
            return False
        return True

    await eventually(joins)
    await node.members.leave()
