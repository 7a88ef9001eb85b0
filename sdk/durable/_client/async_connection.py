"""The async connection: the I/O of an `AsyncClient` and its views, on grpc.aio.

It runs the RPC flows of the client's methods (`rpc_flow`), streams the changes of an invocation,
and hosts the handlers that the client serves.

Rules.
- The channel is opened at the first RPC, because grpc.aio binds a channel to the running event
  loop. A client that is used on another loop later gets an error that says so, where gRPC would
  hang.
- An RPC costs little besides itself: the stub is made once, and the flow runs in the caller's own
  task, without a thread, a task or a lock for each RPC.
- In local mode the channel leads to a control plane in this process (`_local`); all else is the
  same.
- Handlers that the client serves run in a worker on the client's loop (`_worker.hosting`).
- Cancelling the caller's task stops the wait, not the invocation.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

import grpc
import grpc.aio

from durable_proto.v1.control_pb2_grpc import DurableControlStub

from .._common.transport import Address, open_async_channel, translate
from .._definitions.workflow import Workflow
from .._engine.loop import refuse_client
from .._local.control_plane import ADDRESS as LOCAL_ADDRESS
from .._local.control_plane import LocalControlPlane
from .._worker.hosting import Dial, Hosting, ServeOptions
from .invocation_views import Invocation
from .rpc_flow import Rpc, RpcFlow
from .watch import Watch

if TYPE_CHECKING:
    from durable_proto.v1.control_pb2_grpc import DurableControlAsyncStub

T = TypeVar("T")


def open_connection(address: Address) -> AsyncConnection:
    """Returns a connection to the control plane at an address."""
    return AsyncConnection(Dial(address, lambda: open_async_channel(address)))


def open_local_connection(webhook_secrets: Mapping[str, str] | None) -> AsyncConnection:
    """Returns a connection to a new control plane in this process.

    Raises ServerNotInstalledError, ValueError for a secret that is empty.
    """
    return AsyncConnection.to_local(LocalControlPlane(webhook_secrets=webhook_secrets))


class AsyncConnection:
    """The channel that a client and its views share, and the handlers that the client serves."""

    __slots__ = ("_channel", "_closed", "_loop", "_stub", "dial", "hosting", "local")

    def __init__(self, dial: Dial, local: LocalControlPlane | None = None) -> None:
        """`local` is the control plane that belongs to this connection and is closed with it."""
        self.dial: Final = dial
        self.hosting: Final = Hosting(dial)
        self.local: Final = local
        self._channel: grpc.aio.Channel | None = None
        self._stub: DurableControlAsyncStub | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    @classmethod
    def to_local(cls, local: LocalControlPlane) -> AsyncConnection:
        """Returns a connection to a local control plane, which it closes."""
        return cls(Dial(LOCAL_ADDRESS, local.open), local)

    def stub(self) -> DurableControlAsyncStub:
        """Returns the stub; raises RuntimeError on another event loop than the first."""
        loop = asyncio.get_running_loop()
        if self._stub is not None and loop is self._loop:
            return self._stub
        refuse_client()
        if self._closed:
            raise RuntimeError("this AsyncClient is closed")
        if self._stub is not None:
            raise RuntimeError(
                "this AsyncClient was first used on another event loop; make one for each loop"
            )
        self._loop = loop
        self._channel = self.dial.open()
        self._stub = DurableControlStub(self._channel)
        return self._stub

    async def run(self, flow: RpcFlow[T]) -> T:
        """Runs an RPC flow: makes its RPCs and its pauses, and returns its result."""
        stub = self.stub()
        try:
            step = next(flow)
            while True:
                if not isinstance(step, Rpc):
                    await asyncio.sleep(step.seconds)
                    step = flow.send(None)
                    continue
                try:
                    response = await getattr(stub, step.method)(step.request, timeout=step.timeout)
                except grpc.RpcError as error:
                    step = flow.throw(translate(error, self.dial.address.target))
                else:
                    step = flow.send(response)
        except StopIteration as end:
            value: T = end.value
            return value

    async def watch(
        self,
        invocation_id: str,
        timeout: float | None,  # noqa: ASYNC109  # bounds how long the control plane may be away
    ) -> AsyncGenerator[Invocation, None]:
        """Yields an invocation as it is now and after each change, until it has ended."""
        watch = Watch(invocation_id, timeout)
        while True:
            stream = self.stub().WatchInvocation(watch.request)
            error: grpc.RpcError | None = None
            try:
                async for message in stream:
                    changed = watch.received(message)
                    if changed is not None:
                        yield changed
            except grpc.RpcError as broken:
                error = broken
            finally:
                stream.cancel()
            target = self.dial.address.target
            delay = watch.ended(None if error is None else translate(error, target))
            if delay is None:
                return
            await asyncio.sleep(delay)

    def register(self, workflows: tuple[Workflow[..., Any] | type, ...]) -> None:
        """Adds handlers that the next `serve` serves. Raises TypeError, ValueError."""
        self.hosting.register(workflows)

    async def serve(self, options: ServeOptions) -> None:
        """Serves what was registered; returns when it can be invoked."""
        self.stub()  # binds the connection to this loop
        await self.hosting.serve(options)

    async def close(self) -> None:
        """Ends the handlers, and closes the channel and a local control plane."""
        if self.local is not None:
            await self.local.halt()
        await self.hosting.close(gently=self.local is None)
        self._closed = True
        channel, self._channel, self._stub = self._channel, None, None
        if channel is not None:
            await channel.close()
        if self.local is not None:
            await self.local.close()
