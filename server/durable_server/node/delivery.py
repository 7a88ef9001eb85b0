"""The delivery of messages between partitions that different nodes lead.

The sender's outbox repeats a delivery until the leader of the other partition says up to which number
it has seen the messages, so nothing here has to be sure: every doubt is ProcessorEndedError.

The body of a call is the partition's number in two bytes and a batch with one `Received`, as it would
be in the log; the answer is the number that was seen last, in eight bytes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from ..cluster.level import SystemLevel
from ..core.levels import FORMAT_LEVEL, needed
from ..core.records import Received
from ..log.batch import Batch, UndecodableBatchError, decode, encode
from ..peers.interface import PeerRefusedError, Peers, PeerUnavailableError, UnreadableError
from ..processor.errors import ProcessorEndedError
from ..processor.router import Router

METHOD = "Deliver"
_TIMEOUT_SECONDS = 30.0
"""How long a delivery may take: longer than most elections of a replicated log."""

logger = logging.getLogger("durable.node")


class _Member(Protocol):
    @property
    def name(self) -> str: ...


class DeliveryOut:
    """Delivers to the leaders of partitions on other nodes. An instance is a `router.Remote`."""

    def __init__(
        self,
        peers: Peers,
        own_name: str,
        leader: Callable[[int], _Member | None],
        level: SystemLevel,
    ) -> None:
        """`leader` returns the node that leads a partition, if it is known; `level` says what all nodes
        can read.
        """
        self._peers = peers
        self._own_name = own_name
        self._leader = leader
        self._level = level

    async def __call__(self, destination: int, received: Received) -> int:
        """See `outbox.Link`."""
        leader = self._leader(destination)
        if leader is None or leader.name == self._own_name:
            raise ProcessorEndedError(f"no node leads partition {destination} now")
        level = self._level.now
        if level < FORMAT_LEVEL:
            # The sender's log may have a level of which this process has not heard yet.
            level = max(level, needed(received))
        body = destination.to_bytes(2, "big") + encode(Batch(0, [received]), level)
        try:
            answer = await self._peers.call(leader.name, METHOD, body, _TIMEOUT_SECONDS)
        except (PeerUnavailableError, PeerRefusedError) as error:
            raise ProcessorEndedError(
                f"node {leader.name} did not take messages for partition {destination}: {error}"
            ) from error
        if not answer:
            raise ProcessorEndedError(f"node {leader.name} does not lead partition {destination}")
        return int.from_bytes(answer, "big")


class DeliveryIn:
    """Takes messages of other nodes for the partitions that are led here. A `peers.Answer`."""

    def __init__(self, router: Router) -> None:
        self._router = router

    async def __call__(self, body: bytes) -> bytes:
        """Returns up to which number the messages are seen; nothing if they were not taken."""
        destination = int.from_bytes(body[:2], "big")
        try:
            records = decode(body[2:]).records
        except UndecodableBatchError as error:
            raise UnreadableError(str(error)) from error
        if len(records) != 1 or destination >= self._router.count:
            raise UnreadableError(f"{len(records)} records for partition {destination}")
        record = records[0]
        if type(record) is not Received:
            raise UnreadableError(f"a delivery holds {type(record).__name__}")
        try:
            seen = await self._router.receive(destination, record)
        except ProcessorEndedError:
            return b""
        return seen.to_bytes(8, "big")
