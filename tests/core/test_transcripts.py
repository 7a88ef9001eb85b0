"""The rules, by transcripts: the records that are applied, and everything that comes of them.

Each file in testdata/ holds blocks: records with their times, one a line; then `----`; then what
applying them did, record by record: the reply, the effects, the invocation after the record, and what
the store is told to write. A real store writes it, because rules read back through it. `notation` says
how the lines are written.

`pytest tests/core --rewrite` writes the files anew. Read the diff, and commit only what you understand.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from durable_server.core import effects as effect_types
from durable_server.core.apply import step
from durable_server.core.changes import Changes
from durable_server.core.effects import Effect
from durable_server.core.model import UNNUMBERED, Invocation
from durable_server.core.partition import Partition
from durable_server.core.records import NUMBERS
from durable_server.log.interface import Position
from durable_server.store.sqlite import SqliteStore

from .notation import (
    read,
    write,
    write_failure,
    write_fields,
    write_outcome,
    write_pairs,
    write_scope,
)

DATA = Path(__file__).parent / "testdata"
PLAIN = (
    *("failures", "completions", "wake_ms", "expire_ms"),
    *("lock_place", "cancel_number", "deadline_ms"),
)
"""Numbers of an invocation that are shown unless they are 0."""
COMPLETION = {0: "open", UNNUMBERED: "unnumbered"}


def show_invocation(it: Invocation) -> str:
    parts = [f"{it.id} #{it.number} {it.state.name} attempt={it.attempt}"]
    if it.worker_id:
        parts.append(f"worker={it.worker_id}")
    parts += [f"{name}={value}" for name in PLAIN if (value := getattr(it, name))]
    if it.pause_reason:
        parts.append(f"pause_reason={it.pause_reason!r}")
    for failures in it.step_failures:
        step_failure = write_fields(failures, without="failure")
        if failures.failure is not None:
            step_failure += f" failure={write_failure(failures.failure)}"
        parts.append(f"step_failure=({step_failure})")
    parts += [
        f"signal={number}:{name}={write_outcome(given)}" for number, name, given in it.signals
    ]
    parts += [f"waiter={waiter}/{index}" for waiter, index in it.waiters]
    if it.recorded:
        recorded = {index: COMPLETION.get(done, done) for index, done in it.recorded.items()}
        parts.append(f"recorded={write_pairs(recorded)}")
    if it.outcome is not None:
        parts.append(f"outcome={write_outcome(it.outcome)}")
    if it.failure is not None:
        parts.append(f"failure='{it.failure.type}: {it.failure.message}'")
    return " ".join(parts)


def show_changes(changes: Changes) -> Iterator[str]:
    for name in ("created", "changed"):
        if numbers := getattr(changes, name):
            yield " ".join([name, *(f"#{it}" for it in sorted(numbers))])
    for number, row in changes.entries:
        yield f"entry #{number} {write_fields(row)}"
    for ended in changes.completions:
        yield f"completion #{ended.number} {write_fields(ended, without='number')}"
    for handler, _ in changes.handlers:
        yield f"handler {handler.name}"
    for awakeable_id, awakeable in changes.awakeables.items():
        shown = f"id={awakeable_id} removed" if awakeable is None else write_fields(awakeable)
        yield f"awakeable {shown}"
    for target, waiter, index in changes.waiters:
        yield f"waiter {waiter}/{index} of {target}"
    for target in changes.waiters_removed:
        yield f"waiters removed of {target}"
    for number, signal, name, outcome in changes.signals:
        yield f"signal #{number} {signal}:{name}={write_outcome(outcome)}"
    for number, signal in changes.taken_signals:
        yield f"taken #{number} {signal}"
    for owner, change in changes.state.items():
        cleared = "cleared " if change.cleared else ""
        yield f"state {write_scope(owner)} {cleared}{write_pairs(change.values)}"
    for number in changes.removed.values():
        yield f"removed #{number}"


def run(script: str) -> str:
    """Applies one file's records to one partition; returns the file with its outputs made anew."""
    store = SqliteStore(":memory:")
    partition = Partition(store)
    sequence = 0
    out: list[str] = []
    for block in script.strip().split("\n\n"):
        given = block.split("\n----")[0]
        out.append(given)
        out.append("----")
        for line in given.splitlines():
            if line.startswith("#"):
                continue
            time, _, text = line.partition(" ")
            record = read(text)
            (reply,), effects, changes = step(partition, [record], int(time))
            if reply is not None:
                out.append(f"reply {write(reply)}")
            out += [f"effect {write(effect)}" for effect in effects]
            found = partition.invocations.get(getattr(record, "invocation_id", ""))
            if found is not None:
                out.append(f"now {show_invocation(found)}")
            sequence += 1
            store.commit(Position(sequence, 1, 0), int(time), changes)
            written = list(show_changes(changes))
            out += [f"write {text}" for text in written]
            if not (effects or written or reply):
                out.append("nothing")
        out.append("")
    store.close()
    return "\n".join(out)


@pytest.mark.parametrize("path", sorted(DATA.glob("*.txt")), ids=lambda path: path.stem)
def test_transcript(path: Path, request: pytest.FixtureRequest) -> None:
    kept = path.read_text()
    made = run(kept)
    if request.config.getoption("--rewrite"):
        path.write_text(made)
    assert made == kept


@pytest.mark.parametrize("path", sorted(DATA.glob("*.txt")), ids=lambda path: path.stem)
def test_each_record_is_in_its_shortest_form(path: Path) -> None:
    for block in path.read_text().split("\n\n"):
        for line in block.split("\n----")[0].splitlines():
            if not line.startswith("#"):
                _, _, text = line.partition(" ")
                assert write(read(text)) == text


@pytest.mark.parametrize("path", sorted(DATA.glob("*.txt")), ids=lambda path: path.stem)
def test_a_batch_does_what_its_records_do_one_by_one(path: Path) -> None:
    """Rules see what the records before them in the same batch did, as they see what was stored."""
    records = [
        read(line.partition(" ")[2])
        for block in path.read_text().split("\n\n")
        for line in block.split("\n----")[0].splitlines()
        if not line.startswith("#")
    ]
    ends = []
    for size in (1, len(records)):
        store = SqliteStore(":memory:")
        partition = Partition(store)
        replies: list[str] = []
        effects: list[str] = []
        for first in range(0, len(records), size):
            output = step(partition, records[first : first + size], 1000)
            replies += [type(reply).__name__ for reply in output.replies]
            effects += map(write, output.effects)
            store.commit(Position(first + 1, 1, 0), 1000, output.changes)
        numbers = range(1, partition.last_number + 1)
        journals = [store.journal(number) for number in numbers]
        shown = sorted(show_invocation(it) for it in partition.invocations.values())
        ends.append((replies, effects, shown, journals, partition.lock_queues, partition.endings))
        store.close()
    assert ends[0] == ends[1]


def test_each_effect_occurs_in_some_transcript() -> None:
    text = "\n".join(path.read_text() for path in DATA.glob("*.txt"))
    kinds = [kind.__name__ for kind in Effect.__args__]
    assert [kind for kind in kinds if f"effect {kind}(" not in text] == []
    assert effect_types.Effect is Effect


def test_each_record_occurs_in_some_transcript() -> None:
    text = "\n".join(path.read_text() for path in DATA.glob("*.txt"))
    assert [kind.__name__ for kind in NUMBERS if f" {kind.__name__}(" not in text] == []
