"""The async connection: the I/O of an `AsyncClient` and its views, on grpc.aio.

It runs the RPC flows of the client's methods (`rpc_flow`), streams the changes of an invocation,
and hosts the handlers that the client serves.

Rules.
- The channel is opened at the first RPC, because grpc.aio binds a channel to the running event
  loop. A client that is used on another loop later gets an error that says so, where gRPC would
  hang.
- One address is used at a time; when it fails, the next one is (`_common.rotation`).
- An RPC costs little besides itself: the stub of an address is made once, and the flow runs in the
  caller's own task, without a thread, a task or a lock for each RPC.
- In local mode the channel leads to a control plane in this process (`_local`); all else is the
  same.
- Handlers that the client serves run in a worker on the client's loop (`_worker.hosting`).
- With a codec, the payloads of a request are encoded when it is first sent, and those of a response
  are decoded when it is received; flows and views see plain values.
- Cancelling the caller's task stops the wait, not the invocation.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import grpc
import grpc.aio

from durable_proto.v1.control_pb2_grpc import DurableControlStub

from .._common.addresses import Address
from .._common.codecs.interface import Codec, check_codec
from .._common.codecs.messages import decode_message, encode_message
from .._common.errors import RpcError
from .._common.rotation import Rotation
from .._common.transport import leaves_address, open_async_channel, renewed, translate
from .._definitions.workflow import Workflow
from .._engine.loop import refuse_client
from .._local.control_plane import ADDRESS as LOCAL_ADDRESS
from .._local.control_plane import LocalControlPlane
from .._worker.hosting import Dial, Hosting, ServeOptions
from .invocation_views import Invocation
from .rpc_flow import Rpc, RpcFlow, Sleep
from .stubs import with_access
from .watch import Watch

if TYPE_CHECKING:
    from durable_proto.v1.control_pb2_grpc import DurableControlAsyncStub

T = TypeVar("T")


class _Line(NamedTuple):
    """What is open for one address."""

    address: Address
    channel: grpc.aio.Channel
    stub: DurableControlAsyncStub


def open_connection(addresses: Sequence[Address], codec: Codec | None) -> AsyncConnection:
    """Returns a connection to the control plane at some addresses.

    Raises TypeError for what is no codec.
    """
    return AsyncConnection(Dial(addresses, open_async_channel, check_codec(codec)))


def open_local_connection(
    webhook_secrets: Mapping[str, str] | None, codec: Codec | None
) -> AsyncConnection:
    """Returns a connection to a new control plane in this process.

    Raises ServerNotInstalledError, ValueError for a secret that is empty, and as `open_connection`.
    """
    checked = check_codec(codec)
    return AsyncConnection.to_local(LocalControlPlane(webhook_secrets=webhook_secrets), checked)


class AsyncConnection:
    """The channels that a client and its views share, and the handlers that the client serves."""

    __slots__ = ("_closed", "_codec", "_line", "_loop", "_rotation", "dial", "hosting", "local")

    def __init__(self, dial: Dial, local: LocalControlPlane | None = None) -> None:
        """`local` is the control plane that belongs to this connection and is closed with it."""
        self.dial: Final = dial
        self._codec: Final = dial.codec
        self.hosting: Final = Hosting(dial)
        self.local: Final = local
        self._rotation: Final = Rotation(dial.addresses, self._open)
        self._line: _Line | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    @classmethod
    def to_local(cls, local: LocalControlPlane, codec: Codec | None = None) -> AsyncConnection:
        """Returns a connection to a local control plane, which it closes."""
        return cls(Dial((LOCAL_ADDRESS,), local.open, codec), local)

    def _open(self, address: Address) -> _Line:
        channel = self.dial.open(address)
        return _Line(address, channel, with_access(DurableControlStub(channel), channel))

    def line(self) -> _Line:
        """Returns what is open for the address that is used now.

        Raises RuntimeError on another event loop than the first, and when closed.
        """
        loop = asyncio.get_running_loop()
        if self._line is not None and loop is self._loop:
            return self._line
        refuse_client()
        if self._closed:
            raise RuntimeError("this AsyncClient is closed")
        if self._line is not None:
            raise RuntimeError(
                "this AsyncClient was first used on another event loop; make one for each loop"
            )
        self._loop = loop
        self._line = self._rotation.use()
        return self._line

    def _leave(self, address: Address) -> int:
        """Goes to the next address, unless that is done already; returns how many there are.

        A closed connection has none.
        """
        if self._closed:
            return 0
        self._rotation.leave(address)
        self._line = self._rotation.use()
        return len(self._rotation)

    async def run(self, flow: RpcFlow[T]) -> T:
        """Runs an RPC flow: makes its RPCs and its pauses, and returns its result."""
        line = self.line()
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
                        response = await rpc(step.request, timeout=step.timeout)
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
                    await asyncio.sleep(step.seconds)
                    # What is closed meanwhile refuses the next RPC.
                    line = self._line or line
                    step = flow.send(None)
                else:
                    tried[line.address.target] = None
                    step = flow.send(self._leave(line.address))
        except StopIteration as end:
            value: T = end.value
            return value

    async def watch(
        self,
        invocation_id: str,
        timeout: float | None,  # noqa: ASYNC109  # bounds how long the control plane may be away
    ) -> AsyncGenerator[Invocation, None]:
        """Yields an invocation as it is now and after each change, until it has ended."""
        watch = Watch(invocation_id, timeout, len(self._rotation))
        tried: dict[str, None] = {}
        again = False
        while True:
            line = self.line()
            used = line.address.token_text()
            stream = line.stub.WatchInvocation(watch.request)
            error: RpcError | None = None
            try:
                async for message in stream:
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
            await asyncio.sleep(delay)

    def register(self, workflows: tuple[Workflow[..., Any] | type, ...]) -> None:
        """Adds handlers that the next `serve` serves. Raises TypeError, ValueError."""
        self.hosting.register(workflows)

    async def serve(self, options: ServeOptions) -> None:
        """Serves what was registered; returns when it can be invoked."""
        self.line()  # binds the connection to this loop
        await self.hosting.serve(options)

    async def close(self) -> None:
        """Ends the handlers, and closes the channels and a local control plane."""
        if self.local is not None:
            # Calls that this cancels are not sent again.
            self._closed = True
            await self.local.halt()
        await self.hosting.close(gently=self.local is None)
        self._closed = True
        self._line = None
        for line in self._rotation.opened():
            await line.channel.close()
        if self.local is not None:
            await self.local.close()
