"""The replies: what the proposer of a record gets back, and turns into an answer or an error."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from .model import Awakeable, Invocation, Route, State


class Created(NamedTuple):
    """The invocation was created."""

    invocation: Invocation


class Attached(NamedTuple):
    """The id is known, and the request is the same as the first one."""

    invocation: Invocation


class Mismatch(NamedTuple):
    """The id is known, but the request differs from the first one in a field."""

    invocation: Invocation
    field: str


class Refused(NamedTuple):
    """The invocation's lifecycle state does not allow the request."""

    invocation: Invocation


class Unfit(NamedTuple):
    """A field of the request does not fit what the invocation has."""

    field: str
    problem: str
    value: int


class Missing(NamedTuple):
    """There is no such invocation, or awakeable."""


class Done(NamedTuple):
    """The request had its effect."""

    invocation: Invocation
    state: State
    """The state that the request led to, or for a repeated request, that the first one led to."""


class Full(NamedTuple):
    """A limit is reached; the request had no effect."""


class Resolved(NamedTuple):
    """The awakeable has its outcome."""

    awakeable: Awakeable
    repeated: bool = False
    """Whether it had the same outcome before."""


class Conflict(NamedTuple):
    """The awakeable has another outcome already."""

    awakeable: Awakeable


class Revoked(NamedTuple):
    """The webhook of the request is revoked, by it or before."""

    awakeable: Awakeable


class Edited(NamedTuple):
    """The state was changed."""


class Busy(NamedTuple):
    """An invocation holds the lock of the object key."""

    invocation_id: str


class Seen(NamedTuple):
    """The messages of another partition up to this number have taken effect, now or before."""

    sequence: int


class Routed(NamedTuple):
    """The request about a build had its effect, now or before."""

    routes: tuple[Route, ...]
    """The routes that it changed, as they are now; one without a current build is removed."""


class BuildMissing(NamedTuple):
    """No worker has registered the build, or it is forgotten."""

    known: tuple[str, ...]
    """The builds that are known, latest first, at most ten."""


class HandlerNotServed(NamedTuple):
    """No worker of the build serves the handler."""

    handler: str


class BuildInUse(NamedTuple):
    """The build is the current one of these handlers, so it cannot be drained."""

    handlers: tuple[str, ...]


class NothingToRollBack(NamedTuple):
    """The build is not the current one of any of the handlers, or none was current before it."""


Reply: TypeAlias = (
    Created
    | Attached
    | Mismatch
    | Refused
    | Unfit
    | Missing
    | Done
    | Full
    | Resolved
    | Conflict
    | Revoked
    | Edited
    | Busy
    | Seen
    | Routed
    | BuildMissing
    | HandlerNotServed
    | BuildInUse
    | NothingToRollBack
    | None
)
