"""The records of the log in plain words, and as JSON.

A record is told by a sentence over its fields; what the sentence leaves out and is not as usual follows
as `name=value`. So a field that is added to a record is shown without a change here, and a record that
is added needs a sentence: a test asks for one for each.
"""

from __future__ import annotations

import json
import string
from typing import Any, Final

from .core import records
from .core.records import DEADLINE, WAKE, Record
from .display import failure_text, kind_word, moment, payload_text, value_text

SENTENCES: Final[dict[type[Record], str]] = {
    records.EpochStarted: "epoch {epoch} begins, led by {leader}",
    records.HandlerRegistered: "handler {handler} is registered",
    records.Invoked: "{invocation_id} is asked for: {handler}",
    records.Started: "{invocation_id} attempt {attempt} goes to worker {worker_id}",
    records.EntryRecorded: "{invocation_id} step {entry_index}: {kind}",
    records.Finished: "{invocation_id} ends",
    records.AttemptFailed: "{invocation_id} attempt {attempt} has failed: {failure}",
    records.AttemptHeld: "{invocation_id} attempt {attempt} is held for a person: {failure}",
    records.AttemptReleased: "{invocation_id} attempt {attempt} is given back",
    records.SuspendAsked: "{invocation_id} attempt {attempt} only waits, and is suspended",
    records.TimerFired: "{invocation_id} time has come: {entry_index}",
    records.Resumed: "{invocation_id} is resumed",
    records.Removed: "{invocation_id} is removed",
    records.PauseAsked: "{invocation_id} is to pause",
    records.AttemptPaused: "{invocation_id} attempt {attempt} has paused",
    records.CancelAsked: "{invocation_id} is to be cancelled",
    records.Signalled: "{invocation_id} gets the signal {name}",
    records.AwakeableResolved: "awakeable {awakeable_id} gets its outcome",
    records.AwakeableExpired: "awakeable {awakeable_id} is removed: nobody has asked for it",
    records.Restarted: "{invocation_id} begins anew, from {source_id}",
    records.StateEdited: "state of {owner} is changed from outside",
}
"""How each record is told; a field stands where its name does."""

_TIMERS: Final = {WAKE: "its wake time", DEADLINE: "its deadline"}
_INNER: Final = frozenset({"chance", "limit", "completion"})
"""Fields for the rules, which tell a person nothing."""


def plain(record: Record) -> dict[str, Any]:
    """Returns a record for JSON: its type and its fields, with values decoded."""
    return {
        "type": type(record).__name__,
        **{name: _plain(record, name) for name in record._fields},
    }


def line(record: Record, width: int) -> str:
    """Returns a record in one line; values longer than `width` are cut."""
    sentence = SENTENCES[type(record)]
    told = {name for _, name, _, _ in string.Formatter().parse(sentence) if name}
    rest = [
        f"{name}={_short(_text(record, name), width)}"
        for name in record._fields
        if name not in told | _INNER
        and getattr(record, name) != record._field_defaults.get(name)
        and getattr(record, name) not in ("", None)
    ]
    fields = {name: _short(_text(record, name), width) for name in told}
    return " ".join([sentence.format(**fields), *rest])


def concerns(record: Record, invocation_id: str) -> bool:
    """Says whether a record is about an invocation: it, its awakeables, or whom it asks."""
    awakeable: str = getattr(record, "awakeable_id", "")
    own = awakeable.startswith((f"{invocation_id}-", f"{invocation_id}."))
    return own or invocation_id in record


def _text(record: Record, name: str) -> str:
    """Returns a field for a sentence."""
    value = getattr(record, name)
    if isinstance(record, records.TimerFired) and name == "entry_index":
        return _TIMERS.get(value, f"step {value}")
    if isinstance(record, records.HandlerRegistered):
        version = record.handler.version
        return record.handler.name + (f" version {version}" if version else "")
    found = _plain(record, name)
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def _plain(record: Record, name: str) -> Any:
    """Returns a field for JSON."""
    value = getattr(record, name)
    if value is None:
        return None
    if name == "outcome":
        return failure_text(value) or value_text(value)
    if name in ("input", "argument"):
        return payload_text(value)
    if name == "values":
        return {key: payload_text(it) for key, it in value}
    if name == "failure":
        return f"{value.type}: {value.message}"
    if name == "handler" and isinstance(record, records.HandlerRegistered):
        return {**value._asdict(), "retry": value.retry._asdict()}
    if name == "kind":
        return kind_word(value)
    if name == "owner":
        return value.replace("\0", "/")
    if name == "headers":
        return dict(value)
    if name == "start_ms":
        return moment(value)
    return value


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 1, 1)] + "…"
