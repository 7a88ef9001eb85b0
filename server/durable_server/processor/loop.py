"""The processor: one loop that turns inputs into committed facts and their effects.

    submit ──► inputs ──► one batch ──► log.append ──► core.apply ──► store.commit ──► effects
                 ▲                         (await)     └────────── no await ──────────┘   │
                 └── timers, lost workers, assignments ◄──────────────────────────────────┘

(Between append and apply it also waits, if need be, for another process that is writing to the store's
file: `locking`.)

Anything that happens is submitted as a record and waits in `_inputs`. While an append is in flight
the next batch fills, so load makes batches larger; `_gather_more` says when one is closed. After the
append returns, everything up to the last effect runs without giving up the event loop, so nobody
ever sees the state between two records of a batch, or a state that is not in the log.

Assignments ride along: when a batch is closed, the leader adds `Started` for whatever has a free
worker, new invocations of the same batch included. One invocation of n steps is n+2 appends.

The loop ends for good when the log says so (deposed, or not reachable within its budget): what waits
gets the error, `ended` is set, and the process is expected to stop and to start again.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from ..core.apply import step
from ..core.changes import Changes
from ..core.limits import ASSIGNMENT_BYTES, Limits
from ..core.model import Invocation, State
from ..core.partition import Partition
from ..core.records import (
    DEADLINE,
    WAKE,
    AttemptReleased,
    EpochStarted,
    Record,
    TimerFired,
)
from ..core.replies import Created, Reply
from ..core.states import COLD, FINAL, SETTLED
from ..log.batch import Batch, decode, encode, encode_record, join
from ..log.interface import Log, Position
from ..metrics.tally import Tally
from ..store.interface import Recovered, Store, StoreFullError
from .clock import Clock, LogTime
from .dispatcher import Assigner
from .effect_runner import Carrier
from .locking import StoreLock
from .retention import EARLY_MS, Retention
from .subscriptions import Waiting, refuse
from .timers import Timer, Timers
from .trimming import Trimmer
from .workers import Worker, Workers

_LINGER_SIZE = 4.0
"""The batch size, as a moving average, above which the loop lingers."""
_LINGER_SECONDS = 0.002
"""How long it lingers: a few appends' time, and little beside what a step takes under such load."""
_STOP_SECONDS = 5.0
"""How long a stop waits for the append that is under way."""
_STARTED_BYTES = 600
"""What an assignment takes of a batch at most: ids and a version at their limits."""


class RecordTooLargeError(Exception):
    """A record is larger than the limit `batch_bytes`, or holds what none can hold."""


class _Input(NamedTuple):
    record: Record
    data: bytes
    """The record as the log has it: what it really takes of a batch."""
    reply: asyncio.Future[Reply] | None
    follow_until: float
    """The event loop's time until which a new invocation's rest is waited for; 0 for not at all."""


