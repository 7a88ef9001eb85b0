"""What whoever proposed a record is told; the shell turns it into messages."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from .model import Awakeable, Invocation, State


class Created(NamedTuple):
    """The invocation is new."""

    invocation: Invocation


class Attached(NamedTuple):
    """The id was known, and asked for the same."""

    invocation: Invocation


class Mismatch(NamedTuple):
    """The id was known, and asked for something else."""

    invocation: Invocation
    field: str


class Refused(NamedTuple):
    """The invocation's state does not allow it."""

    invocation: Invocation


class Missing(NamedTuple):
    """There is no such invocation, or no such awakeable."""


class Done(NamedTuple):
    """It has happened."""

    invocation: Invocation
    state: State
    """The state that the request led to; for a repeated request, the one that the first led to."""


class Full(NamedTuple):
    """A limit is reached, and nothing has happened."""


class Resolved(NamedTuple):
    """The awakeable has its outcome."""

    awakeable: Awakeable
    repeated: bool = False
    """It had this same one before."""


class Conflict(NamedTuple):
    """The awakeable had another outcome before."""

    awakeable: Awakeable


class Edited(NamedTuple):
    """The state was changed."""


class Busy(NamedTuple):
    """An invocation has its turn on the key."""

    invocation_id: str


Reply: TypeAlias = (
    Created
    | Attached
    | Mismatch
    | Refused
    | Missing
    | Done
    | Full
    | Resolved
    | Conflict
    | Edited
    | Busy
    | None
)
