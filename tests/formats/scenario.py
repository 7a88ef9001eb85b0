"""The scenario that is recorded: everything that a log and a store may contain, in one run.

It runs real processors over the log in memory, whose frames are those of every log, and stores in
files. The scenario is the client and the worker of this system: it proposes the records that their
calls would, one after the other, on virtual time. So a run depends on this code and the product's only.

`test_formats` requires that each record, message, entry kind, state and column appears. What it misses
is added here, and recorded under a new name.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from durable_proto.v1 import payload_pb2
from durable_server import __version__
from durable_server.core import ids
from durable_server.core.entry_kinds import EntryKind
from durable_server.core.levels import FORMAT_LEVEL
from durable_server.core.limits import Limits
from durable_server.core.model import (
    Failure,
    Handler,
    HandlerKind,
    Invocation,
    RetryPolicy,
    State,
    object_scope,
)
from durable_server.core.outcomes import failure_outcome, make_failure, value_outcome
from durable_server.core.records import (
    AttemptFailed,
    AttemptHeld,
    AttemptPaused,
    AttemptReleased,
    AwakeableExpired,
    AwakeableResolved,
    BuildDrained,
    BuildPromoted,
    BuildRolledBack,
    CancelAsked,
    Continued,
    DeploymentRegistered,
    EntryRecorded,
    FailedStep,
    Finished,
    HandlerRegistered,
    Invoked,
    LevelRaised,
    PauseAsked,
    Received,
    Record,
    Removed,
    Repinned,
    Restarted,
    Resumed,
    Signalled,
    StateEdited,
    SuspendAsked,
    WebhookRevoked,
)
from durable_server.core.replies import Reply, Seen
from durable_server.core.restart import restart_id
from durable_server.log.memory import MemoryLog, MemoryStream
from durable_server.processor.build import build_processor
from durable_server.processor.clock import VirtualClock
from durable_server.processor.errors import ProcessorEndedError
from durable_server.processor.loop import Processor
from durable_server.processor.router import Router
from durable_server.processor.schema_check import check_received
from durable_server.processor.shares import Holding
from durable_server.processor.workers import Workers
from durable_server.store.sqlite import SqliteStore

from .facts import log_facts, store_facts
from .recordings import PartitionRecording

START_MS = 1_700_000_000_000
_ROUTES = ("0001", "6001", "c001")
"""Beginnings of ids: one for each of three partitions."""
_FAR = 12 * 3600 * 1000
"""Later than the end of the scenario."""
_HANDLERS = (
    Handler(
        "order",
        HandlerKind.WORKFLOW,
        RetryPolicy(100, 3.0, 5_000, 4, 0.5, False, 60_000),
        retention_ms=72 * 3600 * 1000,
        version="1",
        input_schema='{"type":"object"}',
        output_schema='{"type":"string"}',
        description="Takes an order.",
        timeout_ms=48 * 3600 * 1000,
        max_concurrent=500,
    ),
    Handler("plain"),
    Handler("once", retry=RetryPolicy(max_attempts=1, pause_when_exhausted=False)),
    Handler("held", retry=RetryPolicy(max_attempts=1)),
    Handler("timed", timeout_ms=5_000),
    Handler("steady", pinned=True),
    Handler("cart.add", HandlerKind.OBJECT_EXCLUSIVE),
    Handler("cart.view", HandlerKind.OBJECT_SHARED),
)


def payload(text: str) -> bytes:
    """Returns a value as a client or a worker sends it."""
    return payload_pb2.Payload(data=text.encode()).SerializeToString()


def outcome(text: str) -> bytes:
    """Returns an outcome with that value."""
    return value_outcome(payload(text))


def failure(kind: str, message: str) -> Failure:
    """Returns the failure of an attempt or a step."""
    return make_failure(kind, message, terminal=False)


class _WorkerEnd:
    """What a worker's session is for the processors; the scenario knows what they would send."""

    def start(
        self,
        invocation: Invocation,
        journal: list[Any],
        state: Mapping[str, bytes],
        state_complete: bool,
    ) -> None:
        pass

    def acknowledge(self, effect: object) -> None:
        pass

    def complete(self, effect: object) -> None:
        pass

    def request_pause(self, invocation_id: str, attempt: int) -> None:
        pass

    def request_cancel(self, invocation: Invocation) -> None:
        pass

    def suspended(self, invocation_id: str, attempt: int) -> None:
        pass

    def abandon(self, invocation_id: str, attempt: int, reason: str) -> None:
        pass


