"""Several partitions do what one does: the same random requests, with messages between partitions.

A `System` has real stores and encodes every record as the log does; the test carries the messages.
First, they flow at once, and after each request all that can be seen is the same with one partition and
with three. Then they are late, repeated, come too early, and partitions are made anew from their
stores: then the order of events differs, but when all has arrived, no answer is lost.
"""

from __future__ import annotations

import random
from typing import Any, NamedTuple

import pytest

from durable_server.core import ids
from durable_server.core.entry_kinds import EntryKind
from durable_server.core.limits import LIMIT_REACHED
from durable_server.core.messages import (
    CompleteEntry,
    Message,
    OutboxMessage,
    ResolveAwakeable,
    SendSignal,
)
from durable_server.core.model import Handler, HandlerKind, Invocation, State
from durable_server.core.partition import Partition
from durable_server.core.records import (
    AwakeableResolved,
    CancelAsked,
    Continued,
    EntryRecorded,
    Finished,
    HandlerRegistered,
    Invoked,
    OutboxAcknowledged,
    Received,
    Record,
    Removed,
    Restarted,
    Signalled,
    Started,
    SuspendAsked,
)
from durable_server.core.restart import restart_id
from durable_server.core.states import FINAL, SETTLED
from durable_server.log.batch import Batch, encode
from durable_server.log.interface import Position
from durable_server.processor.clock import LogTime, VirtualClock
from durable_server.processor.committer import Committer
from durable_server.store.sqlite import SqliteStore
from tests.support.outboxes import outbox

ROOTS = ("0001" + "0" * 28, "6001" + "0" * 28, "c001" + "0" * 28)
UNKNOWN = "9999" + "9" * 28
KEYS = ("", "tom", "ann", "ivy")
"""No key, and a key in each of three partitions."""
AWAKEABLES = ("approval-3", "paid-6", "paid-2", f"{ROOTS[1]}-7")
"""One in each of three partitions, and one that belongs to an invocation."""
TEXTS = (b"one", b"two")
WAITING = {EntryKind.INVOKE, EntryKind.ATTACH, EntryKind.AWAKEABLE, EntryKind.SIGNAL}
"""The kinds of entries that may stay open when all messages have arrived."""


class Request(NamedTuple):
    """What happens next; the numbers choose among what there is."""

    what: str
    subject: int
    """The invocation that does it, or that it is about."""
    other: int
    first: int
    second: int
    flag: bool


PROGRAM = (
    "INVOKE",
    "SEND",
    "ATTACH",
    "CANCEL",
    "GIVE_UP",
    "SIGNAL",
    "RESOLVE",
    "SEND_SIGNAL",
    "AWAKEABLE",
)
CLIENTS = ("finish", "suspend", "cancel", "signal", "resolve", "remove", "invoke", "restart")
OTHERS = (*CLIENTS, "continue")
SEEDS = 20
REQUESTS = 120
"""How many requests each seed draws."""


def draw(chance: random.Random) -> Request:
    """Draws a request; half of all are about one of a few invocations, so that they meet."""
    subject = chance.randrange(chance.choice((4, 30)))
    numbers = (chance.randrange(chance.choice((4, 30))), chance.randrange(12), chance.randrange(2))
    what = chance.choice((*PROGRAM, *PROGRAM, *OTHERS))
    return Request(what, subject, *numbers, chance.random() < 0.5)


