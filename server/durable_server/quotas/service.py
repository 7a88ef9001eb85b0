"""The quotas of a node: the limits that it owns, what it holds of all limits, and the streams between.

For each home partition the node follows who leads it. If it does so itself, its own claims go there
at once; else it keeps a stream to the leader, opens it again when it breaks, and opens another one when
the leader changes. An owner ends its streams when it leads the partition no more.

A stream is opened whether the node runs a handler with a limit or not, because the owner waits for all
nodes that lead something. It is silent while nothing waits for a unit and no partition moves.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Protocol

import msgspec

from ..peers.interface import (
    PeerRefusedError,
    Peers,
    PeerStream,
    PeerUnavailableError,
    UnreadableError,
)
from ..processor.loop import Processor
from ..processor.router import Router
from ..processor.workers import Workers
from .holder import HandlerQuotas
from .messages import Claim, Update, decode_claim, decode_grants, decode_update, encode
from .owner import Holder, LimitOwner

METHOD = "Concurrency"
_FIRST_PAUSE = 0.1
"""Seconds before a stream that broke is opened again; doubles while the owner cannot be reached."""
_LONGEST_PAUSE = 2.0

logger = logging.getLogger("durable.node")


class Named(Protocol):
    """A node."""

    @property
    def name(self) -> str:
        """Its name."""
        ...


class Topology(Protocol):
    """Who leads what; `cluster.members.Members` knows."""

    @property
    def name(self) -> str:
        """This node."""
        ...

    def leader(self, partition: int) -> Named | None:
        """Returns the node that leads a partition, if one is known."""
        ...

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls back when that may have changed; returns what ends this."""
        ...


class Concurrency:
    """All quotas of one node, between `start` and `close`."""

    def __init__(self, router: Router, workers: Workers, topology: Topology, peers: Peers) -> None:
        self._router = router
        self._topology = topology
        self._peers = peers
        self._quotas = HandlerQuotas(topology.name, router.count, workers.sharing)
        self._quotas.on_reported = self._settle
        workers.sharing.quotas = self._quotas
        self._owned: dict[int, _Owned] = {}
        """The home partitions that are led here."""
        self._ways: dict[int, _Way] = {}
        """The way to the owner of each home partition, if it is known."""
        self._ends: list[Callable[[], None]] = []

    def start(self) -> None:
        """Begins to follow who leads what."""
        self._ends = [self._router.listen(self._update), self._topology.listen(self._update)]
        self._update()

    def close(self) -> None:
        """Ends all streams."""
        for end in self._ends:
            end()
        for way in self._ways.values():
            way.close()
        for owned in self._owned.values():
            owned.close()
        self._ways, self._owned = {}, {}

    @property
    def reached(self) -> frozenset[int]:
        """The home partitions whose owners this node reaches now."""
        return self._quotas.reached

    async def serve(self, body: bytes, stream: PeerStream) -> None:
        """Serves a holder on another node, until it goes or its home partition is not led here."""
        try:
            claim = decode_claim(body)
        except msgspec.MsgspecError as error:
            raise UnreadableError(str(error)) from error
        owned = self._owned.get(claim.home)
        if owned is not None:
            await owned.serve(claim, stream)

    def _update(self) -> None:
        """Brings what is owned here, and the ways to owners, in line with who leads what."""
        led = {it.partition.index: it for it in self._router.all()}
        for home in range(self._router.count):
            processor, owned = led.get(home), self._owned.get(home)
            if owned is not None and owned.processor is not processor:
                self._owned.pop(home).close()
                owned = None
            if owned is None and processor is not None:
                owned = self._owned[home] = _Owned(processor)
            leader = self._topology.leader(home) if led else None
            target = owned or (leader and leader.name)
            way = self._ways.get(home)
            if way is not None and way.target != target:
                self._ways.pop(home).close()
                way = None
            if way is None and owned is not None:
                self._ways[home] = _LocalWay(home, owned, self._quotas)
            elif way is None and leader is not None and leader.name != self._topology.name:
                self._ways[home] = _RemoteWay(home, leader.name, self._quotas, self._peers)

    def _settle(self) -> None:
        for owned in self._owned.values():
            owned.owner.settle()


class _Owned:
    """A home partition that is led here, with the streams of its holders."""

    def __init__(self, processor: Processor) -> None:
        self.processor = processor
        self.owner = LimitOwner(processor.partition.count, self._limit)
        self._serving: set[asyncio.Task[None]] = set()

    async def serve(self, claim: Claim, stream: PeerStream) -> None:
        holder = self.owner.attach(claim, lambda grants: stream.send(encode(grants)))
        reading = asyncio.ensure_future(self._read(holder, stream))
        self._serving.add(reading)
        try:
            await asyncio.wait({reading})
            if not reading.cancelled():
                reading.result()
        finally:
            reading.cancel()
            self._serving.discard(reading)
            self.owner.detach(holder)

    def close(self) -> None:
        for reading in self._serving:
            reading.cancel()

    async def _read(self, holder: Holder, stream: PeerStream) -> None:
        with contextlib.suppress(PeerUnavailableError):
            while (part := await stream.receive()) is not None:
                try:
                    update = decode_update(part)
                except msgspec.MsgspecError as error:
                    raise UnreadableError(str(error)) from error
                self.owner.update(holder, update)

    def _limit(self, handler: str) -> int:
        known = self.processor.partition.handlers.get(handler)
        return 0 if known is None else known.max_concurrent


class _Way(Protocol):
    """The way to an owner."""

    target: object
    """What it leads to."""

    def close(self) -> None:
        """Ends it."""
        ...


class _LocalWay:
    """The way to an owner on this node."""

    def __init__(self, home: int, owned: _Owned, quotas: HandlerQuotas) -> None:
        self.target: object = owned
        self._home = home
        self._owner = owned.owner
        self._quotas = quotas
        claim = quotas.connect(home, self._send)
        self._holder = self._owner.attach(claim, quotas.granted)

    def close(self) -> None:
        self._quotas.disconnect(self._home)
        self._owner.detach(self._holder)

    def _send(self, update: Update) -> None:
        self._owner.update(self._holder, update)


class _RemoteWay:
    """The way to an owner on another node: a stream, which is opened again when it breaks."""

    def __init__(self, home: int, node: str, quotas: HandlerQuotas, peers: Peers) -> None:
        self.target: object = node
        self._home = home
        self._node = node
        self._quotas = quotas
        self._peers = peers
        self._stream: PeerStream | None = None
        self._task = asyncio.create_task(self._run(), name=f"durable-quotas-{home}")

    def close(self) -> None:
        self._disconnect()
        self._task.cancel()

    async def _run(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            stream = self._connect()
            try:
                while (part := await stream.receive()) is not None:
                    self._quotas.granted(decode_grants(part))
                    pause = _FIRST_PAUSE
            except (PeerUnavailableError, PeerRefusedError, msgspec.DecodeError) as error:
                logger.debug("node %s does not divide limits now: %s", self._node, error)
            finally:
                self._disconnect()
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _connect(self) -> PeerStream:
        claim = self._quotas.connect(self._home, self._send)
        stream = self._stream = self._peers.open(self._node, METHOD, encode(claim))
        return stream

    def _disconnect(self) -> None:
        if self._stream is not None:
            stream, self._stream = self._stream, None
            self._quotas.disconnect(self._home)
            stream.cancel()

    def _send(self, update: Update) -> None:
        if self._stream is not None:
            self._stream.send(encode(update))
