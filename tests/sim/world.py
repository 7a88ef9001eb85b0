"""The world: the logs of all partitions, nodes that lead and follow them, workers, clients, invariants.

One seed decides everything that goes wrong. Up to three nodes are alive at once; which of them leads a
partition follows from what each has heard of the others, and they do not hear the same. A node crashes
between any two steps of its loops, stops in an orderly way, or goes on beside its successor. Each of
its stores may come back as old as the last complete checkpoint, and other processes lock it. Appends
and their acknowledgements are lost or late. Messages between partitions are lost, doubled, late, or go
to a node that does not lead. Workers crash, or lose their connections and come back. Steps fail.
Workers are of two builds, which may pin their handlers, while an operator promotes and drains builds
and repins invocations.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections import Counter
from pathlib import Path
from typing import Any

from durable_proto.v1 import payload_pb2
from durable_server.cluster.member import Member
from durable_server.core import ids
from durable_server.core.entry_kinds import EntryKind
from durable_server.core.limits import Limits
from durable_server.core.model import (
    EntryRow,
    Invocation,
    State,
    object_scope,
)
from durable_server.core.records import (
    AwakeableResolved,
    BuildDrained,
    BuildPromoted,
    BuildRolledBack,
    Invoked,
    PauseAsked,
    Record,
    Repinned,
    Restarted,
    Resumed,
    Signalled,
)
from durable_server.core.replies import (
    Attached,
    BuildInUse,
    BuildMissing,
    Conflict,
    Created,
    Done,
    Missing,
    NothingToRollBack,
    Refused,
    Reply,
    Resolved,
    Routed,
)
from durable_server.core.restart import restart_id
from durable_server.core.states import FINAL
from durable_server.log.memory import Fault
from durable_server.node.host import Role
from durable_server.peers.interface import PeerStream, PeerUnavailableError
from durable_server.processor.loop import Processor

from .history import History, SimStream
from .node import SimNode
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

NODES = (1, 1, 1, 2, 3)
"""How many nodes are alive at once: one of these."""
BUILDS = ("b1", "b2")
"""Each worker runs one of these; so the workers of the other one come back sooner or later."""
_ANSWERS = Routed | BuildMissing | BuildInUse | NothingToRollBack | Done | Missing | Refused | None
"""What an operator may hear."""
SETTLE_SECONDS = 20.0
"""How long nodes take at most until they have the roles that they should have."""
_KINDS = [
    *("run", "run", "try", "try", "sleep", "wait", "choose", "child", "bump", "send", "set"),
    *("attach", "give", "patch"),
]

_COPIED_KINDS = ("run", "run", "try", "sleep", "wait", "child", "set")
"""The entries of programs that are forked: they do nothing that a fork must not do again."""


class Slot:
    """The place of one node: its disks, and the process that runs there now."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name
        self.disks = [Disk(world.rng, world.trouble) for _ in world.streams]
        self.node: SimNode

    def start(self) -> None:
        """Starts a new process there."""
        world = self._world
        world.started += 1
        self.node = SimNode(world, self._name, self.disks)
        world.nodes.append(self.node)
        self.node.start()


