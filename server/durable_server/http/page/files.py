"""The page's files: `GET /` is the document, `GET /page/{name}` what it needs.

Theory. The page is a handful of static files: no build step, nothing from another host. They are read
once, at the start, so that a request costs a look into a dictionary and can name nothing else on the
disk. A browser keeps them and asks whether they are still the same (`ETag`); after an upgrade it has
the new ones at once.

Rules. Everything that the page shows was written by somebody else: names, keys, failures, values. So
the document's policy permits scripts and styles from this server's files only, none inside the
document, and no code of ours may turn text into HTML (`trusted-types 'none'`). The page talks to this
server and to nothing else, and no other page may frame it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from ..errors import refused
from ..requests import Call
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


async def document(call: Call) -> Response:
    """Answers with the document."""
    return _answer(call.request, FILES[_DOCUMENT])


async def file(call: Call) -> Response:
    """Answers with a file; raises HttpError for a name that is not one."""
    name = call.variables["name"]
    if name not in FILES:
        raise refused(
            404, "NOT_FOUND", "ROUTE_NOT_FOUND", f"the page has no file {name[:100]!r}",
            path=call.request.url.path[:200],
        )  # fmt: skip
    return _answer(call.request, FILES[name])


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
"""For browsers only, so not in the OpenAPI document."""