class Processor:
    """Runs one partition, as its leader."""

    def __init__(self, log: Log, store: Store, limits: Limits, clock: Clock) -> None:
        self.limits = limits
        self.store = store
        self.workers = Workers()
        self.partition = Partition(store)
        self.waiting = Waiting()
        self.tally = Tally()
        self.started_ms = 0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.on_rest: Callable[[], None] = _nothing
        """Called when the loop has nothing to do."""
        self._log = log
        self._time = LogTime(clock)
        self._random = random.Random()
        self._inputs: list[_Input] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._assigner = Assigner(self.partition, self.workers)
        self._timers = Timers(clock, self.now_ms, self._timers_due)
        self._batch_size = 0.0
        self.trimmer = Trimmer(log, store, limits.trim_bytes, self._fail)
        self.on_trouble: Callable[[], None] = _nothing
        """Called when `trouble` may have come or gone."""
        self._lock = StoreLock(store, self._trouble_changed)
        log.presence.changed = self._trouble_changed
        self.ended.add_done_callback(lambda _: self._trouble_changed())
        self._parked = False
        self._retention = Retention(store, clock, self.now_ms, self.propose)
        self._carrier = Carrier(
            store,
            limits,
            self.partition,
            self.tally,
            self.workers,
            self._assigner,
            self.waiting,
            self._timers,
            self._retention,
            self.submit,
            self.wake,
        )

    # Life

    async def start(self, leader: str) -> None:
        """Takes the partition over and starts the loop. Raises what the log raises."""
        recovered = self._recover()
        await self._log.take_over(
            recovered.position,
            self._replay,
            lambda epoch: encode(Batch(self.now_ms(), [EpochStarted(epoch, leader)])),
        )
        recovered = self._recover()
        turns = self.partition.turns
        for invocation in recovered.active:
            if invocation.state is State.RUNNING:
                self.workers.owns(invocation)
                self._assigner.took(invocation)
            elif not invocation.turn or turns[invocation.state_owner][0] == invocation.id:
                self._assigner.push(invocation)
        self._timers.fill(recovered.timers)
        self._retention.schedule()
        self._time.tell_lead()
        self.started_ms = self.now_ms()
        self._task = asyncio.create_task(self._run(), name="durable-processor")

    def _recover(self) -> Recovered:
        """Makes the partition what the store holds."""
        recovered = self.store.recover()
        partition = self.partition
        partition.epoch = recovered.position.epoch
        partition.last_number = recovered.last_number
        self._time.reached(recovered.last_ms)
        partition.handlers = {handler.name: handler for handler in recovered.handlers}
        partition.invocations = {it.id: it for it in recovered.active}
        partition.early_awakeables = recovered.early_awakeables
        partition.endings = {}
        partition.turns = {}
        for turn, scope, invocation_id in recovered.turns:
            partition.turns.setdefault(scope, deque()).append(invocation_id)
            partition.last_turn = turn
        return recovered

    async def stop(self) -> None:
        """Ends the loop after the batch in flight; what still waits is answered with an error."""
        task, self._task = self._task, None
        if task is None:
            return
        self._end(asyncio.CancelledError())
        self._wake.set()
        await asyncio.wait({task}, timeout=_STOP_SECONDS)
        if not task.done():
            # The log is away: its fate is read at the next start, like after a crash.
            await self._log.close()
        await task
        await self.trimmer.close()
        self._timers.close()
        self._retention.close()

    def now_ms(self) -> int:
        """Returns the log's time, which never goes back."""
        return self._time.now_ms()

    def chance(self) -> float:
        """Returns a random number for a record."""
        return self._random.random()

    @property
    def backlog(self) -> int:
        """How many inputs wait to be in a batch."""
        return len(self._inputs)

    @property
    def timer_count(self) -> int:
        """How many timers are not due yet, needed still or not."""
        return len(self._timers)

    # Inputs

    def submit(self, record: Record) -> None:
        """Proposes a record that nobody waits for. Raises RecordTooLargeError."""
        self._inputs.append(_Input(record, self._encoded(record), None, 0.0))
        self._wake.set()

    def propose(self, record: Record, *, follow_until: float = 0.0) -> asyncio.Future[Reply]:
        """Proposes a record and returns a future of its reply, which comes after the commit.

        With `follow_until`, a new invocation's reply comes when it is at rest instead, if it is not
        committed later than that time of the event loop. Raises RecordTooLargeError.
        """
        data = self._encoded(record)
        future = self.waiting.future()
        if self.ended.done():
            refuse(future)
        else:
            self._inputs.append(_Input(record, data, future, follow_until))
            self._wake.set()
        return future

    def _encoded(self, record: Record) -> bytes:
        """Encodes a record here, where it hurts only who proposes it, and not the whole batch."""
        try:
            data = encode_record(record)
        except OverflowError as error:
            raise RecordTooLargeError(f"{type(record).__name__}: {error}") from error
        if len(data) > self.limits.batch_bytes:
            raise RecordTooLargeError(
                f"{type(record).__name__}: {len(data)} bytes are more than the limit batch_bytes"
                f" ({self.limits.batch_bytes}); keep large values elsewhere, or raise max_payload"
                " of an external NATS server if that is what lowers it"
            )
        return data

    def follow(self, invocation_id: str) -> asyncio.Future[Reply]:
        """Returns a future that is done when the invocation comes to rest after now."""
        future = self.waiting.future()
        if self.ended.done():
            refuse(future)
        else:
            self.waiting.follow(invocation_id, future)
        return future

    def find(self, invocation_id: str) -> Invocation | None:
        """Returns an invocation as it was last committed; it is not to be kept or changed."""
        return self.partition.invocations.get(invocation_id) or self.store.load(invocation_id)

    def wake(self) -> None:
        """Makes the loop look for assignments: a worker has come, has got free slots or leaves."""
        self._wake.set()

    @property
    def resting(self) -> bool:
        """Whether the loop has nothing to do: no input waits, none is being appended or applied."""
        return self._parked and not self._wake.is_set() and not self.ended.done()

    @property
    def trouble(self) -> str:
        """Why nothing can be accepted now, for people; empty when all is well."""
        if self.ended.done():
            return "the control plane stops"
        return self._log.presence.trouble or self._lock.problem

    def _trouble_changed(self) -> None:
        self.on_trouble()

    @property
    def holds_back(self) -> bool:
        """Whether an invocation waits for a version of its handler whose worker may be away."""
        return self._assigner.wants_version and (
            self.workers.returning or any(it.outbound is None for it in self.workers)
        )

    # The loop

    async def _run(self) -> None:
        inputs: list[_Input] = []
        try:
            while not self.ended.done():
                self._parked = True
                self.on_rest()
                await self._wake.wait()
                self._parked = False
                self._wake.clear()
                await self._gather_more()
                while batch := self._close_batch():
                    records, inputs = batch
                    self._batch_size += (len(records) - self._batch_size) / 4
                    time_ms = self.now_ms()
                    data = [item.data for item in inputs]
                    data += map(encode_record, records[len(inputs) :])
                    body = join(time_ms, data)
                    began = time.perf_counter()
                    position = await self._log.append(body)
                    seconds = time.perf_counter() - began
                    self.tally.appended(len(records), len(body), seconds)
                    if not await self._commit(position, time_ms, records, inputs):
                        # It is in the log, and the next leader applies it.
                        for item in inputs:
                            if item.reply is not None:
                                refuse(item.reply)
                        return
                    await self._gather_more()
                    self.trimmer.committed(position, len(body))
        except Exception as error:  # noqa: BLE001
            # Whatever it was, the state in memory may be ahead of or behind the log: only a new
            # start, which reads both, can go on from here. Those in the batch wait as the others do.
            self._inputs = inputs + self._inputs
            self._end(error)

    def _fail(self, error: Exception) -> None:
        """Ends the loop because of something that was done beside it."""
        self._end(error)
        self._wake.set()

    def _end(self, error: BaseException) -> None:
        if self.ended.done():
            return
        if isinstance(error, Exception):
            self.ended.set_exception(error)
            # Marks it as seen: nobody has to ask a leader that was dropped why it ended.
            self.ended.exception()
        else:
            self.ended.set_result(None)
        inputs, self._inputs = self._inputs, []
        for item in inputs:
            if item.reply is not None:
                refuse(item.reply)
        self.waiting.end()

    async def _gather_more(self) -> None:
        """Lets the next batch fill before it is closed.

        A frame of a worker or a burst of requests arrives as several events that are ready at once:
        the loop turns for as long as each turn brings more. When nothing is ready this costs one
        turn, a few microseconds.

        Under load that is not enough. Every append, store transaction and frame costs a fixed
        amount of CPU in four processes, and a busy machine that spends it on small batches has less
        left to make large ones. So when batches have lately been of some size, the loop lingers
        before it closes the next one. A single invocation, or a trickle, never meets the linger.
        The measurements are in docs/performance.md.
        """
        count = -1
        while count < len(self._inputs) < self.limits.batch_records:
            count = len(self._inputs)
            await asyncio.sleep(0)
        if self._batch_size > _LINGER_SIZE and 0 < count < self.limits.batch_records:
            await asyncio.sleep(_LINGER_SECONDS)

    def _close_batch(self) -> tuple[list[Record], list[_Input]] | None:
        """Takes what waits, up to the batch limits, and adds the assignments."""
        inputs = self._inputs
        limits = self.limits
        count = size = 0
        for item in inputs:
            grown = size + len(item.data)
            if count and (grown > limits.batch_bytes or count == limits.batch_records):
                break
            size = grown
            count += 1
        if count == len(inputs):
            self._inputs = []
        else:
            self._inputs = inputs[count:]
            inputs = inputs[:count]
        proposed = [item.record for item in inputs]
        records = proposed.copy()
        room = (limits.batch_bytes + ASSIGNMENT_BYTES - size) // _STARTED_BYTES
        self._assigner.assign(proposed, records, min(limits.batch_records, room))
        return (records, inputs) if records else None

    async def _commit(
        self, position: Position, time_ms: int, records: list[Record], inputs: list[_Input]
    ) -> bool:
        """Applies a batch, stores it and carries its effects out; False when it was not stored.

        It waits only while the store cannot be written, before the batch is applied or before its
        first effect.
        """
        if not (self.store.begin() or await self._lock.wait(self.ended.done)):
            return False
        replies, effects, changes = step(self.partition, records, time_ms)
        commit = partial(self.store.commit, position, time_ms, changes)
        try:
            commit()
        except StoreFullError:
            if not await self._lock.wait_for_room(commit, self.ended.done):
                return False
        self.tally.journaled(changes.entries)
        # Inputs come first in a batch, so that their replies do too.
        for item, reply in zip(inputs, replies, strict=False):
            if item.reply is not None:
                self._answer(item, reply)
        self._carrier.carry_out(effects)
        self._evict(changes)
        if changes.awakeables:
            self._retention.schedule(time_ms + EARLY_MS)
        return True

    def _evict(self, changes: Changes) -> None:
        """Drops what is cold: what changed, and what was only looked at."""
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

    def _replay(self, position: Position, body: bytes) -> None:
        """Applies a batch that an earlier leader wrote: the same, without its effects."""
        time_ms, records = decode(body)
        self._time.reached(time_ms)
        changes = step(self.partition, records, time_ms).changes
        self._lock.insist()
        self.store.commit(position, time_ms, changes)
        self._evict(changes)

    # Replies and effects

    def _answer(self, item: _Input, reply: Reply) -> None:
        future = item.reply
        if future is None or future.done():
            return
        if (
            item.follow_until
            and type(reply) is Created
            and reply.invocation.state not in SETTLED
            and asyncio.get_running_loop().time() < item.follow_until
        ):
            self.waiting.follow(reply.invocation.id, future)
        else:
            future.set_result(reply)

    # Time

    def _timers_due(self, due: list[Timer]) -> None:
        for timer in due:
            # Read back through the partition, so that the rule finds it loaded.
            if _meant(timer, self.partition.find(timer[1])):
                self.submit(TimerFired(*timer[1:]))

    def next_timer_ms(self) -> int:
        """Returns when the next timer of an invocation is due; 0 when there is none."""
        return self._timers.next(lambda timer: _meant(timer, self.find(timer[1])))

    # Workers

    def lose(self, worker: Worker) -> None:
        """Gives everything that a worker owns to others: its grace period is over."""
        self.workers.remove(worker)
        self.wake()
        for invocation_id, attempt in worker.owned.items():
            self.submit(AttemptReleased(invocation_id, attempt, True, self.chance()))


def _meant(timer: Timer, invocation: Invocation | None) -> bool:
    """Says whether a timer of an invocation still means something, as things stand now."""
    due_ms, _, index = timer
    if invocation is None or invocation.state in FINAL:
        return False
    if index == WAKE:
        return 0 < invocation.wake_ms <= due_ms
    if index == DEADLINE:
        return 0 < invocation.deadline_ms <= due_ms
    return invocation.recorded.get(index) == 0


def _nothing() -> None:
    pass
