"""The follower: applies a partition's log to its own store, behind the leader.

It reads what the leader has appended and applies it with the rules that the leader uses, without the
effects. So its store is what the leader's is, a little later, and it can take the partition over after
a fence and the last few batches.

What has come meanwhile is applied as if it were one batch, in one transaction of the store: a workflow
that began and ended since the last time is written once instead of with each of its records. So a
follower costs a fraction of what its leader does. It shares the event loop with the partitions that
this process leads, so what it applies without a pause is bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..core.records import Record
from ..log.batch import decode
from ..log.interface import Log, Position
from .committer import Committer

_GROUP_RECORDS = 200
_GROUP_BYTES = 256 * 1024
"""How much is applied at once; a single batch may be larger. It takes a few milliseconds."""


class Follower:
    """Follows one partition. Use either this or a `Processor` of a log and a store, not both."""

    def __init__(self, log: Log, committer: Committer) -> None:
        self._log = log
        self._committer = committer
        self._applied = Position()
        self._interrupted = False
        """Whether more was read than is applied, because a call was cancelled between the two."""

    @property
    def applied(self) -> Position:
        """The position of the last batch that the store holds."""
        return self._applied

    def start(self) -> None:
        """Goes on from where the store is."""
        self._applied = self._committer.recover().position
        self._log.follow(self._applied)

    async def catch_up(self) -> None:
        """Applies what is in the log now. Raises what `Log.read` raises."""
        if self._interrupted:
            self.start()
            self._interrupted = False
        bodies: list[tuple[Position, bytes]] = []

        async def deliver(position: Position, body: bytes) -> None:
            bodies.append((position, body))

        more = True
        while more:
            bodies.clear()
            try:
                more = await self._log.read(deliver)
            finally:
                # What has come before an error is applied too: else a log that answers too slowly for
                # all that is asked for would be read from the same place again and again.
                self._interrupted = True
                for group in _groups(bodies):
                    await self._committer.follow(group.position, group.batches)
                    self._applied = group.position
                    await asyncio.sleep(0)
                self._interrupted = False


class _Group(NamedTuple):
    """Batches that are applied at once."""

    position: Position
    """That of the last one."""
    batches: list[tuple[int, Sequence[Record]]]
    """The time and the records of each."""


def _groups(bodies: Sequence[tuple[Position, bytes]]) -> Iterator[_Group]:
    """Decodes batches and yields them in groups."""
    batches: list[tuple[int, Sequence[Record]]] = []
    records = size = 0
    for index, (position, body) in enumerate(bodies, 1):
        batch = decode(body, position.sequence)
        batches.append(batch)
        records += len(batch[1])
        size += len(body)
        if index == len(bodies) or records >= _GROUP_RECORDS or size >= _GROUP_BYTES:
            yield _Group(position, batches)
            batches, records, size = [], 0, 0
