"""The world: the logs of all partitions, nodes that replace each other, workers, clients, invariants.

One seed decides everything that goes wrong. A node leads all partitions. It crashes between any two
steps of its loops, or goes on beside its successor. Each of its stores may come back as old as the last
complete checkpoint, and other processes lock it. Appends and their acknowledgements are lost or late.
Messages between partitions are lost, doubled, late, or go to another node. Workers crash, or lose their
connection and come back. Steps fail.
"""

from __future__ import annotations

import asyncio
import contextlib
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
    Received,
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
    Seen,
)
from durable_server.core.states import FINAL
from durable_server.log.memory import Fault, MemoryLog, MemoryStream
from durable_server.processor.build import build_processor
from durable_server.processor.clock import WallClock
from durable_server.processor.errors import ProcessorEndedError
from durable_server.processor.loop import Processor
from durable_server.processor.router import Router
from durable_server.processor.workers import Workers
from durable_server.rpc.worker import WorkerService
from durable_server.sessions.sessions import Sessions
from durable_server.sessions.times import SessionTimes

from .program import (
    FAILED,
    TRIES,
    awakeable_of,
    compensations,
    key_of,
    last_sent,
    value_of,
)
from .storage import Disk
from .worker import SimWorker

_POLICY = RetryPolicy(100, 2.0, 1000, -1)
_KINDS = [
    *("run", "run", "try", "try", "sleep", "wait", "choose", "child", "bump", "send", "set"),
    *("attach", "give"),
]
_HANDLERS = (
    Handler("program", retry=_POLICY),
    Handler("counter.bump", HandlerKind.OBJECT_EXCLUSIVE, _POLICY),
    Handler("listener", retry=_POLICY),
)
TIMES = SessionTimes(heartbeat=1.0, timeout=4.0, grace=1.0)


class _LoopClock(WallClock):
    """The clock of a machine that is wrong by `skew_ms`, on the time of the virtual loop."""

    def __init__(self, skew_ms: int) -> None:
        self._skew_ms = skew_ms

    def now_ms(self) -> int:
        return 1_000_000 + self._skew_ms + self.steady_ms()

    def steady_ms(self) -> int:
        return int(asyncio.get_running_loop().time() * 1000)


class _FaultyLink:
    """The network between the partitions, as a node has it."""

    def __init__(self, world: World, router: Router) -> None:
        self._world = world
        self._router = router

    async def __call__(self, destination: int, received: Received) -> int:
        world, rng = self._world, self._world.rng
        await asyncio.sleep(rng.random() * 0.05)
        if rng.random() < world.trouble:
            raise ProcessorEndedError("the messages were lost")
        if rng.random() < world.trouble:
            late = asyncio.create_task(self._repeat(destination, received))
            world.tasks.add(late)
            late.add_done_callback(world.tasks.discard)
        reply = await self._leader(destination).inputs.propose(received)
        if rng.random() < world.trouble:
            raise ProcessorEndedError("the answer was lost")
        assert isinstance(reply, Seen)
        return reply.sequence

    def _leader(self, destination: int) -> Processor:
        """Returns a node's processor of a partition: this node's, or that of the newest node."""
        router = self._world.rng.choice((self._router, self._world.router))
        return router.all()[destination]

    async def _repeat(self, destination: int, received: Received) -> None:
        """Delivers messages a second time, later."""
        await asyncio.sleep(self._world.rng.random() * 5)
        with contextlib.suppress(ProcessorEndedError):
            await self._leader(destination).inputs.propose(received)


