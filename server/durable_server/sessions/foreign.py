"""What programs of a namespace name by id: whether it belongs to a handler of the namespace.

A program may wait for an invocation, cancel it or signal it, and resolve an awakeable, by an id that
it knows from somewhere. Ids made of an idempotency key are hashes that others can compute, so to know
one proves nothing. What the id names is looked up before the entry is recorded, wherever it is led. An
id of nothing is left to the rules, which answer that it does not exist.

An awakeable whose id begins with the id of an invocation, as `<invocation id>.approval` does, belongs
to that one. A program that waits for one of another invocation would get its outcome, or keep it from
that invocation, so this is looked up too; and as the ids of invocations to come can be computed, one
of nothing is refused.

An awakeable with an id of the user's own choice, for which no invocation has waited yet, belongs to
nobody. A program of a namespace cannot resolve it, or it could answer a program of another namespace.
Its attempt is retried, and goes on once one of its namespace waits for it.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from ..core import ids
from ..core.entry_kinds import EntryKind
from ..processor.errors import InvocationNotFoundError


class Lookup(Protocol):
    """Finds out whose something is, wherever it is led. Both raise what a request of a client does."""

    async def handler_of(self, invocation_id: str) -> str:
        """Returns the handler of an invocation. Raises InvocationNotFoundError."""
        ...

    async def owner_of(self, awakeable_id: str) -> str:
        """Returns the invocation to which an awakeable belongs; empty for none."""
        ...


class Named(NamedTuple):
    """Something that an entry names by its id."""

    id: str
    is_awakeable: bool
    is_claimed: bool = False
    """Whether the program waits for the awakeable, which makes it that of its invocation."""

    @property
    def failure(self) -> str:
        """The type of the failure of an attempt that must not name it."""
        return "durable.AwakeableNotFound" if self.is_awakeable else "durable.InvocationNotFound"

    @property
    def problem(self) -> str:
        """The text of that failure, as if it did not exist."""
        return f"no {'awakeable' if self.is_awakeable else 'invocation'} {self.id!r}"


def named(invocation_id: str, kind: int, name: str, target: str) -> Named | None:
    """Returns what an entry of an invocation names by its id; None if that is nothing."""
    if kind == EntryKind.AWAKEABLE:
        elsewhere = ids.owner(name) not in ("", invocation_id)
        return Named(name, is_awakeable=True, is_claimed=True) if elsewhere else None
    if kind == EntryKind.RESOLVE and not target:
        return Named(name, is_awakeable=True)
    # `#INDEX` is an entry of the program's own journal.
    by_id = kind in (EntryKind.RESOLVE, EntryKind.CANCEL, EntryKind.ATTACH)
    if by_id and ids.PATTERN.fullmatch(target):
        return Named(target, is_awakeable=False)
    return None


async def is_foreign(it: Named, namespace: str, lookup: Lookup) -> bool:
    """Returns whether something that is named lies outside of a namespace."""
    owner = it.id
    if it.is_awakeable:
        owner = ids.owner(it.id) or await lookup.owner_of(it.id)
        if not owner:
            return True
    try:
        handler = await lookup.handler_of(owner)
    except InvocationNotFoundError:
        return it.is_claimed
    return not handler.startswith(namespace)
