"""The errors of the HTTP surface, all in one JSON form.

    {"code": 404, "status": "NOT_FOUND", "message": "...", "details": [{"@type": ..., "reason": ...}]}

`code` is the HTTP status, `status` the gRPC code's name, and `details` always has a
google.rpc.ErrorInfo. Its domain is `durable.v1` where the reason is one of errors.proto, also where
the HTTP surface itself found the problem. Reasons that only HTTP has are in the domain
`durable.http`: `ROUTE_NOT_FOUND`, `METHOD_NOT_ALLOWED`, `ORIGIN_REFUSED`, `HOST_REFUSED`,
`PAGE_HEADER_MISSING`, `CLIENT_CLOSED`, `UNSUPPORTED_MEDIA`, `HEAD_INCOMPLETE`, `BODY_INCOMPLETE`,
`REQUEST_MALFORMED`, for webhooks `WEBHOOK_NOT_FOUND`, `WEBHOOK_EXPIRED`, `WEBHOOK_OVER`,
`SENDER_REFUSED`, `SENDER_UNCHECKED`, and a gRPC code's name for a call that failed on the way to the
control plane.

The HTTP statuses are those that google.rpc.Code gives for each code, except that a payload over its
limit is 413, which is more precise than 400.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import grpc
import msgspec
from google.rpc import error_details_pb2, status_pb2
from starlette.responses import Response

DOMAIN = "durable.v1"
HTTP_DOMAIN = "durable.http"
_STATUS_TRAILER = "grpc-status-details-bin"

_CODES: dict[str, int] = {
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
    "UNAUTHENTICATED": 401,
}


class ErrorInfo(msgspec.Struct, kw_only=True):
    """The reason: a google.rpc.ErrorInfo."""

    type: str = msgspec.field(name="@type", default="type.googleapis.com/google.rpc.ErrorInfo")
    reason: str
    domain: str
    metadata: dict[str, str] = {}


class Error(msgspec.Struct, kw_only=True):
    """The body of every error response. Decide by code and reason, never by the text."""

    code: int
    status: str
    message: str
    details: list[ErrorInfo]


class HttpError(Exception):
    """A request that is answered with an error."""

    def __init__(
        self,
        code: int,
        status: str,
        message: str,
        details: Sequence[ErrorInfo],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.body = Error(code=code, status=status, message=message, details=list(details))
        self.headers = headers

    def response(self) -> Response:
        """Returns the error as an answer."""
        return json_response(self.body, self.code, self.headers)


def refused(
    code: int,
    status: str,
    reason: str,
    message: str,
    *,
    domain: str = HTTP_DOMAIN,
    headers: Mapping[str, str] | None = None,
    **metadata: object,
) -> HttpError:
    """Returns an error that the HTTP surface itself has found."""
    texts = {key: str(value) for key, value in metadata.items()}
    info = ErrorInfo(reason=reason, domain=domain, metadata=texts)
    return HttpError(code, status, message, [info], headers)


def invalid(field: str, problem: str) -> HttpError:
    """Returns the error for a part of the request that is missing, malformed or out of range."""
    return refused(
        400, "INVALID_ARGUMENT", "INVALID_FIELD", f"{field}: {problem}",
        domain=DOMAIN, field=field, problem=problem,
    )  # fmt: skip


def too_large(size: int, limit: int) -> HttpError:
    """Returns the error for a body over its limit; `size` is as much as is known of its size."""
    return refused(
        413, "INVALID_ARGUMENT", "PAYLOAD_TOO_LARGE",
        f"body: larger than {limit} bytes; store the value elsewhere and pass a reference",
        domain=DOMAIN, headers={"connection": "close"},
        field="body", size_bytes=size, limit_bytes=limit,
    )  # fmt: skip


def unsupported(header: str, problem: str) -> HttpError:
    """Returns the error for a body in an unsupported form, which `header` declares."""
    return refused(
        415, "INVALID_ARGUMENT", "UNSUPPORTED_MEDIA", f"{header}: {problem}",
        headers={"accept-encoding": "identity"}, field=header, problem=problem,
    )  # fmt: skip


def incomplete(size: int, length: str, problem: str) -> HttpError:
    """Returns the error for a body that stopped arriving; `length` is its Content-Length, if any."""
    of = f" of {length}" if length else ""
    return refused(
        408, "DEADLINE_EXCEEDED", "BODY_INCOMPLETE",
        f"body: {size}{of} bytes have come, {problem}",
        headers={"connection": "close"}, field="body", size_bytes=size,
    )  # fmt: skip


def malformed(code: int, problem: str) -> HttpError:
    """Returns the error for bytes that are not an HTTP/1.1 request; the connection is closed."""
    return refused(
        code, "INVALID_ARGUMENT" if code < 500 else "UNIMPLEMENTED", "REQUEST_MALFORMED",
        f"this is no request of HTTP/1.1 without TLS: {problem}",
        headers={"connection": "close"}, problem=problem,
    )  # fmt: skip


def slow_head(seconds: float) -> HttpError:
    """Returns the error for a request whose first line and headers do not arrive in time."""
    return refused(
        408, "DEADLINE_EXCEEDED", "HEAD_INCOMPLETE",
        f"the first line and the headers have not arrived within {seconds:g} seconds",
        headers={"connection": "close"},
    )  # fmt: skip


def too_many_connections(limit: int) -> HttpError:
    """Returns the error for a connection over the limit; it is closed."""
    return refused(
        503, "RESOURCE_EXHAUSTED", "LIMIT_REACHED",
        f"the limit connections ({limit}) is reached: that many clients are connected already; "
        "retry with backoff",
        domain=DOMAIN, headers={"connection": "close", "retry-after": "1"},
        limit="connections", value=limit,
    )  # fmt: skip


def stopping() -> HttpError:
    """Returns the error for a request that waits while the control plane stops."""
    return refused(
        503, "UNAVAILABLE", "UNAVAILABLE", "the control plane is stopping; ask again",
        domain=DOMAIN, headers={"retry-after": "1"}, phase="draining",
    )  # fmt: skip


def defect(incident: str) -> HttpError:
    """Returns the error for a defect; the log has its details."""
    return refused(
        500, "INTERNAL", "INTERNAL",
        f"a defect of the control plane; its log has more under {incident}",
        domain=DOMAIN, incident=incident,
    )  # fmt: skip


def from_rpc(error: grpc.aio.AioRpcError) -> HttpError:
    """Returns the error of an RPC as an HTTP error."""
    status = error.code().name
    code = _CODES.get(status, 500)
    details: list[ErrorInfo] = []
    for name, value in error.trailing_metadata() or ():
        if name != _STATUS_TRAILER or not isinstance(value, bytes):
            continue
        for detail in status_pb2.Status.FromString(value).details:
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info):
                details.append(
                    ErrorInfo(reason=info.reason, domain=info.domain, metadata=dict(info.metadata))
                )
                if info.reason == "PAYLOAD_TOO_LARGE":
                    code = 413
    if not details:
        details.append(ErrorInfo(reason=status, domain=HTTP_DOMAIN))
    headers = {"retry-after": "1"} if code in (429, 503) else None
    return HttpError(code, status, error.details() or status, details, headers)


def json_response(data: Any, code: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Returns a JSON response, with a newline at the end for terminals."""
    return Response(msgspec.json.encode(data) + b"\n", code, headers, media_type="application/json")
