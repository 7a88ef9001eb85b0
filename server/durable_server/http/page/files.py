"""The page's files: `GET /` is the document, `GET /page/{name}` what it loads.

Theory. The page is a few static files: no build step, nothing from another host. They are read once, at
the start, so a request costs a look into a dictionary and cannot name another file on the disk. A
browser caches them and asks whether they have changed (`ETag`), so after an upgrade it has the new ones
at once.

Rules. All that the page shows was written by others: names, keys, failures, values. So the document's
policy permits only scripts and styles from this server's files, none inside the document, and no code
may turn text into HTML (`trusted-types 'none'`). The page connects to this server only, and no other
page may frame it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from ..errors import refused
from ..requests import EndpointRequest
from ..routing import Body, Route

FOLDER = Path(__file__).parent / "static"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""The Content-Security-Policy of the document."""
_DOCUMENT = "index.html"
_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_HEADERS = {
    "cache-control": "no-cache",
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class _File(NamedTuple):
    content: bytes
    media_type: str
    etag: str


async def document(request: EndpointRequest) -> Response:
    """Returns the document."""
    return _answer(request.http, FILES[_DOCUMENT])


async def file(request: EndpointRequest) -> Response:
    """Returns a file; raises HttpError for an unknown name."""
    name = request.variables["name"]
    if name not in FILES:
        raise refused(
            404, "NOT_FOUND", "ROUTE_NOT_FOUND", f"the page has no file {name[:100]!r}",
            path=request.http.url.path[:200],
        )  # fmt: skip
    return _answer(request.http, FILES[name])


def _read(path: Path) -> _File:
    content = path.read_bytes()
    digest = hashlib.blake2b(content, digest_size=12).hexdigest()
    return _File(content, _TYPES[path.suffix], f'"{digest}"')


def _answer(request: Request, file: _File) -> Response:
    headers = {**_HEADERS, "etag": file.etag}
    known = request.headers.get("if-none-match", "")
    if file.etag in (it.strip().removeprefix("W/") for it in known.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers=headers, media_type=file.media_type)


FILES = {it.name: _read(it) for it in FOLDER.iterdir() if it.suffix in _TYPES}
ROUTES = (
    Route(
        method="GET",
        template="/",
        handler=document,
        name="getPage",
        summary="Get the page",
        answers={200: Body("The document.", str, "text/html")},
    ),
    Route(
        method="GET",
        template="/page/{name}",
        handler=file,
        name="getPageFile",
        summary="Get a file of the page",
        answers={200: Body("The file.", str, "*/*")},
    ),
)
"""Not in the OpenAPI document, because they are for browsers only."""
