"""A log gets the level of the system while its leader runs, before what needs the level."""

from __future__ import annotations

import pytest

from durable_server.cluster.level import SystemLevel
from durable_server.core import levels
from durable_server.core.levels import LevelError
from durable_server.core.limits import Limits
from durable_server.core.messages import ReleaseAwakeable
from durable_server.core.model import Handler
from durable_server.core.records import (
    EpochStarted,
    HandlerRegistered,
    LevelRaised,
    Received,
    Record,
    Removed,
)
from durable_server.log import batch, frame
from durable_server.log.memory import MemoryLog, MemoryStream
from durable_server.node import delivery
from durable_server.node.delivery import DeliveryOut
from durable_server.processor import router as router_module
from durable_server.processor.build import build_processor
from durable_server.processor.clock import VirtualClock
from durable_server.processor.loop import Processor
from durable_server.processor.router import Router
from durable_server.processor.workers import Workers
from durable_server.store import sqlite
from durable_server.store.sqlite import SqliteStore

NEWER = Received(0, 1, (ReleaseAwakeable("p", "a"),))
"""A delivery that needs level 2."""


@pytest.fixture(autouse=True)
def next_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that reads level 2, and has added a record and a message."""
    for module in (levels, batch, router_module, delivery, sqlite):
        monkeypatch.setattr(module, "FORMAT_LEVEL", 2)
    monkeypatch.setattr(levels, "KINDS", {Removed: 2, ReleaseAwakeable: 2})


class Leader:
    """The leader of partition 1 of 2, on a log in memory."""

    def __init__(self) -> None:
        self.stream = MemoryStream()
        self.store = SqliteStore(":memory:")
        self.processor = self._new()

    def _new(self) -> Processor:
        log = MemoryLog(self.stream)
        return build_processor(
            log, self.store, Limits(), VirtualClock(0), Workers(), index=1, count=2
        )

    async def __aenter__(self) -> Leader:
        await self.processor.start("one")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.processor.stop()
        self.store.close()

    async def restart(self) -> None:
        """Lets another leader take over."""
        await self.processor.stop()
        self.processor = self._new()
        await self.processor.start("another")

    def log(self) -> list[Record]:
        bodies = [frame.decode(it).body for it in self.stream.messages]
        return [record for body in bodies for record in batch.decode(body).records]

    def kinds(self) -> list[type[Record]]:
        return [type(it) for it in self.log()]


async def test_a_record_waits_for_its_level_and_the_level_comes_first() -> None:
    async with Leader() as leader:
        inputs = leader.processor.inputs
        with pytest.raises(LevelError, match="Removed needs format level 2, and this log has 1"):
            inputs.submit(Removed("a"))
        leader.processor.allow_level(2)
        inputs.submit(Removed("a"))  # in the same batch
        leader.processor.allow_level(2)
        leader.processor.allow_level(1)
        await inputs.propose(HandlerRegistered(Handler("h")))
        assert leader.kinds() == [EpochStarted, LevelRaised, Removed, HandlerRegistered]
        await leader.restart()
        leader.processor.inputs.submit(Removed("a"))
        await leader.processor.inputs.propose(HandlerRegistered(Handler("h")))
        assert leader.kinds()[4:] == [EpochStarted, Removed, HandlerRegistered]


async def test_a_message_of_a_higher_level_raises_the_log_that_gets_it() -> None:
    async with Leader() as leader:
        router = Router(2, [leader.processor])
        assert await router.receive(1, NEWER) == 1
        assert leader.kinds() == [EpochStarted, LevelRaised, Received]
        assert leader.processor.partition.level == 2


class Peers:
    """Keeps what is called, and answers that one message was seen."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def call(self, node: str, method: str, body: bytes, timeout: float | None) -> bytes:  # noqa: ASYNC109
        self.bodies.append(body)
        return (1).to_bytes(8, "big")

    def open(self, node: str, method: str, body: bytes) -> None:
        raise NotImplementedError


async def test_a_node_delivers_what_its_log_has_before_it_has_heard_of_the_rise() -> None:
    class Other:
        name = "b"

    peers = Peers()
    out = DeliveryOut(peers, "a", lambda _: Other(), SystemLevel(1))  # type: ignore[arg-type]  # opens no stream
    assert await out(1, NEWER) == 1
    assert batch.decode(peers.bodies[0][2:]).records == [NEWER]
