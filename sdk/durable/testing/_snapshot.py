"""What a run has come to, in words that two runs can be compared by.

A snapshot says for each invocation how it ended, what its state is and what its journal holds. It leaves
out what may differ between two right runs: times, attempts, workers. Ids are replaced by labels
(`order#1` is the first invocation of `order`), also where they stand inside of values, because what is
started from outside has another id each time.

What a step does itself may differ too: `ctx.run("id", uuid4)`. Nobody can know which ones do, but two
runs without a crash show it. So an entry is two facts, what was asked for and what came of it, and
facts that vary without a crash are not held against a crash.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from durable_proto.v1 import invocation_pb2, payload_pb2

from .._entries import JournalEntry
from .._plain import payload_data
from .._views import Invocation

Snapshot: TypeAlias = dict[str, str]
"""Facts by what they are about, in the order of invocations and journals."""

_TEXT_MAX = 500
"""Characters of a value in a message; what is cut off counts in the comparison all the same."""


class Labels:
    """Names for invocations: the handler and how many there were of it before."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._labels: dict[str, str] = {}

    def add(self, invocation_id: str, handler: str) -> str:
        """Returns the label of an invocation; the first time it is seen decides its number."""
        if invocation_id not in self._labels:
            self._counts[handler] += 1
            self._labels[invocation_id] = f"{handler}#{self._counts[handler]}"
        return self._labels[invocation_id]

    def replace(self, text: str) -> str:
        """Replaces ids in a text by their labels."""
        for invocation_id, label in self._labels.items():
            text = text.replace(invocation_id, label)
        return text


def snapshot(found: Iterable[Invocation], labels: Labels) -> Snapshot:
    """Returns the snapshot of a run from its invocations, oldest first, with their journals."""
    return {
        labels.replace(name): labels.replace(text)
        for invocation in found
        for name, text in _facts(invocation, labels.add(invocation.invocation_id, invocation.handler))
    }


def _facts(invocation: Invocation, label: str) -> Iterator[tuple[str, str]]:
    key = f" of key {invocation.key!r}" if invocation.key else ""
    yield f"{label}{key}: outcome", _end(invocation)
    for name, value in sorted(invocation.workflow_state.items()):
        yield f"{label}{key}: state {name!r}", _text(value)
    for entry in invocation.journal:
        yield f"{label}: entry {entry.step_number}", _asked(entry)
        yield f"{label}: entry {entry.step_number}, what came of it", _came(entry)


def _end(invocation: Invocation) -> str:
    failure = invocation.failure
    if invocation.status != "completed" and failure is not None:
        return f"{invocation.status}: {_failure(failure)}"
    return f"{invocation.status}: {_text(invocation.output)}"


def _asked(entry: JournalEntry) -> str:
    message = entry.message
    text = f"{entry.kind} {message.name!r}" if message.name else entry.kind
    if message.HasField("argument"):
        text += f" with {_text(payload_data(message.argument))}"
    if message.target_invocation_id:
        text += f" to {message.target_invocation_id}"
    return text


def _came(entry: JournalEntry) -> str:
    outcome = entry.outcome
    if outcome is None:
        return "nothing yet"
    if outcome.HasField("failure"):
        return f"failed: {_failure(outcome.failure)}"
    if not outcome.HasField("value"):
        return "done"
    return _text(payload_data(outcome.value))


def _failure(failure: payload_pb2.Failure) -> str:
    code = f" ({failure.code})" if failure.code else ""
    return f"{failure.type}{code}: {failure.message}"


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=repr)


def varying(one: Snapshot, other: Snapshot) -> set[str]:
    """Returns which facts two runs have both, and differ in."""
    return {name for name in one.keys() & other.keys() if one[name] != other[name]}


def differences(expected: Snapshot, got: Snapshot, ignored: set[str]) -> list[str]:
    """Describes in which facts two runs differ, each in three lines."""
    absent = "nothing"
    return [
        f"{name}\n    expected {_cut(expected.get(name, absent))}\n    got      {_cut(got.get(name, absent))}"
        for name in {**expected, **got}
        if name not in ignored and expected.get(name) != got.get(name)
    ]


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT_MAX else f"{text[:_TEXT_MAX]}... ({len(text)} characters)"


def describe(facts: Iterable[tuple[str, Mapping[str, Any]]], labels: Labels) -> str:
    """Says what a frame of the log tells, in a few words."""
    return " and ".join(_fact(kind, fields, labels) for kind, fields in facts)


def _fact(kind: str, fields: Mapping[str, Any], labels: Labels) -> str:
    about = labels.replace(fields.get("invocation_id", ""))
    match kind:
        case "Invoked":
            return f"{labels.add(fields['invocation_id'], fields['handler'])} is asked for"
        case "Started":
            return f"attempt {fields['attempt']} of {about} begins"
        case "EntryRecorded":
            word = invocation_pb2.EntryKind.Name(fields["kind"]).removeprefix("ENTRY_KIND_")
            name = f" {labels.replace(fields['name'])!r}" if fields["name"] else ""
            return f"entry {fields['position']} of {about}: {word}{name}"
        case "TimerFired" if fields["position"] >= 0:
            return f"the timer of entry {fields['position']} of {about} is due"
        case "TimerFired":
            return f"the time of {about} has come"
        case "AwakeableResolved":
            return f"awakeable {labels.replace(fields['awakeable_id'])!r} is resolved"
        case "Signalled":
            return f"signal {fields['name']!r} for {about}"
        case _:
            return f"{kind} for {about}" if about else kind
