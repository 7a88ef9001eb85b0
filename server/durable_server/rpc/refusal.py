"""The errors of RPCs: one exception, its wire format, and the translation of `processor.errors`.

Every error is a `google.rpc.Status` with one `ErrorInfo` (see errors.proto). It is sent in the trailer
`grpc-status-details-bin` beside the plain code and message, so that clients that do not know the rich
error model see the same text. The trailer is built here because grpcio's own helper needs a newer
grpcio than users must have.
"""

from __future__ import annotations

import functools
import logging
import math
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, Protocol, TypeVar

import grpc
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2

from durable_proto.v1 import errors_pb2, payload_pb2

from ..access.interface import CredentialUncheckedError, UnauthenticatedError
from ..display import failure_text, value_text
from ..metrics.rpc_tally import RpcTally
from ..processor.errors import (
    AwakeableNotFoundError,
    AwakeableResolvedError,
    BuildInUseError,
    BuildNotFoundError,
    HandlerNotFoundError,
    HttpNotServedError,
    IdempotencyMismatchError,
    InvalidFieldError,
    InvalidStateError,
    InvocationNotFoundError,
    JournalTooLargeError,
    LimitReachedError,
    NothingToRollBackError,
    NotLeadingError,
    NotPermittedError,
    NotReadyError,
    ProcessorEndedError,
    RequestError,
    SessionReplacedError,
    WebhookRevokedError,
)

logger = logging.getLogger("durable.rpc")

DOMAIN = "durable.v1"
_PREFIX = "ERROR_REASON_"
_SHOWN = 200
"""Characters of an outcome in an error."""

_CODES = {code.value[0]: code for code in grpc.StatusCode}

T = TypeVar("T")


class Refusal(Exception):
    """A refused request: gRPC code, reason, message, and the variable parts of the message."""

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: errors_pb2.ErrorReason,
        message: str,
        **metadata: object,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = errors_pb2.ErrorReason.Name(reason).removeprefix(_PREFIX)
        self.message = message
        self.metadata = {key: str(value) for key, value in metadata.items()}
        self.retry_seconds = 0.0
        """When a retry makes sense; 0 where that is not known."""

    @classmethod
    def of_status(cls, data: bytes) -> Refusal:
        """Returns the error of a serialised google.rpc.Status, as `status` makes it."""
        status = status_pb2.Status.FromString(data)
        info = error_details_pb2.ErrorInfo()
        if status.details:
            status.details[0].Unpack(info)
        code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
        found = cls(code, errors_pb2.ERROR_REASON_UNSPECIFIED, status.message)
        # Another version may know other reasons.
        found.reason, found.metadata = info.reason, dict(info.metadata)
        return found

    def status(self) -> status_pb2.Status:
        """Returns the error as a google.rpc.Status."""
        info = error_details_pb2.ErrorInfo(
            reason=self.reason, domain=DOMAIN, metadata=self.metadata
        )
        code: int = self.code.value[0]
        status = status_pb2.Status(code=code, message=self.message)
        status.details.add().Pack(info)
        if self.retry_seconds:
            hint = error_details_pb2.RetryInfo()
            hint.retry_delay.FromMilliseconds(math.ceil(self.retry_seconds * 1000))
            status.details.add().Pack(hint)
        return status


def invalid(field: str, problem: str, **metadata: object) -> Refusal:
    """Returns the error for a field that is missing, malformed or out of range."""
    return Refusal(
        grpc.StatusCode.INVALID_ARGUMENT,
        errors_pb2.ERROR_REASON_INVALID_FIELD,
        f"{field}: {problem}",
        field=field,
        problem=problem,
        **metadata,
    )


def payload_too_large(field: str, size: int, limit: int) -> Refusal:
    """Returns the error for a value over the limit `payload_bytes`."""
    return Refusal(
        grpc.StatusCode.INVALID_ARGUMENT,
        errors_pb2.ERROR_REASON_PAYLOAD_TOO_LARGE,
        f"{field}: {size} bytes are more than the limit payload_bytes ({limit}); "
        "store the value elsewhere and pass a reference",
        field=field,
        size_bytes=size,
        limit_bytes=limit,
    )


def unavailable(phase: str, message: str) -> Refusal:
    """Returns the error for a control plane that cannot serve now."""
    return Refusal(
        grpc.StatusCode.UNAVAILABLE,
        errors_pb2.ERROR_REASON_UNAVAILABLE,
        f"{message}; retry with the same request id",
        phase=phase,
    )


def unimplemented(operation: str, problem: str) -> Refusal:
    """Returns the error for an operation that this control plane, as it was started, does not offer."""
    return Refusal(
        grpc.StatusCode.UNIMPLEMENTED,
        errors_pb2.ERROR_REASON_UNIMPLEMENTED,
        problem,
        operation=operation,
    )


