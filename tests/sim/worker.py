"""A worker for the simulation: it speaks the worker protocol by hand over a link in memory.

Its programs are stages of entries that are open side by side: `[["run", "run"], ["sleep"], ...]`, as
the invocation's JSON input. A stage is over when all its entries are; the result is the list of all
step values. Each execution of a step makes a new value, so a step that was repeated after its commit,
or a value that got lost, shows in the result.
"""

from __future__ import annotations

import asyncio
import json
import random
from typing import TYPE_CHECKING, Any

import grpc

from durable_proto.v1 import invocation_pb2, worker_pb2

if TYPE_CHECKING:
    from .world import World

_RUN = invocation_pb2.ENTRY_KIND_RUN
_SLEEP = invocation_pb2.ENTRY_KIND_SLEEP


class Aborted(Exception):
    """The server ended the session with an error."""


class Link:
    """Both ends of one session's stream; also the servicer context of the server's end."""

    def __init__(self, rng: random.Random) -> None:
        self.to_server: asyncio.Queue[Any] = asyncio.Queue()
        self.to_worker: asyncio.Queue[Any] = asyncio.Queue()
        self._rng = rng

    async def read(self) -> Any:
        frame = await self.to_server.get()
        await asyncio.sleep(self._rng.random() * 0.01)
        return frame

    async def write(self, frame: worker_pb2.SessionResponse) -> None:
        await asyncio.sleep(self._rng.random() * 0.01)
        self.to_worker.put_nowait(frame)

    async def abort(self, code: grpc.StatusCode, details: str, **_: Any) -> None:
        raise Aborted(f"{code.name}: {details}")


class Program:
    """One attempt of one invocation on a worker."""

    def __init__(self, worker: SimWorker, message: worker_pb2.ServerMessage) -> None:
        self.worker = worker
        self.id = message.invocation_id
        self.attempt = message.attempt
        start = message.start
        self.stages: list[list[str]] = json.loads(start.input.data)
        self.values: dict[int, Any] = {}
        self.recorded = {entry.index for entry in start.journal}
        self.unacknowledged: dict[int, worker_pb2.WorkerMessage] = {}
        self.finished: worker_pb2.WorkerMessage | None = None
        self.stage = 0
        self.seen = 0
        self.early: dict[int, tuple[int, Any]] = {}
        for entry in start.journal:
            if entry.completion_number:
                value = json.loads(entry.outcome.value.data)
                self.early[entry.completion_number] = (entry.index, value)
        self.deliver()

    def indexes(self, stage: int) -> range:
        first = sum(len(it) for it in self.stages[:stage])
        return range(first, first + len(self.stages[stage]))

    def deliver(self) -> None:
        """Delivers completions in their order, and goes on as far as they allow."""
        self.open_stage()
        while self.seen + 1 in self.early:
            index, value = self.early.pop(self.seen + 1)
            self.seen += 1
            assert self.stage < len(self.stages), "a completion after the end"
            assert index in self.indexes(self.stage), "a completion that was not asked for"
            self.values[index] = value
            if all(it in self.values for it in self.indexes(self.stage)):
                self.stage += 1
                self.open_stage()

    def open_stage(self) -> None:
        if self.stage == len(self.stages):
            if self.finished is None:
                message = worker_pb2.WorkerMessage(invocation_id=self.id, attempt=self.attempt)
                values = [self.values[index] for index in sorted(self.values)]
                message.finished.outcome.value.data = json.dumps(values).encode()
                self.finished = message
                self.worker.send(message)
            return
        known = {index for index, _ in self.early.values()}
        for index in self.indexes(self.stage):
            if index in self.values or index in known or index in self.unacknowledged:
                continue
            kind = self.stages[self.stage][index - self.indexes(self.stage).start]
            message = worker_pb2.WorkerMessage(invocation_id=self.id, attempt=self.attempt)
            message.entry.index = index
            message.entry.name = f"{kind}-{index}"
            if kind == "sleep":
                if index in self.recorded:
                    continue
                self.recorded.add(index)
                message.entry.kind = _SLEEP
                message.entry.delay.FromMilliseconds(1 + index * 200)
                self.unacknowledged[index] = message
                self.worker.send(message)
            else:
                message.entry.kind = _RUN
                self.unacknowledged[index] = message
                self.worker.execute(self, message)

    def acknowledged(self, ack: worker_pb2.Ack) -> None:
        message = self.unacknowledged.pop(ack.index, None)
        if message is not None and ack.completion_number:
            value = json.loads(message.entry.outcome.value.data)
            self.worker.world.committed(self.id, ack.index, value)
            self.complete(ack.index, ack.completion_number, value)

    def complete(self, index: int, number: int, value: Any) -> None:
        if number > self.seen:
            self.early[number] = (index, value)
        self.deliver()


