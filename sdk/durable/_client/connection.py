"""The sync connection: the I/O of a `Client` and its views, on sync stubs.

Its methods are those of `AsyncConnection`, and block the calling thread. Any number of threads may
use one connection.

There are two kinds. `RemoteConnection` makes RPCs on channels of its own, one address at a time,
without an event loop and without a thread; only the handlers that the client serves need a loop,
which then runs in a thread (`_worker.hosting.LoopThread`). `LocalConnection` is for local mode: the
control plane runs on such a loop too, and an `AsyncConnection` there makes the RPCs.
"""

from __future__ import annotations

import contextlib
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Generator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import grpc

from durable_proto.v1.control_pb2_grpc import DurableControlStub

from .._common.addresses import Address
from .._common.codecs.interface import Codec, check_codec
from .._common.codecs.messages import decode_message, encode_message
from .._common.errors import RpcError
from .._common.rotation import Rotation
from .._common.transport import (
    leaves_address,
    open_async_channel,
    open_channel,
    renewed,
    translate,
)
from .._definitions.workflow import Workflow
from .._engine.loop import refuse_client
from .._worker.hosting import Dial, Hosting, LoopThread, ServeOptions
from . import async_connection
from .async_connection import AsyncConnection
from .invocation_views import Invocation
from .rpc_flow import Rpc, RpcFlow, Sleep
from .stubs import with_access
from .watch import Watch

T = TypeVar("T")


def open_connection(addresses: Sequence[Address], codec: Codec | None) -> Connection:
    """Returns a connection to the control plane at some addresses.

    Raises TypeError for what is no codec.
    """
    return RemoteConnection(addresses, check_codec(codec))


def open_local_connection(
    webhook_secrets: Mapping[str, str] | None, codec: Codec | None
) -> Connection:
    """Returns a connection to a new control plane in this process.

    Raises ServerNotInstalledError, ValueError for a secret that is empty, and as `open_connection`.
    """
    return LocalConnection(async_connection.open_local_connection(webhook_secrets, codec))


class Connection(ABC):
    """What a sync client needs of its connection."""

    @abstractmethod
    def run(self, flow: RpcFlow[T]) -> T:
        """Runs an RPC flow: makes its RPCs and its pauses, and returns its result."""

    @abstractmethod
    def watch(self, invocation_id: str, timeout: float | None) -> Generator[Invocation, None, None]:
        """Yields an invocation as it is now and after each change, until it has ended."""

    @abstractmethod
    def register(self, workflows: tuple[Workflow[..., Any] | type, ...]) -> None:
        """Adds handlers that the next `serve` serves. Raises TypeError, ValueError."""

    @abstractmethod
    def serve(self, options: ServeOptions) -> None:
        """Serves what was registered; returns when it can be invoked."""

    @abstractmethod
    def close(self) -> None:
        """Ends the handlers, and closes the channels and a local control plane."""


