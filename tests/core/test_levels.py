"""Format levels: what a log may hold at its level, and what an older program reads of it."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import pytest

from durable_server.core import levels
from durable_server.core.apply import step
from durable_server.core.entry_kinds import EntryKind
from durable_server.core.levels import LevelError, allowed, fit, needed
from durable_server.core.messages import ClaimAwakeable
from durable_server.core.model import Failure, Handler
from durable_server.core.partition import Partition
from durable_server.core.records import (
    AttemptFailed,
    CancelAsked,
    EntryRecorded,
    HandlerRegistered,
    Invoked,
    LevelRaised,
    Received,
    Removed,
)
from durable_server.core.transaction import Transaction
from durable_server.log.batch import (
    Batch,
    UndecodableBatchError,
    decode,
    encode,
    encode_record,
)
from durable_server.log.interface import Position
from durable_server.log.message_codec import encode_message
from durable_server.store.sqlite import SqliteStore, StoreVersionError


@pytest.fixture(autouse=True)
def next_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that reads level 3: `Removed` came with 2, fields and a kind of entry with 2 and 3."""
    monkeypatch.setattr(levels, "FORMAT_LEVEL", 3)
    monkeypatch.setattr(levels, "KINDS", {Removed: 2, ClaimAwakeable: 3})
    monkeypatch.setattr(levels, "ENTRY_KINDS", {EntryKind.SLEEP: 2})
    fields = {
        CancelAsked: {"force": 3, "request_id": 2},
        Handler: {"pinned": 2},
        ClaimAwakeable: {"renew": 3},
    }
    monkeypatch.setattr(levels, "FIELDS", fields)


def test_a_kind_is_allowed_from_its_level_on() -> None:
    assert [allowed(Removed, it) for it in (1, 2, 3)] == [False, True, True]
    assert allowed(Invoked, 1)


@pytest.mark.parametrize(
    ("fact", "level"),
    [
        (Invoked("a", "h", None), 1),
        (Removed("a"), 2),
        (CancelAsked("a"), 1),
        (CancelAsked("a", request_id="r"), 2),
        (CancelAsked("a", force=True), 3),
        (HandlerRegistered(Handler("h")), 1),
        (HandlerRegistered(Handler("h", pinned=5)), 2),
        (EntryRecorded("a", 1, 0, EntryKind.RUN, "n"), 1),
        (EntryRecorded("a", 1, 0, EntryKind.SLEEP, "n"), 2),
        (Received(1, 1, (ClaimAwakeable("p", "a", 0),)), 3),
        (AttemptFailed("a", 1, Failure("T", "m", b""), 0.5), 1),
    ],
)
def test_what_a_fact_needs(fact: object, level: int) -> None:
    assert needed(fact) == level
    if level > 1:
        with pytest.raises(LevelError, match=f"needs format level {level}.*has {level - 1}"):
            fit(fact, level - 1)
    fit(fact, level)


def test_below_a_level_its_fields_are_left_out() -> None:
    asked = CancelAsked("a", "why", "who")
    assert fit(asked, 1) == ("a", "why", "who")
    assert fit(asked, 2) == ("a", "why", "who", "")
    assert fit(asked, 3) is asked
    handler = Handler("h")
    (short,) = fit(HandlerRegistered(handler), 1)
    names = Handler._fields[: len(short)]
    assert len(short) < len(handler)
    assert "pinned" not in names


def test_an_older_program_reads_what_was_encoded_for_it() -> None:
    class OldCancelAsked(NamedTuple):
        invocation_id: str
        reason: str = ""
        identity: str = ""

    decoder = msgspec.msgpack.Decoder(tuple[int, OldCancelAsked])
    record = CancelAsked("a", "why", "who")
    assert decoder.decode(encode_record(record, 1))[1] == OldCancelAsked("a", "why", "who")
    with pytest.raises(msgspec.ValidationError):
        decoder.decode(encode_record(record, 2))


def test_a_message_is_sent_only_when_the_log_may_hold_it() -> None:
    partition = Partition(index=0, count=2)
    message = ClaimAwakeable("p", "a", 0)
    with pytest.raises(LevelError, match="ClaimAwakeable needs format level 3"):
        Transaction(partition, 0).send(1, message)
    with pytest.raises(LevelError):
        encode_message(message, 2)
    partition.level = 3
    tx = Transaction(partition, 0)
    tx.send(1, message)
    assert len(tx.changes.outbox) == 1


def test_the_level_of_a_log_rises_by_its_record_and_never_falls() -> None:
    partition = Partition()
    assert step(partition, [LevelRaised(2, "v")], 0).changes.level == 2
    assert step(partition, [LevelRaised(1, "v")], 0).changes.level == 0
    assert partition.level == 2


def test_the_store_keeps_the_level_and_refuses_one_that_it_cannot_read() -> None:
    store = SqliteStore(":memory:")
    assert store.recover().level == 1
    for sequence, level in enumerate((1, 2), 1):
        changes = step(Partition(), [LevelRaised(level, "v")], 0).changes
        store.commit(Position(sequence, 1, 0), 0, changes)
        if level == 1:
            assert store.recover().level == 1
    with pytest.raises(StoreVersionError, match="format level 2, and this version reads up to 1"):
        store.recover()
    store.close()


def test_a_log_of_a_newer_level_is_refused_with_the_version_that_has_raised_it() -> None:
    assert decode(encode(Batch(1, [LevelRaised(1, "0.1.0")]))).records == [LevelRaised(1, "0.1.0")]
    with pytest.raises(
        UndecodableBatchError, match=r"version 7\.8\.9 has raised the log to format"
    ):
        decode(encode(Batch(1, [LevelRaised(2, "7.8.9")])))
