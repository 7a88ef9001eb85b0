"""What a request says: its body within a bound, JSON with the place of a mistake, query parameters.

The content type is not asked for: `curl -d` calls everything a form, and a body that is no JSON is
refused anyway. What a browser may send without asking is held off in `origins`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from google.protobuf.duration_pb2 import Duration
from starlette.requests import ClientDisconnect, Request

from .errors import HttpError, bad_request

_SPAN = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)(ms|s|m|h|d)?")
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_TRUTH = {"true": True, "1": True, "": True, "false": False, "0": False}


async def body(request: Request, limit: int) -> bytes:
    """Returns the body; one over the limit is refused before it is all here."""
    length = request.headers.get("content-length", "")
    chunks: list[bytes] = []
    size = int(length) if length.isdecimal() and len(length) < 19 else 0
    if size <= limit:
        size = 0
        try:
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    break
                chunks.append(chunk)
        except ClientDisconnect:
            raise HttpError(499, "CANCELLED", "the client has gone away") from None
    if size > limit:
        raise HttpError(
            413,
            "INVALID_ARGUMENT",
            f"the body is larger than {limit} bytes; store the value elsewhere and pass a reference",
            headers={"connection": "close"},
        )
    return b"".join(chunks)


def parse(data: bytes) -> Any:
    """Returns the JSON data of a body; a mistake is an error with line and column."""
    try:
        return json.loads(data.decode(), parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise bad_request(
            f"the body is no JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise bad_request(
            f"the body is no JSON: not UTF-8 at line {line}, column {column}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise bad_request(f"the body is no JSON: {error}") from error


def parse_object(data: bytes, known: Sequence[str]) -> dict[str, Any]:
    """Returns a body that is a JSON object with these names only; an empty body is an empty one."""
    if not data.strip():
        return {}
    found = parse(data)
    if not isinstance(found, dict):
        raise bad_request(f"the body must be a JSON object with: {', '.join(known)}")
    for name in found:
        if name not in known:
            raise bad_request(f"the body has no field {name!r}; it may have: {', '.join(known)}")
    return found


def text_field(fields: dict[str, Any], name: str) -> str:
    """Returns a field that must be a string; an empty one when it is absent."""
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise bad_request(f"{name}: must be a string")
    return check_text(name, value)


def query(request: Request, *known: str) -> dict[str, list[str]]:
    """Returns the query parameters; an unknown one is an error and not silently without effect."""
    found: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        if name not in known:
            raise bad_request(
                f"no query parameter {name!r} here"
                + (f"; there are: {', '.join(known)}" if known else "")
            )
        found.setdefault(name, []).append(check_text(name, value))
    return found


def single(found: dict[str, list[str]], name: str) -> str:
    """Returns a parameter that may be given once; an empty string when it is absent."""
    values = found.get(name, [""])
    if len(values) > 1:
        raise bad_request(f"{name}: given {len(values)} times")
    return values[0]


def flag(found: dict[str, list[str]], name: str) -> bool:
    """Returns a parameter that is true or false; without a value it is true."""
    if name not in found:
        return False
    value = single(found, name).lower()
    if value not in _TRUTH:
        raise bad_request(f"{name}: {value!r} is neither true nor false")
    return _TRUTH[value]


def seconds(found: dict[str, list[str]], name: str) -> float | None:
    """Returns a span of time: a number of seconds, or one with a unit such as `500ms` or `2h`."""
    if name not in found:
        return None
    text = single(found, name)
    match = _SPAN.fullmatch(text)
    if match is None:
        raise bad_request(f"{name}: {text!r} is no span of time; write 30, 500ms, 5m, 2h or 1d")
    value = float(match[1]) * _UNITS[match[2] or "s"]
    if value > 10 * 366 * 86400:
        raise bad_request(f"{name}: {text!r} is longer than ten years")
    return value


def duration(span: float) -> Duration:
    """Returns a span in seconds as a message."""
    message = Duration()
    message.FromNanoseconds(round(span * 1000) * 1_000_000)
    return message


def check_text(name: str, text: str) -> str:
    """Returns a text if UTF-8 can hold it, as protobuf demands."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise bad_request(f"{name}: is not UTF-8") from None
    return text


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")
