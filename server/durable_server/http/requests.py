"""A request as an endpoint sees it: its parts, read as the endpoint declares them.

A body is read as UTF-8 and passed on unchanged. One that is compressed, of another charset, or of a
media type that cannot be JSON is refused with 415. `curl -d` declares every body a form, so a form may
be JSON too. Requests that a browser may send without a preflight are refused in `origin_policy`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple, TypeAlias, TypeVar
from urllib.parse import parse_qsl

import msgspec
from google.protobuf.duration_pb2 import Duration
from starlette.requests import ClientDisconnect, Request

from ..access.access import EVERYTHING, Access
from ..webhooks.service import Webhooks
from . import parameters, strict_json
from .authentication import Authentication
from .control_client import ControlClient
from .errors import HttpError, incomplete, invalid, refused, too_large, unsupported
from .parameters import Parameter

BODY_SECONDS = 30.0
"""How long the next chunk of a body may take."""
BODY_RATE = 4 * 1024
"""How many bytes of a body must come in a second, once BODY_SECONDS are over."""
_JSON_TYPES = frozenset(
    {
        "",
        "application/json",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "text/json",
        "text/plain",
    }
)
"""Media types with which clients send JSON; those with `+json` are accepted too."""
_UTF8 = ("utf-8", "utf8", "us-ascii")
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\s\";]*)", re.IGNORECASE)
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")

T = TypeVar("T", bound=msgspec.Struct)


Render: TypeAlias = Callable[[str, Access], Awaitable[tuple[bytes, str]]]
"""Takes an `Accept` header and who asks, returns a body and its content type."""


class Backend(NamedTuple):
    """The parts of the control plane that endpoints use."""

    control: ControlClient
    """The gRPC client."""
    webhooks: Webhooks
    """Signs and reads the tokens of webhooks."""
    metrics: Render
    """Renders the metrics for Prometheus."""
    problem: Callable[[], str]
    """Returns why the control plane cannot accept requests now; empty while it can."""
    payload_bytes: int
    """The largest size of a value."""
    authentication: Authentication | None = None
    """Who callers are; None where everybody may do everything."""
    codec_endpoint: str = ""
    """The URL of the server that decodes values for the page; empty for none."""

    @property
    def secure(self) -> bool:
        """Whether browsers reach the page by TLS."""
        return self.webhooks.base_url.startswith("https:")

    @property
    def body_bytes(self) -> int:
        """The largest size of a body: a payload in base64, or as JSON text within a JSON string."""
        return 2 * self.payload_bytes + 64 * 1024


class EndpointRequest:
    """One request to one endpoint."""

    def __init__(
        self,
        request: Request,
        variables: dict[str, str],
        declared: tuple[Parameter, ...],
        backend: Backend,
        access: Access = EVERYTHING,
        *,
        has_foreign_query: bool = False,
    ) -> None:
        self.backend = backend
        self.access = access
        """Who asks; EVERYTHING where nobody is authenticated, and for open routes."""
        self.control = self.control_for(access)
        self.variables = variables
        """The path's variables."""
        self.values = parameters.values(
            declared,
            [] if has_foreign_query else _query(request),
            lambda it: headers(request, it),
        )
        """The value of each declared parameter, by name."""
        self.is_head = request.method == "HEAD"
        self.http = request
        """The HTTP request, for parts that no endpoint declares."""

    def control_for(self, access: Access) -> ControlClient:
        """Returns the client whose RPCs are made for a caller."""
        control, authentication = self.backend.control, self.backend.authentication
        if authentication is None or access is EVERYTHING:
            return control
        return control.on_behalf(authentication.passed_on(access))

    async def body(self, limit: int | None = None) -> bytes:
        """Returns the body, which should be JSON, without surrounding white space.

        It may have `limit` bytes; None for what a payload needs.
        """
        kind = content_type(self.http)
        raw = await body(self.http, self.backend.body_bytes if limit is None else limit)
        if raw and not (media_type(kind) in _JSON_TYPES or media_type(kind).endswith("+json")):
            raise unsupported(
                "Content-Type", f"{kind[:100]!r} is not read here; send application/json"
            )
        if raw:
            check_charset(kind)
        return raw.strip(b" \t\r\n")

    async def json(self, limit: int | None = None) -> Any:
        """Returns the JSON of the body; an empty body counts as an empty object. See `body`."""
        raw = await self.body(limit)
        return parse("body", raw) if raw else {}

    async def object(self, kind: type[T], limit: int | None = None) -> T:
        """Returns a body that must be a JSON object of this kind. See `body`."""
        found = await self.json(limit)
        try:
            return msgspec.convert(found, kind)
        except msgspec.ValidationError as error:
            problem, _, place = str(error).partition(" - at `$")
            field = place.strip("`").lstrip(".") or "body"
            known = ", ".join(it.name for it in msgspec.structs.fields(kind))
            raise invalid(field, f"{problem}; the body is an object with: {known}") from None


