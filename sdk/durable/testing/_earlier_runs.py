"""The earlier runs: what a workflow that has continued as new did in the runs whose journal is gone.

The control plane keeps the journal of the last run only. So the operations of the others are noted as
they come into the log, for the comparison of two runs of `crash_everywhere`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from durable_proto.v1 import invocation_pb2

from ._snapshot import Fact, Labels, Snapshot


class EarlierRuns:
    """What the log of one run of the test says about the runs of its invocations."""

    def __init__(self) -> None:
        self._attempts: Final[dict[str, int]] = {}
        """The attempt that may report, by invocation id."""
        self._operations: Final[dict[str, dict[int, str]]] = {}
        """The operations of the present run, by invocation id and index."""
        self._over: Final[dict[str, list[tuple[dict[int, str], str]]]] = {}
        """For each run that is over, its operations and the next one's input, by invocation id."""

    def note(self, facts: list[tuple[str, Mapping[str, Any]]]) -> None:
        """Notes a batch of records."""
        for kind, fields in facts:
            if kind == "Started":
                self._attempts[fields["invocation_id"]] = fields["attempt"]
            elif kind == "EntryRecorded" and self._counts(fields):
                what = invocation_pb2.EntryKind.Name(fields["kind"]).removeprefix("ENTRY_KIND_")
                operations = self._operations.setdefault(fields["invocation_id"], {})
                operations[fields["entry_index"]] = f"{what} {fields['name']!r}"
            elif kind == "Continued" and self._counts(fields):
                invocation_id = fields["invocation_id"]
                del self._attempts[invocation_id]
                operations = self._operations.pop(invocation_id, {})
                over = self._over.setdefault(invocation_id, [])
                over.append((operations, repr(fields["input"])))

    def _counts(self, fields: Mapping[str, Any]) -> bool:
        return bool(self._attempts.get(fields["invocation_id"]) == fields["attempt"])

    def snapshot(self, labels: Labels) -> Snapshot:
        """Returns the facts about the runs that are over."""
        return {
            labels.replace(name): fact._replace(text=labels.replace(fact.text))
            for name, fact in self._facts()
        }

    def _facts(self) -> Iterator[tuple[str, Fact]]:
        for invocation_id, over in self._over.items():
            for number, (operations, given) in enumerate(over, start=1):
                about = f"{invocation_id}: run {number}"
                for index in sorted(operations):
                    yield f"{about}: entry {index}", Fact(operations[index])
                yield f"{about}: input of the next run", Fact(given, value=True)
