"""The local channel: a gRPC channel whose other end is in the same process.

A servicer is an object with coroutine methods, and a channel is what stubs and sessions call.
`LocalChannel` joins them on one event loop: a unary call awaits the servicer's method, and a stream is
a pipe in each direction.

Rules.
- Messages are serialised and parsed on the way, as on a wire. So neither side sees later changes to the
  other side's objects, and a message that is too large for a wire is refused here too.
- Errors arrive as grpc.aio.AioRpcError with code, text and trailers, so `transport.translate` handles
  them like those of a real channel.
- A message counts from the time it is sent until it has been handled, so that `Backend` can tell when
  none is in flight.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, Final, NoReturn, Protocol

import grpc
import grpc.aio
from google.protobuf import message_factory

from durable_proto.v1 import access_pb2, control_pb2, worker_pb2

from .._common.transport import MESSAGE_BYTES_MAX

logger = logging.getLogger("durable.local")

Parse = Callable[[bytes], Any]
Serialize = Callable[[Any], bytes]


class Backend(Protocol):
    """The control plane behind local channels: its servicers, and what is in progress there."""

    calls: int
    """How many unary calls are in progress."""
    streams: set[LocalStream]
    """The open streams of all channels."""
    on_progress: Callable[[], None]
    """Called when a call or a frame begins or ends."""

    async def service(self, name: str) -> Any:
        """Returns the servicer of a service, by its full name; None if there is none."""
        ...


def call_error(
    code: grpc.StatusCode, details: str, trailers: tuple[tuple[str, str | bytes], ...] = ()
) -> grpc.aio.AioRpcError:
    """Returns the error with which a call ends."""
    metadata = grpc.aio.Metadata
    return grpc.aio.AioRpcError(code, metadata(), metadata(*trailers), details=details)


def _unexpected(error: Exception) -> grpc.aio.AioRpcError:
    """Returns what gRPC makes of an exception that a servicer does not handle itself; logs it."""
    logger.error("the local control plane failed", exc_info=error)
    return call_error(
        grpc.StatusCode.UNKNOWN, f"Unexpected {type(error)}: {error}; the log has the traceback"
    )


class _Context:
    """The servicer context of a call without a request stream."""

    async def abort(
        self,
        code: grpc.StatusCode,
        details: str = "",
        trailing_metadata: tuple[tuple[str, str | bytes], ...] = (),
    ) -> NoReturn:
        """Ends the call with an error."""
        raise call_error(code, details, trailing_metadata)


class _Method:
    """A multi-callable: one method of one service, as a stub calls it."""

    def __init__(
        self, channel: LocalChannel, path: str, serialize: Serialize | None, parse: Parse | None
    ) -> None:
        _, self._service, self.name = path.split("/")
        self._channel: Final = channel
        self._serialize: Final = serialize
        self._parse: Final = parse
        self._parse_request: Final[Parse] = _request_class(self._service, self.name).FromString

    async def servicer(self) -> Any:
        """Returns the servicer's method that serves this one."""
        if self._channel.closed:
            raise call_error(grpc.StatusCode.CANCELLED, "the channel is closed")
        service = await self._channel.local.service(self._service)
        if service is None:
            raise call_error(
                grpc.StatusCode.UNIMPLEMENTED, f"local mode has no {self._service}: no {self.name}"
            )
        return getattr(service, self.name)

    def request(self, message: Any) -> Any:
        """Returns a request as the servicer receives it."""
        return self._parse_request(_sized(self._serialize(message) if self._serialize else message))

    def response(self, message: Any) -> Any:
        """Returns a response as the caller receives it."""
        data = _sized(message.SerializeToString())
        return self._parse(data) if self._parse else data


def _request_class(service: str, method: str) -> Any:
    name = service.rpartition(".")[2]
    described = next(
        it.DESCRIPTOR.services_by_name[name]
        for it in (control_pb2, worker_pb2, access_pb2)
        if name in it.DESCRIPTOR.services_by_name
    )
    return message_factory.GetMessageClass(described.methods_by_name[method].input_type)


def _sized(data: bytes) -> bytes:
    if len(data) > MESSAGE_BYTES_MAX:
        raise call_error(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            f"message larger than max ({len(data)} vs. {MESSAGE_BYTES_MAX})",
        )
    return data


