"""What a run has come to, in words that two runs can be compared by.

A snapshot says for each invocation how it ended, what its state is and what its journal holds. It
leaves out what may differ between two right runs: times, attempts, workers. Ids are replaced by labels
(`order#1` is the first invocation of `order`), also where they stand inside of values, because what
is started from outside has another id each time.

What nobody waited for any more when it came may differ too, in whether it came before the end: the
loser of a race, a child that was cancelled. It has changed nothing, or the facts after it show it.

What a step does itself may differ: `ctx.run("id", uuid4)`. Nobody can know which ones do, but two runs
without a crash show it. So values are facts of their own, and those that vary without a crash are not
held against a crash. What the workflow does may not vary: that is, what it asks for and how it ends.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from durable_proto.v1 import invocation_pb2, payload_pb2

from .._client.entries import JournalEntry
from .._client.plain import payload_data
from .._client.views import Invocation


class Fact(NamedTuple):
    """One thing to compare."""

    text: str
    value: bool = False
    """Whether it may vary by itself."""


Snapshot: TypeAlias = dict[str, Fact]
"""Facts by what they are about, in the order of invocations and journals."""

_OPEN = "nothing yet"
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
        yield f"{about}: outcome", Fact(_came(entry), value=True)


def _came(entry: JournalEntry) -> str:
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
    """Returns which values two runs have both, and differ in."""
    both = one.keys() & other.keys()
    return {name for name in both if one[name].value and one[name] != other[name]}


def differences(expected: Snapshot, got: Snapshot, ignored: set[str]) -> list[str]:
    """Describes in which facts two runs differ, each in three lines."""
    absent = Fact("nothing")
    found: list[str] = []
    for name in {**expected, **got}:
        wanted, came = expected.get(name, absent).text, got.get(name, absent).text
        if wanted != came and name not in ignored and _OPEN not in (wanted, came):
            found.append(f"{name}\n    expected {_cut(wanted)}\n    got      {_cut(came)}")
    return found


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT_MAX else f"{text[:_TEXT_MAX]}... ({len(text)} characters)"


def describe(facts: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    """Says what a frame of the log tells, in a few words, with ids and not with labels."""
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
        case "Finished":
            return f"{about} ends"
        case _:
            return f"{kind} for {about}" if about else kind