class World:
    """One run of the simulation."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.rng = random.Random(seed)
        self.folder = folder
        self.failure_rate = self.rng.choice([0.0, 0.02, 0.1])
        self.trouble = self.rng.choice([0.0, 0.02, 0.1])
        self.count = self.rng.choice((1, 2, 3, 5))
        """The number of partitions."""
        self.streams = [MemoryStream(f"memory-{index}") for index in range(self.count)]
        for stream in self.streams:
            stream.fault = self._fault
        self.values: dict[tuple[str, int], Any] = {}
        self.resolved: dict[str, Any] = {}
        """The value that each awakeable has, according to the replies to clients."""
        self.bumps: dict[str, list[int]] = {}
        """The numbers that awaited invocations of `counter.bump` returned, by object key."""
        self.sends: dict[str, set[str]] = {}
        """The ids of invocations of `counter.bump` that nobody awaits, by object key."""
        self.sequences: list[list[str]] = []
        """The ids of those that one program has sent to one key, in the order of its journal."""
        self.executions = 0
        self.compensated = 0
        """How many steps have failed for good and were compensated."""
        self.nodes = 0
        self.disks = [Disk(self.rng, self.trouble) for _ in self.streams]
        self.tasks: set[asyncio.Task[None]] = set()
        self.limits = Limits(trim_bytes=self.rng.choice((2_000, 20_000)))
        self.router: Router
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
        sequences: dict[str, list[str]] = {}
        for index, (kind, value) in enumerate(zip(kinds, values, strict=True)):
            if kind in ("sleep", "set"):
                assert value is None
            elif kind in ("run", "try"):
                if kind == "try":
                    self._check_tries(found, index, value)
                known = self.values.get((found.id, index), value)
                assert known == value, f"step {index} of {found.id}: {value}, acknowledged {known}"
            elif kind in ("wait", "choose"):
                assert value == self.resolved.get(awakeable_of(kind, found.id, index), value)
            elif kind == "give":
                assert value is None
                name = awakeable_of(kind, found.id, index)
                given = self.router.for_awakeable(name).store.awakeable(name)
                assert given is not None
                assert given.outcome is not None
                assert value_of(payload_pb2.Outcome.FromString(given.outcome)) == index
            elif kind == "attach":
                self._check_attached([*program, compensated], values, index)
            elif kind == "child":
                assert len(value) == 2
            elif kind == "bump":
                self.bumps.setdefault(key_of(found.id, index), []).append(value)
            else:
                key = key_of(found.id, index)
                self.sends.setdefault(key, set()).add(value)
                sequences.setdefault(key, []).append(value)
        self.sequences += sequences.values()

    def _check_attached(self, stages: list[list[str]], values: list[Any], index: int) -> None:
        """Checks that an `attach` got what the invocation that it names has returned."""
        sent = last_sent(stages, dict(enumerate(values)), index)
        if sent is None:
            assert values[index] == FAILED
        else:
            assert values[index] == self._number(sent)

    def _number(self, invocation_id: str) -> int:
        """Returns the number that an invocation of `counter.bump` has returned."""
        found = self.router.for_id(invocation_id).store.load(invocation_id)
        assert found is not None
        assert found.outcome is not None
        number = json.loads(payload_pb2.Outcome.FromString(found.outcome).value.data)
        assert isinstance(number, int)
        return number

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
        row = self.router.for_id(found.id).store.entry(found.number, index)
        assert row is not None
        if value == FAILED:
            assert row.failed_tries == TRIES - 1
        else:
            assert 0 <= row.failed_tries < TRIES

    def check_counters(self) -> None:
        """Checks that each `counter.bump` ran once, alone on its key, and changed the state."""
        for key in self.bumps.keys() | self.sends.keys():
            numbers = self.bumps.get(key, [])
            numbers += [self._number(sent) for sent in self.sends.get(key, ())]
            assert sorted(numbers) == list(range(1, len(numbers) + 1)), (key, numbers)
            state = self.router.for_object(key).store.state(object_scope("counter", key))
            assert payload_pb2.Payload.FromString(state["n"]).data == b"%d" % len(numbers)
        for sequence in self.sequences:
            arrived = [self._number(sent) for sent in sequence]
            assert arrived == sorted(arrived), "invocations have overtaken each other"

    async def check_outboxes(self) -> None:
        """Checks that all messages arrive, and that each number is seen as often as it was sent."""
        while any(it.outbox.waiting for it in self.router.all()):  # noqa: ASYNC110
            await asyncio.sleep(
                1
            )  # nodes are still being replaced, so there is no event to wait for
        for sender in self.router.all():
            for destination, sent in sender.partition.sent.items():
                receiver = self.router.all()[destination].partition
                assert receiver.seen[sender.partition.index] == sent

    # Faults

    def _fault(self, data: bytes, expected: int) -> Fault:
        if self.rng.random() >= self.trouble:
            return Fault.NONE
        return self.rng.choice([Fault.LOST_ACK, Fault.LOST_APPEND, Fault.LATE])

    def cut_after(self) -> float:
        """Returns after how many seconds a session loses its connection."""
        return self.rng.expovariate(0.3)

    # Nodes

    async def lead(self) -> None:
        """Starts a node that leads all partitions, each with its newest store or an older copy."""
        self.nodes += 1
        clock = _LoopClock(self.rng.choice((0, 0, -60_000, 60_000)))
        workers = Workers()
        processors: list[Processor] = []
        for index, (stream, disk) in enumerate(zip(self.streams, self.disks, strict=True)):
            store = disk.open(self.folder / f"store-{self.nodes}-{index}.db")
            log = MemoryLog(stream, rng=self.rng)
            processors.append(
                build_processor(
                    log, store, self.limits, clock, workers, index=index, count=self.count
                )
            )
        router = Router(self.count, processors)
        for processor in processors:
            processor.outbox.connect(_FaultyLink(self, router))
        await asyncio.gather(*(it.start(f"node-{self.nodes}") for it in processors))
        self.router = router
        sessions = Sessions(router, workers, self.limits, TIMES)
        self.service = WorkerService(sessions, self.limits, TIMES)
        for processor in processors:
            for handler in _HANDLERS:
                if handler.name not in processor.partition.handlers:
                    await processor.inputs.propose(HandlerRegistered(handler))

    async def replace_nodes(self) -> None:
        """Replaces nodes again and again, after a crash or while the old one still runs."""
        while True:
            await asyncio.sleep(self.rng.expovariate(0.5))
            for stream, disk in zip(self.streams, self.disks, strict=True):
                stream.release()
                disk.add_copy()
            if self.rng.random() < 0.5:
                # What the clients of the dead node see is a broken connection.
                for processor in self.router.all():
                    processor.crash()
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
            self.resolve(awakeable_of(kind, invocation_id, index), f"{number}/{index}/{attempt}")
            for index, kind in enumerate(kinds)
            if kind in ("wait", "choose")
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
        if isinstance(record, AwakeableResolved):
            processor = self.router.for_awakeable(record.awakeable_id)
        else:
            processor = self.router.for_id(getattr(record, "invocation_id", ""))
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
        background.append(asyncio.create_task(self.replace_nodes()))
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
                await self.check_outboxes()
                self.check_counters()
        finally:
            tasks = (*background, clients_done, *self.tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
