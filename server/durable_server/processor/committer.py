"""The committer: applies batches of the log to the partition and stores what they changed.

A batch that this leader appended and one that an earlier leader appended go through the same rules;
only the effects of the first kind are run. From the rules to the end of the store's transaction nothing
else runs on the event loop, so nobody sees the state between two records of a batch. The one exception
is a store that cannot be written: then the committer waits, see `locking`. Between two batches that it
replays, other tasks have their turns.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from ..core.apply import Output, replay, step
from ..core.changes import Changes
from ..core.model import Invocation
from ..core.partition import Partition
from ..core.records import Record
from ..core.states import COLD
from ..log.batch import decode
from ..log.interface import Position
from ..store.interface import Recovered, Store, StoreFullError
from .clock import LogTime
from .locking import StoreLock


class Committer:
    """Applies and stores the batches of one partition."""

    def __init__(self, partition: Partition, store: Store, time: LogTime) -> None:
        self.partition = partition
        self.store = store
        self.lock = StoreLock(store)
        self._time = time

    def recover(self) -> Recovered:
        """Makes the partition what the store holds."""
        recovered = self.store.recover()
        partition = self.partition
        partition.epoch = recovered.position.epoch
        partition.level = recovered.level
        partition.last_number = recovered.last_number
        self._time.reached(recovered.last_ms)
        partition.handlers = {handler.name: handler for handler in recovered.handlers}
        partition.deployments = {it.build_id: it for it in recovered.deployments}
        partition.routes = {it.handler: it for it in recovered.routes}
        partition.invocations = {it.id: it for it in recovered.active}
        partition.early_awakeables = recovered.early_awakeables
        partition.sent = recovered.sent
        partition.seen = recovered.seen
        partition.endings = {}
        partition.lock_queues = {}
        for place, scope, invocation_id in recovered.lock_queues:
            partition.lock_queues.setdefault(scope, deque()).append(invocation_id)
            partition.last_lock_place = place
        return recovered

    async def replay(self, position: Position, body: bytes) -> None:
        """Applies a batch that another leader has appended, without its effects.

        Then it gives up the event loop for a turn, because there may be many, and the other partitions
        and the lease of this node must go on meanwhile.
        """
        time_ms, records = decode(body, position.sequence)
        output = await self.commit(position, time_ms, [*records], _never)
        assert output is not None
        self.evict(output.changes)
        self._time.reached(time_ms)
        await asyncio.sleep(0)

    async def commit(
        self,
        position: Position,
        time_ms: int,
        records: list[Record],
        given_up: Callable[[], bool],
    ) -> Output | None:
        """Applies a batch and stores it; None when it was given up before it was stored.

        It only gives up the event loop while the store cannot be written: before the batch is applied,
        or before its first effect. The caller calls `evict` after the effects, which still need the
        invocations.
        """
        if not (self.store.begin() or await self.lock.wait(given_up)):
            return None
        output = step(self.partition, records, time_ms)
        stored = await self._store(position, time_ms, output.changes, given_up)
        return output if stored else None

    async def follow(
        self, position: Position, batches: Sequence[tuple[int, Sequence[Record]]]
    ) -> None:
        """Applies batches of another leader and stores them in one transaction.

        `position` is that of the last one. Of each the time and the records are given. It may give up
        the event loop where `commit` does.
        """
        if not self.store.begin():
            await self.lock.wait(_never)
        changes = replay(self.partition, batches)
        last_ms = batches[-1][0]
        await self._store(position, last_ms, changes, _never)
        self.evict(changes)
        self._time.reached(last_ms)

    async def _store(
        self, position: Position, time_ms: int, changes: Changes, given_up: Callable[[], bool]
    ) -> bool:
        """Stores changes, if need be when the disk has space again; False when it was given up."""
        commit = partial(self.store.commit, position, time_ms, changes)
        try:
            commit()
        except StoreFullError:
            return await self.lock.wait_for_space(commit, given_up)
        return True

    def evict(self, changes: Changes) -> None:
        """Drops cold invocations from memory: those that changed, and those that were only read."""
        invocations, loaded = self.partition.invocations, self.partition.loaded
        for group in (changes.created, changes.changed):
            for invocation in group.values():
                if invocation.state in COLD:
                    invocations.pop(invocation.id, None)
        if loaded:
            for invocation_id in loaded:
                found = invocations.get(invocation_id)
                if found is not None and found.state in COLD:
                    del invocations[invocation_id]
            loaded.clear()

    def find(self, invocation_id: str) -> Invocation | None:
        """Returns an invocation as it was last committed; it must not be kept or changed."""
        return self.partition.invocations.get(invocation_id) or self.store.load(invocation_id)


def _never() -> bool:
    return False
