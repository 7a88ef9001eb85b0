"""The bounded handlers: RPCs for clients of which some are too many, too slow, or broken.

A gRPC server reads the request of a unary RPC before it calls the handler, however long that takes,
and answers one that it cannot parse with the text of a Python error. So each handler is registered here
as one that takes a stream of requests, and reads it by itself. On the wire this is the same.

Rules:
- An RPC over the limit `streams` is refused before its request is read, and so is one whose caller is
  not admitted (`access_check`).
- Requests are received as `receiving` says, and responses are counted as `unread` says.
- A request that is not a message of the RPC's type is an INVALID_ARGUMENT.
- A session of a worker has rules of its own for silence and for what it does not read, so only its
  first message is bounded here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final, cast

import grpc

from ..core.limits import Limits
from ..processor.errors import LimitReachedError, RequestError
from .access_check import AccessCheck, Admitted, Gate
from .connections import cut
from .receiving import Context, Parse, Receiving, parsed
from .refusal import Refusal, abort, invalid
from .unread import COUNTED_BYTES, Unread

_SESSIONS: Final = "/durable.v1.DurableWorker/"
"""How the names of the methods begin that are sessions."""
_HEALTH: Final = "/grpc.health.v1.Health/Check"
"""Always answered: whoever asks may end a process that does not answer."""


class Bounds:
    """The bounds of all RPCs of one gRPC server."""

    def __init__(self, limits: Limits) -> None:
        self.receiving = Receiving(limits.slow_requests)
        self.unread = Unread(limits.unread_bytes, cut)
        self._limit = limits.streams
        self._open = 0
        """How many RPCs are open: their client has not taken the end yet."""

    def opened(self, context: Context) -> None:
        """Counts an RPC until its end; raises LimitReachedError for one too many."""
        if self._open >= self._limit:
            raise LimitReachedError("streams", self._limit, "that many RPCs are open already")
        self._open += 1
        when_done(context, self._closed)

    def _closed(self) -> None:
        self._open -= 1

    def sending(
        self, context: Context, data: bytes, *, always: bool = False
    ) -> Callable[[], None] | None:
        """Counts a message that is sent; returns what ends that, or None for a small one.

        Raises LimitReachedError if it may not be sent, unless it is sent `always`.
        """
        if len(data) < COUNTED_BYTES:
            return None
        peer = context.peer()
        if not always:
            self.unread.check(peer)
        return self.unread.sent(peer, len(data))


def when_done(context: Context, callback: Callable[[], None]) -> None:
    """Calls `callback` once the client has taken the end of an RPC, or is gone."""

    def done(_: object) -> None:
        callback()

    # The stubs take the context of the synchronous server for the argument.
    context.add_done_callback(cast("Any", done))


class BoundedServer:
    """Registers handlers at a gRPC server, each within the bounds, and checked if there is a check."""

    def __init__(
        self, server: grpc.aio.Server, bounds: Bounds, check: AccessCheck | None = None
    ) -> None:
        self._server = server
        self._bounds = bounds
        self._check = check

    def add_generic_rpc_handlers(self, handlers: Sequence[Any]) -> None:
        """Registers handlers that are found by the name of the method."""
        self._server.add_generic_rpc_handlers(
            tuple(cast("Any", _GenericHandler(it, self._bounded)) for it in handlers)
        )

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """Registers the handlers of one service."""
        self._server.add_registered_method_handlers(
            service,
            {name: self._bounded(it, f"/{service}/{name}") for name, it in handlers.items()},
        )

    def _bounded(self, handler: Any, method: str) -> Any:
        """Returns a handler of a method that does the same within the bounds."""
        gate = None if self._check is None else self._check.gate(method)
        rpc = _Rpc(method, handler, self._bounds, gate)
        if handler.unary_unary is not None:
            return grpc.stream_unary_rpc_method_handler(rpc.answer)
        if handler.unary_stream is not None:
            return grpc.stream_stream_rpc_method_handler(rpc.stream)
        assert handler.stream_stream is not None
        return grpc.stream_stream_rpc_method_handler(rpc.converse)


class _GenericHandler:
    """A `grpc.GenericRpcHandler`; its type has parameters for type checkers only."""

    def __init__(self, inner: Any, bounded: Callable[[Any, str], Any]) -> None:
        self._inner = inner
        self._bounded = bounded
        self._known: dict[str, Any] = {}

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        """Returns the handler of a method, or None."""
        known = self._known.get(details.method)
        if known is None:
            found = self._inner.service(details)
            if found is None:
                return None
            known = self._known[details.method] = self._bounded(found, details.method)
        return known


class _Rpc:
    """One RPC: its handler with what is done before and after it. `_` is gRPC's request iterator."""

    def __init__(self, method: str, handler: Any, bounds: Bounds, gate: Gate | None) -> None:
        self.parse: Parse = handler.request_deserializer
        self.is_session = method.startswith(_SESSIONS)
        self.bounds = bounds
        self._counted = method != _HEALTH
        self._behavior: Callable[[Any, Any], Any] = (
            handler.unary_unary or handler.unary_stream or handler.stream_stream
        )
        self._serialize: Callable[[Any], bytes] = handler.response_serializer
        self._gate = gate

    async def answer(self, _: object, context: Context) -> bytes:
        """Answers a unary call."""
        await self._begin(context)
        if self._gate is None:
            answered = await self._behavior(await self._request(context), context)
        else:
            with await self._admitted(self._gate, context) as caller:
                request = await self._request(context)
                await caller.go_on()
                answered = await caller.run(self._behavior(request, context), request)
        data = self._serialize(answered)
        try:
            taken = self.bounds.sending(context, data)
        except LimitReachedError as error:
            await abort(context, error)
        if taken is not None:
            when_done(context, taken)
        return data

    async def stream(self, _: object, context: Context) -> None:
        """Answers a call with a stream of responses."""
        await self._begin(context)
        if self._gate is None:
            await self._streamed(context)
        else:
            with await self._admitted(self._gate, context) as caller:
                await caller.run(self._streamed(context))

    async def converse(self, _: object, context: Context) -> None:
        """Answers a call with streams in both directions."""
        await self._begin(context)
        bound = _BoundContext(context, self)
        if self._gate is None:
            await self._run(bound, bound)
        else:
            with await self._admitted(self._gate, context) as caller:
                await caller.run(self._run(bound, bound))

    async def _begin(self, context: Context) -> None:
        """Counts a call; ends it if it is one too many."""
        if self._counted:
            try:
                self.bounds.opened(context)
            except LimitReachedError as error:
                await abort(context, error)

    async def _admitted(self, gate: Gate, context: Context) -> Admitted:
        """Admits a call through its gate; ends it if its caller may not make it."""
        try:
            return await gate.admit(context)
        except Exception as error:  # noqa: BLE001 - whatever fails, the call does not get in
            await abort(context, error)

    async def _request(self, context: Context) -> Any:
        """Returns the request of a call that has one; ends the call if it cannot be had."""
        try:
            request = await self.bounds.receiving.receive(context, self.parse)
            if request is grpc.aio.EOF:
                raise invalid("request", "none came")
            return request
        except (Refusal, RequestError) as error:
            await abort(context, error)

    async def _streamed(self, context: Context) -> None:
        await self._run(await self._request(context), _BoundContext(context, self))

    async def _run(self, request: Any, context: _BoundContext) -> None:
        try:
            await self._written(request, context)
        except (Refusal, RequestError) as error:
            await abort(context.wrapped, error)

    async def _written(self, request: Any, context: _BoundContext) -> None:
        """Awaits a handler that writes by itself, or writes what one yields."""
        answered = self._behavior(request, context)
        if isinstance(answered, Awaitable):
            await answered
            return
        async with aclosing(answered) as messages:
            async for message in messages:
                await context.write(message)

    def serialized(self, message: Any) -> bytes:
        """Returns a message of the response as bytes."""
        return self._serialize(message)