async def body(request: Request, limit: int) -> bytes:
    """Returns the body.

    Raises HttpError for one over the limit, before it has arrived in full, for a compressed one, and
    for one that stops arriving.
    """
    for coding in headers(request, "content-encoding"):
        if coding.strip().lower() not in ("", "identity"):
            raise unsupported(
                "Content-Encoding", f"{coding[:100]!r} is not decoded here; send the body as it is"
            )
    length = request.headers.get("content-length", "")
    received = bytearray()
    size = int(length) if length.isdecimal() and len(length) < 19 else 0
    if size <= limit:
        size = 0
        async for chunk in _chunks(request, length):
            size += len(chunk)
            if size > limit:
                break
            received += chunk
    if size > limit:
        raise too_large(size, limit)
    return bytes(received)


async def _chunks(request: Request, length: str) -> AsyncIterator[bytes]:
    """Yields the chunks of a body; raises HttpError when the next one does not arrive in time."""
    stream = aiter(request.stream())
    loop = asyncio.get_running_loop()
    began = loop.time()
    size = 0
    while True:
        now = loop.time()
        slowest = began + BODY_SECONDS + size / BODY_RATE
        try:
            async with asyncio.timeout_at(min(now + BODY_SECONDS, slowest)):
                chunk = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            problem = f"and nothing more for {BODY_SECONDS:g} seconds"
            if slowest < now + BODY_SECONDS:
                problem = f"which is slower than {BODY_RATE} bytes a second"
            raise incomplete(size, length, problem) from None
        except ClientDisconnect:
            raise refused(499, "CANCELLED", "CLIENT_CLOSED", "the client has gone away") from None
        size += len(chunk)
        yield chunk


def content_type(request: Request) -> str:
    """Returns the Content-Type, empty without one; raises HttpError when there are several."""
    given = headers(request, "content-type")
    if len(given) > 1:
        raise invalid("Content-Type", f"given {len(given)} times")
    return given[0] if given else ""


def media_type(kind: str) -> str:
    """Returns the media type of a Content-Type, in lower case and without its parameters."""
    return kind.partition(";")[0].strip().lower()


def check_charset(kind: str) -> None:
    """Raises HttpError for a Content-Type with another charset than UTF-8."""
    match = _CHARSET.search(kind)
    if match is not None and match[1].lower() not in _UTF8:
        raise unsupported("Content-Type", f"the charset {match[1][:40]!r} is not read; send UTF-8")


def parse(field: str, data: bytes) -> Any:
    """Returns the value of JSON text; raises HttpError that says where a mistake is."""
    try:
        return strict_json.parse(data)
    except strict_json.JsonError as error:
        raise invalid(field, str(error)) from None


def duration(span: float) -> Duration:
    """Returns a span in seconds as a message."""
    message = Duration()
    message.FromNanoseconds(round(span * 1000) * 1_000_000)
    return message


def check_percent(field: str, raw: str) -> None:
    """Raises HttpError for a percent sign that does not begin an encoded byte."""
    match = _BAD_PERCENT.search(raw)
    if match is not None:
        there = raw[match.start() : match.start() + 3]
        raise invalid(field, f"{there!r} is no percent-encoding; write %25 for a percent sign")


def headers(request: Request, name: str) -> list[str]:
    """Returns all values of a header; raises HttpError for what is not UTF-8."""
    try:
        return [found.encode("latin-1").decode() for found in request.headers.getlist(name)]
    except UnicodeDecodeError:
        raise _not_text(name) from None


def _query(request: Request) -> list[tuple[str, str]]:
    raw: bytes = request.scope["query_string"]
    try:
        text = raw.decode()
        check_percent("query", text)
        return parse_qsl(text, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise _not_text("query") from None


def _not_text(field: str) -> HttpError:
    return invalid(field, "is not UTF-8")
