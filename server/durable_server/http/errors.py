"""Errors of the HTTP surface: one JSON form for all of them.

    {"code": 404, "status": "NOT_FOUND", "message": "...", "details": [{"@type": ..., ...}]}

`code` is the HTTP status, `status` the gRPC code's name, `details` what the control plane attached (see
errors.proto). The numbers are those that google.rpc.Code names for each code; a payload over its
limit is 413, which says more than 400. Whatever is wrong with a request before it is an RPC takes
the same form.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import grpc
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2
from starlette.responses import Response

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


class HttpError(Exception):
    """A request that is answered with an error."""

    def __init__(
        self,
        code: int,
        status: str,
        message: str,
        details: list[Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.message = message
        self.details = details or []
        self.headers = headers

    def body(self) -> dict[str, Any]:
        """Returns the error as JSON data."""
        return {
            "code": self.code,
            "status": self.status,
            "message": self.message,
            "details": self.details,
        }

    def response(self) -> Response:
        """Returns the error as an answer."""
        return json_response(self.body(), self.code, self.headers)


def bad_request(message: str) -> HttpError:
    """The request is malformed."""
    return HttpError(400, "INVALID_ARGUMENT", message)


def from_rpc(error: grpc.aio.AioRpcError) -> HttpError:
    """Returns the error of an RPC as one of HTTP."""
    status = error.code().name
    code = _CODES.get(status, 500)
    message, details = error.details() or status, []
    for name, value in error.trailing_metadata() or ():
        if name != _STATUS_TRAILER or not isinstance(value, bytes):
            continue
        for detail in status_pb2.Status.FromString(value).details:
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info):
                details.append(json_format.MessageToDict(detail))
                if info.reason == "PAYLOAD_TOO_LARGE":
                    code = 413
    headers = {"retry-after": "1"} if code in (429, 503) else None
    return HttpError(code, status, message, details, headers)


def dump(data: Any) -> bytes:
    """Returns JSON data as people read it: compact, in UTF-8 where that is possible."""
    try:
        return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON has and UTF-8 has not
        return json.dumps(data, separators=(",", ":")).encode()


def json_response(data: Any, code: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Returns JSON data as an answer, with an end of line for terminals."""
    return Response(dump(data) + b"\n", code, headers, media_type="application/json")