class System:
    """The partitions of one system, led by one node after the other, and who calls them."""

    def __init__(self, count: int, folder: Path) -> None:
        self.count = count
        self.clock = VirtualClock(START_MS)
        self._rng = random.Random(count)
        self._streams = [MemoryStream(f"memory-{index}") for index in range(count)]
        self._paths = [folder / f"store-{count}-{index}.db" for index in range(count)]
        self._trimmed: list[list[bytes]] = [[] for _ in range(count)]
        """The frames that are not in the streams any more."""
        self._numbers = itertools.count(1)
        self._cut = False
        self._processors: list[Processor] = []
        self._stores: list[SqliteStore] = []
        self._router: Router

    # The system

    async def lead(self, leader: str, worker_id: str, version: str) -> None:
        """Lets a new node take over after a crash of the present one, with one worker."""
        for processor in self._processors:
            processor.crash()
        await self._quiet()
        for store in self._stores:
            store.close()
        self.clock = VirtualClock(self.clock.now_ms())
        workers = Workers()
        self._stores = [SqliteStore(path) for path in self._paths]
        self._processors = []
        for index, (stream, store) in enumerate(zip(self._streams, self._stores, strict=True)):
            log = MemoryLog(stream, rng=self._rng)
            self._processors.append(
                build_processor(
                    log, store, Limits(), self.clock, workers, index=index, count=self.count
                )
            )
        self._router = Router(len(self._processors), self._processors)
        for processor in self._processors:
            processor.outbox.connect(self._deliver)
        for processor in self._processors:
            await processor.start(leader)
        worker = workers.expect(worker_id)
        worker.share = Holding(1000)
        worker.handlers = {handler.name: version for handler in _HANDLERS}
        worker.build_id = f"build-{version}"
        worker.pinned = {handler.name for handler in _HANDLERS if handler.pinned}
        workers.connect(worker, _WorkerEnd(), self.clock.now_ms())
        for processor in self._processors:
            processor.inputs.wake()
        await self._quiet()

    async def _deliver(self, destination: int, received: Received) -> int:
        if self._cut:
            raise ProcessorEndedError("the other partition is away")
        processor = self._processors[destination]
        reply = await processor.inputs.propose(await check_received(processor, received))
        assert isinstance(reply, Seen)
        return reply.sequence

    async def _quiet(self) -> None:
        # The loop is virtual: its time goes on when nothing else can run.
        await asyncio.sleep(0.1)

    async def _move(self, ms: int) -> None:
        """Lets time pass, with all that is due meanwhile."""
        end_ms = self.clock.now_ms() + ms
        while self.clock.move(end_ms):
            await self._quiet()

    def _copies(self) -> list[bytes]:
        """Returns the files of all stores as they are now."""
        copies = []
        for path in self._paths:
            copy = path.with_suffix(".copy")
            source, target = sqlite3.connect(path), sqlite3.connect(copy)
            source.backup(target)
            source.close()
            target.close()
            copies.append(copy.read_bytes())
            copy.unlink()
        return copies

    async def _trim(self) -> None:
        """Trims each log below what its store holds."""
        for processor, stream, trimmed in zip(
            self._processors, self._streams, self._trimmed, strict=True
        ):
            before = list(stream.messages)
            await processor.log.trim(processor.store.recover().position.sequence)
            trimmed += before[: len(before) - len(stream.messages)]
            assert trimmed

    # What clients and workers call

    def _home(self, record: Record) -> Processor:
        match record:
            case AwakeableResolved() | AwakeableExpired() | WebhookRevoked():
                return self._router.for_awakeable(record.awakeable_id)
            case DeploymentRegistered() | BuildPromoted() | BuildRolledBack() | BuildDrained():
                return self._router.for_builds()
            case StateEdited():
                return self._router.for_object(record.owner.partition("\0")[2])
            case _:
                invocation_id = getattr(record, "invocation_id", "")
                assert invocation_id, record
                return self._router.for_id(invocation_id)

    async def do(self, *records: Record) -> Reply:
        """Proposes records at the same time; returns the reply to the last one."""
        await self._move(7)
        replies = [self._home(record).inputs.propose(record) for record in records]
        await self._quiet()
        return replies[-1].result()

    async def register(self, *handlers: Handler) -> None:
        """Registers handlers in all partitions."""
        for processor in reversed(self._processors):
            for handler in handlers:
                await processor.inputs.propose(HandlerRegistered(handler))

    def find(self, invocation_id: str) -> Invocation:
        """Returns an invocation that exists."""
        found = self._router.for_id(invocation_id).find(invocation_id)
        assert found is not None, invocation_id
        return found

    def check(self, invocation_id: str, state: State) -> None:
        """Checks that the scenario is where it should be."""
        assert self.find(invocation_id).state is state, self.find(invocation_id)

    def new_id(self, third: int = 0) -> str:
        """Returns a new invocation id, which lives in that one of three partitions."""
        return f"{_ROUTES[third]}{next(self._numbers):028x}"

    def new_key(self, third: int) -> str:
        """Returns a new object key, which lives in that one of three partitions."""
        names = (f"customer-{number}" for number in self._numbers)
        return next(name for name in names if ids.object_partition(name, 3) == third)

    def new_awakeable(self, third: int) -> str:
        """Returns a new id of an awakeable, which lives in that one of three partitions."""
        names = (f"paid-{number}" for number in self._numbers)
        return next(name for name in names if ids.awakeable_partition(name, 3) == third)

    async def invoke(self, third: int = 0, handler: str = "plain", **fields: Any) -> str:
        """Invokes a handler; returns the invocation's id."""
        invocation_id = self.new_id(third)
        await self.do(Invoked(invocation_id, handler, payload('"in"'), **fields))
        return invocation_id

    async def entry(
        self, invocation_id: str, kind: EntryKind, name: str = "", **fields: Any
    ) -> int:
        """Records the next journal entry of an invocation that runs; returns its index."""
        self.check(invocation_id, State.RUNNING)
        found = self.find(invocation_id)
        index = found.first_index + len(found.recorded)
        record = EntryRecorded(invocation_id, found.attempt, index, kind, name, **fields)
        await self.do(record)
        return index

    async def step(self, invocation_id: str, name: str = "step") -> int:
        """Records a step."""
        value = outcome(f'"{name}"')
        return await self.entry(invocation_id, EntryKind.RUN, name, outcome=value, elapsed_ms=4)

    async def finish(self, invocation_id: str, failed: Failure | None = None) -> None:
        """Ends an invocation that runs."""
        result = (
            outcome('"out"') if failed is None else failure_outcome(failed.type, failed.message)
        )
        attempt = self.find(invocation_id).attempt
        await self.do(Finished(invocation_id, attempt, result, failed))

    async def suspend(self, invocation_id: str) -> None:
        """Suspends an invocation that only waits."""
        found = self.find(invocation_id)
        await self.do(SuspendAsked(invocation_id, found.attempt, found.completions))
        self.check(invocation_id, State.SUSPENDED)

    async def fail(self, invocation_id: str, problem: Failure, **fields: Any) -> None:
        """Lets the attempt of an invocation fail."""
        attempt = self.find(invocation_id).attempt
        await self.do(AttemptFailed(invocation_id, attempt, problem, 0.25, **fields))

    # The scenario

    async def run(self) -> list[PartitionRecording]:
        """Runs the scenario; returns the recording of each partition."""
        await self.lead("first", "w1", "1")
        await self.register(*_HANDLERS)
        await self._builds()
        await self._expiry()
        await self._steps()
        await self._failures()
        await self._cancellations()
        await self._signals()
        await self._awakeables()
        await self._between_partitions()
        middle = self._copies()
        await self._trim()
        self._cut = False
        await asyncio.sleep(5)  # until all is delivered, and acknowledged by records
        await self._takeover()
        await self._objects()
        await self._restarts()
        await self._runs()
        await self._unfinished()
        await self._between_partitions()
        for processor in self._processors:
            await processor.stop()
        end = self._copies()
        for store in self._stores:
            store.close()
        found = []
        for index, path in enumerate(self._paths):
            frames = self._trimmed[index] + self._streams[index].messages
            facts = {"log": log_facts(frames), "store": store_facts(path)}
            found.append(PartitionRecording(frames, middle[index], end[index], facts))
        return found

    async def _builds(self) -> None:
        """Builds that are registered, promoted, rolled back, drained and forgotten."""
        names = tuple(it.name for it in _HANDLERS)
        await self.do(*(DeploymentRegistered(f"old-{it}", ("old",)) for it in range(200)))
        await self.do(DeploymentRegistered("build-0", ("held",), ("old-0",)))
        await self.do(DeploymentRegistered("build-1", names))
        await self.do(DeploymentRegistered("build-0", ("held", "once", "timed")))
        who = ("try it", "ann")
        await self.do(BuildPromoted("build-1", ("held",), 30, False, *who, "promote-1"))
        await self.do(BuildPromoted("build-1", ("once",), reason="why"))
        await self.do(BuildRolledBack("build-1", ("held",), *who, "back-1"))
        await self.do(BuildPromoted("build-1", ("held",), automatic=True))
        await self.do(BuildPromoted("build-1", ("timed",), 100, False, *who, "promote-2"))
        await self.do(BuildDrained("build-0", True, *who))
        await self.do(BuildDrained("old-199"))
        await self.do(BuildDrained("old-199", False))

    async def _expiry(self) -> None:
        """Retention removes what has ended, and outcomes that nobody has waited for."""
        removed = []
        for third in range(3):
            ended = await self.invoke(third)
            removed.append(ended)
            await self.step(ended)
            await self.finish(ended)
            await self.do(AwakeableResolved(self.new_awakeable(third), outcome("1")))
            failed = await self.invoke(third)
            await self.finish(failed, failure("ValueError", "nobody reads this"))
        await self._move(26 * 3600 * 1000)
        assert all(self._router.for_id(it).find(it) is None for it in removed)

    async def _steps(self) -> None:
        """Steps, calls, sleeps, and the state of an invocation."""
        for third in range(3):
            it = await self.invoke(
                third,
                "order",
                headers=(("tenant", "blue"), ("trace", "1-2")),
                service="shop",
                partition_key="blue",
                idempotency_key="order-1",
                parent="",
                priority=3,
            )
            await self.step(it, "charge")
            await self.entry(it, EntryKind.CALL, "svc/Do", outcome=outcome("2"), argument=b"in")
            await self.entry(it, EntryKind.SET_STATE, "a", argument=payload("1"))
            await self.entry(it, EntryKind.SET_STATE, "b", argument=payload("2"))
            await self.entry(it, EntryKind.GET_STATE, "a")
            await self.entry(it, EntryKind.GET_STATE, "b", outcome=outcome("2"))
            await self.entry(it, EntryKind.GET_STATE, "c")
            await self.entry(it, EntryKind.STATE_KEYS)
            await self.entry(it, EntryKind.CLEAR_STATE, "a")
            await self.entry(it, EntryKind.SLEEP, "nap", delay_ms=1_000)
            await self.suspend(it)
            await self._move(2_000)
            self.check(it, State.RUNNING)
            await self.finish(it)
            cleared = await self.invoke(third, parent=it)
            await self.entry(cleared, EntryKind.SET_STATE, "a", argument=payload("1"))
            await self.entry(cleared, EntryKind.CLEAR_STATE)
            await self.entry(cleared, EntryKind.SET_STATE, "z", argument=payload("26"))
            late = await self.invoke(third, start_ms=self.clock.now_ms() + 500)
            self.check(late, State.SCHEDULED)
            await self._move(1_000)
            await self.finish(late, failure("ValueError", "the address has no street"))
        # Several requests in one batch.
        burst = [Invoked(self.new_id(), "plain", None) for _ in range(5)]
        await self.do(*burst, Invoked(burst[0].invocation_id, "plain", None))

    async def _failures(self) -> None:
        """Attempts and steps that fail, are held, lost, given back and paused."""
        problem = failure("ConnectionError", "the bank does not answer")
        it = await self.invoke(0, "order")
        await self.fail(it, problem)
        self.check(it, State.BACKING_OFF)
        await self._move(5_000)
        await self.step(it)
        other = FailedStep(2, EntryKind.RUN, "stock", failure("OSError", "no stock"))
        step = {"entry_index": 1, "kind": EntryKind.CALL, "name": "svc/Do", "retry_ms": 300}
        await self.fail(it, problem, **step, other_steps=(other,))
        await self.do(Resumed(it, "now", "ann", "resume-1"))
        await self.fail(it, problem, **step)
        await self._move(5_000)
        await self.entry(it, EntryKind.CALL, "svc/Do", outcome=outcome("2"))
        await self.finish(it)
        once = await self.invoke(0, "once")
        await self.fail(once, problem)
        self.check(once, State.FAILED)
        held = await self.invoke(0, "held")
        await self.fail(held, problem)
        self.check(held, State.PAUSED)
        await self.do(Resumed(held))
        self.check(held, State.RUNNING)
        await self.do(AttemptHeld(held, 2, failure("durable.DeterminismError", "entry 0 differs")))
        self.check(held, State.PAUSED)
        released = await self.invoke(0)
        for attempt in (1, 2):
            await self.do(AttemptReleased(released, attempt))
        for attempt in (3, 4):
            await self.do(AttemptReleased(released, attempt, lost=True, chance=0.5))
        self.check(released, State.BACKING_OFF)
        paused = await self.invoke(0)
        await self.do(PauseAsked(paused, "wait", "ann", "pause-1"))
        await self.do(AttemptPaused(paused, 1))
        self.check(paused, State.PAUSED)
        timed = await self.invoke(0, "timed")
        await self.step(timed)
        await self._move(6_000)
        await self.finish(timed, make_failure("durable.Cancelled", "the handler stopped"))
        self.check(timed, State.FAILED)

    async def _cancellations(self) -> None:
        """Cancellations: of what runs, of what has not begun, by force, with children, by programs."""
        it = await self.invoke(1)
        await self.step(it)
        await self.do(CancelAsked(it, "not wanted", "ann", "cancel-1"))
        await self.finish(it, make_failure("durable.Cancelled", "the handler stopped"))
        self.check(it, State.CANCELLED)
        late = await self.invoke(1, start_ms=self.clock.now_ms() + _FAR)
        await self.do(CancelAsked(late))
        self.check(late, State.CANCELLED)
        parent = await self.invoke(1)
        child = await self.entry(parent, EntryKind.INVOKE, "plain", argument=payload("1"))
        await self.entry(parent, EntryKind.INVOKE, "plain", argument=payload("2"))
        await self.entry(parent, EntryKind.CANCEL, target=f"#{child}")
        await self.do(CancelAsked(parent, "stuck", "ann", force=True))
        self.check(parent, State.CANCELLED)
        other, asking = await self.invoke(1), await self.invoke(1)
        await self.entry(asking, EntryKind.CANCEL, target=other)
        assert self.find(other).cancel_ms
        ended = await self.invoke(1)
        await self.finish(ended)
        await self.do(Removed(ended))

    async def _signals(self) -> None:
        """Signals that come early, late, and to a wait that was given up."""
        it = await self.invoke(2)
        await self.do(Signalled(it, "go", outcome("1"), "signal-1", 50))
        await self.do(Signalled(it, "other", outcome("2")))
        first = await self.entry(it, EntryKind.SIGNAL, "go", schema='{"type":"integer"}')
        second = await self.entry(it, EntryKind.SIGNAL, "go")
        await self.entry(it, EntryKind.CANCEL, target=f"#{first}")
        third = await self.entry(it, EntryKind.SIGNAL, "go")
        await self.entry(it, EntryKind.CANCEL, target=f"#{third}")
        await self.do(Signalled(it, "go", outcome("3")))
        assert self.find(it).recorded[second] > 0
        await self.entry(it, EntryKind.SIGNAL, "never", schema='{"type":"string"}')
        await self.suspend(it)

    async def _awakeables(self) -> None:
        """Awakeables: of an invocation, of the user's own choice, early, late, renewed and taken."""
        for third in range(3):
            it = await self.invoke(third)
            own = f"{it}-0"
            await self.entry(it, EntryKind.AWAKEABLE, own, schema='{"type":"integer"}')
            await self.suspend(it)
            await self.do(AwakeableResolved(own, outcome('"x"'), 100, "resolve-1"))
            await self.entry(it, EntryKind.AWAKEABLE, own, renew=True)
            await self.do(AwakeableResolved(own, outcome("4"), 100, "resolve-2"))
            await self.do(AwakeableResolved(own, outcome("5"), 100, "resolve-3"))
            await self.do(WebhookRevoked(own, f"{own}#1", 50, 60))
            await self.do(AwakeableResolved(own, outcome("6"), webhook_id=f"{own}#1"))
            await self.do(WebhookRevoked(self.new_awakeable(third)))
            early = self.new_awakeable(third)
            await self.do(AwakeableResolved(early, outcome("6"), request_id="resolve-4"))
            await self.entry(it, EntryKind.AWAKEABLE, early)
            taking = await self.invoke((third + 1) % 3)
            await self.entry(taking, EntryKind.AWAKEABLE, early)
            await self.do(AwakeableResolved(self.new_awakeable(third), outcome("7")))
            open_ = self.new_awakeable(third)
            await self.entry(it, EntryKind.AWAKEABLE, open_, schema='{"type":"number"}')
            await self.entry(it, EntryKind.AWAKEABLE, open_, schema='{"type":"number"}')

    async def _between_partitions(self) -> None:
        """Each message that one partition sends to another, with the way between them cut.

        Those before are delivered at once. What is sent after the cut stays in the outboxes.
        """
        plain, signal = await self.invoke(1), await self.invoke(1)
        await self.entry(signal, EntryKind.SIGNAL, "go")
        cart = {"argument": payload("1"), "target": self.new_key(1)}
        parents = [await self.invoke(0, headers=(("tenant", "red"),)) for _ in range(3)]
        children = []
        for parent in parents:
            index = await self.entry(
                parent,
                EntryKind.INVOKE,
                "plain",
                partition_key="x1",
                idempotency_key=f"child of {parent}",
                argument=payload("1"),
            )
            row = self._row(parent, index)
            children.append(row.target)
        await self.entry(parents[0], EntryKind.ATTACH, target=plain)
        claiming = await self.invoke(0)
        for _ in range(2):
            await self.entry(claiming, EntryKind.AWAKEABLE, self.new_awakeable(2))
        claimed = await self.invoke(0)
        await self.entry(claimed, EntryKind.AWAKEABLE, self.new_awakeable(2))
        await self.finish(claimed)
        typed = self.new_awakeable(2)
        await self.entry(claiming, EntryKind.AWAKEABLE, typed, schema='{"type":"number"}')
        await self.entry(signal, EntryKind.SIGNAL, "size", schema='{"type":"number"}')
        await self._quiet()
        wrong = await self.invoke(0)
        await self.entry(wrong, EntryKind.RESOLVE, "size", argument=payload('"big"'), target=signal)
        await self.entry(wrong, EntryKind.RESOLVE, typed, argument=payload('"big"'))
        await self._quiet()

        self._cut = True
        await self.do(DeploymentRegistered(f"build-{next(self._numbers)}", ("order",)))
        it = await self.invoke(0, service="shop", headers=(("tenant", "red"),), priority=2)
        await self.entry(it, EntryKind.INVOKE, "cart.add", **cart)
        await self.entry(it, EntryKind.SEND, "cart.add", **cart, delay_ms=500)
        await self.entry(it, EntryKind.SEND, "plain", partition_key="x1", idempotency_key=it)
        await self.entry(it, EntryKind.ATTACH, target=plain)
        await self.entry(it, EntryKind.ATTACH, target=self.new_id(1))
        await self.entry(it, EntryKind.CANCEL, target=plain)
        await self.entry(it, EntryKind.RESOLVE, "go", argument=payload("8"), target=signal)
        await self.entry(it, EntryKind.RESOLVE, self.new_awakeable(2), argument=payload("9"))
        await self.entry(it, EntryKind.RESOLVE, "paid-0", refused="8 is not a string")
        name = self.new_awakeable(1)
        await self.entry(it, EntryKind.AWAKEABLE, name, schema='{"type":"null"}')
        await self.entry(it, EntryKind.AWAKEABLE, name, renew=True)
        await self.do(CancelAsked(parents[1], "stuck", "ann", force=True))
        await self.entry(parents[2], EntryKind.CANCEL, target="#0")
        await self.finish(children[0])
        await self.finish(plain)
        await self.finish(claiming)
        await self.do(Removed(claimed))
        await self.step(it, "last")

    def _row(self, invocation_id: str, index: int) -> Any:
        row = self._router.for_id(invocation_id).store.entry(self.find(invocation_id).number, index)
        assert row is not None
        return row

    async def _takeover(self) -> None:
        """Another node and worker, with a newer version of a handler; the first worker is lost."""
        waiting = await self.invoke(0, "order")
        await self.step(waiting)
        await self.entry(waiting, EntryKind.SLEEP, delay_ms=60_000)
        await self.suspend(waiting)
        running = await self.invoke(0)
        pinned, moved, free = [await self.invoke(0, "steady") for _ in range(3)]
        for it in (pinned, moved, free):
            await self.step(it)
            await self.do(AttemptReleased(it, 1))
            await self.do(PauseAsked(it))
            await self.do(AttemptPaused(it, 2))
        await self.lead("second", "w2", "2")
        await self.do(DeploymentRegistered("build-2", tuple(it.name for it in _HANDLERS)))
        await self.do(BuildPromoted("build-2", ("once", "timed")))
        for it in (pinned, moved, free):
            await self.do(Resumed(it))
            self.check(it, State.PENDING)  # no worker of its build is there
        await self.do(Repinned(moved, "build-2", "it fits", "ann", "repin-1"))
        await self.do(Repinned(free, ""))
        self.check(moved, State.RUNNING)
        self.check(free, State.RUNNING)
        await self.register(_HANDLERS[0]._replace(version="2", description="Takes orders."))
        for processor in self._processors:
            await processor.inputs.propose(LevelRaised(FORMAT_LEVEL, __version__))
        await self.do(AttemptReleased(running, 1, lost=True, chance=0.75))
        self.check(running, State.RUNNING)
        await self._move(61_000)
        # The new version runs it and has not written to its journal.
        assert self.find(waiting).recorded_by == "1"

    async def _objects(self) -> None:
        """Object keys: their locks, their state, and edits of it."""
        for third in range(3):
            key = self.new_key(third)
            scope = object_scope("cart", key)
            edited: tuple[tuple[str, bytes | None], ...] = (("n", payload("0")), ("old", None))
            await self.do(StateEdited(scope, edited))
            adding = [await self._on_key(third, "cart.add", key) for _ in range(4)]
            viewing = await self._on_key(third, "cart.view", key)
            await self.entry(viewing, EntryKind.GET_STATE, "n")
            await self.entry(adding[0], EntryKind.SET_STATE, "n", argument=payload("1"))
            await self.finish(adding[0])
            await self.entry(adding[1], EntryKind.SET_STATE, "m", argument=payload("2"))
            self.check(adding[2], State.PENDING)
            other = object_scope("cart", self.new_key(third))
            await self.do(StateEdited(other, (("n", payload("5")),)))
            await self.do(
                StateEdited(other, (("n", payload("6")),), clear_all=True, request_id="e1")
            )

    async def _on_key(self, third: int, handler: str, key: str) -> str:
        return await self.invoke(third, handler, key=key)

    async def _restarts(self) -> None:
        """Restarts, from the beginning and with a part of the journal, also with another input."""
        source = await self.invoke(0)
        await self.step(source)
        await self.entry(source, EntryKind.SET_STATE, "a", argument=payload("1"))
        await self.entry(source, EntryKind.AWAKEABLE, f"{source}-2")
        await self.do(AwakeableResolved(f"{source}-2", outcome("1")))
        await self.step(source)
        await self.finish(source, failure("ValueError", "it went wrong"))
        await self.do(Restarted(restart_id(source, "r1"), source))
        again = restart_id(source, "r2")
        await self.do(Restarted(again, source, 3, payload('"other"')))
        self.check(again, State.RUNNING)
        await self.finish(again)
        fork = restart_id(source, "r3")
        edited = ((0, outcome('"edited"')),)
        await self.do(Restarted(fork, source, 2, outcomes=edited, while_running=True))
        self.check(fork, State.RUNNING)

    async def _runs(self) -> None:
        """Programs that ask for patches and continue as new."""
        for third in range(3):
            it = await self.invoke(third, "order")
            await self.entry(it, EntryKind.PATCH, "add-tax")
            await self.entry(it, EntryKind.DEPRECATED_PATCH, "old-tax")
            await self.do(Signalled(it, "go", outcome("1")))
            await self.entry(it, EntryKind.SIGNAL, "go")
            await self.do(Signalled(it, "later", outcome("2")))
            read, unread = self.new_awakeable((third + 1) % 3), self.new_awakeable((third + 1) % 3)
            for name in (read, unread, f"{it}-5", f"{it}.named"):
                await self.entry(it, EntryKind.AWAKEABLE, name)
            await self.do(AwakeableResolved(read, outcome("3")))
            await self.entry(it, EntryKind.SET_STATE, "round", argument=payload("1"))
            await self.entry(it, EntryKind.SLEEP, delay_ms=1_000)
            found = self.find(it)
            given = (found.completions, found.first_index + len(found.recorded))
            await self.do(Continued(it, found.attempt, payload('"next"'), *given))
            self.check(it, State.RUNNING)
            await self.step(it, "in the second run")
            await self.entry(it, EntryKind.AWAKEABLE, unread)
            await self._move(2_000)
            await self.do(Restarted(restart_id(it, "r4"), it, 11, while_running=True))

    async def _unfinished(self) -> None:
        """What is pending at the end, in each lifecycle state."""
        for third in range(3):
            await self.invoke(third, "order", start_ms=self.clock.now_ms() + _FAR)
            sleeping = await self.invoke(third)
            await self.entry(sleeping, EntryKind.SLEEP, delay_ms=_FAR)
            await self.suspend(sleeping)
            await self.do(PauseAsked(sleeping, "not now", "tom"))
            waiting = await self.invoke(third)
            await self.entry(waiting, EntryKind.SIGNAL, "go")
            await self.entry(waiting, EntryKind.ATTACH, target=sleeping)
            await self.do(Signalled(waiting, "later", outcome("1")))
            await self.suspend(waiting)
            failing = await self.invoke(third)
            step = {"entry_index": 0, "kind": EntryKind.RUN, "name": "charge", "retry_ms": _FAR}
            await self.fail(failing, failure("OSError", "the disk is full"), **step)
            await self.invoke(third, "unknown")