def protocol_violation(problem: str) -> Refusal:
    """Returns the error for a message of a worker that its session does not allow."""
    return Refusal(
        grpc.StatusCode.FAILED_PRECONDITION,
        errors_pb2.ERROR_REASON_PROTOCOL_VIOLATION,
        problem,
        problem=problem,
    )


def refusal(error: Refusal | RequestError) -> Refusal:
    """Translates an error of the rules of requests and sessions."""
    match error:
        case Refusal():
            return error
        case InvalidFieldError():
            return invalid(error.field, error.problem, **error.details)
        case HandlerNotFoundError():
            hint = ": start a worker that serves it, or correct the name"
            if error.similar:
                hint = f"; did you mean {', '.join(error.similar)}?"
            return Refusal(
                grpc.StatusCode.NOT_FOUND,
                errors_pb2.ERROR_REASON_HANDLER_NOT_FOUND,
                f"no worker has ever registered a handler {error.name!r}{hint}",
                handler=error.name,
                known=",".join(error.similar),
            )
        case InvocationNotFoundError(invocation_id=found):
            return Refusal(
                grpc.StatusCode.NOT_FOUND,
                errors_pb2.ERROR_REASON_INVOCATION_NOT_FOUND,
                f"there is no invocation {found!r}: the id is wrong, or its retention is over",
                invocation_id=found,
            )
        case AwakeableNotFoundError(awakeable_id=found):
            return Refusal(
                grpc.StatusCode.NOT_FOUND,
                errors_pb2.ERROR_REASON_AWAKEABLE_NOT_FOUND,
                f"there is no awakeable {found!r}: the id is wrong, or its invocation has ended",
                awakeable_id=found,
            )
        case InvalidStateError():
            return _invalid_state(error)
        case IdempotencyMismatchError():
            return Refusal(
                grpc.StatusCode.ALREADY_EXISTS,
                errors_pb2.ERROR_REASON_IDEMPOTENCY_MISMATCH,
                f"{error.key} was used before with another {error.field}, for invocation "
                f"{error.invocation_id}; use a new {error.key} for a new request",
                invocation_id=error.invocation_id,
                field=error.field,
            )
        case WebhookRevokedError(webhook_id=found):
            return Refusal(
                grpc.StatusCode.FAILED_PRECONDITION,
                errors_pb2.ERROR_REASON_WEBHOOK_REVOKED,
                f"the webhook {found!r} is revoked",
                webhook_id=found,
            )
        case AwakeableResolvedError():
            return _already_resolved(error)
        case BuildNotFoundError() | BuildInUseError() | NothingToRollBackError():
            return _about_build(error)
        case LimitReachedError():
            return Refusal(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                errors_pb2.ERROR_REASON_LIMIT_REACHED,
                f"the limit {error.limit} ({error.value}) is reached: {error.problem}; "
                "retry with backoff",
                limit=error.limit,
                value=error.value,
            )
        case JournalTooLargeError():
            return Refusal(
                grpc.StatusCode.FAILED_PRECONDITION,
                errors_pb2.ERROR_REASON_LIMIT_REACHED,
                f"the journal has {error.size} bytes, more than the limit journal_bytes "
                f"({error.limit}) and too many for one message; watch the invocation instead, which "
                "tells it in parts",
                limit="journal_bytes",
                value=error.limit,
            )
        case NotPermittedError():
            return _not_permitted(error)
        case HttpNotServedError():
            return Refusal(
                grpc.StatusCode.FAILED_PRECONDITION,
                errors_pb2.ERROR_REASON_HTTP_NOT_SERVED,
                str(error),
                operation="CreateWebhook",
            )
        case NotReadyError():
            return unavailable("starting", str(error))
        case SessionReplacedError():
            return unavailable("replaced", str(error))
        case NotLeadingError():
            return unavailable("not_leading", str(error))
        case ProcessorEndedError():
            return unavailable("ended", str(error))
        case _:
            raise TypeError(f"no refusal for {type(error).__name__}")


def _invalid_state(error: InvalidStateError) -> Refusal:
    state = error.state.name.lower()
    return Refusal(
        grpc.StatusCode.FAILED_PRECONDITION,
        errors_pb2.ERROR_REASON_INVALID_STATE,
        f"cannot {error.operation} invocation {error.invocation_id}: it is {state}, which is not "
        f"{error.allowed}",
        invocation_id=error.invocation_id,
        state=state,
        operation=error.operation,
        allowed=error.allowed,
    )


