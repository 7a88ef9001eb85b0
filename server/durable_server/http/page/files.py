"""The page's files: `GET /` is the document, `GET /page/{name}` what it loads.

Theory. The page is a few static files: no build step, nothing from another host. They are read once, at
the start, so a request costs a look into a dictionary and cannot name another file on the disk. A
browser caches them and asks whether they have changed (`ETag`), so after an upgrade it has the new ones
at once.

Rules. All that the page shows was written by others: names, keys, failures, values. So the document's
policy permits only scripts and styles from this server's files, none inside the document, and no code
may turn text into HTML (`trusted-types 'none'`). The page connects to this server and to the codec
endpoint, if the settings have one; the document names it. No other page may frame it.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from ..errors import refused
from ..requests import EndpointRequest
from ..routing import Body, Route

FOLDER = Path(__file__).parent / "static"
_OWN = "connect-src 'self'"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        _OWN,
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""The Content-Security-Policy of the document, without a codec endpoint."""
_DOCUMENT = "index.html"
_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_HEADERS = {
    "cache-control": "no-cache",
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
    """Returns the document, with the codec endpoint if there is one."""
    endpoint = request.backend.codec_endpoint
    if not endpoint:
        return _answer(request.http, FILES[_DOCUMENT])
    found, policy = _with_endpoint(endpoint)
    return _answer(request.http, found, policy)


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
    return _file(path.read_bytes(), _TYPES[path.suffix])


def _file(content: bytes, media_type: str) -> _File:
    digest = hashlib.blake2b(content, digest_size=12).hexdigest()
    return _File(content, media_type, f'"{digest}"')


@lru_cache(maxsize=1)
def _with_endpoint(endpoint: str) -> tuple[_File, str]:
    """Returns the document that names a codec endpoint, and the policy that permits it."""
    plain = FILES[_DOCUMENT]
    named = f'<meta name="codec-endpoint" content="{escape(endpoint)}">\n  </head>'
    content = plain.content.decode().replace("</head>", named, 1).encode()
    parts = urlsplit(endpoint)
    policy = POLICY.replace(_OWN, f"{_OWN} {parts.scheme}://{parts.netloc}")
    return _file(content, plain.media_type), policy


def _answer(request: Request, file: _File, policy: str = POLICY) -> Response:
    headers = {**_HEADERS, "content-security-policy": policy, "etag": file.etag}
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