class System:
    """Some partitions that send messages to each other."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.stores = [SqliteStore(":memory:") for _ in range(count)]
        self.committers: list[Committer] = []
        self._sequence = 0
        for index in range(count):
            self.committers.append(self._committer(index))
            self.apply(index, HandlerRegistered(Handler("w")))
            self.apply(index, HandlerRegistered(Handler("o.put", HandlerKind.OBJECT_EXCLUSIVE)))
        self.known = [*ROOTS]
        """Invocations that exist or have existed, in the order in which they were first named."""
        for root in ROOTS:
            self.apply(self.home(root), Invoked(root, "w", b""))

    def _committer(self, index: int) -> Committer:
        store = self.stores[index]
        committer = Committer(Partition(store, index, self.count), store, LogTime(VirtualClock(0)))
        committer.recover()
        return committer

    def restart(self, index: int) -> None:
        """Makes a partition anew from its store, which knows all that the memory knew."""
        before = self.committers[index].partition.invocations
        self.committers[index] = self._committer(index)
        after = self.committers[index].partition.invocations
        for invocation_id, it in after.items():
            assert before[invocation_id] == it

    def close(self) -> None:
        for store in self.stores:
            store.close()

    def home(self, invocation_id: str) -> int:
        return ids.partition(invocation_id, self.count)

    def find(self, invocation_id: str) -> Invocation | None:
        return self.committers[self.home(invocation_id)].find(invocation_id)

    def apply(self, index: int, *records: Record) -> None:
        """Applies a batch and stores it."""
        self._sequence += 1
        body = encode(Batch(1000, records))
        replaying = self.committers[index].replay(Position(self._sequence, 1, 0), body)
        # It only gives other tasks their turns, and there are none.
        for _ in replaying.__await__():
            pass

    # Messages.

    def outbox(self, index: int) -> list[OutboxMessage]:
        return outbox(self.stores[index])

    def deliver(self, source: int, destination: int, skipped: int, size: int) -> None:
        """Delivers up to `size` of the messages that are not confirmed, except the first `skipped`."""
        waiting = [it for it in self.outbox(source) if it.destination == destination]
        chosen = waiting[skipped : skipped + size]
        if chosen:
            messages = tuple(it.message for it in chosen)
            self.apply(destination, Received(source, chosen[0].sequence, messages))

    def confirm(self, source: int, destination: int) -> None:
        """Tells the sender what has arrived."""
        seen = self.committers[destination].partition.seen.get(source, 0)
        self.apply(source, OutboxAcknowledged(destination, seen))

    def settle(self) -> None:
        """Delivers messages until there are no more."""
        moving = self.count > 1
        while moving:
            moving = False
            for source in range(self.count):
                for destination in sorted({it.destination for it in self.outbox(source)}):
                    self.deliver(source, destination, 0, 1000)
                    self.confirm(source, destination)
                    moving = True

    # Requests.

    def carry_out(self, request: Request) -> None:
        """Does what is requested, if the state of its subject allows that."""
        subject = self.known[request.subject % len(self.known)]
        if request.what in PROGRAM:
            self._record(subject, request)
        else:
            record = self._of_client(subject, request)
            if record is not None:
                awakeable = getattr(record, "awakeable_id", "")
                home = (
                    ids.awakeable_partition(awakeable, self.count)
                    if awakeable
                    else self.home(subject)
                )
                self.apply(home, record)

    def _record(self, subject: str, request: Request) -> None:
        running = self._running(subject)
        if running is None:
            return
        index = running.first_index + len(running.recorded)
        other = [*self.known, UNKNOWN][request.other % (len(self.known) + 1)]
        text = TEXTS[request.second % 2]
        fields: dict[str, Any] = {}
        kind = request.what
        match request.what:
            case "INVOKE" | "SEND":
                fields = {"name": "o.put" if request.flag else "w", "argument": text}
                # An object's handler has a key: a request without one is refused before.
                fields["target"] = KEYS[
                    request.first % 3 + 1 if request.flag else request.first % 4
                ]
                fields["idempotency_key"] = ("", "once", "twice")[request.first // 4]
            case "ATTACH" | "CANCEL":
                fields = {"target": other}
            case "GIVE_UP":
                waits = self._waits(running, still_open=request.flag)
                if not waits:
                    return
                kind, fields = "CANCEL", {"target": f"#{waits[request.first % len(waits)]}"}
            case "SIGNAL":
                fields = {"name": "go"}
            case "RESOLVE":
                fields = {"name": AWAKEABLES[request.first % 4], "argument": text}
            case "SEND_SIGNAL":
                kind, fields = "RESOLVE", {"name": "go", "argument": text, "target": other}
            case "AWAKEABLE":
                fields = {"name": AWAKEABLES[request.first % 4], "renew": request.flag}
        given = {"name": "", **fields}
        attempt = running.attempt
        record = EntryRecorded(subject, attempt, index, EntryKind[kind], **given)
        self.apply(self.home(subject), record)
        row = self._entry(running, index)
        assert row is not None
        if request.what in ("INVOKE", "SEND") and row.target not in self.known:
            self.known.append(row.target)

    def _of_client(self, subject: str, request: Request) -> Record | None:
        text = TEXTS[request.second % 2]
        found = self.find(subject)
        match request.what:
            case "finish":
                running = self._running(subject)
                return None if running is None else Finished(subject, running.attempt, text)
            case "continue":
                return self._continued(subject, request, text)
            case "suspend":
                if found is None:
                    return None
                return SuspendAsked(subject, found.attempt, found.completions)
            case "cancel":
                return CancelAsked(subject, force=request.flag)
            case "signal":
                return Signalled(subject, "go", text)
            case "resolve":
                return AwakeableResolved(AWAKEABLES[request.first % 4], text)
            case "remove":
                return Removed(subject)
            case "invoke":
                return Invoked(subject, "w", text) if found is None else None
            case _:
                made = restart_id(subject, str(request.first))
                if made not in self.known and found is not None and found.state in SETTLED:
                    self.known.append(made)
                return Restarted(made, subject)

    def _continued(self, subject: str, request: Request, text: bytes) -> Record | None:
        """Continues as new, with all that has completed or with nothing of it."""
        running = self._running(subject)
        if running is None:
            return None
        seen = running.completions if request.flag else 0
        next_index = running.first_index + len(running.recorded) + request.first % 2
        return Continued(subject, running.attempt, text, seen, next_index)

    def _waits(self, running: Invocation, *, still_open: bool) -> list[int]:
        """Returns the indexes of the entries that a program may give up."""
        rows = self.stores[self.home(running.id)].journal(running.number)
        return [
            row.entry_index
            for row in rows
            if row.kind in (EntryKind.INVOKE, EntryKind.ATTACH, EntryKind.SIGNAL)
            and not (still_open and row.completion)
        ]

    def _entry(self, invocation: Invocation, index: int) -> Any:
        return self.stores[self.home(invocation.id)].entry(invocation.number, index)

    def _running(self, subject: str) -> Invocation | None:
        """Returns an invocation that runs, or may start now."""
        found = self.find(subject)
        if found is not None and found.state is State.PENDING:
            partition = self.committers[self.home(subject)].partition
            queue = partition.lock_queues.get(found.state_owner, [subject])
            if queue[0] == subject:
                self.apply(self.home(subject), Started(subject, found.attempt + 1, "k1"))
                found = self.find(subject)
        return found if found is not None and found.state is State.RUNNING else None

    # What can be seen.

    def view(self) -> dict[str, Any]:
        """Returns all that the rules decide, except the order of completions."""
        seen: dict[str, Any] = {}
        for number, invocation_id in enumerate(self.known):
            it = self.find(invocation_id)
            seen[f"invocation {number}"] = None if it is None else self._shown(it)
        for awakeable_id in AWAKEABLES:
            home = ids.awakeable_partition(awakeable_id, self.count)
            found = self.stores[home].awakeable(awakeable_id)
            seen[awakeable_id] = found and (
                *(self._label(found.invocation_id), sorted(found.indexes), found.outcome),
            )
        early = [it.partition.early_awakeables for it in self.committers]
        seen["early awakeables"] = sum(early)
        return seen

    def _shown(self, it: Invocation) -> tuple[Any, ...]:
        rows = self.stores[self.home(it.id)].journal(it.number)
        journal = [(row.kind, self._named(row.outcome), self._label(row.target)) for row in rows]
        waiters = sorted((self._label(waiter), index) for waiter, index in it.waiters)
        kept = [(name, outcome) for _, name, outcome in it.signals]
        return (
            *(it.state, it.handler, it.key, it.input, self._label(it.parent), it.attempt),
            *(journal, waiters, kept, self._named(it.outcome), bool(it.cancel_ms)),
            *(it.run, it.first_index),
        )

    def _label(self, invocation_id: str) -> str:
        known = invocation_id in self.known
        return f"invocation {self.known.index(invocation_id)}" if known else invocation_id

    def _named(self, outcome: bytes | None) -> bytes | None:
        """Returns an outcome without ids that depend on the number of partitions."""
        for invocation_id in self.known if outcome else ():
            assert outcome is not None
            outcome = outcome.replace(invocation_id.encode(), self._label(invocation_id).encode())
        return outcome


@pytest.mark.parametrize("seed", range(SEEDS))
def test_three_partitions_do_what_one_does(seed: int) -> None:
    chance = random.Random(seed)
    one, three = System(1), System(3)
    for number in range(REQUESTS):
        request = draw(chance)
        for system in (one, three):
            system.carry_out(request)
            system.settle()
        assert three.view() == one.view(), (number, request)
    one.close()
    three.close()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_answer_is_lost(seed: int) -> None:
    chance = random.Random(seed)
    system = System(3)
    for _ in range(REQUESTS):
        system.carry_out(draw(chance))
        for _ in range(chance.randrange(3)):
            source = chance.randrange(3)
            destination = (source + chance.choice((1, 2))) % 3
            what = chance.random()
            if what < 0.6:
                skipped, size = chance.choice((0, 0, 1)), chance.randint(1, 3)
                system.deliver(source, destination, skipped, size)
            elif what < 0.9:
                system.confirm(source, destination)
            else:
                system.restart(source)
    system.settle()
    for index in range(3):
        assert system.outbox(index) == []
        system.restart(index)
    for invocation_id in system.known:
        found = system.find(invocation_id)
        if found is not None and found.state not in FINAL:
            _check_waits(system, found)
    system.close()


def _check_waits(system: System, it: Invocation) -> None:
    """Fails if an entry waits for something that has happened, or cannot happen any more."""
    for row in system.stores[system.home(it.id)].journal(it.number):
        if row.completion:
            continue
        assert row.kind in WAITING, row
        if row.kind in (EntryKind.INVOKE, EntryKind.ATTACH):
            target = system.find(row.target)
            assert target is not None, row
            assert target.state not in FINAL, row
            assert (it.id, row.entry_index) in target.waiters, row
        elif row.kind == EntryKind.AWAKEABLE:
            home = ids.awakeable_partition(row.name, system.count)
            awakeable = system.stores[home].awakeable(row.name)
            assert awakeable is not None, row
            assert awakeable.invocation_id == it.id, row
            assert row.entry_index in awakeable.indexes, row
            assert not awakeable.released, row


def _answer(system: System, message: Message) -> bytes:
    """Sends a message of an invocation in partition 0 to partition 1; returns the answer."""
    sent = system.committers[1].partition.sent.get(0, 0)
    seen = system.committers[1].partition.seen.get(0, 0)
    system.apply(1, Received(0, seen + 1, (message,)))
    (answer,) = (it for it in system.outbox(1) if it.destination == 0 and it.sequence > sent)
    assert isinstance(answer.message, CompleteEntry)
    return answer.message.outcome


def test_a_signal_beyond_the_limit_is_refused() -> None:
    system = System(3)
    limit = Signalled("", "", b"").limit
    system.apply(1, *(Signalled(ROOTS[1], "go", b"") for _ in range(limit)))
    answer = _answer(system, SendSignal(ROOTS[1], "go", b"", ROOTS[0], 0))
    assert LIMIT_REACHED.encode() in answer
    system.close()


def test_an_early_awakeable_beyond_the_limit_is_refused() -> None:
    system = System(3)
    limit = AwakeableResolved("", b"").limit
    names = [f"early-{number}" for number in range(4 * limit)]
    names = [it for it in names if ids.awakeable_partition(it, 3) == 1]
    system.apply(1, *(AwakeableResolved(it, b"") for it in names[:limit]))
    answer = _answer(system, ResolveAwakeable(names[limit], b"", ROOTS[0], 0))
    assert LIMIT_REACHED.encode() in answer
    system.close()


def test_a_value_that_the_other_partition_has_refused_reaches_nobody() -> None:
    system = System(3)
    signal = SendSignal(ROOTS[1], "go", b"", ROOTS[0], 0, "value: is no number")
    name = next(it for it in map(str, range(99)) if ids.awakeable_partition(it, 3) == 1)
    resolution = ResolveAwakeable(name, b"", ROOTS[0], 0, "value: is no number")
    for message in (signal, resolution):
        answer = _answer(system, message)
        assert b"durable.InvalidValue" in answer
        assert b"value: is no number" in answer
    root = system.find(ROOTS[1])
    assert root is not None
    assert root.signals == ()
    assert system.stores[1].awakeable(name) is None
    system.close()
