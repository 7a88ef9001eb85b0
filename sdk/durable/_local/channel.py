"""A channel whose other end is in this process: how local mode makes its calls.

Theory. A servicer is a few coroutines, and a channel is what stubs and sessions call. `LocalChannel`
joins them on one event loop: a unary call is awaited where it is made, and a stream is a pipe in each
direction.

Rules.
- Messages are serialised and parsed on the way, as on a wire: neither side may see what the other
  changes later, and what is too large for a wire is refused here too.
- Errors arrive as grpc.aio.AioRpcError with code, text and trailers, so that `_transport.translate`
  has nothing new to learn.
- Every message counts from its sending until it has been dealt with, so that somebody can tell when
  none is on its way (`Switchboard`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, Final, NoReturn, Protocol

import grpc
import grpc.aio
from google.protobuf import message_factory

from durable_proto.v1 import control_pb2, worker_pb2

from .._common.transport import MESSAGE_BYTES_MAX

logger = logging.getLogger("durable.local")

Parse = Callable[[bytes], Any]
Serialize = Callable[[Any], bytes]


class Switchboard(Protocol):
    """Where channels find servicers, and what is kept for all of them."""

    calls: int
    """How many unary calls are being worked on."""
    streams: set[LocalStream]
    """The open streams of all channels."""
    moved: Callable[[], None]
    """Called when something may have become quiet."""

    async def service(self, name: str) -> Any:
        """Returns a servicer by its full name."""
        ...


def call_error(
    code: grpc.StatusCode, details: str, trailers: tuple[tuple[str, str | bytes], ...] = ()
) -> grpc.aio.AioRpcError:
    """Makes the error with which a call ends."""
    metadata = grpc.aio.Metadata
    return grpc.aio.AioRpcError(code, metadata(), metadata(*trailers), details=details)


def _unforeseen(error: Exception) -> grpc.aio.AioRpcError:
    """Answers as gRPC does to an exception that a servicer did not answer itself."""
    logger.error("the local control plane failed", exc_info=error)
    return call_error(
        grpc.StatusCode.UNKNOWN, f"Unexpected {type(error)}: {error}; the log has the traceback"
    )


class _Context:
    """What servicers see of a call that needs no stream."""

    async def abort(
        self,
        code: grpc.StatusCode,
        details: str = "",
        trailing_metadata: tuple[tuple[str, str | bytes], ...] = (),
    ) -> NoReturn:
        """Ends the call with an error."""
        raise call_error(code, details, trailing_metadata)


class _Method:
    """One method of one service, as a stub calls it."""

    def __init__(
        self, channel: LocalChannel, path: str, serialize: Serialize | None, parse: Parse | None
    ) -> None:
        _, self._service, self.name = path.split("/")
        self._channel: Final = channel
        self._serialize: Final = serialize
        self._parse: Final = parse
        self._parse_request: Final[Parse] = _request_class(self._service, self.name).FromString

    async def servicer(self) -> Any:
        """Returns the method of the servicer."""
        if self._channel.closed:
            raise call_error(grpc.StatusCode.CANCELLED, "the channel is closed")
        return getattr(await self._channel.local.service(self._service), self.name)

    def request(self, message: Any) -> Any:
        """Returns a request as it arrives."""
        return self._parse_request(_sized(self._serialize(message) if self._serialize else message))

    def response(self, message: Any) -> Any:
        """Returns a response as it arrives."""
        data = _sized(message.SerializeToString())
        return self._parse(data) if self._parse else data


def _request_class(service: str, method: str) -> Any:
    package = control_pb2 if service.endswith("Control") else worker_pb2
    described = package.DESCRIPTOR.services_by_name[service.rpartition(".")[2]]
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
        local.moved()
        try:
            async with bound:
                serve = await self.servicer()
                return self.response(await serve(data, _Context()))
        except grpc.RpcError:
            raise
        except Exception as error:
            if bound.expired():
                raise call_error(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded") from None
            raise _unforeseen(error) from error
        finally:
            local.calls -= 1
            local.moved()


class LocalResponses:
    """One call that a stream answers."""

    def __init__(self, responses: AsyncGenerator[Any, None]) -> None:
        self._responses: Final = responses

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._responses

    def cancel(self) -> bool:
        """Breaks the call off, between two responses; says whether that was possible.

        It is over at once, because no servicer waits for anything while it ends: nothing is left
        for a loop that may be ending itself.
        """
        try:
            self._responses.aclose().send(None)
        except StopIteration:
            return True
        except RuntimeError:  # somebody reads from it at this moment
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
            raise _unforeseen(error) from error
        finally:
            await responses.aclose()


class _StreamStream(_Method):
    def __call__(self, **_: Any) -> LocalStream:
        stream = LocalStream(self, self._channel.local.moved)
        self._channel.track(stream)
        return stream


class _Pipe:
    """One direction of a stream.

    It has no bound: both readers only take frames apart, and never wait for anything. A writer gives
    up one turn of the loop, in which its next frame fills. A frame counts from its writing until its
    reader, who may have put off its handling by a turn, asks for the next one.
    """

    def __init__(self, moved: Callable[[], None]) -> None:
        self._queue: Final[asyncio.Queue[Any]] = asyncio.Queue()
        self._moved: Final = moved
        self._pending = 0
        self._taken = False

    @property
    def quiet(self) -> bool:
        """Whether nothing is in it or being handled, and nobody is in the middle of writing."""
        return not self._pending

    def put(self, frame: Any) -> None:
        """Adds a frame, or EOF."""
        self._pending += 1
        self._queue.put_nowait(frame)

    async def write(self, frame: Any) -> None:
        """Adds a frame and gives up a turn."""
        self.put(frame)
        self._pending += 1
        try:
            await asyncio.sleep(0)
        finally:
            self._pending -= 1
            self._moved()

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
        self._moved()


class LocalStream:
    """One call of two streams: the caller's half, and for the servicer its context."""

    def __init__(self, method: _Method, moved: Callable[[], None]) -> None:
        self._method: Final = method
        self._requests: Final = _Pipe(moved)
        self._responses: Final = _Pipe(moved)
        self._half_closed = False
        self._context: Final = _StreamContext(self._requests, self._responses, method)
        self.served: Final = asyncio.get_running_loop().create_task(self._serve())
        """The servicer's side, which ends with the call."""
        self.served.add_done_callback(lambda _: self._responses.put(grpc.aio.EOF))

    @property
    def quiet(self) -> bool:
        """Whether no frame is on its way."""
        return self._requests.quiet and self._responses.quiet

    async def _serve(self) -> grpc.aio.AioRpcError | None:
        try:
            serve = await self._method.servicer()
            await serve(None, self._context)
        except grpc.aio.AioRpcError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a servicer's failure is the caller's answer
            return _unforeseen(error)
        return None

    async def read(self) -> Any:
        """Returns the next response, or EOF; raises the error with which the call has ended."""
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
        """Breaks the call off."""
        return self.served.cancel()

    def _end(self) -> grpc.aio.AioRpcError | None:
        if self.served.cancelled():
            raise asyncio.CancelledError
        return self.served.result()

    async def code(self) -> grpc.StatusCode:
        """Returns how the call has ended, once it has."""
        await asyncio.wait([self.served])
        error = self._end()
        return error.code() if error is not None else grpc.StatusCode.OK

    async def details(self) -> str:
        """Returns the text of the end."""
        error = self._end()
        return (error.details() or "") if error is not None else ""

    async def initial_metadata(self) -> grpc.aio.Metadata:
        """Returns no metadata."""
        return grpc.aio.Metadata()

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        """Returns the metadata of the end."""
        error = self._end()
        return error.trailing_metadata() if error is not None else grpc.aio.Metadata()