class _UnaryUnary(_Method):
    async def __call__(self, request: Any, *, timeout: float | None = None, **_: Any) -> Any:  # noqa: ASYNC109  # gRPC's word
        data = self.request(request)
        bound = asyncio.timeout(timeout)
        local = self._channel.local
        local.calls += 1
        local.on_progress()
        try:
            async with bound:
                serve = await self.servicer()
                return self.response(await serve(data, _Context()))
        except grpc.RpcError:
            raise
        except Exception as error:
            if bound.expired():
                raise call_error(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded") from None
            raise _unexpected(error) from error
        finally:
            local.calls -= 1
            local.on_progress()


class LocalResponses:
    """One call with a stream of responses."""

    def __init__(self, responses: AsyncGenerator[Any, None]) -> None:
        self._responses: Final = responses

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._responses

    def cancel(self) -> bool:
        """Cancels the call between two responses; returns whether that was possible.

        The call ends before this returns, because no servicer awaits anything while it ends. So it
        leaves nothing to a loop that may be about to close.
        """
        try:
            self._responses.aclose().send(None)
        except StopIteration:
            return True
        except RuntimeError:  # a reader waits for the next response
            return False
        return True


class _UnaryStream(_Method):
    def __call__(self, request: Any, **_: Any) -> LocalResponses:
        return LocalResponses(self._serve(request))

    async def _serve(self, request: Any) -> AsyncGenerator[Any, None]:
        data = self.request(request)
        serve = await self.servicer()
        responses = serve(data, _Context())
        try:
            async for response in responses:
                yield self.response(response)
        except grpc.RpcError:
            raise
        except Exception as error:
            raise _unexpected(error) from error
        finally:
            await responses.aclose()


class _StreamStream(_Method):
    def __call__(self, **_: Any) -> LocalStream:
        stream = LocalStream(self, self._channel.local.on_progress)
        self._channel.track(stream)
        return stream


class _Pipe:
    """One direction of a stream.

    It has no bound, because both readers only split frames into messages and never wait. A writer
    yields to the loop once, so that its next frame can fill. A frame is pending from the write until
    the reader asks for the next frame, and for one iteration of the loop more, because the reader may
    handle it in a callback.
    """

    def __init__(self, on_progress: Callable[[], None]) -> None:
        self._queue: Final[asyncio.Queue[Any]] = asyncio.Queue()
        self._on_progress: Final = on_progress
        self._pending = 0
        self._taken = False

    @property
    def quiet(self) -> bool:
        """Whether no frame is pending and no writer waits for its turn."""
        return not self._pending

    def put(self, frame: Any) -> None:
        """Adds a frame, or EOF."""
        self._pending += 1
        self._queue.put_nowait(frame)

    async def write(self, frame: Any) -> None:
        """Adds a frame and yields to the loop once."""
        self.put(frame)
        self._pending += 1
        try:
            await asyncio.sleep(0)
        finally:
            self._pending -= 1
            self._on_progress()

    async def read(self) -> Any:
        """Returns the next frame, or EOF."""
        if self._taken:
            self._taken = False
            asyncio.get_running_loop().call_soon(self._handled)
        frame = await self._queue.get()
        self._taken = True
        return frame

    def _handled(self) -> None:
        self._pending -= 1
        self._on_progress()


class LocalStream:
    """One bidirectional call, as the caller sees it; it runs the servicer's side in a task."""

    def __init__(self, method: _Method, on_progress: Callable[[], None]) -> None:
        self._method: Final = method
        self._requests: Final = _Pipe(on_progress)
        self._responses: Final = _Pipe(on_progress)
        self._half_closed = False
        self._context: Final = _StreamContext(self._requests, self._responses, method)
        self.served: Final = asyncio.get_running_loop().create_task(self._serve())
        """The task of the servicer's side, which ends with the call."""
        self.served.add_done_callback(lambda _: self._responses.put(grpc.aio.EOF))

    @property
    def quiet(self) -> bool:
        """Whether no frame is in flight in either direction."""
        return self._requests.quiet and self._responses.quiet

    async def _serve(self) -> grpc.aio.AioRpcError | None:
        try:
            serve = await self._method.servicer()
            await serve(None, self._context)
        except grpc.aio.AioRpcError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a servicer's failure is the caller's answer
            return _unexpected(error)
        return None

    async def read(self) -> Any:
        """Returns the next response, or EOF. Raises the error with which the call has ended."""
        response = await self._responses.read()
        if response is grpc.aio.EOF:
            self._responses.put(response)
            error = self._end()
            if error is not None:
                raise error
        return response

    async def write(self, request: Any) -> None:
        """Sends a request. Raises InvalidStateError when the call has ended."""
        if self.served.done() or self._half_closed:
            raise asyncio.InvalidStateError("RPC already finished.")
        await self._requests.write(self._method.request(request))

    async def done_writing(self) -> None:
        """Half-closes the call."""
        self._half_closed = True
        self._requests.put(grpc.aio.EOF)

    def cancel(self) -> bool:
        """Cancels the call."""
        return self.served.cancel()

    def _end(self) -> grpc.aio.AioRpcError | None:
        if self.served.cancelled():
            raise asyncio.CancelledError
        return self.served.result()

    async def code(self) -> grpc.StatusCode:
        """Returns the status code of the call, once it has ended."""
        await asyncio.wait([self.served])
        error = self._end()
        return error.code() if error is not None else grpc.StatusCode.OK

    async def details(self) -> str:
        """Returns the status message of the call."""
        error = self._end()
        return (error.details() or "") if error is not None else ""

    async def initial_metadata(self) -> grpc.aio.Metadata:
        """Returns the initial metadata, of which there is none."""
        return grpc.aio.Metadata()

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        """Returns the trailing metadata."""
        error = self._end()
        return error.trailing_metadata() if error is not None else grpc.aio.Metadata()


class _StreamContext(_Context):
    """The servicer context of a bidirectional call."""

    def __init__(self, requests: _Pipe, responses: _Pipe, method: _Method) -> None:
        self._requests: Final = requests
        self._responses: Final = responses
        self._method: Final = method

    async def send_initial_metadata(self, metadata: tuple[()]) -> None:
        """Does nothing, because there is no connection to open."""

    async def read(self) -> Any:
        """Returns the next request, or EOF."""
        return await self._requests.read()

    async def write(self, response: Any) -> None:
        """Sends a response."""
        await self._responses.write(self._method.response(response))


async def break_off(streams: set[LocalStream]) -> None:
    """Cancels streams, and returns when they have ended."""
    served = [stream.served for stream in streams]
    for task in served:
        task.cancel()
    await asyncio.gather(*served, return_exceptions=True)


class LocalChannel(grpc.aio.Channel):
    """A channel to a control plane in this process."""

    def __init__(self, local: Backend) -> None:
        self.local: Final = local
        self.closed = False
        self._streams: Final[set[LocalStream]] = set()

    def unary_unary(
        self,
        method: str,
        request_serializer: Serialize | None = None,
        response_deserializer: Parse | None = None,
        _registered_method: bool | None = False,
    ) -> Any:
        """See grpc.aio.Channel."""
        return _UnaryUnary(self, method, request_serializer, response_deserializer)

    def unary_stream(
        self,
        method: str,
        request_serializer: Serialize | None = None,
        response_deserializer: Parse | None = None,
        _registered_method: bool | None = False,
    ) -> Any:
        """See grpc.aio.Channel."""
        return _UnaryStream(self, method, request_serializer, response_deserializer)

    def stream_stream(
        self,
        method: str,
        request_serializer: Serialize | None = None,
        response_deserializer: Parse | None = None,
        _registered_method: bool | None = False,
    ) -> Any:
        """See grpc.aio.Channel."""
        return _StreamStream(self, method, request_serializer, response_deserializer)

    def stream_unary(self, method: str, *_: Any, **__: Any) -> Any:
        """See grpc.aio.Channel; the control plane has no such method."""
        raise NotImplementedError(method)

    def track(self, stream: LocalStream) -> None:
        """Counts a stream while it is open, so that it ends with the channel."""
        open_streams = (self._streams, self.local.streams)
        for streams in open_streams:
            streams.add(stream)

        def untrack(_: object) -> None:
            for streams in open_streams:
                streams.discard(stream)

        stream.served.add_done_callback(untrack)

    async def close(self, grace: float | None = None) -> None:
        """Ends the streams of this channel; the control plane goes on."""
        self.closed = True
        await break_off(self._streams)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """See grpc.aio.Channel."""
        states = grpc.ChannelConnectivity
        return states.SHUTDOWN if self.closed else states.READY

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """See grpc.aio.Channel."""

    async def channel_ready(self) -> None:
        """See grpc.aio.Channel."""

    async def __aenter__(self) -> LocalChannel:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
