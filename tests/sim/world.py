"""The world: one log, leaders that replace each other, workers, clients, and the invariants.

One seed decides everything that goes wrong. A leader crashes between any two steps of its loop, or goes
on beside its successor. Its store may come back as old as the last complete checkpoint, and other
processes lock it. Appends and their acknowledgements are lost or late. Workers crash, or lose their
connection and come back. Steps fail.
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

from .program import FAILED, TRIES, compensations, key_of
from .storage import Disk
from .worker import SimWorker

_POLICY = RetryPolicy(100, 2.0, 1000, -1)
_KINDS = ["run", "run", "try", "try", "sleep", "wait", "child", "bump", "send", "set"]
TIMES = SessionTimes(heartbeat=1.0, timeout=4.0, grace=1.0)


class _LoopClock(WallClock):
    """The clock of a machine that is wrong by `skew_ms`, on the time of the virtual loop."""

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
        """The value that each awakeable has, according to the replies to clients."""
        self.bumps: dict[str, list[int]] = {}
        """The numbers that awaited invocations of `counter.bump` returned, by object key."""
        self.sends: dict[str, set[str]] = {}
        """The ids of invocations of `counter.bump` that nobody awaits, by object key."""
        self.executions = 0
        self.compensated = 0
        """How many steps have failed for good and were compensated."""
        self.leaders = 0
        self.store: SqliteStore | None = None
        self.disk = Disk(self.rng, self.trouble)
        self.limits = Limits(trim_bytes=self.rng.choice((2_000, 20_000)))
        self.processor: Processor
        self.service: WorkerService

    # Invariants

    def executed(self, invocation_id: str, index: int) -> str:
        """Checks that a step that runs was not committed before; returns its new value."""
        known = self.values.get((invocation_id, index))
        assert known is None, f"step {index} of {invocation_id} ran again after its commit"
        self.executions += 1
        return f"{invocation_id[:6]}/{index}/{self.executions}"

    def committed(self, invocation_id: str, index: int, value: Any) -> None:
        """Checks that each acknowledgement of a step is for the same value."""
        known = self.values.setdefault((invocation_id, index), value)
        assert known == value, f"step {index} of {invocation_id} was acknowledged with two values"

    def check_result(self, found: Invocation, program: list[list[str]]) -> None:
        """Checks that an invocation has ended with the values that were acknowledged."""
        assert found.state is State.COMPLETED, found
        assert found.outcome is not None
        values = json.loads(payload_pb2.Outcome.FromString(found.outcome).value.data)
        compensated = compensations(program, dict(enumerate(values)))
        self.compensated += len(compensated)
        kinds = [kind for stage in [*program, compensated] for kind in stage]
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

    async def signal_client(self, number: int) -> None:
        """Sends numbered signals to a listener, one after the other, and checks what it received."""
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
        """Sends each signal again until it is accepted, and then the next one."""
        for number in range(count):
            await asyncio.sleep(self.rng.expovariate(1.0) * self.rng.choice((0, 1)))
            outcome = payload_pb2.Outcome(value=payload_pb2.Payload(data=b"%d" % number))
            signal = Signalled(invocation_id, "n", outcome.SerializeToString(), f"s{number}")
            reply = None
            while not isinstance(reply, Done):
                reply = await self.propose(signal)
                assert isinstance(reply, Done | Missing | None), reply
                await asyncio.sleep(self.rng.random() * 0.1)

    def _check_tries(self, found: Invocation, index: int, value: Any) -> None:
        """Checks that a step failed for good only after all its tries, which the journal counts."""
        assert self.store is not None
        row = self.store.entry(found.number, index)
        assert row is not None
        if value == FAILED:
            assert row.failed_tries == TRIES - 1
        else:
            assert 0 <= row.failed_tries < TRIES

    def check_counters(self) -> None:
        """Checks that each `counter.bump` ran once, alone on its key, and changed the state."""
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
        """Returns after how many seconds a session loses its connection."""
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

    async def replace_leaders(self) -> None:
        """Replaces leaders again and again, after a crash or while the old one still runs."""
        while True:
            await asyncio.sleep(self.rng.expovariate(0.5))
            self.stream.release()
            self.disk.add_copy()
            old = self.processor
            if self.rng.random() < 0.5:
                # What the dead leader's clients see is a broken connection.
                old.crash()
            if self.rng.random() < 0.8:
                await asyncio.sleep(self.rng.random() * 2)
            await self.lead()

    # Workers and clients

    async def keep_worker(self, name: str) -> None:
        """Runs one worker after the other, each under a new name."""
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
        """Invokes one program, repeats the request until it has ended, and checks the result."""
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
        # Invocations that it has started without waiting for them must end too.
        for started in list(self.sends.values()):
            for sent in list(started):
                await self.ended(Invoked(sent, "counter.bump", None, self._key(sent)))

    def _key(self, invocation_id: str) -> str:
        return next(key for key, sent in self.sends.items() if invocation_id in sent)

    async def ended(self, record: Invoked) -> Invocation:
        """Repeats a request until its invocation has ended; returns the invocation."""
        while True:
            reply = await self.propose(record, follow=True)
            if isinstance(reply, Created | Attached) and reply.invocation.state in FINAL:
                return reply.invocation
            await asyncio.sleep(0.1 + self.rng.random())

    async def propose(self, record: Record, *, follow: bool = False) -> Reply:
        """Proposes a record; returns its reply, or None if none comes within 5 seconds."""
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
            reply = await self.propose(AwakeableResolved(awakeable_id, outcome))
            if isinstance(reply, Resolved):
                assert self.resolved.setdefault(awakeable_id, value) == value
                return
            if isinstance(reply, Conflict):
                return
            assert isinstance(reply, Missing | None)
            await asyncio.sleep(self.rng.random())

    async def pause(self, invocation_id: str) -> None:
        """Pauses an invocation and resumes it."""
        await asyncio.sleep(self.rng.random() * 10)
        for record in (PauseAsked(invocation_id), Resumed(invocation_id)):
            reply = None
            while not isinstance(reply, Done | Missing | Refused):
                reply = await self.propose(record)
                await asyncio.sleep(self.rng.random())
            await asyncio.sleep(self.rng.random() * 5)

    async def run(self, clients: int, workers: int) -> None:
        """Runs the simulation until every client has its result."""
        await self.lead()
        background = [
            asyncio.create_task(self.keep_worker(f"w{number}")) for number in range(workers)
        ]
        background.append(asyncio.create_task(self.replace_leaders()))
        clients_done = asyncio.gather(
            *(self.client(number) for number in range(clients)),
            *(self.signal_client(number) for number in range(clients // 2)),
        )
        try:
            async with asyncio.timeout(10_000):
                await asyncio.wait({clients_done, *background}, return_when=asyncio.FIRST_COMPLETED)
                for task in background:
                    if task.done():
                        task.result()
                await clients_done
                self.check_counters()
        finally:
            for task in (*background, clients_done):
                task.cancel()
            await asyncio.gather(*background, clients_done, return_exceptions=True)
