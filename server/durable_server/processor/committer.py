"""The committer: applies batches of the log to the partition and stores what they changed.

A batch that this leader appended and one that an earlier leader appended go through the same rules;
only the effects of the first kind are run. From the rules to the end of the store's transaction nothing
else runs on the event loop, so nobody sees the state between two records of a batch. The one exception
is a store that cannot be written: then the committer waits, see `locking`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

from ..core.apply import Output, step
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
        partition.last_number = recovered.last_number
        self._time.reached(recovered.last_ms)
        partition.handlers = {handler.name: handler for handler in recovered.handlers}
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

    def replay(self, position: Position, body: bytes) -> None:
        """Applies a batch that an earlier leader appended, without its effects."""
        time_ms, records = decode(body)
        self._time.reached(time_ms)
        changes = step(self.partition, records, time_ms).changes
        self.lock.begin_at_start()
        self.store.commit(position, time_ms, changes)
        self.evict(changes)

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
        commit = partial(self.store.commit, position, time_ms, output.changes)
        try:
            commit()
        except StoreFullError:
            if not await self.lock.wait_for_space(commit, given_up):
                return None
        return output

    def reached(self, time_ms: int) -> None:
        """Continues the log's time from that of a batch of another leader."""
        self._time.reached(time_ms)

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
