"""Routes: a method, a path template as in `google.api.http`, and who answers.

Templates are matched against the path as it came over the wire, and each part is decoded after that:
so an id with a slash in it (`%2F`) is one part. A `:verb` at the end is found from the end; an id
with a colon in it is not cut.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple, TypeAlias
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from .errors import HttpError, bad_request

Handler: TypeAlias = Callable[[Request, dict[str, str]], Awaitable[Response]]

_VARIABLE = re.compile(r"\{(\w+)\}")


class Route(NamedTuple):
    """One endpoint."""

    method: str
    template: str
    handler: Handler


class Router:
    """Finds who answers a request; of two templates that match, the earlier one has it."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = [(_pattern(route.template), route) for route in routes]

    def find(self, method: str, raw_path: str) -> tuple[Handler, dict[str, str]]:
        """Returns the handler and the path's variables; raises HttpError when there is none."""
        asked = "GET" if method == "HEAD" else method
        path = raw_path.rstrip("/") or "/"
        allowed: list[str] = []
        for pattern, route in self._routes:
            match = pattern.fullmatch(path)
            if match is None:
                continue
            if route.method == asked:
                return route.handler, {k: _decoded(v) for k, v in match.groupdict().items()}
            allowed.append(route.method)
        if allowed:
            methods = ", ".join(dict.fromkeys(allowed))
            raise HttpError(
                405, "UNIMPLEMENTED", f"{method} is not for {path}; use {methods}", None,
                {"allow": methods},
            )  # fmt: skip
        raise HttpError(404, "NOT_FOUND", f"nothing is served at {path[:200]}")


def _pattern(template: str) -> re.Pattern[str]:
    pieces = _VARIABLE.split(template)
    if "{" in "".join(pieces[::2]) or "*" in template:
        raise ValueError(f"a path template of a form that is not served: {template}")
    return re.compile(
        "".join(
            f"(?P<{piece}>[^/]+)" if place % 2 else re.escape(piece)
            for place, piece in enumerate(pieces)
        )
    )


def _decoded(part: str) -> str:
    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError:
        raise bad_request("the path is not UTF-8") from None
