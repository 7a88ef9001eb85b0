"""Durable gRPC calls: a user's own generated stub on a channel whose calls are journal entries.

A generated stub asks its channel for callables, one a method. `DurableChannel` gives callables that
make a CALL entry of the attempt; the attempt has the worker make the real call, on the worker's own
channel, with the worker's own event loop, and journals the response.

Which failures are worth another attempt is gRPC's own distinction: codes that say "this request will
never do" are journaled and raised as StepFailedError; every other one ends the attempt, which is
repeated by the retry policy.

Rules. The request is serialized when the call is asked for, so that a program may use one message
object for many calls. The invocation's headers travel as metadata as far as gRPC lets them: names in
lower case, values beyond ASCII percent-encoded; names that are gRPC's own or no metadata names are
left out, because one of them would make every call fail. A call without a timeout gets
CALL_SECONDS_MAX: no wait is without an end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar
from urllib.parse import quote

import grpc
import grpc.aio
from google.protobuf.message import Message

from durable_proto.v1 import control_pb2

from .._common.durations import limit
from .._common.errors import NonDurableAwaitError, TerminalError
from .._common.webhooks import CREATE_PATH, Webhook, webhook_of
from .futures import DurableFuture

if TYPE_CHECKING:
    from .attempt import Attempt
    from .operations import Operations

M = TypeVar("M", bound=Message)

IDEMPOTENCY_HEADER = "durable-idempotency-key"

CALL_SECONDS_MAX: Final = 60.0
"""How long a call may take when it is given no timeout: a minute, as proxies have it."""

_METADATA_NAME: Final = re.compile(r"[a-z0-9_.-]+")
_OURS_ALONE: Final = frozenset({IDEMPOTENCY_HEADER, "content-type", "te", "user-agent"})
_PRINTABLE: Final = "".join(map(chr, range(0x20, 0x7F)))

_TERMINAL = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)


class ServiceCallError(TerminalError):
    """A service refused a call for good. `code` is the gRPC code's number."""


class DurableChannel:
    """Stands where a generated stub expects a channel."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    def unary_unary(
        self,
        method: str,
        request_serializer: Callable[[Any], bytes] | None = None,
        response_deserializer: Callable[[bytes], Any] | None = None,
        _registered_method: bool | None = False,
    ) -> Callable[..., DurableFuture[Any]]:
        """Returns the callable of a unary method."""
        response_type = getattr(response_deserializer, "__self__", None)
        if not (isinstance(response_type, type) and issubclass(response_type, Message)):
            raise TypeError(f"{method}: a durable stub needs protobuf messages")
        return partial(_call, self._attempt, method, response_type)

    def _refuse(self, method: str, *_: Any, **__: Any) -> Any:
        def refuse(*_: Any, **__: Any) -> NoReturn:
            raise NonDurableAwaitError(
                f"{method} is a streaming method; a stream cannot be journaled: "
                "use it within ctx.run and return what counts"
            )

        return refuse

    unary_stream = stream_unary = stream_stream = _refuse


def is_stub_method(function: object) -> bool:
    """Says whether a function is a method of a durable stub, which makes a journal entry."""
    return isinstance(function, partial) and function.func is _call


def call_by_name(
    attempt: Attempt,
    service: str,
    method: str,
    request: Message,
    response_type: type[M],
    timeout: float | timedelta | None,
) -> DurableFuture[M]:
    """Makes a durable call of a method that is given by name."""
    full = service
    if "." not in service:
        found = request.DESCRIPTOR.file.services_by_name.get(service)
        if found is None:
            raise TerminalError(
                f"the file {request.DESCRIPTOR.file.name!r}, which declares the request, has no "
                f"service {service!r}; give its full name, such as 'hello.v1.{service}'"
            )
        full = found.full_name
    return _call(attempt, f"/{full}/{method}", response_type, request, timeout=timeout)


def _call(
    attempt: Attempt,
    path: str,
    response_type: type[M],
    request: Message,
    *,
    timeout: float | timedelta | None = None,
    metadata: Sequence[tuple[str, str | bytes]] | None = None,
    **unused: Any,
) -> DurableFuture[M]:
    given = [name for name, value in unused.items() if value is not None]
    if given:
        raise TypeError(f"a durable call cannot have {', '.join(given)}")

    data = request.SerializeToString()
    seconds = None if timeout is None else limit(timeout, "timeout").total_seconds()

    async def body(key: str) -> M:
        return await _unary(attempt, key, path, data, response_type, seconds, metadata)

    return attempt.call(_name(path), body, response_type)


def create_webhook(
    attempt: Operations, request: control_pb2.CreateWebhookRequest
) -> DurableFuture[Webhook]:
    """Makes a durable call of the control plane itself, on the worker's own channel."""
    data = request.SerializeToString()
    response_type = control_pb2.CreateWebhookResponse

    async def body(key: str) -> Webhook:
        return webhook_of(await _unary(attempt, key, CREATE_PATH, data, response_type))

    return attempt.call(_name(CREATE_PATH), body, Webhook)


async def _unary(
    attempt: Operations,
    key: str,
    path: str,
    data: bytes,
    response_type: type[M],
    timeout: float | None = None,  # noqa: ASYNC109  # gRPC's word
    metadata: Sequence[tuple[str, str | bytes]] | None = None,
) -> M:
    """Makes the real call; raises ServiceCallError when it is refused for good."""
    _, service, method = path.split("/")
    headers = attempt.environment.calling(service, method, attempt.start.headers)
    sent = [(IDEMPOTENCY_HEADER, key), *_metadata(headers), *(metadata or ())]
    channel: grpc.aio.Channel = attempt.environment.channel(service)
    call: Any = channel.unary_unary(path, response_deserializer=response_type.FromString)
    seconds = CALL_SECONDS_MAX if timeout is None else timeout
    try:
        response: M = await call(data, timeout=seconds, metadata=sent)
    except grpc.aio.AioRpcError as error:
        if error.code() in _TERMINAL:
            number: int = error.code().value[0]
            raise ServiceCallError(
                f"{error.code().name}: {error.details()}", code=number
            ) from error
        raise
    return response


def _name(path: str) -> str:
    """Returns what the journal calls a call: `HelloService.SayHello`."""
    _, service, method = path.split("/")
    return f"{service.rpartition('.')[2]}.{method}"


def _metadata(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """Returns those of the headers that gRPC can carry."""
    sent = []
    for name, value in headers.items():
        key = name.lower()
        if (
            _METADATA_NAME.fullmatch(key)
            and not key.startswith("grpc-")
            and not key.endswith("-bin")
            and key not in _OURS_ALONE
        ):
            sent.append((key, value if value.isprintable() and value.isascii() else _quoted(value)))
    return sent


def _quoted(value: str) -> str:
    return quote(value, safe=_PRINTABLE)
