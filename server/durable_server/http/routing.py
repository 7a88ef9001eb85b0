"""Routes: a method, a path template as in `google.api.http`, who answers, and what is said of it.

Templates are matched against the path as it came over the wire, and each part is decoded after that:
so an id with a slash in it (`%2F`) is one part. A `:verb` at the end is found from the end; an id
with a colon in it is not cut.

The first template that matches has the path, whatever the method: those with a verb come first, then
those with fewer variables.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import unquote

from starlette.responses import Response

from .errors import invalid, refused
from .parameters import Parameter
from .requests import Call, check_percent

Handler: TypeAlias = Callable[[Call], Awaitable[Response]]
Shape: TypeAlias = Any
"""What JSON looks like: a msgspec type, a protobuf descriptor, or None for any JSON."""

VARIABLE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Body:
    """What an endpoint reads, or one of its answers."""

    description: str
    shape: Shape = None
    media_type: str = "application/json"
    """Empty for an answer without a body."""
    required: bool = False
    """Whether a request without it is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One endpoint."""

    method: str
    template: str
    handler: Handler
    name: str
    """Its name for generated clients, unique."""
    summary: str
    answers: Mapping[int, Body]
    """What it answers when it does not refuse."""
    failure: Body | None = None
    """What it answers with any code from 400 on that a handler has chosen."""
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None

    @property
    def variables(self) -> list[str]:
        """The path's variables, in order."""
        return VARIABLE.findall(self.template)


class Router:
    """Finds who answers a request."""

    def __init__(self, routes: Iterable[Route]) -> None:
        shapes: dict[str, tuple[re.Pattern[str], dict[str, Route]]] = {}
        for route in sorted(routes, key=lambda it: (":" not in it.template, len(it.variables))):
            shape = VARIABLE.sub("{}", route.template)
            _, methods = shapes.setdefault(shape, (_pattern(shape), {}))
            if route.method in methods:
                raise ValueError(f"two routes for {route.method} {route.template}")
            methods[route.method] = route
        self._shapes = list(shapes.values())
        self.methods = _allowed(dict.fromkeys(it for _, all_ in self._shapes for it in all_))
        """The methods that there are."""

    def find(self, method: str, raw_path: str) -> tuple[Route, dict[str, str]]:
        """Returns the route and the path's variables; raises HttpError when there is none."""
        match, methods = self._match(raw_path)
        route = methods.get("GET" if method == "HEAD" else method)
        if route is None:
            allowed = _allowed(methods)
            raise refused(
                405, "UNIMPLEMENTED", "METHOD_NOT_ALLOWED",
                f"{method} is not for {raw_path[:200]}; use {allowed}",
                headers={"allow": allowed}, method=method, allowed=allowed,
            )  # fmt: skip
        parts = zip(route.variables, match.groups(), strict=True)
        return route, {name: _decoded(name, part) for name, part in parts}

    def allowed(self, raw_path: str) -> str:
        """Returns the methods of a path; raises HttpError when nothing is there."""
        return _allowed(self._match(raw_path)[1])

    def _match(self, raw_path: str) -> tuple[re.Match[str], dict[str, Route]]:
        path = raw_path.rstrip("/") or "/"
        for pattern, methods in self._shapes:
            match = pattern.fullmatch(path)
            if match is not None:
                return match, methods
        raise refused(
            404, "NOT_FOUND", "ROUTE_NOT_FOUND",
            f"nothing is served at {path[:200]}; /openapi.json says what is",
            path=path[:200],
        )  # fmt: skip


def _allowed(methods: Iterable[str]) -> str:
    names = list(methods)
    heads = ["HEAD"] if "GET" in names else []
    return ", ".join((*names, *heads, "OPTIONS"))


def _pattern(shape: str) -> re.Pattern[str]:
    pieces = shape.split("{}")
    if "{" in "".join(pieces) or "*" in shape:
        raise ValueError(f"a path template of a form that is not served: {shape}")
    return re.compile("([^/]+)".join(re.escape(piece) for piece in pieces))


def _decoded(name: str, part: str) -> str:
    check_percent(name, part)
    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError:
        raise invalid(name, "is not UTF-8") from None


def no_body(description: str) -> Body:
    """Returns an answer without a body."""
    return Body(description, media_type="")