class _BackgroundLoop:
    """An event loop in a thread, started when it is first needed."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._thread: LoopThread | None = None
        self._closed = False

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine on the loop and waits for it. Raises RuntimeError when closed."""
        with self._lock:
            if self._closed:
                main.close()
                raise RuntimeError("this Client is closed")
            thread = self._thread = self._thread or LoopThread()
        return thread.run(main)

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """Runs a last coroutine and ends the loop; neither if the loop was never started."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
        if thread is None:
            last.close()
            return
        thread.run(last)
        thread.stop()


class _Line(NamedTuple):
    """What is open for one address."""

    address: Address
    channel: grpc.Channel
    stub: DurableControlStub


def _open_line(address: Address) -> _Line:
    channel = open_channel(address)
    return _Line(address, channel, with_access(DurableControlStub(channel), channel))


class RemoteConnection(Connection):
    """A connection to a control plane in another process, or to the nodes of one."""

    def __init__(self, addresses: Sequence[Address], codec: Codec | None) -> None:
        self._codec: Final = codec
        self._rotation: Final = Rotation(addresses, _open_line)
        self._line = self._rotation.use()
        self._hosting: Final = Hosting(Dial(addresses, open_async_channel, codec))
        self._loop: Final = _BackgroundLoop()
        self._closed = False

    def _leave(self, address: Address) -> int:
        """Goes to the next address, unless that is done already; returns how many there are.

        A closed connection has none.
        """
        if self._closed:
            return 0
        self._rotation.leave(address)
        self._line = self._rotation.use()
        return len(self._rotation)

    def run(self, flow: RpcFlow[T]) -> T:
        """See Connection."""
        refuse_client()
        line = self._line
        codec = self._codec
        tried: dict[str, None] = {}
        again = False
        try:
            step = next(flow)
            while True:
                if isinstance(step, Rpc):
                    rpc = getattr(line.stub, step.method)
                    used = line.address.token_text()
                    if codec is not None:
                        encode_message(codec, step.request)
                    try:
                        response = rpc(step.request, timeout=step.timeout)
                    except grpc.RpcError as error:
                        if not again and renewed(error, line.address, used):
                            again = True
                            continue
                        step = flow.throw(translate(error, line.address, tried))
                    else:
                        tried.clear()
                        again = False
                        if codec is not None:
                            decode_message(codec, response)
                        step = flow.send(response)
                elif isinstance(step, Sleep):
                    time.sleep(step.seconds)
                    line = self._line
                    step = flow.send(None)
                else:
                    tried[line.address.target] = None
                    step = flow.send(self._leave(line.address))
        except StopIteration as end:
            value: T = end.value
            return value

    def watch(self, invocation_id: str, timeout: float | None) -> Generator[Invocation, None, None]:
        """See Connection."""
        refuse_client()
        watch = Watch(invocation_id, timeout, len(self._rotation))
        tried: dict[str, None] = {}
        again = False
        while True:
            line = self._line
            used = line.address.token_text()
            stream = line.stub.WatchInvocation(watch.request)
            error: RpcError | None = None
            try:
                for message in stream:
                    tried.clear()
                    again = False
                    if self._codec is not None:
                        decode_message(self._codec, message)
                    changed = watch.received(message)
                    if changed is not None:
                        yield changed
            except grpc.RpcError as broken:
                if not again and renewed(broken, line.address, used):
                    again = True
                    continue
                error = translate(broken, line.address, tried)
                if leaves_address(error):
                    tried[line.address.target] = None
                    self._leave(line.address)
            finally:
                stream.cancel()
            delay = watch.ended(error)
            if delay is None:
                return
            time.sleep(delay)

    def register(self, workflows: tuple[Workflow[..., Any] | type, ...]) -> None:
        """See Connection."""
        self._hosting.register(workflows)

    def serve(self, options: ServeOptions) -> None:
        """See Connection."""
        refuse_client()
        self._loop.run(self._hosting.serve(options))

    def close(self) -> None:
        """See Connection."""
        self._loop.close(self._hosting.close(gently=True))
        self._closed = True
        for line in self._rotation.opened():
            line.channel.close()


class LocalConnection(Connection):
    """A connection to a control plane in this process, which runs on a loop in a thread."""

    def __init__(self, connection: AsyncConnection) -> None:
        """`connection` is used on that loop alone, and closed with this one."""
        self.connection: Final = connection
        self._loop: Final = _BackgroundLoop()

    def run_coroutine(self, main: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine on the control plane's loop and waits for it.

        Raises RuntimeError when closed.
        """
        return self._loop.run(main)

    def run(self, flow: RpcFlow[T]) -> T:
        """See Connection."""
        refuse_client()
        return self._loop.run(self.connection.run(flow))

    def watch(self, invocation_id: str, timeout: float | None) -> Generator[Invocation, None, None]:
        """See Connection."""
        refuse_client()
        changes = self.connection.watch(invocation_id, timeout)

        async def next_change() -> Invocation | None:
            return await anext(changes, None)

        try:
            while (changed := self._loop.run(next_change())) is not None:
                yield changed
        finally:
            # If the client was closed during the watch, that has ended the watch already.
            with contextlib.suppress(RuntimeError):
                self._loop.run(changes.aclose())

    def register(self, workflows: tuple[Workflow[..., Any] | type, ...]) -> None:
        """See Connection."""
        self.connection.register(workflows)

    def serve(self, options: ServeOptions) -> None:
        """See Connection."""
        refuse_client()
        self._loop.run(self.connection.serve(options))

    def close(self) -> None:
        """See Connection."""
        self._loop.close(self.connection.close())
