"""The format of the log's records for people: plain sentences, and JSON.

Each type of record, and of message between partitions, has a template: a sentence with the names of
fields. Fields that the template leaves out and that do not have their default follow as `name=value`.
So a new field is shown without a change here, and a new type needs a template: a test checks that each
has one.
"""

from __future__ import annotations

import json
import string
from typing import Any, Final

from .core import messages, records
from .core.messages import Message
from .core.records import DEADLINE, WAKE, Received, Record
from .display import failure_text, kind_word, payload_text, timestamp_text, value_text

TEMPLATES: Final[dict[type[Record | Message], str]] = {
    records.EpochStarted: "epoch {epoch} begins, led by {leader}",
    records.HandlerRegistered: "handler {handler} is registered",
    records.Invoked: "{invocation_id} is invoked: {handler}",
    records.Started: "{invocation_id} attempt {attempt} goes to worker {worker_id}",
    records.EntryRecorded: "{invocation_id} step {entry_index}: {kind}",
    records.Finished: "{invocation_id} ends",
    records.AttemptFailed: "{invocation_id} attempt {attempt} has failed: {failure}",
    records.AttemptHeld: "{invocation_id} attempt {attempt} is held until an operator acts: {failure}",
    records.AttemptReleased: "{invocation_id} attempt {attempt} is given back",
    records.SuspendAsked: "{invocation_id} attempt {attempt} only waits, and is suspended",
    records.TimerFired: "{invocation_id} timer fires: {entry_index}",
    records.Resumed: "{invocation_id} is resumed",
    records.Removed: "{invocation_id} is removed",
    records.PauseAsked: "{invocation_id} is to pause",
    records.AttemptPaused: "{invocation_id} attempt {attempt} has paused",
    records.CancelAsked: "{invocation_id} is to be cancelled",
    records.Signalled: "{invocation_id} gets the signal {name}",
    records.AwakeableResolved: "awakeable {awakeable_id} gets its outcome",
    records.AwakeableExpired: "awakeable {awakeable_id} is removed: no invocation has created it",
    records.WebhookRevoked: "a webhook of awakeable {awakeable_id} is revoked",
    records.Restarted: "{invocation_id} begins anew, from {source_id}",
    records.StateEdited: "state of {owner} is changed from outside",
    records.Received: "partition {source} has sent {messages}",
    records.OutboxAcknowledged: "partition {destination} has the messages up to {sequence}",
    records.LevelRaised: "format level {level} begins, raised by version {version}",
    records.DeploymentRegistered: "build {build_id} serves {handlers}",
    records.BuildPromoted: "build {build_id} gets {percent} % of new invocations",
    records.BuildRolledBack: "build {build_id} is rolled back",
    records.BuildDrained: "build {build_id} drains: {draining}",
    records.Repinned: "{invocation_id} is moved to build {build_id}",
    records.Continued: "{invocation_id} attempt {attempt} continues as new: {input}",
    messages.StartChild: "{child_id} is to start as a child: {handler}",
    messages.AwaitEnd: "{invocation_id} step {entry_index} waits for the end of {target}",
    messages.CancelInvocation: "{target} is to be cancelled",
    messages.SendSignal: "{target} is to get the signal {name}",
    messages.ResolveAwakeable: "awakeable {awakeable_id} is to get its outcome",
    messages.ClaimAwakeable: "{invocation_id} step {entry_index} waits for awakeable {awakeable_id}",
    messages.ReleaseAwakeable: "{invocation_id} waits no longer for awakeable {awakeable_id}",
    messages.CompleteEntry: "{invocation_id} step {entry_index} gets the answer of {about}",
    messages.DeploymentsChanged: "builds {deployments} and routes {routes} have changed",
}
"""The template of each type of record and message; a field replaces its name."""

_TIMERS: Final = {WAKE: "wake time", DEADLINE: "deadline"}
_HIDDEN: Final = frozenset({"chance", "limit", "early_limit", "completion", "first"})
"""Fields that only the rules need, or that another field's text contains."""
_ABSENT: Final[dict[str, Any]] = {"headers": (), "priority": 0, "start_ms": 0}
"""What stands for no value in fields of messages, which have no default there."""