class World:
    """One run of the simulation."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.rng = random.Random(seed)
        self.folder = folder
        self.failure_rate = self.rng.choice([0.0, 0.02, 0.1])
        self.trouble = self.rng.choice([0.0, 0.02, 0.1])
        self.count = self.rng.choice((1, 2, 3, 5))
        """The number of partitions."""
        self.histories: list[History] = []
        self.histories += (History(it, self.count, self.histories) for it in range(self.count))
        self.streams = [SimStream(it) for it in self.histories]
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
        self.runs = 0
        """How many runs have followed the first ones."""
        self.forked = 0
        """How many forks were accepted."""
        self.distance = self.rng.choice((0.0, 0.0, 0.02))
        """How many seconds the logs are away, at most."""
        self.standbys = self.rng.choice((0, 1, 2))
        self.slots = [Slot(self, f"node-{it}") for it in range(self.rng.choice(NODES))]
        """The nodes that are alive at once."""
        self.nodes: list[SimNode] = []
        """All processes that have run, the newest last."""
        self.records: dict[str, Member] = {}
        """The last record of each node."""
        self.confusion = self.rng.choice((0.0, 0.02, 0.1))
        """The probability that a record of a node is lost, or a node is not heard for a while."""
        self.faithful = self.rng.random() < 0.5
        """Whether a node reads the record of one that is silent before it finds it gone."""
        self.cuts: dict[tuple[str, str], float] = {}
        """Until when a node is not heard by another one."""
        self.broken: asyncio.Future[None]
        """Has the error of a node, which ends the run."""
        self.started = 0
        """How many nodes have been started."""
        self.tasks: set[asyncio.Task[None]] = set()
        self.pins = {it: self.rng.random() < 0.5 for it in BUILDS}
        """Whether the handlers are pinned in a build."""
        self.operated = self.rng.random() < 0.5
        """Whether an operator changes where invocations go."""
        self.limits = Limits(trim_bytes=self.rng.choice((2_000, 20_000)))

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
        history = self.history_of(invocation_id)
        found = history.find(invocation_id)
        if index < found.first_index:
            return  # a late acknowledgement: another attempt has begun the next run
        row = history.store.entry(found.number, index)
        assert row is not None, f"step {index} of {invocation_id} is not in the log"
        assert row.outcome is not None
        assert value_of(payload_pb2.Outcome.FromString(row.outcome)) == value

    def check_result(self, found: Invocation, program: list[list[str]]) -> None:
        """Checks that an invocation has ended with the values that were acknowledged."""
        assert found.state is State.COMPLETED, found
        assert found.outcome is not None
        values = json.loads(payload_pb2.Outcome.FromString(found.outcome).value.data)
        self.runs += found.run - 1
        assert found.run == 1 + program.count(["again"]), found
        compensated = compensations(program, dict(enumerate(values)))
        self.compensated += len(compensated)
        kinds = [kind for stage in [*program, compensated] for kind in stage]
        assert len(values) == len(kinds)
        sequences: dict[str, list[str]] = {}
        for index, (kind, value) in enumerate(zip(kinds, values, strict=True)):
            if kind in ("sleep", "set", "patch", "again"):
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
                partition = ids.awakeable_partition(name, self.count)
                given = self.histories[partition].store.awakeable(name)
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
        found = self.history_of(invocation_id).find(invocation_id)
        assert found.outcome is not None
        number = json.loads(payload_pb2.Outcome.FromString(found.outcome).value.data)
        assert isinstance(number, int)
        return number

    async def signal_client(self, number: int) -> None:
        """Sends numbered signals to a listener, one after the other, and checks what it received."""
        await asyncio.sleep(self.rng.random() * 5)
        count = self.rng.randint(1, 5)
        data = payload_pb2.Payload(data=b"[%d, []]" % count).SerializeToString()
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
        self.runs += found.run - 1
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
        if index < found.first_index:
            return  # The journal of that run is removed.
        row = self.history_of(found.id).store.entry(found.number, index)
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
            partition = ids.object_partition(key, self.count)
            state = self.histories[partition].store.state(object_scope("counter", key))
            assert payload_pb2.Payload.FromString(state["n"]).data == b"%d" % len(numbers)
        for sequence in self.sequences:
            arrived = [self._number(sent) for sent in sequence]
            assert arrived == sorted(arrived), "invocations have overtaken each other"

    async def check_outboxes(self) -> None:
        """Checks that all messages arrive: each number is seen as often as it was sent."""
        while not all(  # noqa: ASYNC110  # nodes are still being replaced: no event announces it
            len(messages) == self.histories[destination].partition.seen.get(sender.index, 0)
            for sender in self.histories
            for destination, messages in sender.sent.items()
        ):
            await asyncio.sleep(1)

    async def end_faults(self) -> None:
        """Ends all faults, and waits until all nodes have come to what they should be."""
        self.confusion = self.trouble = 0.0
        self.cuts.clear()
        for slot in self.slots:
            for disk in slot.disks:
                disk.trouble = 0.0
            if not slot.node.runs or slot.node.roles.draining:
                slot.node.crash()
                slot.start()
        await asyncio.sleep(SETTLE_SECONDS)

    def check_serving(self) -> None:
        """Checks that no two nodes may answer reads of one partition.

        To be called whenever a node has a partition more, or counts again.
        """
        if not self.faithful:
            return
        serving = Counter(
            processor.partition.index
            for node in self.nodes
            if not node.ended.is_set() and node.members.current
            for processor in node.router.all()
            if node.router.answers(processor)
        )
        assert max(serving.values(), default=0) <= 1, serving

    def check_slots(self) -> None:
        """Checks that no node holds a slot of a worker, because nothing is left to run."""
        for slot in self.slots:
            for worker in slot.node.workers:
                assert not worker.owned, f"{slot.node.name} has attempts of {worker.id}"

    def check_followers(self) -> None:
        """Checks that no node holds a slot of a worker for a partition that it only follows."""
        for slot in self.slots:
            roles = [host.role for host in slot.node.hosts]
            for worker in slot.node.workers:
                for invocation_id in worker.owned:
                    role = roles[ids.partition(invocation_id, self.count)]
                    assert role is not Role.FOLLOWING, f"{invocation_id} is led elsewhere"

    async def check_nodes(self) -> None:
        """Checks the roles of the nodes, and that their stores are what the logs make of them."""
        for slot in self.slots:
            for processor in slot.node.router.all():
                # A leader that has nothing to append does not learn that another one has led since.
                processor.inputs.submit(PauseAsked("0" * 32))
        await asyncio.sleep(SETTLE_SECONDS)
        for history in self.histories:
            hosts = [(slot.node, slot.node.hosts[history.index]) for slot in self.slots]
            roles = Counter(host.role for _, host in hosts)
            assert roles[Role.LEADING] == 1, roles
            assert roles[Role.FOLLOWING] == min(self.standbys, len(self.slots) - 1), roles
            for node, host in hosts:
                if host.role is not Role.IDLE:
                    position = history.position
                    assert host.position == position, f"{host.position}, the log has {position}"
                    node.check_store(host)

    # Faults

    def _fault(self, data: bytes, expected: int) -> Fault:
        if self.rng.random() >= self.trouble:
            return Fault.NONE
        return self.rng.choice([Fault.LOST_ACK, Fault.LOST_APPEND, Fault.LATE])

    def cut_after(self) -> float:
        """Returns after how many seconds a session loses its connection."""
        return self.rng.expovariate(0.3)

    # Nodes

    def history_of(self, invocation_id: str) -> History:
        """Returns the history of an invocation's partition."""
        return self.histories[ids.partition(invocation_id, self.count)]

    def entry(self) -> SimNode:
        """Returns the node to which a client or worker turns: any, sometimes one that was replaced."""
        if self.rng.random() < self.trouble:
            return self.rng.choice(self.nodes)
        return self.rng.choice(self.slots).node

    def node(self, name: str) -> SimNode:
        """Returns the process that runs under a name now."""
        return next(it.node for it in self.slots if it.node.name == name)

    async def call(self, node: str, method: str, body: bytes, timeout: float | None) -> bytes:  # noqa: ASYNC109  # as in `Peers`
        """See `Peers.call`; the faults are in `SimRouter`."""
        found = self.node(node)
        if found.ended.is_set():
            raise PeerUnavailableError
        return await found.deliver(body)

    def open(self, node: str, method: str, body: bytes) -> PeerStream:
        """See `Peers.open`."""
        raise NotImplementedError

    def is_cut(self, source: str, destination: str) -> bool:
        """Returns whether a node does not hear the record of another one; begins such a time too."""
        now = asyncio.get_running_loop().time()
        if self.rng.random() < self.confusion:
            self.cuts[source, destination] = now + self.rng.random() * 8
        return now < self.cuts.get((source, destination), 0.0)

    def check_failed(self, failed: asyncio.Future[None]) -> None:
        """Ends the run with the error of a node that cannot go on."""
        if not failed.cancelled() and (error := failed.exception()) and not self.broken.done():
            self.broken.set_exception(error)

    async def replace_nodes(self) -> None:
        """Replaces nodes again and again: after a crash, after a stop, or while the old one runs on."""
        while True:
            await asyncio.sleep(self.rng.expovariate(0.5))
            self.check_followers()
            for stream in self.streams:
                stream.release()
            slot = self.rng.choice(self.slots)
            for disk in slot.disks:
                disk.add_copy()
            match self.rng.choice(("crash", "crash", "cut off", "cut off", "stop")):
                case "crash":
                    slot.node.crash()
                case "cut off":
                    slot.node.cut_off()
                case _:
                    await slot.node.stop()
            if self.rng.random() < 0.8:
                await asyncio.sleep(self.rng.random() * 2)
            slot.start()

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
        for place in range(len(program) - 1, 0, -1):
            if self.rng.random() < 0.2:
                program.insert(place, ["again"])
        await asyncio.sleep(self.rng.random() * 5)
        data = payload_pb2.Payload(
            data=json.dumps({"stages": program}).encode()
        ).SerializeToString()
        invocation_id = ids.from_name("request", "program", "", str(number))
        kinds = [kind for stage in program for kind in stage]
        others = [
            self.resolve(
                awakeable_of(kind, invocation_id, index),
                f"{number}/{index}/{attempt}",
                (invocation_id, index),
            )
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
            for sent in sorted(started):
                await self.ended(Invoked(sent, "counter.bump", None, self._key(sent)))

    async def fork_client(self, number: int) -> None:
        """Forks a program at some time, perhaps with another value of a step, and checks both ends."""
        program = [
            [self.rng.choice(_COPIED_KINDS) for _ in range(self.rng.randint(1, 3))]
            for _ in range(self.rng.randint(1, 4))
        ]
        await asyncio.sleep(self.rng.random() * 5)
        data = payload_pb2.Payload(data=json.dumps({"stages": program}).encode())
        given = data.SerializeToString()
        source = ids.from_name("request", "program", "", f"source {number}")
        forked = restart_id(source, "fork")
        waits = [
            self.resolve(awakeable_of(kind, it, index), f"{it[:6]}/{index}", (it, index))
            for it in (source, forked)
            for index, kind in enumerate(kind for stage in program for kind in stage)
            if kind == "wait"
        ]
        async with asyncio.TaskGroup() as group:
            for resolving in waits:
                group.create_task(resolving)
            ending = group.create_task(self.ended(Invoked(source, "program", given)))
            await self._fork(source, forked)
            self.check_result(await self.ended(Invoked(forked, "program", given)), program)
        self.check_result(ending.result(), program)

    async def _fork(self, source: str, forked: str) -> None:
        """Repeats a fork until it is accepted; then the copied steps have the values that they got."""
        history = self.history_of(source)
        await asyncio.sleep(self.rng.random() * 10)
        reply = None
        while not isinstance(reply, Created | Attached):
            await asyncio.sleep(self.rng.random())
            try:
                rows = history.store.journal(history.find(source).number)
            except AssertionError:
                continue  # it is not in the log yet
            before = self.rng.randint(0, max((it.entry_index for it in rows), default=-1) + 1)
            copied = [it for it in rows if it.entry_index < before and it.kind == EntryKind.RUN]
            values = {it.entry_index: _value(it) for it in copied}
            edits = []
            if (plain := [it for it in copied if it.failed_tries == 0]) and self.rng.random() < 0.5:
                index = self.rng.choice(plain).entry_index
                values[index] = "edited"
                outcome = payload_pb2.Outcome(value=payload_pb2.Payload(data=b'"edited"'))
                edits.append((index, outcome.SerializeToString()))
            record = Restarted(forked, source, before, None, tuple(edits), while_running=True)
            reply = await self.propose(record)
            if isinstance(reply, Attached):
                return  # an earlier request, whose reply was lost, and which had other values
        for index, value in values.items():
            assert self.values.setdefault((forked, index), value) == value, (
                "a copied step ran again"
            )
        self.forked += 1

    def _key(self, invocation_id: str) -> str:
        return next(key for key, sent in self.sends.items() if invocation_id in sent)

    async def ended(self, record: Invoked) -> Invocation:
        """Repeats a request until its invocation has ended; returns the invocation."""
        while True:
            reply = await self.propose(record, follow=True)
            if isinstance(reply, Created | Attached) and reply.invocation.state in FINAL:
                in_log = self.history_of(record.invocation_id).find(record.invocation_id)
                assert reply.invocation.outcome == in_log.outcome, "an end that is not in the log"
                return reply.invocation
            await asyncio.sleep(0.1 + self.rng.random())

    async def propose(self, record: Record, *, follow: bool = False) -> Reply:
        """Proposes a record; returns its reply, or None if none comes within 5 seconds."""
        if isinstance(record, AwakeableResolved):
            partition = ids.awakeable_partition(record.awakeable_id, self.count)
        elif isinstance(record, BuildPromoted | BuildRolledBack | BuildDrained):
            partition = 0
        else:
            partition = ids.partition(getattr(record, "invocation_id", ""), self.count)
        processor = self._find(partition)
        if processor is None:
            return None
        future = processor.inputs.propose(record, settle_by=math.inf if follow else 0.0)
        await asyncio.wait({future}, timeout=5)
        reply = None
        if future.done() and not future.cancelled() and future.exception() is None:
            reply = future.result()
            self.histories[partition].check_answered(record)
        processor.subscriptions.cancel(getattr(record, "invocation_id", ""), future)
        return reply

    def _find(self, partition: int) -> Processor | None:
        """Returns the processor of a partition, by what the node knows to which a request comes."""
        entry = self.entry()
        led = {it.partition.index: it for it in entry.router.all()}
        leader = entry.members.leader(partition)
        if partition not in led and leader is not None:
            led = {it.partition.index: it for it in self.node(leader.name).router.all()}
        return led.get(partition)

    async def resolve(self, awakeable_id: str, value: str, entry: tuple[str, int]) -> None:
        """Resolves an awakeable of an entry at some time; only one of several values may be accepted.

        When the run of the entry is over, another value is accepted, which nobody gets.
        """
        await asyncio.sleep(self.rng.random() * 10)
        data = payload_pb2.Payload(data=json.dumps(value).encode())
        outcome = payload_pb2.Outcome(value=data).SerializeToString()
        while True:
            reply = await self.propose(AwakeableResolved(awakeable_id, outcome))
            if isinstance(reply, Resolved):
                known = self.resolved.setdefault(awakeable_id, value)
                assert known == value or self._is_over(*entry)
                return
            if isinstance(reply, Conflict):
                return
            assert isinstance(reply, Missing | None)
            if isinstance(reply, Missing) and self._is_over(*entry):
                return
            await asyncio.sleep(self.rng.random())

    def _is_over(self, invocation_id: str, index: int) -> bool:
        """Returns whether the run of an entry is over, and another one has begun."""
        found = self.history_of(invocation_id).store.load(invocation_id)
        return found is not None and found.first_index > index

    async def pause(self, invocation_id: str) -> None:
        """Pauses an invocation and resumes it."""
        await asyncio.sleep(self.rng.random() * 10)
        for record in (PauseAsked(invocation_id), Resumed(invocation_id)):
            reply = None
            while not isinstance(reply, Done | Missing | Refused):
                reply = await self.propose(record)
                await asyncio.sleep(self.rng.random())
            await asyncio.sleep(self.rng.random() * 5)

    async def operate(self, clients: int) -> None:
        """Promotes, drains and rolls back builds, and repins invocations, again and again."""
        while True:
            await asyncio.sleep(self.rng.expovariate(0.5))
            build = self.rng.choice(BUILDS)
            number = str(self.rng.randrange(clients))
            subject = ids.from_name("request", "program", "", number)
            record: Record = self.rng.choice(
                (
                    BuildPromoted(build),
                    BuildPromoted(build, percent=self.rng.randint(1, 99)),
                    BuildPromoted(build, automatic=True),
                    BuildRolledBack(build),
                    BuildDrained(build, self.rng.random() < 0.5),
                    Repinned(subject, self.rng.choice(("", *BUILDS))),
                )
            )
            reply = await self.propose(record)
            assert isinstance(
                reply,
                Routed
                | BuildMissing
                | BuildInUse
                | NothingToRollBack
                | Done
                | Missing
                | Refused
                | None,
            ), reply

    def check_build(self, invocation_id: str, attempt: int, build: str) -> None:
        """Checks that an attempt has come to a worker of the build that the log says."""
        found = self.history_of(invocation_id).find(invocation_id)
        if found.attempt == attempt:
            assert found.attempt_build == build, f"{invocation_id} was sent to another build"

    def check_builds(self) -> None:
        """Checks that all partitions know the same builds and routes."""
        first = self.histories[0].partition
        deployments = [it._replace(handlers=()) for it in first.deployments.values()]
        routes = [it._replace(identity="", reason="") for it in first.routes.values()]
        for history in self.histories[1:]:
            partition = history.partition
            assert sorted(partition.deployments.values()) == sorted(deployments)
            assert sorted(partition.routes.values()) == sorted(routes)

    def close(self) -> None:
        """Closes the stores of all nodes, also of those that have crashed, and of the histories."""
        for history in self.histories:
            history.store.close()
        for slot in self.slots:
            for disk in slot.disks:
                disk.close()

    async def run(self, clients: int, workers: int) -> None:
        """Runs the simulation until every client has its result."""
        self.broken = asyncio.get_running_loop().create_future()
        for slot in self.slots:
            slot.start()
        workers_running = [
            asyncio.create_task(self.keep_worker(f"w{number}")) for number in range(workers)
        ]
        replacing = asyncio.create_task(self.replace_nodes())
        operators = range(1 if self.operated else 0)
        operating = [asyncio.create_task(self.operate(clients)) for _ in operators]
        background = [*workers_running, replacing, *operating]
        clients_done = asyncio.gather(
            *(self.client(number) for number in range(clients)),
            *(self.signal_client(number) for number in range(clients // 2)),
            *(self.fork_client(number) for number in range(clients // 4)),
        )
        try:
            async with asyncio.timeout(10_000):
                await asyncio.wait(
                    {clients_done, self.broken, *background}, return_when=asyncio.FIRST_COMPLETED
                )
                if self.broken.done():
                    self.broken.result()
                for task in background:
                    if task.done():
                        task.result()
                await clients_done
                for task in operating:
                    task.cancel()
                await self.check_outboxes()
                self.check_builds()
                self.check_counters()
                for history in self.histories:
                    history.check_attempts()
                replacing.cancel()
                await self.end_faults()
                self.check_slots()
                for task in workers_running:
                    task.cancel()
                await self.check_nodes()
        finally:
            tasks = (*background, clients_done, *self.tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _value(step: EntryRow) -> Any:
    """Returns the value of a step in the journal."""
    assert step.outcome is not None
    return value_of(payload_pb2.Outcome.FromString(step.outcome))
