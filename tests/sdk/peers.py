"""The other ends of the SDK's wires: real grpc.aio servers that play a script.

`Control` plays the control plane for clients: each method answers what the test says and records what
it was asked. `WorkerPeer` plays it for workers, one `PeerSession` for each stream. `Wire` is a TCP
relay between an SDK and a server that can be cut, as networks are.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from durable_proto.v1 import (
    control_pb2,
    control_pb2_grpc,
    invocation_pb2,
    payload_pb2,
    worker_pb2,
    worker_pb2_grpc,
)
from tests.support.listening import stop_listening

BOUND = 20.0
"""Seconds after which a test's wait is a failure; no test needs them."""


class Refused(Exception):
    """Raised by a scripted method to answer with an error as the control plane does."""

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str = "",
        message: str = "refused",
        metadata: dict[str, str] | None = None,
        domain: str = "durable.v1",
    ) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message
        self.metadata, self.domain = metadata or {}, domain

    async def abort(self, context: Any) -> None:
        if self.reason:
            info = error_details_pb2.ErrorInfo(
                reason=self.reason, domain=self.domain, metadata=self.metadata
            )
            detail = any_pb2.Any()
            detail.Pack(info)
            status = status_pb2.Status(
                code=self.code.value[0], message=self.message, details=[detail]
            )
            context.set_trailing_metadata(
                (("grpc-status-details-bin", status.SerializeToString()),)
            )
        await context.abort(self.code, self.message)


Script = Callable[[Any], Awaitable[Any]]


class Control(control_pb2_grpc.DurableControlServicer):
    """A control plane whose methods do what `script[method]` says."""

    def __init__(self) -> None:
        self.script: dict[str, Script] = {}
        self.requests: list[tuple[str, Any]] = []

    def asked(self, method: str) -> list[Any]:
        return [request for name, request in self.requests if name == method]

    def answers(self, method: str, *answers: Any) -> None:
        """Plays these answers (or raises them) in order; the last one for ever."""
        left = deque(answers)

        async def script(request: Any) -> Any:
            answer = left.popleft() if len(left) > 1 else left[0]
            if isinstance(answer, BaseException):
                raise answer
            return answer

        self.script[method] = script


def _scripted(method: str) -> Any:
    async def serve(self: Control, request: Any, context: Any) -> Any:
        self.requests.append((method, request))
        try:
            return await self.script[method](request)
        except Refused as error:
            await error.abort(context)

    return serve


for _method in control_pb2.DESCRIPTOR.services_by_name["DurableControl"].methods:
    setattr(Control, _method.name, _scripted(_method.name))


