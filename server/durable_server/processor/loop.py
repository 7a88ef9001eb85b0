"""The processor: one loop that turns the inputs of a partition into committed facts and their effects.

    inputs ──► one batch ──► log.append ──► committer: rules, store ──► effect runner
       ▲                       (await)     └───────────── no await ──────────────┘ │
       └── timers, lost workers, retention ◄────────────────────────────────────────┘

While an append is in flight the next batch fills, so load makes batches larger; `_gather_more` decides
when a batch is closed. After the append returns, everything up to the last effect runs without giving
up the event loop, unless another process is writing to the store's file or its disk is full.

Assignments are part of the batch: when it is closed, the dispatcher adds `Started` for each invocation
for which a worker is free, new invocations of the same batch included. An invocation of n steps costs
n+2 appends.

The loop ends for good when the log says so, because another leader has taken over or the log cannot be
reached within its budget. Everything that waits is then refused, `ended` is done, and the process is
expected to stop and to be started again.
"""

from __future__ import annotations

import asyncio
import time as system_time
from collections.abc import Callable, Sequence

from .. import __version__
from ..core.apply import Output
from ..core.awakeables import EARLY_MS
from ..core.limits import ASSIGNMENT_BYTES, Limits
from ..core.model import Invocation, State
from ..core.records import EpochStarted, LevelRaised, Record
from ..core.replies import Created, Reply
from ..core.states import SETTLED
from ..log.batch import Batch, encode, encode_record, join
from ..log.interface import Log, Position
from ..metrics.tally import Tally
from .clock import LogTime
from .committer import Committer
from .dispatcher import Dispatcher
from .effect_runner import EffectRunner
from .inputs import Input, Inputs, refuse_all
from .outbox import Outbox
from .retention import Retention
from .subscriptions import Subscriptions
from .timers import Timers
from .trimming import Trimmer
from .workers import Workers

_LINGER_RECORDS = 4.0
"""How many records are being appended at a time, as a moving average over all partitions of this
process, above which its loops linger. The nodes of a system divide it by the partitions that they lead,
because together they have so many records at a time.
"""
_LINGER_RECORDS_LEAST = 2.0
"""The least of that. A single caller has fewer, one or two records."""
_LINGER_SECONDS = 0.002
"""How long a loop lingers: the time of a few appends, and little compared to a step under such load."""
_TICK_SECONDS = 0.008
"""Of several partitions each has fewer records, so they linger for longer, half of this on average, and
together: until the clock of the event loop is at a multiple of it.
"""
_STOP_SECONDS = 5.0
"""How long a stop waits for the append in flight."""
_STARTED_BYTES = 900
"""The most bytes of a batch that an assignment takes: ids, a version and a build at their limits."""


