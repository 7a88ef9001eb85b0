"""Routes: a method, a path template as in `google.api.http`, a handler, and what the document says.

Templates are matched against the undecoded path, and each part is decoded after that, so an id with a
slash in it (`%2F`) is one part. A `:verb` at the end is searched from the end, so an id with a colon in
it is not cut.

The first template that matches the path is chosen, whatever the method: templates with a verb come
first, then those with fewer variables.
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
from .requests import EndpointRequest, check_percent

Handler: TypeAlias = Callable[[EndpointRequest], Awaitable[Response]]
BodyType: TypeAlias = Any
"""The type of a JSON body: a msgspec type, a protobuf descriptor, or None for any JSON."""

VARIABLE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a request or of a response."""

    description: str
    type: BodyType = None
    media_type: str = "application/json"
    """Empty for an answer without a body."""
    required: bool = False
    """Whether a request without a body is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One endpoint."""

    method: str
    template: str
    handler: Handler
    name: str
    """Its unique name, for generated clients."""
    summary: str
    answers: Mapping[int, Body]
    """The responses to a request that is not refused, by HTTP status."""
    failure: Body | None = None
    """The response with a code from 400 on that a workflow has chosen."""
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    has_foreign_query: bool = False
    """Whether others make the query, so that it may have parameters which are not declared."""
    rpc: str = ""
    """The RPC that it makes, by its full name, whose rule it has; empty for a rule of its own."""

    @property
    def variables(self) -> list[str]:
        """The path's variables, in order."""
        return VARIABLE.findall(self.template)


class Router:
    """Finds the route of a request."""

    def __init__(self, routes: Iterable[Route]) -> None:
        paths: dict[str, tuple[re.Pattern[str], dict[str, Route]]] = {}
        for route in sorted(routes, key=lambda it: (":" not in it.template, len(it.variables))):
            shape = VARIABLE.sub("{}", route.template)
            _, methods = paths.setdefault(shape, (_pattern(shape), {}))
            if route.method in methods:
                raise ValueError(f"two routes for {route.method} {route.template}")
            methods[route.method] = route
        self._paths = list(paths.values())
        self.methods = _allowed(dict.fromkeys(it for _, all_ in self._paths for it in all_))
        """All methods that are served."""

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
        """Returns the methods of a path; raises HttpError when there is no route."""
        return _allowed(self._match(raw_path)[1])

    def _match(self, raw_path: str) -> tuple[re.Match[str], dict[str, Route]]:
        path = raw_path.rstrip("/") or "/"
        for pattern, methods in self._paths:
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
    """Returns a response without a body."""
    return Body(description, media_type="")
