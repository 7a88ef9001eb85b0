"""Errors of the RPCs: one exception, and how it travels.

Every error is a `google.rpc.Status` with one `ErrorInfo` (see errors.proto), sent in the trailer
`grpc-status-details-bin` beside the plain code and message, so that clients without the rich model
see the same text. The trailer is built here: grpcio's own helper needs a newer grpcio than we ask
users for.
"""

from __future__ import annotations

import functools
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, Protocol, TypeVar

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from durable_proto.v1 import errors_pb2

from ..metrics.tally import Tally

logger = logging.getLogger("durable.rpc")

DOMAIN = "durable.v1"
_PREFIX = "ERROR_REASON_"

T = TypeVar("T")


class Refusal(Exception):
    """A request that is refused: gRPC code, reason, message, and the message's changing parts."""

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

    def status(self) -> status_pb2.Status:
        """Returns the error as a google.rpc.Status."""
        info = error_details_pb2.ErrorInfo(
            reason=self.reason, domain=DOMAIN, metadata=self.metadata
        )
        detail = any_pb2.Any()
        detail.Pack(info)
        code: int = self.code.value[0]
        return status_pb2.Status(code=code, message=self.message, details=[detail])


def invalid(field: str, problem: str, **metadata: object) -> Refusal:
    """A field is missing, malformed or out of range."""
    return Refusal(
        grpc.StatusCode.INVALID_ARGUMENT,
        errors_pb2.ERROR_REASON_INVALID_FIELD,
        f"{field}: {problem}",
        field=field,
        problem=problem,
        **metadata,
    )


def payload_too_large(field: str, size: int, limit: int) -> Refusal:
    """A value is over the limit `payload_bytes`."""
    return Refusal(
        grpc.StatusCode.INVALID_ARGUMENT,
        errors_pb2.ERROR_REASON_PAYLOAD_TOO_LARGE,
        f"{field}: {size} bytes are more than the limit payload_bytes ({limit}); "
        "store the value elsewhere and pass a reference",
        field=field,
        size_bytes=size,
        limit_bytes=limit,
    )


def invocation_not_found(invocation_id: str) -> Refusal:
    """There is no such invocation."""
    return Refusal(
        grpc.StatusCode.NOT_FOUND,
        errors_pb2.ERROR_REASON_INVOCATION_NOT_FOUND,
        f"there is no invocation {invocation_id!r}: the id is wrong, or its retention is over",
        invocation_id=invocation_id,
    )


def invalid_state(invocation_id: str, state: str, operation: str, allowed: str) -> Refusal:
    """The invocation's state does not allow the operation."""
    return Refusal(
        grpc.StatusCode.FAILED_PRECONDITION,
        errors_pb2.ERROR_REASON_INVALID_STATE,
        f"cannot {operation} invocation {invocation_id}: it is {state}, which is not {allowed}",
        invocation_id=invocation_id,
        state=state,
        operation=operation,
        allowed=allowed,
    )


def limit_reached(limit: str, value: int, what: str) -> Refusal:
    """A named limit of the control plane is reached."""
    return Refusal(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        errors_pb2.ERROR_REASON_LIMIT_REACHED,
        f"the limit {limit} ({value}) is reached: {what}; retry with backoff",
        limit=limit,
        value=value,
    )


def unavailable(phase: str, message: str) -> Refusal:
    """The control plane cannot serve now."""
    return Refusal(
        grpc.StatusCode.UNAVAILABLE,
        errors_pb2.ERROR_REASON_UNAVAILABLE,
        f"{message}; retry with the same request id",
        phase=phase,
    )


def protocol_violation(problem: str) -> Refusal:
    """A worker said something that its session does not allow."""
    return Refusal(
        grpc.StatusCode.FAILED_PRECONDITION,
        errors_pb2.ERROR_REASON_PROTOCOL_VIOLATION,
        problem,
        problem=problem,
    )


async def abort(
    context: grpc.aio.ServicerContext[Any, Any], error: Refusal | Exception
) -> NoReturn:
    """Ends the RPC with an error; what is not a Refusal is logged and becomes INTERNAL."""
    if not isinstance(error, Refusal):
        incident = secrets.token_hex(4)
        logger.error("incident %s", incident, exc_info=error)
        error = Refusal(
            grpc.StatusCode.INTERNAL,
            errors_pb2.ERROR_REASON_INTERNAL,
            f"a defect of the control plane; its log has more under {incident}",
            incident=incident,
        )
    details = error.status().SerializeToString()
    await context.abort(
        error.code, error.message, trailing_metadata=(("grpc-status-details-bin", details),)
    )


Method = Callable[[Any, Any, Any], Awaitable[T]]


class Counted(Protocol):
    """A servicer whose RPCs are counted."""

    tally: Tally


def answers(method: Method[T]) -> Method[T]:
    """Makes a unary RPC method answer with `abort` to what it raises, and be counted."""
    name = method.__name__

    @functools.wraps(method)
    async def answer(self: Counted, request: Any, context: Any) -> T:
        began = time.perf_counter()
        code = "CANCELLED"  # unless it ends here: then the caller has gone
        try:
            answered = await method(self, request, context)
            code = "OK"
            return answered
        except Exception as error:  # noqa: BLE001 - every failure of a handler must have an answer
            code = error.code.name if isinstance(error, Refusal) else "INTERNAL"
            await abort(context, error)
        finally:
            self.tally.answered(name, code, time.perf_counter() - began)

    return answer
