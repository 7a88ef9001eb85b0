"""The follower: applies a partition's log to its own store, behind the leader.

It reads what the leader has appended and applies it with the code that replays a log at a start, and
none of the effects are run. So its store is what the leader's is, a little later, and it can take the
partition over after a fence and the last few batches.

It shares the event loop with the partitions that this process leads, so it applies a few batches at a
time.
"""

from __future__ import annotations

import asyncio

from ..log.batch import decode
from ..log.interface import Log, Position
from .committer import Committer


class Follower:
    """Follows one partition. Use either this or a `Processor` of a log and a store, not both."""

    def __init__(self, log: Log, committer: Committer) -> None:
        self._log = log
        self._committer = committer
        self._applied = Position()

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
        batches: list[tuple[Position, bytes]] = []

        def deliver(position: Position, body: bytes) -> None:
            batches.append((position, body))

        more = True
        while more:
            batches.clear()
            try:
                more = await self._log.read(deliver)
            finally:
                # What has come before an error is applied too: else a log that answers too slowly for
                # all that is asked for would be read from the same place again and again.
                for position, body in batches:
                    await self._apply(position, body)
                    await asyncio.sleep(0)

    async def _apply(self, position: Position, body: bytes) -> None:
        time_ms, records = decode(body)
        committer = self._committer
        output = await committer.commit(position, time_ms, [*records], _never)
        assert output is not None
        committer.evict(output.changes)
        committer.reached(time_ms)
        self._applied = position


def _never() -> bool:
    return False
