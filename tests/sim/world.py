"""The simulated world: one log, leaders that come and go, workers, clients, and what must hold.

Everything that can go wrong is drawn from one seed: the leader dies between any two steps of its
loop, or lives on beside its successor; its store comes back as old as its last complete checkpoint,
and is held by other processes; appends and acks are lost or late; workers die, or lose their
connection and come back; steps fail.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
from pathlib import Path
from typing import Any

from durable_proto.v1 import payload_pb2
from durable_server.core import ids
from durable_server.core.limits import Limits
from durable_server.core.model import (
    Handler,
    HandlerKind,
    Invocation,
    RetryPolicy,
    State,
    object_scope,
)
from durable_server.core.records import (
    AwakeableResolved,
    HandlerRegistered,
    Invoked,
    PauseAsked,
    Record,
    Resumed,
    Signalled,
)
from durable_server.core.replies import (
    Attached,
    Conflict,
    Created,
    Done,
    Missing,
    Refused,
    Reply,
    Resolved,
)
from durable_server.core.states import FINAL
from durable_server.log.memory import Fault, MemoryLog, MemoryStream
from durable_server.processor.build import build_processor
from durable_server.processor.clock import WallClock
from durable_server.processor.loop import Processor
from durable_server.processor.router import Router
from durable_server.rpc.worker import WorkerService
from durable_server.sessions.sessions import Sessions
from durable_server.sessions.times import SessionTimes
from durable_server.store.sqlite import SqliteStore

from .program import FAILED, TRIES, key_of, undoing
from .storage import Disk
from .worker import SimWorker

_POLICY = RetryPolicy(100, 2.0, 1000, -1)
_KINDS = ["run", "run", "try", "try", "sleep", "wait", "child", "bump", "send", "set"]
TIMES = SessionTimes(heartbeat=1.0, timeout=4.0, grace=1.0)


class _LoopClock(WallClock):
    """The time of the virtual loop, as a machine shows it whose clock is wrong by `skew_ms`."""

    def __init__(self, skew_ms: int) -> None:
        self._skew_ms = skew_ms

    def now_ms(self) -> int:
        return 1_000_000 + self._skew_ms + self.steady_ms()

    def steady_ms(self) -> int:
        return int(asyncio.get_running_loop().time() * 1000)


class World:
    """One run of the simulation."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.rng = random.Random(seed)
        self.folder = folder
        self.failure_rate = self.rng.choice([0.0, 0.02, 0.1])
        self.trouble = self.rng.choice([0.0, 0.02, 0.1])
        self.stream = MemoryStream()
        self.stream.fault = self._fault
        self.values: dict[tuple[str, int], Any] = {}
        self.resolved: dict[str, Any] = {}
        """What clients were told that awakeables have."""
        self.bumps: dict[str, list[int]] = {}
        """The numbers that awaited turns have returned, by object key."""
        self.sends: dict[str, set[str]] = {}
        """The invocations that were sent, by object key."""
        self.executions = 0
        self.undone = 0
        """How many steps have failed for good and were undone."""
        self.leaders = 0
        self.store: SqliteStore | None = None
        self.disk = Disk(self.rng, self.trouble)
        self.limits = Limits(trim_bytes=self.rng.choice((2_000, 20_000)))
        self.processor: Processor
        self.service: WorkerService
        self.tasks: set[asyncio.Task[None]] = set()

    # What must hold

    def executed(self, invocation_id: str, index: int) -> str:
        """A step runs: it must not have been committed before. Returns its new value."""
        known = self.values.get((invocation_id, index))
        assert known is None, f"step {index} of {invocation_id} ran again after its commit"
        self.executions += 1
        return f"{invocation_id[:6]}/{index}/{self.executions}"

    def committed(self, invocation_id: str, index: int, value: Any) -> None:
        """A step was acknowledged: with the same value each time."""
        known = self.values.setdefault((invocation_id, index), value)
        assert known == value, f"step {index} of {invocation_id} was acknowledged with two values"

    def check_result(self, found: Invocation, program: list[list[str]]) -> None:
        """An invocation has ended: rightly, and with the values that were acknowledged."""
        assert found.state is State.COMPLETED, found
        assert found.outcome is not None
        values = json.loads(payload_pb2.Outcome.FromString(found.outcome).value.data)
        undone = undoing(program, dict(enumerate(values)))
        self.undone += len(undone)
        kinds = [kind for stage in [*program, undone] for kind in stage]
        assert len(values) == len(kinds)
        for index, (kind, value) in enumerate(zip(kinds, values, strict=True)):
            if kind in ("sleep", "set"):
                assert value is None
            elif kind in ("run", "try"):
                if kind == "try":
                    self._check_tries(found, index, value)
                known = self.values.get((found.id, index), value)
                assert known == value, f"step {index} of {found.id}: {value}, acknowledged {known}"
            elif kind == "wait":
                assert value == self.resolved.get(f"{found.id}-{index}", value)
            elif kind == "child":
                assert len(value) == 2
            elif kind == "bump":
                self.bumps.setdefault(key_of(found.id, index), []).append(value)
            else:
                self.sends.setdefault(key_of(found.id, index), set()).add(value)

    async def signaller(self, number: int) -> None:
        """Sends numbered signals to a listener, one after the other, and looks at what it got."""
        await asyncio.sleep(self.rng.random() * 5)
        count = self.rng.randint(1, 5)
        data = payload_pb2.Payload(data=b"%d" % count).SerializeToString()
        invocation_id = ids.from_name("request", "listener", "", str(number))
        record = Invoked(invocation_id, "listener", data)
        async with asyncio.TaskGroup() as group:
            ended = group.create_task(self.ended(record))
            group.create_task(self.send_signals(invocation_id, count))
            if self.rng.random() < 0.3:
                group.create_task(self.pause(invocation_id))
        found = ended.result()
        assert found.state is State.COMPLETED, found
        assert found.outcome is not None
        received = json.loads(payload_pb2.Outcome.FromString(found.outcome).value.data)
        assert received == list(range(count)), (found.id, received)

    async def send_signals(self, invocation_id: str, count: int) -> None:
        """Sends each signal until it is accepted, before the next."""
        for number in range(count):
            await asyncio.sleep(self.rng.expovariate(1.0) * self.rng.choice((0, 1)))
            outcome = payload_pb2.Outcome(value=payload_pb2.Payload(data=b"%d" % number))
            signal = Signalled(invocation_id, "n", outcome.SerializeToString(), f"s{number}")
            reply = None
            while not isinstance(reply, Done):
                reply = await self.ask(signal)
                assert isinstance(reply, Done | Missing | None), reply
                await asyncio.sleep(self.rng.random() * 0.1)

    def _check_tries(self, found: Invocation, index: int, value: Any) -> None:
        """A step fails for good only when its tries are used up, and the journal has their number."""
        assert self.store is not None
        row = self.store.entry(found.number, index)
        assert row is not None
        if value == FAILED:
            assert row.failed_tries == TRIES - 1
        else:
            assert 0 <= row.failed_tries < TRIES

    def check_counters(self) -> None:
        """Every turn on a key was taken once, alone, and left its mark."""
        assert self.store is not None
        for key in self.bumps.keys() | self.sends.keys():
            numbers, sent = self.bumps.get(key, []), self.sends.get(key, set())
            for invocation_id in sent:
                found = self.store.load(invocation_id)
                assert found is not None
                assert found.outcome is not None
                outcome = payload_pb2.Outcome.FromString(found.outcome)
                numbers.append(json.loads(outcome.value.data))
            assert sorted(numbers) == list(range(1, len(numbers) + 1)), (key, numbers)
            state = self.store.state(object_scope("counter", key))
            assert payload_pb2.Payload.FromString(state["n"]).data == b"%d" % len(numbers)

    # Faults

    def _fault(self, data: bytes, expected: int) -> Fault:
        if self.rng.random() >= self.trouble:
            return Fault.NONE
        return self.rng.choice([Fault.LOST_ACK, Fault.LOST_APPEND, Fault.LATE])

    def cut_after(self) -> float:
        """How long a session lasts."""
        return self.rng.expovariate(0.3)

    # Leaders

    async def lead(self) -> None:
        """Starts a leader on the stream, with the newest store or an older copy of it."""
        self.leaders += 1
        store = self.disk.open(self.folder / f"store-{self.leaders}.db")
        log = MemoryLog(self.stream, rng=self.rng)
        clock = _LoopClock(self.rng.choice((0, 0, -60_000, 60_000)))
        processor = build_processor(log, store, self.limits, clock)
        await processor.start(f"leader-{self.leaders}")
        self.processor, self.store = processor, store
        sessions = Sessions(Router(processor), processor.workers, self.limits, TIMES)
        self.service = WorkerService(sessions, self.limits, TIMES)
        if "program" not in processor.partition.handlers:
            await processor.inputs.propose(HandlerRegistered(Handler("program", retry=_POLICY)))
            bump = Handler("counter.bump", HandlerKind.OBJECT_EXCLUSIVE, _POLICY)
            await processor.inputs.propose(HandlerRegistered(bump))
            await processor.inputs.propose(HandlerRegistered(Handler("listener", retry=_POLICY)))

    async def reign(self) -> None:
        """Lets leaders die, or be replaced while they live on, again and again."""
        while True:
            await asyncio.sleep(self.rng.expovariate(0.5))
            self.stream.release()
            self.disk.keep()
            old = self.processor
            if self.rng.random() < 0.5:
                # What the dead leader's clients see is a broken connection.
                old.crash()
            if self.rng.random() < 0.8:
                await asyncio.sleep(self.rng.random() * 2)
            await self.lead()

    # Workers and clients

    async def employ(self, name: str) -> None:
        """Keeps one worker at work; a dead one is replaced by one with a new name."""
        generation = 0
        while True:
            generation += 1
            worker = SimWorker(self, f"{name}-{generation}")
            run = asyncio.create_task(worker.run())
            try:
                await asyncio.wait({run}, timeout=self.rng.expovariate(0.2))
            finally:
                worker.kill()
                run.cancel()
                ended = (await asyncio.gather(run, return_exceptions=True))[0]
            if isinstance(ended, Exception):
                raise ended

    async def client(self, number: int) -> None:
        """Invokes one program and waits for its end, as often as it takes."""
        program = [
            [self.rng.choice(_KINDS) for _ in range(self.rng.randint(1, 3))]
            for _ in range(self.rng.randint(1, 4))
        ]
        await asyncio.sleep(self.rng.random() * 5)
        data = payload_pb2.Payload(data=json.dumps(program).encode()).SerializeToString()
        invocation_id = ids.from_name("request", "program", "", str(number))
        kinds = [kind for stage in program for kind in stage]
        others = [
            self.resolve(f"{invocation_id}-{index}", f"{number}/{index}/{attempt}")
            for index, kind in enumerate(kinds)
            if kind == "wait"
            for attempt in range(self.rng.randint(1, 2))
        ]
        if self.rng.random() < 0.3:
            others.append(self.pause(invocation_id))
        async with asyncio.TaskGroup() as group:
            for other in others:
                group.create_task(other)
            found = await self.ended(Invoked(invocation_id, "program", data))
        self.check_result(found, program)
        # What it has sent must come to its end too.
        for ids_sent in list(self.sends.values()):
            for sent in list(ids_sent):
                await self.ended(Invoked(sent, "counter.bump", None, self._key(sent)))

    def _key(self, invocation_id: str) -> str:
        return next(key for key, sent in self.sends.items() if invocation_id in sent)

    async def ended(self, record: Invoked) -> Invocation:
        """Asks for an invocation until it has ended."""
        while True:
            reply = await self.ask(record, follow=True)
            if isinstance(reply, Created | Attached) and reply.invocation.state in FINAL:
                return reply.invocation
            await asyncio.sleep(0.1 + self.rng.random())

    async def ask(self, record: Record, *, follow: bool = False) -> Reply:
        """Proposes a record; None when nobody has answered in a while."""
        processor = self.processor
        future = processor.inputs.propose(record, settle_by=math.inf if follow else 0.0)
        await asyncio.wait({future}, timeout=5)
        reply = None
        if future.done() and not future.cancelled() and future.exception() is None:
            reply = future.result()
        processor.subscriptions.cancel(getattr(record, "invocation_id", ""), future)
        return reply

    async def resolve(self, awakeable_id: str, value: str) -> None:
        """Resolves an awakeable at some time; only one of several values may be accepted."""
        await asyncio.sleep(self.rng.random() * 10)
        data = payload_pb2.Payload(data=json.dumps(value).encode())
        outcome = payload_pb2.Outcome(value=data).SerializeToString()
        while True:
            reply = await self.ask(AwakeableResolved(awakeable_id, outcome))
            if isinstance(reply, Resolved):
                assert self.resolved.setdefault(awakeable_id, value) == value
                return
            if isinstance(reply, Conflict):
                return
            assert isinstance(reply, Missing | None)
            await asyncio.sleep(self.rng.random())

    async def pause(self, invocation_id: str) -> None:
        """Pauses an invocation and lets it go on."""
        await asyncio.sleep(self.rng.random() * 10)
        for record in (PauseAsked(invocation_id), Resumed(invocation_id)):
            reply = None
            while not isinstance(reply, Done | Missing | Refused):
                reply = await self.ask(record)
                await asyncio.sleep(self.rng.random())
            await asyncio.sleep(self.rng.random() * 5)

    async def run(self, clients: int, workers: int) -> None:
        """Runs the world until every client has its result."""
        await self.lead()
        staff = [asyncio.create_task(self.employ(f"w{number}")) for number in range(workers)]
        staff.append(asyncio.create_task(self.reign()))
        crowd = asyncio.gather(
            *(self.client(number) for number in range(clients)),
            *(self.signaller(number) for number in range(clients // 2)),
        )
        try:
            async with asyncio.timeout(10_000):
                await asyncio.wait({crowd, *staff}, return_when=asyncio.FIRST_COMPLETED)
                for task in staff:
                    if task.done():
                        task.result()
                await crowd
                self.check_counters()
        finally:
            for task in (*staff, crowd):
                task.cancel()
            await asyncio.gather(*staff, crowd, return_exceptions=True)
