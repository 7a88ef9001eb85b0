"""The simulated worker: the plain worker protocol over links in memory.

It crashes, loses its connections, fails steps, suspends attempts that only wait and pauses them on
request, as the seed decides. Its handlers are in `program` and `listener`.
"""

from __future__ import annotations

import asyncio
import json
import random
from typing import TYPE_CHECKING, Any

import grpc

from durable_proto.v1 import invocation_pb2, worker_pb2
from durable_server.core import ids

from .listener import Listener, read
from .program import TRIES, Program, value_of

if TYPE_CHECKING:
    from .node import SimNode
    from .world import World


SLOTS = 8
"""How many attempts a worker takes, over all its sessions."""
TRY_FAILURE_RATE = 0.6
"""The probability that one try of a `try` fails."""


class Aborted(Exception):
    """The control plane ended the session with an error."""


class Link:
    """Both ends of a session's stream; for the control plane it is the servicer context."""

    def __init__(self, rng: random.Random) -> None:
        self.to_server: asyncio.Queue[Any] = asyncio.Queue()
        self.to_worker: asyncio.Queue[Any] = asyncio.Queue()
        self._rng = rng

    async def send_initial_metadata(self, metadata: tuple[()]) -> None:
        await asyncio.sleep(self._rng.random() * 0.01)

    async def read(self) -> Any:
        frame = await self.to_server.get()
        await asyncio.sleep(self._rng.random() * 0.01)
        return frame

    async def write(self, frame: worker_pb2.SessionResponse) -> None:
        await asyncio.sleep(self._rng.random() * 0.01)
        self.to_worker.put_nowait(frame)

    async def abort(self, code: grpc.StatusCode, details: str, **_: Any) -> None:
        raise Aborted(f"{code.name}: {details}")


class Session:
    """One session of a worker, with the node of its partitions."""

    def __init__(self, rng: random.Random, node: SimNode) -> None:
        self.node = node
        self.link = Link(rng)
        self.outbox: list[worker_pb2.WorkerMessage] = []
        self.outbox_filled = asyncio.Event()

    def send(self, message: worker_pb2.WorkerMessage) -> None:
        """Adds a message to the next frame."""
        self.outbox.append(message)
        self.outbox_filled.set()