def _about_build(error: BuildNotFoundError | BuildInUseError | NothingToRollBackError) -> Refusal:
    build = error.build_id
    match error:
        case BuildNotFoundError():
            known = ", ".join(error.known)
            hint = f"there are {known}" if known else "start a worker of it"
            return Refusal(
                grpc.StatusCode.NOT_FOUND,
                errors_pb2.ERROR_REASON_BUILD_NOT_FOUND,
                f"no worker has registered a build {build!r}: {hint}",
                build_id=build,
                known=",".join(error.known),
            )
        case BuildInUseError():
            handlers = ", ".join(error.handlers)
            return Refusal(
                grpc.StatusCode.FAILED_PRECONDITION,
                errors_pb2.ERROR_REASON_BUILD_IN_USE,
                f"cannot drain build {build!r}: new invocations of {handlers} go to it; promote another"
                " build first",
                build_id=build,
                handlers=",".join(error.handlers),
            )
        case NothingToRollBackError():
            return Refusal(
                grpc.StatusCode.FAILED_PRECONDITION,
                errors_pb2.ERROR_REASON_NOTHING_TO_ROLL_BACK,
                f"cannot roll build {build!r} back: it is the current build of none of these handlers,"
                " or none was current before it",
                build_id=build,
            )


def _already_resolved(error: AwakeableResolvedError) -> Refusal:
    it = error.awakeable
    outcome = payload_pb2.Outcome.FromString(it.outcome or b"")
    first = outcome.WhichOneof("result")
    shown = failure_text(it.outcome) or value_text(it.outcome) or "null"
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
    resolved_at = Timestamp()
    resolved_at.FromMilliseconds(it.resolved_ms)
    return Refusal(
        grpc.StatusCode.ALREADY_EXISTS,
        errors_pb2.ERROR_REASON_AWAKEABLE_ALREADY_RESOLVED,
        f"the awakeable {it.id!r} has another outcome, a {first}: {shown}; the first one counts",
        awakeable_id=it.id,
        first=first,
        resolve_time=resolved_at.ToJsonString(),
    )


def _not_permitted(error: NotPermittedError) -> Refusal:
    scopes = " or ".join(error.scopes)
    about = {"handler": error.handler} if error.handler else {}
    return Refusal(
        grpc.StatusCode.PERMISSION_DENIED,
        errors_pb2.ERROR_REASON_PERMISSION_DENIED,
        f"{error.identity!r} may not do this: it lacks the scope {scopes}"
        + (f" for the handler {error.handler!r}" if error.handler else "")
        + "; use another token, or ask an administrator for one",
        identity=error.identity,
        scopes=",".join(error.scopes),
        **about,
    )


def unauthenticated(error: UnauthenticatedError) -> Refusal:
    """Returns the error for a call without a valid credential."""
    return Refusal(
        grpc.StatusCode.UNAUTHENTICATED,
        errors_pb2.ERROR_REASON_UNAUTHENTICATED,
        str(error),
        problem=error.problem,
    )


def answerable(error: Exception) -> Refusal:
    """Returns the error for a client; one that is not expected is logged and becomes INTERNAL.

    A DecodeError is expected: a request is not a message of its type.
    """
    if isinstance(error, Refusal | RequestError):
        return refusal(error)
    if isinstance(error, CredentialUncheckedError):
        return unavailable("starting", str(error))
    if isinstance(error, DecodeError):
        return invalid("request", "it is not a message of the type that this RPC takes")
    incident = secrets.token_hex(4)
    logger.error("incident %s", incident, exc_info=error)
    return Refusal(
        grpc.StatusCode.INTERNAL,
        errors_pb2.ERROR_REASON_INTERNAL,
        f"a defect of the control plane; its log has more under {incident}",
        incident=incident,
    )


async def abort(context: grpc.aio.ServicerContext[Any, Any], given: Exception) -> NoReturn:
    """Ends the RPC with an error; see `answerable`."""
    error = answerable(given)
    details = error.status().SerializeToString()
    await context.abort(
        error.code, error.message, trailing_metadata=(("grpc-status-details-bin", details),)
    )


Method = Callable[[Any, Any, Any], Awaitable[T]]
"""A method of a servicer: takes the request and the context."""


class Counted(Protocol):
    """A servicer whose RPCs are counted."""

    tally: RpcTally


def answers(method: Method[T]) -> Method[T]:
    """Makes a unary RPC method end with `abort` when it raises, and counts its calls."""
    name = method.__name__

    @functools.wraps(method)
    async def answer(self: Counted, request: Any, context: Any) -> T:
        began = time.perf_counter()
        code = "CANCELLED"  # if the method neither returns nor raises an Exception
        try:
            answered = await method(self, request, context)
            code = "OK"
            return answered
        except Exception as error:  # noqa: BLE001 - every failure of a handler must have an answer
            code = "INTERNAL"
            if isinstance(error, Refusal | RequestError):
                code = refusal(error).code.name
            await abort(context, error)
        finally:
            self.tally.answered(name, code, time.perf_counter() - began)

    return answer
