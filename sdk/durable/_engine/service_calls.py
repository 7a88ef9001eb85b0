"""Durable gRPC calls: a user's own generated stub on a channel whose calls are journal entries.

A generated stub takes one callable for each method from its channel. `DurableChannel` gives it
callables that start a step of the kind CALL. The worker makes the real call on its own channel and
its own event loop, and the response is journaled.

Status codes decide about retries, as gRPC defines them: a code which says that the request itself
can never succeed is journaled and raised as StepFailedError; every other one ends the attempt, and
the retry policy repeats the call.

Rules. The request is serialized when the call starts, so a program may use one message object for
many calls. The invocation's headers travel as metadata as far as gRPC permits: names in lower case,
values beyond ASCII percent-encoded. Names that gRPC reserves or cannot carry are left out, because
one of them would make every call fail. A call without a timeout gets CALL_SECONDS_MAX, because
every wait has an end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final, NoReturn, TypeVar
from urllib.parse import quote

import grpc
import grpc.aio
from google.protobuf.message import Message

from durable_proto.v1 import control_pb2

from .._common.durations import limit
from .._common.errors import NonDurableAwaitError, TerminalError
from .._common.webhooks import CREATE_PATH, Webhook, webhook_of
from .futures import DurableFuture
from .steps import Steps

M = TypeVar("M", bound=Message)

IDEMPOTENCY_HEADER = "durable-idempotency-key"

CALL_SECONDS_MAX: Final = 60.0
"""How long a call without a timeout may take: a minute, as with many proxies."""

_METADATA_NAME: Final = re.compile(r"[a-z0-9_.-]+")
_RESERVED: Final = frozenset({IDEMPOTENCY_HEADER, "content-type", "te", "user-agent"})
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
    """The channel of a durable stub: its unary calls are steps."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

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
        return partial(_call, self._steps, method, response_type)

    def _refuse(self, method: str, *_: Any, **__: Any) -> Any:
        def refuse(*_: Any, **__: Any) -> NoReturn:
            raise NonDurableAwaitError(
                f"{method} is a streaming method; a stream cannot be journaled: "
                "use it within ctx.run and return what counts"
            )

        return refuse

    unary_stream = stream_unary = stream_stream = _refuse


def is_stub_method(function: object) -> bool:
    """Returns True for a method of a durable stub, which starts a durable operation."""
    return isinstance(function, partial) and function.func is _call


def call_by_name(
    steps: Steps,
    service: str,
    method: str,
    request: Message,
    response_type: type[M],
    timeout: float | timedelta | None,
) -> DurableFuture[M]:
    """Starts a durable call of a method that is given by name."""
    full = service
    if "." not in service:
        found = request.DESCRIPTOR.file.services_by_name.get(service)
        if found is None:
            raise TerminalError(
                f"the file {request.DESCRIPTOR.file.name!r}, which declares the request, has no "
                f"service {service!r}; give its full name, such as 'hello.v1.{service}'"
            )
        full = found.full_name
    return _call(steps, f"/{full}/{method}", response_type, request, timeout=timeout)


def _call(
    steps: Steps,
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
        return await _unary(steps, key, path, data, response_type, seconds, metadata)

    return steps.call(_name(path), body, response_type)


def create_webhook(
    steps: Steps, request: control_pb2.CreateWebhookRequest
) -> DurableFuture[Webhook]:
    """Starts a durable call of the control plane itself, on the worker's own channel."""
    data = request.SerializeToString()
    response_type = control_pb2.CreateWebhookResponse

    async def body(key: str) -> Webhook:
        return webhook_of(await _unary(steps, key, CREATE_PATH, data, response_type))

    return steps.call(_name(CREATE_PATH), body, Webhook)


async def _unary(
    steps: Steps,
    key: str,
    path: str,
    data: bytes,
    response_type: type[M],
    timeout: float | None = None,  # noqa: ASYNC109  # gRPC names it so
    metadata: Sequence[tuple[str, str | bytes]] | None = None,
) -> M:
    """Makes the real call; raises ServiceCallError for a code that no retry changes."""
    _, service, method = path.split("/")
    headers = steps.environment.calling(service, method, steps.headers)
    sent = [(IDEMPOTENCY_HEADER, key), *_metadata(headers), *(metadata or ())]
    channel: grpc.aio.Channel = steps.environment.channel(service)
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
    """Returns the name of a call in the journal: `HelloService.SayHello`."""
    _, service, method = path.split("/")
    return f"{service.rpartition('.')[2]}.{method}"


def _metadata(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """Returns the headers that gRPC can carry, as metadata."""
    sent = []
    for name, value in headers.items():
        key = name.lower()
        if (
            _METADATA_NAME.fullmatch(key)
            and not key.startswith("grpc-")
            and not key.endswith("-bin")
            and key not in _RESERVED
        ):
            sent.append((key, value if value.isprintable() and value.isascii() else _quoted(value)))
    return sent


def _quoted(value: str) -> str:
    return quote(value, safe=_PRINTABLE)
