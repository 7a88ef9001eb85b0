"""Messages between partitions in the store: what a new leader reads of those sent and seen."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from durable_server.core.apply import step
from durable_server.core.changes import Changes
from durable_server.core.messages import (
    AwaitEnd,
    CancelInvocation,
    ClaimAwakeable,
    CompleteEntry,
    Message,
    OutboxMessage,
    ReleaseAwakeable,
    ResolveAwakeable,
    SendSignal,
    StartChild,
)
from durable_server.core.model import Awakeable, HandlerKind, Invocation, State
from durable_server.core.partition import Partition
from durable_server.core.records import OutboxAcknowledged
from durable_server.core.transaction import Transaction
from durable_server.log.interface import Position
from durable_server.log.message_codec import encode_message
from durable_server.processor.clock import LogTime, VirtualClock
from durable_server.processor.committer import Committer
from durable_server.store.interface import Recovered
from durable_server.store.sqlite import SqliteStore, StoreVersionError
from tests.support.outboxes import outbox

MESSAGES: tuple[Message, ...] = (
    StartChild("c" * 32, "h", b"in", "key", (("a", "b"),), "s", "pk", "ik", 5, 2, "p", 0, True),
    StartChild("d" * 32, "h", None, "", (), "", "", "", 0, 0, "p", 1, False),
    AwaitEnd("t", "p", 2),
    CancelInvocation("t", "why", "who"),
    CancelInvocation("t", "why", "who", "p", 3, force=True),
    SendSignal("t", "paid", b"\x00\xff", "p", 4),
    ResolveAwakeable("approval-1", b"yes", "p", 5),
    ClaimAwakeable("approval-1", "p", 6, '{"type":"string"}', renew=True),
    ReleaseAwakeable("approval-1", "p", removed=True),
    CompleteEntry("p", 7, b"done", "c"),
)


class Sender:
    """A partition with a store in a file, which sends messages and is made anew from the store."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = SqliteStore(path)
        self.partition = Partition(self.store)
        self._sequence = 0

    def send(self, *messages: tuple[int, Message]) -> list[OutboxMessage]:
        """Sends messages in one batch; returns them with their numbers."""
        tx = Transaction(self.partition, 1)
        for destination, message in messages:
            tx.send(destination, message)
        self.commit(tx.changes)
        return tx.changes.outbox

    def commit(self, changes: Changes) -> None:
        self._sequence += 1
        self.store.commit(Position(self._sequence, 1, 0), 1, changes)

    @property
    def outbox(self) -> list[OutboxMessage]:
        """The messages that are not confirmed."""
        return outbox(self.store)

    def restart(self) -> Recovered:
        """Closes the file, opens it again, and returns what a new leader reads."""
        self.store.close()
        self.store = SqliteStore(self.path)
        self.partition = Partition(self.store)
        return Committer(self.partition, self.store, LogTime(VirtualClock(0))).recover()


@pytest.fixture
def sender(tmp_path: Path) -> Iterator[Sender]:
    sender = Sender(tmp_path / "store.db")
    yield sender
    sender.store.close()


def test_a_partition_that_never_sent_has_no_numbers(sender: Sender) -> None:
    recovered = sender.restart()
    assert (recovered.sent, recovered.seen, recovered.outbox) == ({}, {}, {})


def test_every_message_is_read_back_by_destination_and_in_its_order(sender: Sender) -> None:
    first = sender.send(*((number % 2 + 1, message) for number, message in enumerate(MESSAGES)))
    second = sender.send(*((2, message) for message in MESSAGES))
    recovered = sender.restart()
    assert sender.outbox == sorted(first + second, key=lambda it: (it.destination, it.sequence))
    assert [it.sequence for it in sender.outbox if it.destination == 2] == [*range(1, 16)]
    assert recovered.outbox == {1: range(1, 6), 2: range(1, 16)}
    assert recovered.sent == {1: 5, 2: 15}