class SimWorker:
    """One worker process: its programs, its session, its death."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.rng = world.rng
        self.programs: dict[str, Program] = {}
        self.outbox: list[worker_pb2.WorkerMessage] = []
        self.filled = asyncio.Event()
        self.tasks: set[asyncio.Task[None]] = set()
        self.alive = True

    def send(self, message: worker_pb2.WorkerMessage) -> None:
        self.outbox.append(message)
        self.filled.set()

    def execute(self, program: Program, message: worker_pb2.WorkerMessage) -> None:
        async def body() -> None:
            await asyncio.sleep(self.rng.random() * 0.2)
            if not self.alive or self.programs.get(program.id) is not program:
                return
            if self.rng.random() < self.world.failure_rate:
                failed = worker_pb2.WorkerMessage(invocation_id=program.id, attempt=program.attempt)
                failed.attempt_failed.failure.type = "SimulatedError"
                del self.programs[program.id]
                self.send(failed)
                return
            value = self.world.executed(program.id, message.entry.index)
            message.entry.outcome.value.data = json.dumps(value).encode()
            self.send(message)

        task = asyncio.get_running_loop().create_task(body())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def kill(self) -> None:
        self.alive = False
        for task in self.tasks:
            task.cancel()

    async def session(self) -> None:
        """Runs one session until it breaks."""
        service = self.world.service
        link = Link(self.rng)
        hello = worker_pb2.SessionRequest()
        first = hello.messages.add().hello
        first.protocol_version = 1
        first.worker_id = self.name
        first.slot_count = 8
        first.handlers.add(name="program", version="1")
        for program in self.programs.values():
            first.resumed.add(invocation_id=program.id, attempt=program.attempt)
        resent = [
            message
            for program in self.programs.values()
            for message in (*program.unacknowledged.values(), program.finished)
            if message is not None
            and (message.WhichOneof("message") != "entry" or _is_ready(message))
        ]
        self.outbox = resent
        self.filled.set()
        link.to_server.put_nowait(hello)
        served = asyncio.create_task(service.Session(iter(()), link))
        read = asyncio.create_task(self._read(link))
        write = asyncio.create_task(self._write(link))
        cut = asyncio.create_task(asyncio.sleep(self.world.cut_after()))
        try:
            await asyncio.wait({served, read, write, cut}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (served, read, write, cut):
                task.cancel()
            ended = await asyncio.gather(served, read, write, cut, return_exceptions=True)
        for result in ended:
            if isinstance(result, Exception) and not isinstance(result, Aborted):
                raise result

    async def _read(self, link: Link) -> None:
        while True:
            frame = await link.to_worker.get()
            for message in frame.messages:
                self._handle(message)

    def _handle(self, message: worker_pb2.ServerMessage) -> None:
        kind = message.WhichOneof("message")
        if kind == "start":
            self.programs[message.invocation_id] = Program(self, message)
            return
        program = self.programs.get(message.invocation_id)
        if program is None or program.attempt != message.attempt:
            return
        if kind == "ack":
            program.acknowledged(message.ack)
        elif kind == "completion":
            completion = message.completion
            program.complete(completion.index, completion.completion_number, None)
        elif kind == "abandon":
            del self.programs[message.invocation_id]

    async def _write(self, link: Link) -> None:
        while True:
            await self.filled.wait()
            self.filled.clear()
            frame = worker_pb2.SessionRequest(messages=self.outbox)
            self.outbox = []
            link.to_server.put_nowait(frame)
            await asyncio.sleep(self.rng.random() * 0.01)

    async def run(self) -> None:
        """Keeps a session open for as long as the worker lives."""
        while self.alive:
            await self.session()
            await asyncio.sleep(self.rng.random() * 0.5)


def _is_ready(message: worker_pb2.WorkerMessage) -> bool:
    return message.entry.kind == _SLEEP or message.entry.HasField("outcome")