class SimWorker:
    """One worker process, with its attempts and its sessions.

    It has a session with each node that it believes to lead a partition. Which partitions a session is
    for is fixed while it lasts; when it breaks, or when a leader has changed, all sessions are opened
    anew.
    """

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.rng = world.rng
        self.programs: dict[str, Program | Listener] = {}
        self.routes: dict[int, Session] = {}
        """The session of each partition, if there is one."""
        self.tasks: set[asyncio.Task[None]] = set()
        self.alive = True
        self.version = self.rng.choice(("1", "2"))
        self.build = self.rng.choice([*world.pins])
        self.reconnect = asyncio.Event()
        """Set to make it open its sessions anew."""

    def _route(self, invocation_id: str) -> Session | None:
        return self.routes.get(ids.partition(invocation_id, self.world.count))

    def send(self, message: worker_pb2.WorkerMessage) -> None:
        """Sends a message about an attempt; without a session to send it on, it is lost."""
        session = self._route(message.invocation_id)
        if session is not None:
            session.send(message)

    def execute(self, program: Program, message: worker_pb2.WorkerMessage) -> None:
        async def body() -> None:
            await asyncio.sleep(self.rng.random() * 0.2)
            if not self.alive or self.programs.get(program.id) is not program:
                return
            index = message.entry.index
            program.executing.discard(index)
            tried = message.entry.name.startswith("try")
            if tried and self.rng.random() < TRY_FAILURE_RATE:
                failures = program.step_failures.get(index, 0) + 1
                if failures >= TRIES:
                    self.world.executed(program.id, index)
                    message.entry.outcome.failure.type = "SimulatedError"
                    program.unacknowledged[index] = message
                    self.send(message)
                    return
                failed = worker_pb2.WorkerMessage(invocation_id=program.id, attempt=program.attempt)
                failed.attempt_failed.failure.type = "SimulatedError"
                failed.attempt_failed.index = index
                failed.attempt_failed.kind = message.entry.kind
                failed.attempt_failed.name = message.entry.name
                failed.attempt_failed.retry_delay.FromMilliseconds(self.rng.randint(0, 500))
                del self.programs[program.id]
                self.send(failed)
                return
            if self.rng.random() < self.world.failure_rate:
                failed = worker_pb2.WorkerMessage(invocation_id=program.id, attempt=program.attempt)
                failed.attempt_failed.failure.type = "SimulatedError"
                del self.programs[program.id]
                self.send(failed)
                return
            value = self.world.executed(program.id, index)
            message.entry.outcome.value.data = json.dumps(value).encode()
            program.unacknowledged[index] = message
            self.send(message)

        task = asyncio.get_running_loop().create_task(body())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def kill(self) -> None:
        self.alive = False
        for task in self.tasks:
            task.cancel()

    async def connect(self) -> None:
        """Opens a session with each node that leads something, and serves until one of them breaks.

        Which these are is what one node knows of the others, as if it relayed the sessions.
        """
        self.reconnect.clear()
        world, entry = self.world, self.world.entry()
        sessions: dict[SimNode, Session] = {}
        self.routes = {}
        for partition in range(world.count):
            leader = entry.members.leader(partition)
            if leader is not None:
                node = entry if leader.name == entry.name else world.node(leader.name)
                if node not in sessions:
                    sessions[node] = Session(self.rng, node)
                self.routes[partition] = sessions[node]
        end = entry.members.listen(self.reconnect.set)
        tasks = [
            asyncio.create_task(self.reconnect.wait()),
            asyncio.create_task(entry.ended.wait()),
            asyncio.create_task(asyncio.sleep(self.world.cut_after())),
        ]
        for session in sessions.values():
            self._greet(session, max(1, SLOTS // len(sessions)))
            tasks.append(asyncio.create_task(session.node.service.Session(iter(()), session.link)))
            tasks.append(asyncio.create_task(self._read(session.link)))
            tasks.append(asyncio.create_task(self._write(session)))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            end()
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for result in ended:
            if isinstance(result, Exception) and not isinstance(result, Aborted):
                raise result

    def _greet(self, session: Session, slots: int) -> None:
        """Sends the hello of a session, and after it everything that was not acknowledged."""
        hello = worker_pb2.SessionRequest()
        first = hello.messages.add().hello
        first.protocol_version = 1
        first.worker_id = self.name
        first.slot_count = slots
        first.build_id = self.build
        # Both versions do the same: no invocation may wait for ever for one of them.
        first.handlers.add(name="program", version=self.version)
        first.handlers.add(name="listener", version=self.version)
        first.handlers.add(
            name="counter.bump",
            kind=invocation_pb2.HANDLER_KIND_OBJECT_EXCLUSIVE,
            version=self.version,
        )
        if self.world.pins[self.build]:
            for handler in first.handlers:
                handler.versioning = invocation_pb2.VERSIONING_PINNED
        for program in self.programs.values():
            if self._route(program.id) is session:
                first.resumed.add(invocation_id=program.id, attempt=program.attempt)
                for message in (*program.unacknowledged.values(), program.finished):
                    if message is not None:
                        session.send(message)
        session.link.to_server.put_nowait(hello)

    async def _read(self, link: Link) -> None:
        while True:
            frame = await link.to_worker.get()
            for message in frame.messages:
                self._handle(message)

    def _handle(self, message: worker_pb2.ServerMessage) -> None:
        kind = message.WhichOneof("message")
        if kind == "start":
            self.world.check_build(message.invocation_id, message.attempt, self.build)
            handler = Listener if message.start.handler == "listener" else Program
            self.programs[message.invocation_id] = handler(self, message)
            return
        program = self.programs.get(message.invocation_id)
        if program is None or program.attempt != message.attempt:
            return
        if kind == "ack":
            program.acknowledged(message.ack)
        elif kind == "completion":
            completion = message.completion
            value_in = value_of if isinstance(program, Program) else read
            value = value_in(completion.outcome)
            program.complete(completion.index, completion.completion_number, value)
        elif kind == "pause_requested":
            program.pausing = True
        elif kind in ("abandon", "suspended"):
            del self.programs[message.invocation_id]
            return
        self._pause_or_suspend(program)

    def _pause_or_suspend(self, program: Program | Listener) -> None:
        """Pauses an idle attempt if that was requested, or else sometimes suspends it."""
        if not program.idle:
            return
        message = worker_pb2.WorkerMessage(invocation_id=program.id, attempt=program.attempt)
        if program.pausing:
            message.paused.SetInParent()
            del self.programs[program.id]
            self.send(message)
        elif self.rng.random() < 0.3:
            message.suspend.completion_number = program.seen
            self.send(message)

    async def _write(self, session: Session) -> None:
        while True:
            await session.outbox_filled.wait()
            session.outbox_filled.clear()
            frame = worker_pb2.SessionRequest(messages=session.outbox)
            session.outbox = []
            session.link.to_server.put_nowait(frame)
            await asyncio.sleep(self.rng.random() * 0.01)

    async def run(self) -> None:
        """Opens its sessions again and again until the worker is killed."""
        while self.alive:
            await self.connect()
            await asyncio.sleep(self.rng.random() * 0.5)
