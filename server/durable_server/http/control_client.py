"""The gRPC client behind the HTTP surface: one channel, the stubs, errors as HTTP errors.

The HTTP surface reaches the control plane only through it, so a gRPC client can do all that `curl` can
do, and gets the same refusals. When the control plane stops, watches end at once. `leave` ends the
requests that still wait after the grace period: they are answered with 503, and the client tries again.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import Message

from durable_proto.v1 import access_pb2_grpc, control_pb2, control_pb2_grpc

from .errors import from_rpc, stopping

WAIT_SECONDS = 50.0
"""The wait time that one RPC asks for. It is below the server's limit, which would shorten it."""
_CALL_SECONDS = 75.0
_MESSAGE_BYTES = 64 * 1024 * 1024
_PING_SECONDS = 15.0
Metadata: TypeAlias = tuple[tuple[str, str | bytes], ...]
_OPTIONS = (
    ("grpc.max_receive_message_length", _MESSAGE_BYTES),
    ("grpc.max_send_message_length", _MESSAGE_BYTES),
    # It connects to its own process, so a proxy from the environment must not be used.
    ("grpc.enable_http_proxy", 0),
)


class ControlClient:
    """A client of DurableControl and DurableAccess."""

    def __init__(
        self, stub: Any, channel: grpc.aio.Channel | None = None, access: Any = None
    ) -> None:
        """`stub` and `access` are the stubs of the two services, `channel` is theirs, which `close`
        closes.
        """
        self._stub = stub
        self._access = access
        self._channel = channel
        self._metadata: dict[str, Metadata] = {}
        self._leaving = asyncio.Event()
        self._unwatching = asyncio.Event()

    @classmethod
    def at(cls, address: str) -> ControlClient:
        """Returns a client of the control plane at a gRPC address."""
        channel = grpc.aio.insecure_channel(reachable(address), options=_OPTIONS)
        return cls(
            control_pb2_grpc.DurableControlStub(channel),
            channel,
            access_pb2_grpc.DurableAccessStub(channel),
        )

    def on_behalf(self, metadata: Metadata) -> ControlClient:
        """Returns this client for calls with some metadata, which say who they are made for."""
        found = copy.copy(self)
        found._metadata = {"metadata": metadata}
        return found

    def end_watches(self) -> None:
        """Ends the watches, which may otherwise last for ever."""
        self._unwatching.set()

    @property
    def watches_end(self) -> bool:
        """Whether watches end because the control plane stops."""
        return self._unwatching.is_set()

    def leave(self) -> None:
        """Ends all requests in flight."""
        self._leaving.set()

    async def close(self) -> None:
        """Closes the channel."""
        if self._channel is not None:
            await self._channel.close()

    async def call(self, method: str, request: Message) -> Any:
        """Makes a unary call and returns its response; raises HttpError."""
        call = asyncio.ensure_future(self._unary(method, request))
        leaving = asyncio.ensure_future(self._leaving.wait())
        try:
            await asyncio.wait({call, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not call.done():
                raise stopping()
            return call.result()
        finally:
            call.cancel()
            leaving.cancel()

    async def _unary(self, method: str, request: Message) -> Any:
        try:
            rpc = getattr(self._stub, method, None) or getattr(self._access, method)
            return await rpc(request, timeout=_CALL_SECONDS, **self._metadata)
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error

    async def watch(
        self, request: control_pb2.WatchInvocationRequest
    ) -> AsyncIterator[control_pb2.WatchInvocationResponse | None]:
        """Streams an invocation's changes, and None every few seconds while nothing changes.

        Ends with the stream, or when the control plane stops; raises HttpError.
        """
        call = self._stub.WatchInvocation(request, **self._metadata)
        leaving = asyncio.ensure_future(self._unwatching.wait())
        reading: asyncio.Future[Any] | None = None
        try:
            while True:
                reading = reading or asyncio.ensure_future(call.read())
                await asyncio.wait(
                    {reading, leaving},
                    timeout=_PING_SECONDS,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if leaving.done():
                    return
                if not reading.done():
                    yield None
                    continue
                message = reading.result()
                if message is grpc.aio.EOF:
                    return
                reading = None
                yield message
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        finally:
            leaving.cancel()
            if reading is not None:
                reading.cancel()
            call.cancel()


def reachable(address: str) -> str:
    """Returns the address to connect to for one to listen on: loopback for all interfaces."""
    if address.startswith("unix:"):
        return address
    host, _, port = address.rpartition(":")
    return f"{ {'0.0.0.0': '127.0.0.1', '[::]': '[::1]'}.get(host, host) }:{port}"