class Processor:
    """Runs one partition, as its leader; `build` makes one.

    The parts that others may use are public: they propose records by `inputs`, wait by
    `subscriptions`, and read what is committed by `find` and `store`.
    """

    def __init__(
        self,
        log: Log,
        limits: Limits,
        *,
        inputs: Inputs,
        committer: Committer,
        dispatcher: Dispatcher,
        outbox: Outbox,
        effect_runner: EffectRunner,
        trimmer: Trimmer,
        workers: Workers,
        subscriptions: Subscriptions,
        timers: Timers,
        retention: Retention,
        time: LogTime,
        tally: Tally,
    ) -> None:
        self.log = log
        self.limits = limits
        self.inputs = inputs
        self.dispatcher = dispatcher
        self.outbox = outbox
        self.workers = workers
        self.subscriptions = subscriptions
        self.timers = timers
        self.trimmer = trimmer
        self.tally = tally
        self.partition = committer.partition
        self.store = committer.store
        self.ended = inputs.ended
        """Done when the partition cannot go on; holds the error."""
        self.started_ms = 0
        self.position = Position()
        """The position of the last batch that is committed here."""
        self.on_idle: Callable[[], None] = _nothing
        """Called when the loop has nothing to do."""
        self.on_problem_changed: Callable[[], None] = _nothing
        """Called when `problem` may have changed."""
        self.find = committer.find
        self.now_ms = time.now_ms
        """Returns the log's time, which never goes back."""
        self._committer = committer
        self._effect_runner = effect_runner
        self._retention = retention
        self._time = time
        self._task: asyncio.Task[None] | None = None
        self._waits = False
        self._recovered: Sequence[Invocation] = ()
        """The invocations that wait for a worker or have one, between the takeover and `run`."""
        self._sharing = workers.sharing
        self._appending = 0.0
        """The moving average of `Sharing.appending`."""
        log.availability.changed = committer.lock.changed = self._problem_changed
        self.ended.add_done_callback(self._has_ended)

    # Start and stop

    async def start(self, leader: str) -> None:
        """Takes the partition over and starts the loop. Raises what the log raises."""
        await self.take_over(leader)
        self.run()

    async def take_over(self, leader: str) -> None:
        """Takes the partition over; nothing goes on in it until `run`. Raises what the log raises."""
        recovered = self._committer.recover()
        position = await self.log.take_over(
            recovered.position,
            self._committer.replay,
            lambda epoch: self._fence(epoch, leader),
        )
        recovered = self._committer.recover()
        self.inputs.level = self.partition.level
        self._recovered = recovered.active
        self.timers.fill(recovered.timers)
        self.trimmer.start(position)
        self.position = position
        self.outbox.recover(recovered.outbox)
        self._retention.schedule()
        self._time.warn_if_ahead()
        self.started_ms = self.now_ms()

    def run(self) -> None:
        """Starts the loop."""
        # Only now, because a partition that is not led yet could neither release the attempts of a
        # worker that is lost meanwhile, nor use the slots that the others would leave to it.
        active, self._recovered = self._recovered, ()
        queues = self.partition.lock_queues
        for invocation in active:
            if invocation.state is State.RUNNING:
                self.workers.recover(invocation)
                self.dispatcher.recover_running(invocation)
            elif not invocation.lock_place or queues[invocation.state_owner][0] == invocation.id:
                self.dispatcher.push(invocation)
        self.dispatcher.join()
        self._task = asyncio.create_task(self._run(), name="durable-processor")

    def _fence(self, epoch: int, leader: str) -> bytes:
        return encode(Batch(self.now_ms(), [EpochStarted(epoch, leader)]), self.partition.level)

    def allow_level(self, level: int) -> None:
        """Takes that the system has this format level: the log has it too, from the next batch on."""
        if level > self.inputs.level and not self.ended.done():
            self.inputs.submit(LevelRaised(level, __version__))
            self.inputs.level = level

    async def stop(self) -> None:
        """Ends the loop after the batch in flight; whatever still waits is refused.

        May be called again, above all after a call that was cancelled.
        """
        self.inputs.end(asyncio.CancelledError())
        if (task := self._task) is not None:
            await asyncio.wait({task}, timeout=_STOP_SECONDS)
            if not task.done():
                # The log does not answer. Whether the append succeeded is read at the next start, as
                # after a crash. The append may be about to connect again, which a closed log does
                # not end.
                await self.log.close()
                task.cancel()
            await asyncio.wait({task})
        await self.trimmer.close()
        self.timers.close()
        self._retention.close()
        self._task = None

    def crash(self) -> None:
        """Ends the loop where it stands, as the end of the process would."""
        if self._task is not None:
            self._task.cancel()
        self.inputs.end(asyncio.CancelledError())
        self.timers.close()
        self._retention.close()

    def when_settled(self, invocation_id: str) -> asyncio.Future[Reply]:
        """Returns a future that is done when the invocation settles after now."""
        future = self.subscriptions.future()
        self.subscriptions.wait(invocation_id, future)
        return future

    # Status

    @property
    def epoch(self) -> int:
        """The epoch of this leader."""
        return self.partition.epoch

    @property
    def idle(self) -> bool:
        """Whether the loop has nothing to do: no input waits, none is being appended or applied."""
        return (
            self._waits
            and not self.inputs.awake.is_set()
            and not self.outbox.waiting
            and not self.ended.done()
        )

    @property
    def problem(self) -> str:
        """Why nothing can be accepted now, for people; empty when all is well."""
        if self.ended.done():
            return "the control plane stops"
        return self.log.availability.problem or self.store_problem

    @property
    def store_problem(self) -> str:
        """Why nothing can be written to the store now; empty when it can."""
        return self._committer.lock.problem

    def _problem_changed(self) -> None:
        self.on_problem_changed()

    def _has_ended(self, _: asyncio.Future[None]) -> None:
        self.outbox.close()
        self._problem_changed()

    def next_timer_ms(self) -> int:
        """Returns when the next timer of an invocation is due; 0 when there is none."""
        return self.timers.next_ms(self.find)

    # The loop

    async def _run(self) -> None:
        inputs = self.inputs
        batch: list[Input] = []
        try:
            while not self.ended.done():
                self._waits = True
                self.on_idle()
                await inputs.awake.wait()
                self._waits = False
                inputs.awake.clear()
                await self._gather_more()
                while closed := self._close_batch():
                    records, batch = closed
                    time_ms = self.now_ms()
                    data = [item.data for item in batch]
                    level = self.partition.level
                    data += [encode_record(it, level) for it in records[len(batch) :]]
                    body = join(time_ms, data)
                    began = system_time.perf_counter()
                    position = await self._append(body, len(records))
                    seconds = system_time.perf_counter() - began
                    self.tally.appended(len(records), len(body), seconds)
                    committed = await self._committer.commit(
                        position, time_ms, records, self.ended.done
                    )
                    if committed is None:
                        return  # The batch is in the log, so the next leader applies it.
                    self.position = position
                    self._act(committed, batch, time_ms)
                    await self._gather_more()
                    self.trimmer.committed(position, len(body))
        except Exception as error:  # noqa: BLE001
            # The state in memory may be ahead of the log or behind it. Only a new start can go on,
            # because it reads both.
            inputs.end(error)
        finally:
            # What of the batch in flight is not answered, also when `stop` has cancelled the append.
            refuse_all(batch)

    async def _append(self, body: bytes, records: int) -> Position:
        sharing = self._sharing
        sharing.appending += records
        self._appending += (sharing.appending - self._appending) / 4
        try:
            return await self.log.append(body)
        finally:
            sharing.appending -= records

    async def _gather_more(self) -> None:
        """Lets the next batch fill before it is closed.

        A frame of a worker or a burst of requests arrives as several events that are ready at once:
        the event loop runs for as long as each turn brings more inputs. When nothing is ready this
        costs one turn, a few microseconds.

        Under load that is not enough. Every append, store transaction and frame costs a fixed
        amount of CPU in four processes, and a busy machine that spends it on small batches has less
        left to make large ones. So when many records have lately been under way at a time, the loop
        lingers before it closes the next batch. A single invocation, or a low rate of them, is never
        delayed, nor are messages of other partitions, which have waited for a batch there already.

        Several partitions of a process linger until the same tick. Then their appends leave in one
        write and return together, and a worker gets what all have for it in one frame.
        The measurements are in docs/performance.md.
        """
        inputs = self.inputs
        most = self.limits.batch_records
        count = -1
        while count < len(inputs.waiting) < most:
            count = len(inputs.waiting)
            await asyncio.sleep(0)
        partitions = self._sharing.partitions
        limit = max(_LINGER_RECORDS * partitions / self.partition.count, _LINGER_RECORDS_LEAST)
        if self._appending > limit and 0 < count < most and not inputs.urgent:
            if partitions == 1:
                await asyncio.sleep(_LINGER_SECONDS)
            else:
                now = asyncio.get_running_loop().time()
                await asyncio.sleep(_TICK_SECONDS - now % _TICK_SECONDS)

    def _close_batch(self) -> tuple[list[Record], list[Input]] | None:
        """Returns the next batch: the inputs that wait, within the limits, and the assignments."""
        inputs, size = self.inputs.take()
        limits = self.limits
        proposed = [item.record for item in inputs]
        records = proposed.copy()
        most = (limits.batch_bytes + ASSIGNMENT_BYTES - size) // _STARTED_BYTES
        self.dispatcher.assign(proposed, records, min(limits.batch_records, most))
        if records or self.outbox.overdue:
            records += self.outbox.take_acknowledgements()
        return (records, inputs) if records else None

    def _act(self, committed: Output, batch: list[Input], time_ms: int) -> None:
        """Answers the inputs of a committed batch and runs its effects."""
        changes = committed.changes
        self.tally.journaled(changes.entries)
        # Inputs come first in a batch, so their replies do too.
        for item, reply in zip(batch, committed.replies, strict=False):
            if item.reply is not None:
                self._answer(item, reply)
        self._effect_runner.run(committed.effects)
        if changes.outbox:
            self.outbox.add(changes.outbox)
        self._committer.evict(changes)
        if changes.awakeables:
            self._retention.schedule(time_ms + EARLY_MS)

    def _answer(self, item: Input, reply: Reply) -> None:
        future = item.reply
        if future is None or future.done():
            return
        if (
            item.settle_by
            and type(reply) is Created
            and reply.invocation.state not in SETTLED
            and asyncio.get_running_loop().time() < item.settle_by
        ):
            self.subscriptions.wait(reply.invocation.id, future)
        else:
            future.set_result(reply)


def _nothing() -> None:
    pass
