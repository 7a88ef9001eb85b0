"""Final reasons: explain why a failure is final, as far as the failure and the journal show it.

The page has the same rules with texts for people (`page/static/failures.js`).
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import UNSET, UnsetType

from durable_proto.v1 import invocation_pb2, payload_pb2

from .api_types import Final

_TERMINAL = "durable.TerminalError"
_ENDED_BY_SYSTEM: dict[str, Final] = {
    "durable.Cancelled": "cancelled",
    "durable.TimedOut": "timed_out",
    "durable.InvalidInput": "invalid_input",
}
_AWAITED_OUTCOMES = (invocation_pb2.ENTRY_KIND_AWAKEABLE, invocation_pb2.ENTRY_KIND_SIGNAL)
_OTHER_INVOCATIONS = (invocation_pb2.ENTRY_KIND_INVOKE, invocation_pb2.ENTRY_KIND_ATTACH)
_STEPS = (invocation_pb2.ENTRY_KIND_RUN, invocation_pb2.ENTRY_KIND_CALL)


def of_step(entry: invocation_pb2.JournalEntry) -> Final | UnsetType:
    """Returns why a journal entry is not retried; UNSET unless it has failed for good."""
    failure = entry.outcome.failure
    if not failure.terminal:
        return UNSET
    if entry.kind in _AWAITED_OUTCOMES:
        return "given_up" if failure.type == "durable.GivenUp" else "rejected"
    if entry.kind in _OTHER_INVOCATIONS:
        return "cancelled" if failure.type == "durable.Cancelled" else "other_invocation"
    if entry.kind not in _STEPS:
        return "refused"
    if _is_terminal(failure):
        return "terminal_error"
    return "tries_failed" if entry.failed_try_count else "not_retried"


def of_invocation(
    failure: payload_pb2.Failure, journal: Iterable[invocation_pb2.JournalEntry]
) -> Final | UnsetType:
    """Returns why a failed invocation is not retried; UNSET unless it has failed for good."""
    if not failure.terminal:
        return UNSET
    if failure.type in _ENDED_BY_SYSTEM:
        return _ENDED_BY_SYSTEM[failure.type]
    for entry in journal:
        own = entry.outcome.failure
        text = f"{entry.name}: {own.type}: {own.message}"
        if own.terminal and (failure.type, failure.message) == (own.type, text):
            return of_step(entry)  # the program did not catch the failure of this entry
    return "terminal_error" if _is_terminal(failure) else "not_retried"


def _is_terminal(failure: payload_pb2.Failure) -> bool:
    return failure.type == _TERMINAL or failure.code != 0