def test_acknowledged_messages_are_gone_and_numbers_go_on(sender: Sender) -> None:
    sent = sender.send(*((1, message) for message in MESSAGES), (2, MESSAGES[2]), (3, MESSAGES[2]))
    sender.commit(Changes(acknowledged={1: 9, 3: 1}))
    recovered = sender.restart()
    assert recovered.outbox == {1: range(10, 11), 2: range(1, 2)}
    assert sender.outbox == [sent[9], sent[10]]
    assert recovered.sent == {1: 10, 2: 1, 3: 1}
    sender.commit(Changes(acknowledged={1: 10}))
    assert sender.restart().sent == {1: 10, 2: 1, 3: 1}
    (following,) = sender.send((1, MESSAGES[0]))
    assert following.sequence == 11
    assert sender.restart().outbox == {1: range(11, 12), 2: range(1, 2)}


def test_an_acknowledgement_that_comes_again_removes_nothing_more(sender: Sender) -> None:
    sent = sender.send((1, MESSAGES[0]), (1, MESSAGES[2]))
    for _ in range(2):
        sender.commit(Changes(acknowledged={1: 1}))
    assert sender.restart().outbox == {1: range(2, 3)}
    assert sender.outbox == [sent[1]]


def test_what_is_sent_and_acknowledged_in_one_batch_is_told_apart(sender: Sender) -> None:
    sender.send((1, MESSAGES[0]))
    tx = Transaction(sender.partition, 1)
    tx.send(1, MESSAGES[2])
    tx.changes.acknowledged[1] = 1
    sender.commit(tx.changes)
    assert sender.restart().outbox == {1: range(2, 3)}
    assert sender.outbox == tx.changes.outbox


def test_what_was_seen_is_kept_for_each_sender(sender: Sender) -> None:
    sender.commit(Changes(seen={1: 4, 2: 1}))
    sender.send((1, MESSAGES[0]))
    sender.commit(Changes(seen={1: 7}))
    recovered = sender.restart()
    assert recovered.seen == sender.partition.seen == {1: 7, 2: 1}
    assert recovered.sent == sender.partition.sent == {1: 1}


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("x'92639100'", "unknown type 99"),
        ("x'920890'", "CompleteEntry|array"),
        ("x'ff'", "Expected"),
    ],
)
def test_a_message_that_cannot_be_read_is_refused_by_name(
    sender: Sender, damage: str, problem: str
) -> None:
    sender.send((2, MESSAGES[0]), (2, MESSAGES[-1]))
    newer = sqlite3.connect(sender.path)
    newer.execute(f"UPDATE outbox SET message = {damage} WHERE sequence = 2")
    newer.commit()
    newer.close()
    sender.restart()
    with pytest.raises(
        StoreVersionError,
        match=rf"store\.db has a message .*\(number 2 to partition 2: .*({problem}).*newer version",
    ):
        sender.store.outbox(2, 1, 1000)


def test_messages_are_read_from_a_number_on_up_to_a_size_and_at_least_one(sender: Sender) -> None:
    sent = sender.send(*((1, message) for message in MESSAGES), (2, MESSAGES[0]))[:-1]
    sizes = [len(encode_message(it.message)) for it in sent]
    assert sender.store.outbox(1, 1, 0) == sent[:1]
    assert sender.store.outbox(1, 4, sum(sizes[3:6])) == sent[3:6]
    assert sender.store.outbox(1, 4, sum(sizes[3:6]) - 1) == sent[3:5]
    assert sender.store.outbox(1, 4, 1 << 30) == sent[3:]
    assert sender.store.outbox(1, 11, 1 << 30) == []


def test_whether_an_awakeable_is_released_and_what_was_claimed_is_kept(sender: Sender) -> None:
    for released in (False, True):
        awakeable = Awakeable("approval-1", "p", (1, 2), 1, released=released)
        sender.commit(Changes(awakeables={awakeable.id: awakeable}))
        sender.restart()
        assert sender.store.awakeable(awakeable.id) == awakeable
    it = Invocation(
        *("p", 1, "h", "", None, (), "", "", "", "", 0, 1, HandlerKind.WORKFLOW, State.SUSPENDED),
        claims=("approval-1", "approval-2"),
    )
    sender.commit(Changes(created={1: it}))
    sender.restart()
    assert sender.store.load("p") == it


def test_an_acknowledgement_is_a_record_of_the_sender(sender: Sender) -> None:
    sent = sender.send((1, MESSAGES[0]), (1, MESSAGES[2]))
    sender.commit(step(sender.partition, [OutboxAcknowledged(1, 1)], 2).changes)
    assert sender.restart().outbox == {1: range(2, 3)}
    assert sender.outbox == [sent[1]]
