"""The snapshot: the outcome of a run, as texts that can be compared with those of another run.

For each invocation a snapshot has how it ended, what its state is and what its journal holds; for the
runs before its last one, `_earlier_runs` has the operations. It leaves out what may differ between two
correct runs: times, attempts, workers. Ids are replaced by labels (`order#1` is the first invocation of
`order`), also inside of values, because an invocation that is started from outside has another id each
time.

The outcome of an operation that the workflow no longer waited for, such as the loser of a race or a
cancelled child, may come before or after the workflow's end. So a missing outcome equals any other: if
the outcome has changed anything, the facts after it show that.

The value of a step may differ too: `ctx.run("id", uuid4)`. Which values do cannot be known, but two
runs without a crash show it. So values are facts of their own, and those that vary without a crash are
not compared after a crash. What the workflow does must not vary, that is, its operations and its end.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from durable_proto.v1 import invocation_pb2, payload_pb2

from .._client.invocation_views import Invocation
from .._client.journal_views import JournalEntry
from .._client.json_form import payload_data


class Fact(NamedTuple):
    """A text to compare."""

    text: str
    value: bool = False
    """Whether it is a value, which may vary without a crash."""


Snapshot: TypeAlias = dict[str, Fact]
"""Facts by their subject, in the order of invocations and journals."""

_OPEN = "nothing yet"
_TEXT_MAX = 500
"""How many characters of a value a message shows. The comparison uses the whole value."""


class Labels:
    """Labels of invocations: the handler's name and a number, counted from 1."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._labels: dict[str, str] = {}

    def add(self, invocation_id: str, handler: str) -> str:
        """Returns the label of an invocation; gives it the next number if it has none."""
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
        labels.replace(name): fact._replace(text=labels.replace(fact.text))
        for invocation in found
        for name, fact in _facts(
            invocation, labels.add(invocation.invocation_id, invocation.handler)
        )
    }


def _facts(invocation: Invocation, label: str) -> Iterator[tuple[str, Fact]]:
    failure = None if invocation.status == "completed" else invocation.failure
    reason = "" if failure is None else f" because of {_failure(failure)}"
    yield f"{label}: end", Fact(f"{invocation.status}{reason}")
    yield f"{label}: value", Fact(_text(invocation.output), value=True)
    for name, value in sorted(invocation.workflow_state.items()):
        key = f" of key {invocation.key!r}" if invocation.key else ""
        yield f"{label}: state {name!r}{key}", Fact(_text(value), value=True)
    for entry in invocation.journal:
        message = entry.message
        about = f"{label}: entry {entry.step_number}"
        target = f" to {message.target_invocation_id}" if message.target_invocation_id else ""
        yield (
            about,
            Fact((f"{entry.kind} {message.name!r}" if message.name else entry.kind) + target),
        )
        if message.HasField("argument"):
            yield f"{about}: given", Fact(_text(payload_data(message.argument)), value=True)
        yield f"{about}: outcome", Fact(_outcome(entry), value=True)


def _outcome(entry: JournalEntry) -> str:
    outcome = entry.outcome
    if outcome is None:
        return _OPEN
    if outcome.HasField("failure"):
        return f"failed with {_failure(outcome.failure)}"
    if not outcome.HasField("value"):
        return "done"
    return _text(payload_data(outcome.value))


def _failure(failure: payload_pb2.Failure) -> str:
    code = f" ({failure.code})" if failure.code else ""
    return f"{failure.type}{code}: {failure.message}"


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=repr)


def varying(one: Snapshot, other: Snapshot) -> set[str]:
    """Returns the names of the values that are in both snapshots and differ."""
    both = one.keys() & other.keys()
    return {name for name in both if one[name].value and one[name] != other[name]}


def differences(expected: Snapshot, got: Snapshot, ignored: set[str]) -> list[str]:
    """Returns a description, in three lines, of each fact in which two runs differ."""
    absent = Fact("nothing")
    lines: list[str] = []
    for name in {**expected, **got}:
        wanted, found = expected.get(name, absent).text, got.get(name, absent).text
        if wanted != found and name not in ignored and _OPEN not in (wanted, found):
            lines.append(f"{name}\n    expected {_cut(wanted)}\n    got      {_cut(found)}")
    return lines


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT_MAX else f"{text[:_TEXT_MAX]}... ({len(text)} characters)"


def describe(facts: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    """Describes the records of a batch in a few words, with ids instead of labels."""
    return " and ".join(_fact(kind, fields) for kind, fields in facts)


def _fact(kind: str, fields: Mapping[str, Any]) -> str:
    about = fields.get("invocation_id", "")
    match kind:
        case "Invoked":
            return f"{about} is asked for"
        case "Started":
            return f"attempt {fields['attempt']} of {about} begins"
        case "EntryRecorded":
            word = invocation_pb2.EntryKind.Name(fields["kind"]).removeprefix("ENTRY_KIND_")
            name = f" {fields['name']!r}" if fields["name"] else ""
            return f"entry {fields['entry_index']} of {about}: {word}{name}"
        case "TimerFired" if fields["entry_index"] >= 0:
            return f"the timer of entry {fields['entry_index']} of {about} is due"
        case "TimerFired":
            return f"the time of {about} has come"
        case "AwakeableResolved":
            return f"awakeable {fields['awakeable_id']!r} is resolved"
        case "Signalled":
            return f"signal {fields['name']!r} for {about}"
        case "Restarted" if fields["from_index"]:
            return (
                f"{about} is forked from {fields['source_id']} before entry {fields['from_index']}"
            )
        case "Restarted":
            return f"{about} is restarted from {fields['source_id']}"
        case "Finished":
            return f"{about} ends"
        case "Continued":
            return f"{about} continues as new"
        case _:
            return f"{kind} for {about}" if about else kind
