"""Entry kinds: what the engine has to know about each kind of journal entry, in one table.

A new kind needs three files of the SDK: a constant and a row here, an operation in the module that
makes entries of its sort (`steps`, `state` or `server_operations`), and a method of `Context`. Code
elsewhere reads the facts of this table and does not compare kinds.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from durable_proto.v1 import invocation_pb2

RUN: Final = invocation_pb2.ENTRY_KIND_RUN
CALL: Final = invocation_pb2.ENTRY_KIND_CALL
SLEEP: Final = invocation_pb2.ENTRY_KIND_SLEEP
AWAKEABLE: Final = invocation_pb2.ENTRY_KIND_AWAKEABLE
GET_STATE: Final = invocation_pb2.ENTRY_KIND_GET_STATE
SET_STATE: Final = invocation_pb2.ENTRY_KIND_SET_STATE
CLEAR_STATE: Final = invocation_pb2.ENTRY_KIND_CLEAR_STATE
STATE_KEYS: Final = invocation_pb2.ENTRY_KIND_STATE_KEYS
INVOKE: Final = invocation_pb2.ENTRY_KIND_INVOKE
SEND: Final = invocation_pb2.ENTRY_KIND_SEND
ATTACH: Final = invocation_pb2.ENTRY_KIND_ATTACH
SIGNAL: Final = invocation_pb2.ENTRY_KIND_SIGNAL
RESOLVE: Final = invocation_pb2.ENTRY_KIND_RESOLVE
CANCEL: Final = invocation_pb2.ENTRY_KIND_CANCEL
PATCH: Final = invocation_pb2.ENTRY_KIND_PATCH
DEPRECATED_PATCH: Final = invocation_pb2.ENTRY_KIND_DEPRECATED_PATCH


class EntryKind(NamedTuple):
    """The facts about one kind of entry."""

    name: str
    """How messages call it."""
    is_step: bool = False
    """True if the worker executes the operation; the server completes all others."""
    has_effect: bool = False
    """True if a program may start the operation for its effect and never await it."""
    is_invocation: bool = False
    """True if its outcome is another invocation's, so that a failure is raised as a child's."""
    only_waits: bool = False
    """True if it waits for something and changes nothing outside of its invocation."""
    is_cancellable: bool = False
    """True if cancelling its future cancels the operation, by an entry of the kind CANCEL."""
    hint: str = ""
    """What else a program could have written where it forgot to await the operation."""


KINDS: Final[dict[int, EntryKind]] = {
    RUN: EntryKind("RUN", is_step=True, has_effect=True),
    CALL: EntryKind("CALL", is_step=True, has_effect=True),
    SLEEP: EntryKind("SLEEP", only_waits=True),
    AWAKEABLE: EntryKind("AWAKEABLE", only_waits=True),
    GET_STATE: EntryKind("GET_STATE"),
    SET_STATE: EntryKind("SET_STATE", has_effect=True),
    CLEAR_STATE: EntryKind("CLEAR_STATE", has_effect=True),
    STATE_KEYS: EntryKind("STATE_KEYS"),
    INVOKE: EntryKind(
        "INVOKE",
        is_invocation=True,
        is_cancellable=True,
        hint="or use ctx.send for work that nobody waits for",
    ),
    SEND: EntryKind("SEND", has_effect=True),
    ATTACH: EntryKind("ATTACH", is_invocation=True, only_waits=True),
    SIGNAL: EntryKind("SIGNAL", is_cancellable=True, only_waits=True),
    RESOLVE: EntryKind("RESOLVE", has_effect=True),
    CANCEL: EntryKind("CANCEL", has_effect=True),
    PATCH: EntryKind("PATCH", has_effect=True),
    DEPRECATED_PATCH: EntryKind("DEPRECATED_PATCH", has_effect=True),
}


def describe(kind: int, name: str) -> str:
    """Returns an operation in words: `RUN 'charge'`.

    A journal may hold a kind that a newer SDK has written and this one does not know.
    """
    known = KINDS.get(kind)
    word = f"KIND_{kind}" if known is None else known.name
    return f"{word} {name!r}" if name else word


def describe_entry(entry: invocation_pb2.JournalEntry | None) -> str:
    """Returns a recorded entry in words; for None, one that the journal must have and is not known."""
    return "an operation" if entry is None else describe(entry.kind, entry.name)
