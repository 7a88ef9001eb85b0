"""Why nothing more is tried after a failure: as much as follows from the failure and the journal.

The page has the same in words for people (`page/static/failures.js`).
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import UNSET, UnsetType

from durable_proto.v1 import invocation_pb2, payload_pb2

from .shapes import Final

_TERMINAL = "durable.TerminalError"
_ENDS: dict[str, Final] = {
    "durable.Cancelled": "cancelled",
    "durable.TimedOut": "timed_out",
    "durable.InvalidInput": "invalid_input",
}
_ANSWERS = (invocation_pb2.ENTRY_KIND_AWAKEABLE, invocation_pb2.ENTRY_KIND_SIGNAL)
_OTHERS = (invocation_pb2.ENTRY_KIND_INVOKE, invocation_pb2.ENTRY_KIND_ATTACH)
_WORK = (invocation_pb2.ENTRY_KIND_RUN, invocation_pb2.ENTRY_KIND_CALL)


def of_step(entry: invocation_pb2.JournalEntry) -> Final | UnsetType:
    """Returns why a journal entry is not tried again; UNSET when it has not failed for good."""
    failure = entry.outcome.failure
    if not failure.terminal:
        return UNSET
    if entry.kind in _ANSWERS:
        return "given_up" if failure.type == "durable.GivenUp" else "rejected"
    if entry.kind in _OTHERS:
        return "cancelled" if failure.type == "durable.Cancelled" else "other_invocation"
    if entry.kind not in _WORK:
        return "refused"
    if _is_terminal(failure):
        return "terminal_error"
    return "tries_failed" if entry.failed_try_count else "not_retried"


def of_invocation(
    failure: payload_pb2.Failure, journal: Iterable[invocation_pb2.JournalEntry]
) -> Final | UnsetType:
    """Returns why an invocation that has failed is not tried again."""
    if not failure.terminal:
        return UNSET
    if failure.type in _ENDS:
        return _ENDS[failure.type]
    for entry in journal:
        own = entry.outcome.failure
        text = f"{entry.name}: {own.type}: {own.message}"
        if own.terminal and (failure.type, failure.message) == (own.type, text):
            return of_step(entry)  # which the program let through
    return "terminal_error" if _is_terminal(failure) else "not_retried"


def _is_terminal(failure: payload_pb2.Failure) -> bool:
    return failure.type == _TERMINAL or failure.code != 0