class _BoundContext:
    """The context of a streaming RPC: its messages are received and sent within the bounds.

    It is also the iterator of the requests.
    """

    def __init__(self, context: Context, rpc: _Rpc) -> None:
        self.wrapped = context
        self._rpc = rpc
        self._bounded = True
        """Whether the next message is received within the bounds."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wrapped, name)

    async def read(self) -> Any:
        rpc = self._rpc
        if self._bounded:
            self._bounded = not rpc.is_session
            return await rpc.bounds.receiving.receive(self.wrapped, rpc.parse)
        data = await self.wrapped.read()
        return data if data is grpc.aio.EOF else parsed(rpc.parse, data)

    async def write(self, message: Any) -> None:
        rpc = self._rpc
        data = rpc.serialized(message)
        taken = rpc.bounds.sending(self.wrapped, data, always=rpc.is_session)
        if taken is None:
            await self.wrapped.write(data)
            return
        try:
            await self.wrapped.write(data)
        except BaseException:
            # A write that was given up still waits in gRPC, until the call has ended.
            when_done(self.wrapped, taken)
            raise
        taken()

    def __aiter__(self) -> _BoundContext:
        return self

    async def __anext__(self) -> Any:
        message = await self.read()
        if message is grpc.aio.EOF:
            raise StopAsyncIteration
        return message
