"""One request as a handler sees it: its parts read as its endpoint declares them.

The content type is not asked for: `curl -d` calls everything a form, and a body that is no JSON is
refused anyway. What a browser may send without asking is held off in `origins`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias, TypeVar
from urllib.parse import parse_qsl

import msgspec
from google.protobuf.duration_pb2 import Duration
from starlette.requests import ClientDisconnect, Request

from ..webhooks.desk import Webhooks
from . import parameters, strict
from .control import Control
from .errors import HttpError, invalid, refused, too_large
from .parameters import Parameter

T = TypeVar("T", bound=msgspec.Struct)


Render: TypeAlias = Callable[[str], tuple[bytes, str]]
"""Takes an `Accept` header, returns a body and its content type."""


class Backing(NamedTuple):
    """What endpoints have of the control plane."""

    control: Control
    """The way to it."""
    webhooks: Webhooks
    """What makes and reads the tokens of webhooks."""
    metrics: Render
    """What Prometheus is told."""
    trouble: Callable[[], str]
    """Says why nothing can be accepted now; an empty text when all is well."""
    payload_bytes: int
    """How large a value may be."""

    @property
    def body_bytes(self) -> int:
        """How large a body may be: a payload as base64, or as JSON text within a JSON string."""
        return 2 * self.payload_bytes + 64 * 1024


class Call:
    """One request to one endpoint."""

    def __init__(
        self,
        request: Request,
        variables: dict[str, str],
        declared: tuple[Parameter, ...],
        backing: Backing,
    ) -> None:
        self.backing = backing
        self.control = backing.control
        self.variables = variables
        """The path's variables."""
        self.values = parameters.values(declared, _query(request), lambda it: _header(request, it))
        """The parameters by name, all of them."""
        self.is_head = request.method == "HEAD"
        self.request = request
        """The request itself, for what no endpoint declares."""

    async def body(self) -> bytes:
        """Returns the body without the white space around it."""
        return (await body(self.request, self.backing.body_bytes)).strip(b" \t\r\n")

    async def json(self) -> Any:
        """Returns the body's JSON; no body is an empty object."""
        raw = await self.body()
        return parse("body", raw) if raw else {}

    async def object(self, kind: type[T]) -> T:
        """Returns a body that must be a JSON object of this kind."""
        found = await self.json()
        try:
            return msgspec.convert(found, kind)
        except msgspec.ValidationError as error:
            problem, _, place = str(error).partition(" - at `$")
            field = place.strip("`").lstrip(".") or "body"
            known = ", ".join(it.name for it in msgspec.structs.fields(kind))
            raise invalid(field, f"{problem}; the body is an object with: {known}") from None


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
            raise refused(499, "CANCELLED", "CLIENT_CLOSED", "the client has gone away") from None
    if size > limit:
        raise too_large(size, limit)
    return b"".join(chunks)


def parse(field: str, data: bytes) -> Any:
    """Returns JSON data; raises HttpError that says where a mistake is."""
    try:
        return strict.parse(data)
    except strict.JsonError as error:
        raise invalid(field, str(error)) from None


def duration(span: float) -> Duration:
    """Returns a span in seconds as a message."""
    message = Duration()
    message.FromNanoseconds(round(span * 1000) * 1_000_000)
    return message


def _query(request: Request) -> list[tuple[str, str]]:
    raw: bytes = request.scope["query_string"]
    try:
        return parse_qsl(raw.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise _not_text("query") from None


def _header(request: Request, name: str) -> str | None:
    found = request.headers.get(name)
    try:
        return None if found is None else found.encode("latin-1").decode()
    except UnicodeDecodeError:
        raise _not_text(name) from None


def _not_text(field: str) -> HttpError:
    return invalid(field, "is not UTF-8")