def to_json(record: Record | Message, about: str = "") -> dict[str, Any]:
    """Returns a record or message as JSON data: its type and its fields, with decoded values.

    A `Received` has its messages with their numbers; with `about`, only those about this invocation.
    """
    fields = {
        "type": type(record).__name__,
        **{name: _json_value(record, name) for name in record._fields},
    }
    if isinstance(record, Received):
        fields["messages"] = [
            {"sequence": sequence, **to_json(message)}
            for sequence, message in messages_about(record, about)
        ]
    return fields


def messages_about(record: Record, about: str) -> list[tuple[int, Message]]:
    """Returns the messages of a `Received` with their numbers; of another record none.

    `about` selects those about an invocation; empty selects all.
    """
    if not isinstance(record, Received):
        return []
    numbered = enumerate(record.messages, record.first)
    return [(sequence, it) for sequence, it in numbered if not about or is_about(it, about)]


def to_text(record: Record | Message, width: int) -> str:
    """Returns a record or message as one line; values longer than `width` are cut."""
    template = TEMPLATES[type(record)]
    used = {name for _, name, _, _ in string.Formatter().parse(template) if name}
    others = [
        f"{name}={_shorten(_text(record, name), width)}"
        for name in record._fields
        if name not in used | _HIDDEN
        and getattr(record, name) != record._field_defaults.get(name, _ABSENT.get(name))
        and getattr(record, name) not in ("", None)
    ]
    fields = {name: _shorten(_text(record, name), width) for name in used}
    return " ".join([template.format(**fields), *others])


def is_about(record: Record | Message, invocation_id: str) -> bool:
    """Returns whether a record is about an invocation, its awakeables, or an invocation it called.

    A `Received` is, if one of its messages is.
    """
    if isinstance(record, Received):
        return any(is_about(it, invocation_id) for it in record.messages)
    awakeable: str = getattr(record, "awakeable_id", "")
    own = awakeable.startswith((f"{invocation_id}-", f"{invocation_id}."))
    return own or invocation_id in record


def _text(record: Record | Message, name: str) -> str:
    """Returns a field as text."""
    value = getattr(record, name)
    if isinstance(record, Received) and name == "messages":
        last = record.first + len(value) - 1
        return f"message {last}" if len(value) == 1 else f"messages {record.first} to {last}"
    if isinstance(record, records.TimerFired) and name == "entry_index":
        return _TIMERS.get(value, f"step {value}")
    if isinstance(record, records.HandlerRegistered):
        version = record.handler.version
        return record.handler.name + (f" version {version}" if version else "")
    if isinstance(record, records.Repinned) and name == "build_id":
        return record.build_id or "any"
    found = _json_value(record, name)
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def _json_value(record: Record | Message, name: str) -> Any:
    """Returns a field as JSON data."""
    value = getattr(record, name)
    if value is None:
        return None
    if name == "outcome":
        return failure_text(value) or value_text(value)
    if name in ("input", "argument"):
        return payload_text(value)
    if name == "outcomes":
        return {index: failure_text(it) or value_text(it) for index, it in value}
    if name == "values":
        return {key: payload_text(it) for key, it in value}
    if name == "failure":
        return value.text
    if name == "other_steps":
        return [
            {
                "entry_index": it.entry_index,
                "kind": kind_word(it.kind),
                "name": it.name,
                "failure": it.failure.text,
            }
            for it in value
        ]
    if name in ("deployments", "routes"):
        return [it._asdict() for it in value]
    if name == "handler" and isinstance(record, records.HandlerRegistered):
        return {**value._asdict(), "retry": value.retry._asdict()}
    if name == "kind":
        return kind_word(value)
    if name == "owner":
        return value.replace("\0", "/")
    if name == "headers":
        return dict(value)
    if name == "start_ms":
        return timestamp_text(value)
    return value


def _shorten(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 1, 1)] + "…"
