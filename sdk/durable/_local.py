"""Local mode: a control plane in this process, and the channel by which it is called.

Theory. Nothing of client, worker or control plane is written twice. Stubs and sessions make their
calls on a channel; `LocalChannel` is one that hands them to the servicers of a control plane in memory,
on the same event loop, by plain calls. So the same code runs as in production but for the log and the
sockets, and a breakpoint in a handler is in the process that is being debugged.

Rules.
- Messages are serialised and parsed on the way, as on a wire: neither side may see what the other
  changes later, and what is too large for a wire is refused here too.
- Errors arrive as grpc.aio.AioRpcError with code, text and trailers, so that `_transport.translate`
  has nothing new to learn.
- What is called after the close, or tried again then, is CANCELLED and not tried any more.
- `durable` does not depend on `durable_server`: the control plane is found by its module's name, and
  its absence is an error that says what to install.
- The plane starts at the first call, on the loop of that call, as a gRPC channel connects.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, NoReturn, Protocol

import grpc
import grpc.aio
from google.protobuf import message_factory

from durable_proto.v1 import control_pb2, worker_pb2

from ._errors import ServerNotInstalledError
from ._transport import MESSAGE_BYTES_MAX, Address

SERVER_MODULE: Final = "durable_server.local"
ADDRESS: Final = Address("this process", None, True)
"""What local mode has for an address, in errors and logs."""

logger = logging.getLogger("durable.local")

Parse = Callable[[bytes], Any]
Serialize = Callable[[Any], bytes]


class Plane(Protocol):
    """What the SDK uses of the control plane."""

    services: dict[str, Any]

    async def start(self) -> None:
        """Starts it on the running loop."""

    async def halt(self) -> None:
        """Lets nothing move any more; sessions may end then."""

    async def stop(self) -> None:
        """Stops it, after the sessions."""


class Local:
    """The control plane of one local client; starts at its first use."""

    def __init__(self) -> None:
        """Raises ServerNotInstalledError."""
        try:
            module = importlib.import_module(SERVER_MODULE)
        except ModuleNotFoundError as error:
            raise ServerNotInstalledError(
                f"local mode runs the control plane in this process, and {error.name!r} is not"
                " installed: pip install 'durable-grpc[server]'"
            ) from error
        self._plane: Final[Plane] = module.LocalPlane()
        self._start: asyncio.Task[None] | None = None
        self._closed = False

    def open(self) -> grpc.aio.Channel:
        """Opens a channel to it."""
        return LocalChannel(self)

    async def service(self, name: str) -> Any:
        """Returns a servicer by its full name, once the plane runs."""
        if self._closed:
            raise _error(grpc.StatusCode.CANCELLED, "the local control plane is closed")
        if not self._plane.services:
            if self._start is None:
                self._start = asyncio.get_running_loop().create_task(self._plane.start())
            # Whoever is cancelled here must not take the plane from the others.
            await asyncio.shield(self._start)
        return self._plane.services[name]

    async def halt(self) -> None:
        """Lets nothing move any more, so that workers can end without a word."""
        self._closed = True
        if self._start is not None:
            await asyncio.wait([self._start])
            await self._plane.halt()

    async def close(self) -> None:
        """Stops it, after the sessions; what it held is gone."""
        await self.halt()
        await self._plane.stop()


def _error(
    code: grpc.StatusCode, details: str, trailers: tuple[tuple[str, str | bytes], ...] = ()
) -> grpc.aio.AioRpcError:
    metadata = grpc.aio.Metadata
    return grpc.aio.AioRpcError(code, metadata(), metadata(*trailers), details=details)


def _unforeseen(error: Exception) -> grpc.aio.AioRpcError:
    """Answers as gRPC does to an exception that a servicer did not answer itself."""
    logger.error("the local control plane failed", exc_info=error)
    return _error(
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
        raise _error(code, details, trailing_metadata)


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
            raise _error(grpc.StatusCode.CANCELLED, "the channel is closed")
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
        raise _error(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            f"message larger than max ({len(data)} vs. {MESSAGE_BYTES_MAX})",
        )
    return data


class _UnaryUnary(_Method):
    async def __call__(self, request: Any, *, timeout: float | None = None, **_: Any) -> Any:  # noqa: ASYNC109  # gRPC's word
        data = self.request(request)
        bound = asyncio.timeout(timeout)
        try:
            async with bound:
                serve = await self.servicer()
                return self.response(await serve(data, _Context()))
        except grpc.RpcError:
            raise
        except Exception as error:
            if bound.expired():
                raise _error(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded") from None
            raise _unforeseen(error) from error


class _UnaryStream(_Method):
    async def __call__(self, request: Any, **_: Any) -> AsyncIterator[Any]:
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
        stream = LocalStream(self)
        self._channel.track(stream)
        return stream


class LocalStream:
    """One call of two streams: the caller's half, and for the servicer its context.

    Neither queue has a bound: both readers only take frames apart, and never wait for anything. A
    writer gives up one turn of the loop, in which its next frame fills.
    """

    def __init__(self, method: _Method) -> None:
        self._method: Final = method
        self._requests: Final[asyncio.Queue[Any]] = asyncio.Queue()
        self._responses: Final[asyncio.Queue[Any]] = asyncio.Queue()
        self._half_closed = False
        self._context: Final = _StreamContext(self._requests, self._responses, method)
        self.served: Final = asyncio.get_running_loop().create_task(self._serve())
        """The servicer's side, which ends with the call."""
        self.served.add_done_callback(lambda _: self._responses.put_nowait(grpc.aio.EOF))

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
        response = await self._responses.get()
        if response is grpc.aio.EOF:
            self._responses.put_nowait(response)
            error = self._end()
            if error is not None:
                raise error
        return response

    async def write(self, request: Any) -> None:
        """Sends a request. Raises InvalidStateError when the call has ended."""
        if self.served.done() or self._half_closed:
            raise asyncio.InvalidStateError("RPC already finished.")
        self._requests.put_nowait(self._method.request(request))
        await asyncio.sleep(0)

    async def done_writing(self) -> None:
        """Half-closes the call."""
        self._half_closed = True
        self._requests.put_nowait(grpc.aio.EOF)

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

    def __init__(
        self, requests: asyncio.Queue[Any], responses: asyncio.Queue[Any], method: _Method
    ) -> None:
        self._requests: Final = requests
        self._responses: Final = responses
        self._method: Final = method

    async def send_initial_metadata(self, metadata: tuple[()]) -> None:
        """Does nothing: there is no wire that must be opened."""

    async def read(self) -> Any:
        """Returns the next request, or EOF."""
        return await self._requests.get()

    async def write(self, response: Any) -> None:
        """Sends a response."""
        self._responses.put_nowait(self._method.response(response))
        await asyncio.sleep(0)


class LocalChannel(grpc.aio.Channel):
    """A channel to a control plane in this process."""

    def __init__(self, local: Local) -> None:
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
        self._streams.add(stream)
        stream.served.add_done_callback(lambda _: self._streams.discard(stream))

    async def close(self, grace: float | None = None) -> None:
        """Ends the streams; the control plane lives on."""
        self.closed = True
        served = [stream.served for stream in self._streams]
        for task in served:
            task.cancel()
        await asyncio.gather(*served, return_exceptions=True)

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