@asynccontextmanager
async def serving(control: Control) -> AsyncIterator[str]:
    """Serves on a free port; gives the address."""
    server = grpc.aio.server()
    control_pb2_grpc.add_DurableControlServicer_to_server(control, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


def completed(value: payload_pb2.Payload | str, **fields: Any) -> control_pb2.InvokeResponse:
    """An answer with a value; a str is its JSON."""
    if isinstance(value, str):
        value = payload_pb2.Payload(content_type="application/json", data=value.encode())
    return control_pb2.InvokeResponse(
        invocation_id=fields.pop("invocation_id", "a" * 32),
        state=invocation_pb2.INVOCATION_STATE_COMPLETED,
        outcome=payload_pb2.Outcome(value=value),
        **fields,
    )


# Workers


class PeerSession:
    """One stream of a worker, seen from the control plane."""

    def __init__(self, context: Any) -> None:
        self.hello: worker_pb2.Hello
        self.heartbeats = 0
        self.half_closed = False
        self.context = context
        self.end: asyncio.Future[Refused | None] = asyncio.get_running_loop().create_future()
        self._messages: deque[worker_pb2.WorkerMessage] = deque()

    async def _read(self) -> worker_pb2.WorkerMessage | None:
        while not self._messages:
            frame = await asyncio.wait_for(self.context.read(), BOUND)
            if frame is grpc.aio.EOF:
                self.half_closed = True
                return None
            self._messages.extend(frame.messages)
        return self._messages.popleft()

    async def frame(self) -> list[worker_pb2.WorkerMessage]:
        """The messages of the next frame, or the remaining ones of the last frame."""
        first = await self._read()
        assert first is not None, "the worker half-closed"
        messages = [first, *self._messages]
        self._messages.clear()
        return messages

    async def next(self, kind: str) -> worker_pb2.WorkerMessage:
        """The next message other than a heartbeat; it must be of this kind."""
        while True:
            message = await self._read()
            assert message is not None, f"the worker half-closed; expected {kind}"
            actual = message.WhichOneof("message")
            if actual == "heartbeat" and kind != "heartbeat":
                self.heartbeats += 1
                continue
            assert actual == kind, f"expected {kind}, got {message}"
            return message

    async def closed(self) -> None:
        """Returns when the worker has half-closed the stream."""
        while (message := await self._read()) is not None:
            assert message.WhichOneof("message") == "heartbeat", message

    async def send(self, *messages: worker_pb2.ServerMessage) -> None:
        await self.context.write(worker_pb2.SessionResponse(messages=messages))

    async def welcome(
        self, heartbeat: float = 5.0, silence: float = 20.0, grace: float = 3.0
    ) -> None:
        message = worker_pb2.ServerMessage()
        welcome = message.welcome
        welcome.protocol_version = 1
        welcome.heartbeat_interval.FromMilliseconds(int(heartbeat * 1000))
        welcome.session_timeout.FromMilliseconds(int(silence * 1000))
        welcome.reconnect_grace.FromMilliseconds(int(grace * 1000))
        welcome.limits["payload_bytes"] = 1024 * 1024
        await self.send(message)

    def finish(self, error: Refused | None = None) -> None:
        """Ends the stream, with OK or an error."""
        if not self.end.done():
            self.end.set_result(error)


class WorkerPeer(worker_pb2_grpc.DurableWorkerServicer):
    """A control plane for workers; `accept` gives its sessions one after the other."""

    def __init__(self) -> None:
        self._sessions: asyncio.Queue[PeerSession] = asyncio.Queue()

    async def Session(self, request_iterator: Any, context: Any) -> None:  # type: ignore[override]
        session = PeerSession(context)
        self._sessions.put_nowait(session)
        error = await session.end
        if error is not None:
            await error.abort(context)

    async def accept(self, *, welcome: bool = True, **times: float) -> PeerSession:
        """The next session, after its hello; welcomed if so wished."""
        session = await asyncio.wait_for(self._sessions.get(), BOUND)
        session.hello = (await session.next("hello")).hello
        if welcome:
            await session.welcome(**times)
        return session


@asynccontextmanager
async def worker_peer() -> AsyncIterator[tuple[WorkerPeer, str]]:
    peer = WorkerPeer()
    server = grpc.aio.server()
    worker_pb2_grpc.add_DurableWorkerServicer_to_server(peer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield peer, f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


def start(
    invocation_id: str,
    handler: str,
    value: str | None = None,
    *,
    attempt: int = 1,
    journal: list[invocation_pb2.JournalEntry] | None = None,
) -> worker_pb2.ServerMessage:
    """A Start; `value` is the input's JSON."""
    message = worker_pb2.ServerMessage(invocation_id=invocation_id, attempt=attempt)
    message.start.handler = handler
    message.start.start_time.seconds = 1_700_000_000
    message.start.random_seed = 7
    if value is not None:
        message.start.input.content_type = "application/json"
        message.start.input.data = value.encode()
    message.start.journal.extend(journal or ())
    return message


def ack(of: worker_pb2.WorkerMessage, number: int) -> worker_pb2.ServerMessage:
    """The Ack of an entry; number 0 for one without outcome."""
    message = worker_pb2.ServerMessage(invocation_id=of.invocation_id, attempt=of.attempt)
    message.ack.index = of.entry.index
    message.ack.completion_number = number
    message.ack.time.seconds = 1_700_000_000 + of.entry.index
    return message


def completion(of: worker_pb2.WorkerMessage, number: int) -> worker_pb2.ServerMessage:
    """The Completion of an entry, with JSON null."""
    message = worker_pb2.ServerMessage(invocation_id=of.invocation_id, attempt=of.attempt)
    message.completion.index = of.entry.index
    message.completion.completion_number = number
    message.completion.time.seconds = 1_700_000_100
    message.completion.outcome.value.content_type = "application/json"
    message.completion.outcome.value.data = b"null"
    return message


def about(invocation_id: str, attempt: int, kind: str) -> worker_pb2.ServerMessage:
    """A message without fields: suspended, abandon, ..."""
    message = worker_pb2.ServerMessage(invocation_id=invocation_id, attempt=attempt)
    getattr(message, kind).SetInParent()
    return message


class Wire:
    """A TCP relay that can be cut."""

    def __init__(self) -> None:
        self.address = ""
        self.target = ("", 0)
        self._writers: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Breaks all connections; bytes in transit are lost."""
        for writer in self._writers:
            writer.transport.abort()

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        pair = {writer, there_writer}
        self._writers |= pair
        try:
            await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer))
        finally:
            self._writers -= pair
            for each in pair:
                each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.transport.abort()


@asynccontextmanager
async def wire(address: str) -> AsyncIterator[Wire]:
    """A relay to an address."""
    relay = Wire()
    host, _, port = address.rpartition(":")
    relay.target = (host, int(port))
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        await relay.relay(reader, writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    relay.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield relay
    finally:
        await stop_listening(server)
        relay.cut()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
