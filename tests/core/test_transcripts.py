"""The machine, by transcripts: what is fed in, and everything that comes out.

Each file in testdata/ holds blocks: records, one a line, then `----`, then what applying them did:
replies, effects, the invocation after each record, and what the store is told to write (which a real
one does, because rules read back through it). `pytest
--rewrite` writes the files anew; read the diff, and only commit what you understand.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from durable_server.core import effects as effect_types
from durable_server.core.apply import step
from durable_server.core.effects import Effect
from durable_server.core.model import Failure, Handler, Invocation, RetryPolicy
from durable_server.core.partition import Partition
from durable_server.core.records import NUMBERS
from durable_server.core.replies import Reply
from durable_server.log.interface import Position
from durable_server.store.sqlite import SqliteStore

DATA = Path(__file__).parent / "testdata"
NAMES = {kind.__name__: kind for kind in NUMBERS} | {
    "Failure": Failure,
    "Handler": Handler,
    "RetryPolicy": RetryPolicy,
}


def show_invocation(it: Invocation) -> str:
    parts = [f"{it.id} #{it.number} {it.state.name} attempt={it.attempt}"]
    names = (
        *("worker_id", "failures", "completions", "wake_ms", "expire_ms", "pause_reason"),
        *("turn", "cancel_number", "deadline_ms", "step_failures", "signals", "waiters"),
    )
    parts += [f"{name}={value!r}" for name in names if (value := getattr(it, name))]
    if it.recorded:
        parts.append(f"recorded={it.recorded}")
    if it.outcome is not None:
        parts.append(f"outcome={it.outcome!r}")
    if it.failure is not None:
        parts.append(f"fault={it.failure.type}: {it.failure.message}")
    return " ".join(parts)


def show(value: Effect | Reply) -> str:
    if value is None:
        return "None"
    shown = [
        it.id if isinstance(it, Invocation) else repr(it)
        for it in value  # effects and replies are tuples
    ]
    return f"{type(value).__name__}({', '.join(shown)})"


def run(script: str) -> str:
    """Plays one file's records on one partition; returns the file with its outputs made anew."""
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
            record = eval(text, {"__builtins__": {}}, NAMES)
            (reply,), effects, changes = step(partition, [record], int(time))
            if reply is not None:
                out.append(f"reply {show(reply)}")
            out += [f"effect {show(effect)}" for effect in effects]
            found = partition.invocations.get(getattr(record, "invocation_id", ""))
            if found is not None:
                out.append(f"now {show_invocation(found)}")
            sequence += 1
            store.commit(Position(sequence, 1, 0), int(time), changes)
            written = [
                f"{name} {sorted(numbers)}"
                for name in ("created", "changed")
                if (numbers := getattr(changes, name))
            ]
            written += [f"entry {number} {tuple(row)}" for number, row in changes.entries]
            written += [f"completion {tuple(row)}" for row in changes.completions]
            written += [f"handler {handler.name}" for handler, _ in changes.handlers]
            written += [f"awakeable {it}" for it in changes.awakeables.values()]
            written += [f"waiter {it}" for it in changes.waiters]
            written += [f"ended {it}" for it in changes.ended]
            written += [f"signal {it}" for it in changes.signals]
            written += [f"taken {it}" for it in changes.taken]
            written += [f"state {owner!r} {it}" for owner, it in changes.state.items()]
            written += [f"removed {number}" for number in changes.removed.values()]
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


def test_each_effect_occurs_in_some_transcript() -> None:
    text = "\n".join(path.read_text() for path in DATA.glob("*.txt"))
    kinds = [kind.__name__ for kind in Effect.__args__]
    assert [kind for kind in kinds if f"effect {kind}(" not in text] == []
    assert effect_types.Effect is Effect


def test_each_record_occurs_in_some_transcript() -> None:
    text = "\n".join(path.read_text() for path in DATA.glob("*.txt"))
    assert [kind.__name__ for kind in NUMBERS if f" {kind.__name__}(" not in text] == []