class _StreamContext(_Context):
    """The servicer's half of a call of two streams."""

    def __init__(self, requests: _Pipe, responses: _Pipe, method: _Method) -> None:
        self._requests: Final = requests
        self._responses: Final = responses
        self._method: Final = method

    async def send_initial_metadata(self, metadata: tuple[()]) -> None:
        """Does nothing: there is no wire that must be opened."""

    async def read(self) -> Any:
        """Returns the next request, or EOF."""
        return await self._requests.read()

    async def write(self, response: Any) -> None:
        """Sends a response."""
        await self._responses.write(self._method.response(response))


async def break_off(streams: set[LocalStream]) -> None:
    """Breaks streams off."""
    served = [stream.served for stream in streams]
    for task in served:
        task.cancel()
    await asyncio.gather(*served, return_exceptions=True)


class LocalChannel(grpc.aio.Channel):
    """A channel to a control plane in this process."""

    def __init__(self, local: Switchboard) -> None:
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
        """Ends a stream with the channel."""
        open_streams = (self._streams, self.local.streams)
        for streams in open_streams:
            streams.add(stream)

        def over(_: object) -> None:
            for streams in open_streams:
                streams.discard(stream)

        stream.served.add_done_callback(over)

    async def close(self, grace: float | None = None) -> None:
        """Ends the streams; the control plane lives on."""
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
