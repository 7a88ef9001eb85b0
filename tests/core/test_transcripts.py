"""The rules, by transcripts: the records that are applied, and everything that comes of them.

Each file in testdata/ holds blocks: records with their times, one a line; then `----`; then what
applying them did, record by record: the reply, the effects, the invocation after the record, and what
the store is told to write. A real store writes it, because rules read back through it. `notation` says
how the lines are written.

A line like `partition 1 of 3` before the records says which partition a block and those after it are
for; without one there is one partition. Messages do not flow by themselves: a `Received` repeats what
the outbox of the other partition was told to write, and a test compares the two.

`pytest tests/core --rewrite` writes the files anew. Read the diff, and commit only what you understand.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from durable_server.core import effects as effect_types
from durable_server.core.apply import Output, step
from durable_server.core.changes import Changes
from durable_server.core.effects import Effect
from durable_server.core.messages import MESSAGE_NUMBERS, Message
from durable_server.core.model import UNNUMBERED, Invocation
from durable_server.core.partition import Partition
from durable_server.core.records import NUMBERS, Received, Record
from durable_server.log.interface import Position
from durable_server.store.sqlite import SqliteStore
from tests.support.outboxes import outbox

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
    *("lock_place", "cancel_number", "deadline_ms", "source_index"),
    *("run_ms", "first_index", "completions_before", "signals_before"),
)
"""Numbers of an invocation that are shown unless they are 0."""
PLACES = ("build", "source", "seed_id")
"""Other facts of an invocation that are shown if it has them."""
COMPLETION = {0: "open", UNNUMBERED: "unnumbered"}


def show_invocation(it: Invocation) -> str:
    parts = [f"{it.id} #{it.number} {it.state.name} attempt={it.attempt}"]
    if it.worker_id:
        parts.append(f"worker={it.worker_id}")
    parts += [f"{name}={value}" for name in PLAIN if (value := getattr(it, name))]
    if it.run > 1:
        parts.append(f"run={it.run}")
    parts += [f"{name}={value}" for name in PLACES if (value := getattr(it, name))]
    parts += [name for name in ("pinned", "repinned") if getattr(it, name)]
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
    if it.claims:
        parts.append(f"claims={{{' '.join(it.claims)}}}")
    if it.outcome is not None:
        parts.append(f"outcome={write_outcome(it.outcome)}")
    if it.failure is not None:
        parts.append(f"failure='{it.failure.type}: {it.failure.message}'")
    return " ".join(parts)


def show_changes(changes: Changes) -> Iterator[str]:
    for name in ("created", "changed"):
        if numbers := getattr(changes, name):
            yield " ".join([name, *(f"#{it}" for it in sorted(numbers))])
    for number in sorted(changes.journals_removed):
        yield f"journal removed #{number}"
    for number, given in changes.inputs.items():
        yield f"input #{number} {write_outcome(given or b'')}"
    for number, row in changes.entries:
        yield f"entry #{number} {write_fields(row)}"
    for ended in changes.completions:
        yield f"completion #{ended.number} {write_fields(ended, without='number')}"
    for number, attempt in changes.attempts:
        yield f"attempt #{number} {write_fields(attempt)}"
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
    for build_id, deployment in changes.deployments.items():
        yield f"build id={build_id} removed" if deployment is None else write(deployment)
    for handler, route in changes.routes.items():
        yield f"route {handler} removed" if route is None else write(route)
    for destination, sequence, message in changes.outbox:
        yield f"outbox {destination}/{sequence} {write(message)}"
    for destination, sequence in changes.acknowledged.items():
        yield f"acknowledged {destination}/{sequence}"
    for source, sequence in changes.seen.items():
        yield f"seen {source}/{sequence}"


class Block(NamedTuple):
    """The records of a block, and the partition that they are for."""

    text: str
    place: tuple[int, int]
    """The partition's index and how many there are."""
    lines: list[tuple[int, str]]
    """The time and the text of each record."""


def blocks(script: str) -> Iterator[Block]:
    """Yields the blocks of a file, without their outputs."""
    place = (0, 1)
    for block in script.strip().split("\n\n"):
        given = block.split("\n----")[0]
        lines = []
        for line in given.splitlines():
            time, _, text = line.partition(" ")
            if time == "partition":
                index, _, count = text.split()
                place = (int(index), int(count))
            elif time != "#":
                lines.append((int(time), text))
        yield Block(given, place, lines)


def subjects(record: Record) -> Iterator[str]:
    """Yields the ids of the invocations that a record is about, each once."""
    if isinstance(record, Received):
        named = (
            getattr(message, field, "")
            for message in record.messages
            for field in ("child_id", "target", "invocation_id", "parent")
        )
        yield from dict.fromkeys(named)
    else:
        yield getattr(record, "invocation_id", "")


class Place:
    """A partition with its store."""

    def __init__(self, place: tuple[int, int]) -> None:
        self.store = SqliteStore(":memory:")
        self.partition = Partition(self.store, *place)
        self._sequence = 0

    def apply(self, records: list[Record], now_ms: int) -> Output:
        """Applies a batch and stores what it has changed."""
        output = step(self.partition, records, now_ms)
        self._sequence += 1
        self.store.commit(Position(self._sequence, 1, 0), now_ms, output.changes)
        return output


