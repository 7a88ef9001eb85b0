"""The kinds of journal entries: one table of what the control plane must know about each kind.

The rules, the reader of worker sessions and the store look facts up in `KINDS` and do not compare
kinds themselves. What a kind does when it is recorded is its rule: each module of rules lists the
rules that it has in `ENTRY_RULES`, and `journal` joins these lists.

If you add a kind, add its number here and in `invocation.proto`, which specifies what it means, its row
to `KINDS`, and a rule to the module of its subject. A kind that does nothing when it is recorded (RUN),
or that a timer completes (SLEEP), needs no rule.

An older version refuses a log or a store that has a kind which it does not know: see `log.batch` and
`store.sqlite`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class EntryKind(IntEnum):
    """What a journal entry is; the numbers are those of `invocation.proto` and never change."""

    RUN = 1
    CALL = 2
    SLEEP = 3
    AWAKEABLE = 4
    GET_STATE = 5
    SET_STATE = 6
    CLEAR_STATE = 7
    STATE_KEYS = 8
    INVOKE = 9
    SEND = 10
    ATTACH = 11
    SIGNAL = 12
    RESOLVE = 13
    CANCEL = 14
    PATCH = 15
    DEPRECATED_PATCH = 16


class KindFacts(NamedTuple):
    """The facts about one kind. Without any, an entry is open until a rule completes it."""

    by_worker: bool = False
    """The worker makes the outcome, so the entry is recorded with it and is numbered among the
    completions at once. The outcome of every other kind is made by the control plane, with a number
    of its own when it comes."""
    at_once: bool = False
    """It is complete as soon as it is recorded, without a number and without an outcome."""
    writes_state: bool = False
    """It changes the state and is complete as soon as it is recorded, without a number."""
    reads_state: bool = False
    """It reads the state. The worker may know the value already and record it with the entry, which
    is then complete without a number."""
    starts_invocation: bool = False
    """Its name is a handler and its target an object key; the rules compute the invocation's id."""
    names_entry: bool = False
    """Its target may be `#INDEX`, which names an entry of the same journal."""
    names_build: bool = False
    """Its target is the build of the attempt that has recorded it."""
    only_ends: bool = False
    """Its outcome has no value: the program learns only that it is over."""
    is_timer: bool = False
    """It is complete when its delay is over."""
    wait_in_memory: bool = False
    """`Invocation.opened` says what it waits for, because rules look for it there while it is open."""
    keeps_schema: bool = False
    """The journal keeps the JSON Schema of the value that the program reads."""
    gives_value: bool = False
    """It gives a value to something that waits elsewhere. The value is compared with the schema there,
    and serialized deterministically, so that the same value again is recognized."""
    needs_name: bool = False
    needs_argument: bool = False


KINDS: dict[int, KindFacts] = {
    EntryKind.RUN: KindFacts(by_worker=True),
    EntryKind.CALL: KindFacts(by_worker=True),
    EntryKind.SLEEP: KindFacts(is_timer=True, only_ends=True),
    EntryKind.AWAKEABLE: KindFacts(needs_name=True),
    EntryKind.GET_STATE: KindFacts(reads_state=True, needs_name=True),
    EntryKind.SET_STATE: KindFacts(writes_state=True, needs_name=True, needs_argument=True),
    EntryKind.CLEAR_STATE: KindFacts(writes_state=True),
    EntryKind.STATE_KEYS: KindFacts(reads_state=True),
    EntryKind.INVOKE: KindFacts(starts_invocation=True, wait_in_memory=True),
    EntryKind.SEND: KindFacts(starts_invocation=True),
    EntryKind.ATTACH: KindFacts(wait_in_memory=True),
    EntryKind.SIGNAL: KindFacts(wait_in_memory=True, keeps_schema=True, needs_name=True),
    EntryKind.RESOLVE: KindFacts(gives_value=True),
    EntryKind.CANCEL: KindFacts(names_entry=True, only_ends=True),
    EntryKind.PATCH: KindFacts(at_once=True, names_build=True, needs_name=True),
    EntryKind.DEPRECATED_PATCH: KindFacts(at_once=True, names_build=True, needs_name=True),
}
"""The facts about each kind; a kind that is not here does not exist."""
