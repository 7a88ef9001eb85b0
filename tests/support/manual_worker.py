"""A worker whose every message the test sends itself, over the generated stubs only.

Tests of the control plane use it to walk through worker.proto message by message, also in orders that
the SDK's worker never produces.
"""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import Any

import grpc

from durable_proto.v1 import invocation_pb2, worker_pb2, worker_pb2_grpc

RUN = invocation_pb2.ENTRY_KIND_RUN
SLEEP = invocation_pb2.ENTRY_KIND_SLEEP


class ManualWorker:
    """One session; the test sends and receives each message."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        worker_id: str = "manual",
        *,
        handlers: tuple[str, ...] = ("three",),
        slots: int = 10,
        version: str = "v1",
        metadata: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self._call: Any = worker_pb2_grpc.DurableWorkerStub(channel).Session(metadata=metadata)
        self._received: deque[worker_pb2.ServerMessage] = deque()
        self.hello = worker_pb2.Hello(protocol_version=1, worker_id=worker_id, slot_count=slots)
        for name in handlers:
            self.hello.handlers.add(name=name, version=version)

    async def __aenter__(self) -> ManualWorker:
        await self.send(worker_pb2.WorkerMessage(hello=self.hello))
        self.welcome = (await self.receive("welcome")).welcome
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._call.cancel()

    def disconnect(self) -> None:
        """Breaks the connection, as a lost network does."""
        self._call.cancel()

    async def send(self, *messages: worker_pb2.WorkerMessage) -> None:
        await self._call.write(worker_pb2.SessionRequest(messages=messages))

    async def half_close(self) -> None:
        """Half-closes the stream and waits for the server's end of it."""
        await self._call.done_writing()
        while await self._call.read() is not grpc.aio.EOF:
            pass

    async def receive(self, kind: str) -> worker_pb2.ServerMessage:
        """Returns the next message other than a heartbeat; it must be of this kind."""
        async with asyncio.timeout(20):
            while True:
                while not self._received:
                    frame = await self._call.read()
                    if frame is grpc.aio.EOF:
                        raise await self._ended()
                    self._received.extend(frame.messages)
                message = self._received.popleft()
                found = message.WhichOneof("message")
                if found != "heartbeat":
                    assert found == kind, message
                    return message

    async def _ended(self) -> grpc.aio.AioRpcError:
        return grpc.aio.AioRpcError(
            await self._call.code(),
            await self._call.initial_metadata(),
            await self._call.trailing_metadata(),
            details=await self._call.details(),
        )

    async def next_kind(self) -> str:
        """Returns the kind of the next message, which may be a heartbeat."""
        async with asyncio.timeout(20):
            while not self._received:
                self._received.extend((await self._call.read()).messages)
        return str(self._received.popleft().WhichOneof("message"))

    async def step(
        self, about: worker_pb2.ServerMessage, index: int, value: bytes = b'"x"', name: str = "step"
    ) -> worker_pb2.Ack:
        """Records a step and returns its acknowledgement."""
        await self.send(step_entry(about, index, value, name))
        ack = await self.receive("ack")
        assert (ack.invocation_id, ack.attempt) == (about.invocation_id, about.attempt)
        return ack.ack

    async def finish(self, about: worker_pb2.ServerMessage, value: bytes = b'"done"') -> None:
        """Ends an attempt with its invocation's result."""
        message = message_about(about)
        message.finished.outcome.value.data = value
        await self.send(message)


def message_about(about: worker_pb2.ServerMessage) -> worker_pb2.WorkerMessage:
    """Returns an empty message about the attempt that the server's message is about."""
    return worker_pb2.WorkerMessage(invocation_id=about.invocation_id, attempt=about.attempt)


def step_entry(
    about: worker_pb2.ServerMessage, index: int, value: bytes, name: str = "step"
) -> worker_pb2.WorkerMessage:
    message = message_about(about)
    message.entry.index = index
    message.entry.kind = RUN
    message.entry.name = name
    message.entry.outcome.value.data = value
    return message


def sleep_entry(about: worker_pb2.ServerMessage, index: int, ms: int) -> worker_pb2.WorkerMessage:
    message = message_about(about)
    message.entry.index = index
    message.entry.kind = SLEEP
    message.entry.delay.FromMilliseconds(ms)
    return message


def open_entry(
    about: worker_pb2.ServerMessage,
    index: int,
    kind: str,
    name: str = "",
    *,
    target: str = "",
    argument: bytes | None = None,
) -> worker_pb2.WorkerMessage:
    """Returns an entry that the server completes, such as an awakeable or a child's invocation."""
    message = message_about(about)
    message.entry.index = index
    message.entry.kind = invocation_pb2.EntryKind.Value(f"ENTRY_KIND_{kind}")
    message.entry.name = name
    message.entry.target = target
    if argument is not None:
        message.entry.argument.data = argument
    return message