def run(script: str) -> str:
    """Applies one file's records to its partitions; returns the file with its outputs made anew."""
    places: dict[tuple[int, int], Place] = {}
    out: list[str] = []
    for block in blocks(script):
        out.append(block.text)
        out.append("----")
        place = places.get(block.place)
        if place is None:
            place = places[block.place] = Place(block.place)
        for now_ms, text in block.lines:
            record = read(text)
            (reply,), effects, changes = place.apply([record], now_ms)
            if reply is not None:
                out.append(f"reply {write(reply)}")
            out += [f"effect {write(effect)}" for effect in effects]
            for subject in subjects(record):
                found = place.partition.invocations.get(subject)
                if found is not None:
                    out.append(f"now {show_invocation(found)}")
            written = list(show_changes(changes))
            out += [f"write {text}" for text in written]
            if not (effects or written or reply):
                out.append("nothing")
        out.append("")
    for place in places.values():
        place.store.close()
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
    for block in blocks(path.read_text()):
        for _, text in block.lines:
            assert write(read(text)) == text


@pytest.mark.parametrize("path", sorted(DATA.glob("*.txt")), ids=lambda path: path.stem)
def test_a_batch_does_what_its_records_do_one_by_one(path: Path) -> None:
    """Rules see what the records before them in the same batch did, as they see what was stored."""
    by_place: dict[tuple[int, int], list[Record]] = defaultdict(list)
    for block in blocks(path.read_text()):
        by_place[block.place] += [read(text) for _, text in block.lines]
    for where, records in by_place.items():
        one_by_one = _result(where, records, 1)
        for size in (*range(2, 13), len(records)):
            assert _result(where, records, size) == one_by_one, size


def _result(where: tuple[int, int], records: list[Record], size: int) -> tuple[object, ...]:
    """Applies records in batches; returns all that came of them."""
    place = Place(where)
    partition, store = place.partition, place.store
    replies: list[str] = []
    effects: list[str] = []
    for first in range(0, len(records), size):
        output = place.apply(records[first : first + size], 1000)
        replies += [type(reply).__name__ for reply in output.replies]
        effects += map(write, output.effects)
    journals = [store.journal(number) for number in range(1, partition.last_number + 1)]
    shown = sorted(show_invocation(it) for it in partition.invocations.values())
    stored = [
        (
            *(store.load(it.id), store.attempts(it.number), store.awakeables(it.id)),
            store.state(it.state_owner),
        )
        for it in partition.invocations.values()
    ]
    recovered, counts, sent = store.recover(), store.counts(), outbox(store)
    store.close()
    assert (recovered.sent, recovered.seen) == (partition.sent, partition.seen)
    assert {it.build_id: it for it in recovered.deployments} == partition.deployments
    assert {it.handler: it for it in recovered.routes} == partition.routes
    return (
        *(replies, effects, shown, journals, partition.lock_queues, partition.endings),
        *(stored, counts, recovered.sent, recovered.seen, sent),
        *(partition.deployments, partition.routes),
    )


@pytest.mark.parametrize("path", sorted(DATA.glob("*.txt")), ids=lambda path: path.stem)
def test_a_partition_receives_what_another_one_has_sent(path: Path) -> None:
    places: dict[tuple[int, int], Place] = {}
    sent: dict[tuple[int, int, int], Message] = {}
    for block in blocks(path.read_text()):
        index, count = block.place
        place = places.get(block.place)
        if place is None:
            place = places[block.place] = Place(block.place)
        for now_ms, text in block.lines:
            record = read(text)
            if isinstance(record, Received):
                for sequence, message in enumerate(record.messages, record.first):
                    assert sent[record.source, index, sequence] == message
            for destination, sequence, message in place.apply([record], now_ms).changes.outbox:
                assert destination < count
                sent[index, destination, sequence] = message
    for place in places.values():
        place.store.close()


def test_each_message_is_sent_and_received_in_some_transcript() -> None:
    text = "\n".join(path.read_text() for path in DATA.glob("*.txt"))
    for kind in MESSAGE_NUMBERS:
        assert re.search(rf"^write outbox \d/\d+ {kind.__name__}\(", text, re.MULTILINE), kind
        assert re.search(rf"^\d+ Received\(.*\b{kind.__name__}\(", text, re.MULTILINE), kind


def test_each_effect_occurs_in_some_transcript() -> None:
    text = "\n".join(path.read_text() for path in DATA.glob("*.txt"))
    kinds = [kind.__name__ for kind in Effect.__args__]
    assert [kind for kind in kinds if f"effect {kind}(" not in text] == []
    assert effect_types.Effect is Effect


def test_each_record_occurs_in_some_transcript() -> None:
    text = "\n".join(path.read_text() for path in DATA.glob("*.txt"))
    assert [kind.__name__ for kind in NUMBERS if f" {kind.__name__}(" not in text] == []
