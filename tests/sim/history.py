"""The history of a partition: every message that its stream has stored, replayed at once.

A stream is the only truth: a frame counts if it continues the chain of valid frames, whoever wrote it.
The history reads each message in the moment in which it is stored, applies the valid ones by the core's
rules to a store of its own, and keeps what trimming removes. So at any time it says what all leaders
together have done, and what no leader may contradict:

    - a record that was answered is in a valid frame
    - an invocation ends once; a step that was acknowledged has that value in its journal
    - messages to another partition have numbers without gaps. Whatever arrives under a number is what
      was sent under it, and it takes effect once, after those before it
    - a message is dropped by its sender only after it has taken effect at its destination
    - a store at the same position has the same rows
    - an attempt with a journal that is pinned to a build begins on a worker of that build
    - the attempts of an invocation are kept without gaps, and each ended before the next one began
"""

from __future__ import annotations

from collections.abc import Sequence

from durable_server.core.apply import step
from durable_server.core.attempts import KEPT, last_attempts
from durable_server.core.messages import Message
from durable_server.core.model import Invocation, State
from durable_server.core.partition import Partition
from durable_server.core.records import (
    Continued,
    EntryRecorded,
    Invoked,
    OutboxAcknowledged,
    Received,
    Record,
    Repinned,
    Restarted,
    Started,
)
from durable_server.core.states import FINAL
from durable_server.log import batch, frame
from durable_server.log.interface import Position
from durable_server.log.memory import MemoryStream
from durable_server.processor.clock import LogTime, VirtualClock
from durable_server.processor.committer import Committer
from durable_server.store.interface import Filter, Order

from .storage import ComparedStore


class History:
    """What the log of one partition holds, from its first message on."""

    def __init__(self, index: int, count: int, all_of_them: Sequence[History]) -> None:
        self.index = index
        self.store = ComparedStore(":memory:")
        self.partition = Partition(self.store, index, count)
        self.position = Position()
        """The position of the last valid frame."""
        self.sent: dict[int, list[Message]] = {}
        """The messages to each other partition; the first one has the number 1."""
        self._pins: dict[str, str] = {}
        """The build that an invocation with a journal is pinned to, or that a person has chosen for it;
        empty for any."""
        self._runs: dict[str, int] = {}
        """The run of each invocation that has continued as new."""
        self._starts: dict[str, Started] = {}
        """The last attempt of each invocation that has begun."""
        self._all = all_of_them
        self._chain = frame.Chain()
        self._committer = Committer(self.partition, self.store, LogTime(VirtualClock(0)))
        self._bodies = bytearray()

    def stored(self, sequence: int, data: bytes) -> None:
        """Takes the next message of the stream."""
        found = frame.decode(data)
        if not self._chain.admit(found):
            return
        self.position = Position(sequence, found.epoch, found.number)
        self._bodies += found.body
        time_ms, records = batch.decode(found.body)
        expected = dict(self.partition.seen)
        for record in records:
            if isinstance(record, Received):
                self._check_received(record, expected)
            elif isinstance(record, OutboxAcknowledged):
                seen = self._all[record.destination].partition.seen.get(self.index, 0)
                assert record.sequence <= seen, "a message was dropped before it took effect"
        changes = step(self.partition, records, time_ms).changes
        assert self.store.begin()
        self.store.commit(self.position, time_ms, changes)
        self._committer.evict(changes)
        assert self.partition.seen == expected, "messages took effect twice, or out of order"
        guessed = {it.invocation_id for it in records if isinstance(it, Invoked | Repinned)}
        for record in records:
            self._check_pin(record, guessed)
        for destination, sequence, message in changes.outbox:
            sent = self.sent.setdefault(destination, [])
            sent.append(message)
            assert sequence == len(sent), "the numbers of messages have a gap"

    def _check_pin(self, record: Record, guessed: set[str]) -> None:
        """Checks where an attempt begins, by the records alone.

        `guessed` are the invocations for which the leader could not know what records of the same batch
        lead to: that an invocation is not new, or goes to another build.
        """
        if isinstance(record, EntryRecorded):
            started = self._starts.get(record.invocation_id)
            found = self.find_if_any(record.invocation_id)
            journaled = found is not None and found.recorded
            if journaled and started is not None and started.attempt == record.attempt:
                build = started.build_id if started.pinned else ""
                self._pins.setdefault(record.invocation_id, build)
        elif isinstance(record, Restarted):
            found = self.find_if_any(record.invocation_id)
            if found is not None and found.source_index:  # it has copied entries
                pin = self._pins.get(record.source_id, "")
                self._pins.setdefault(record.invocation_id, pin)
        elif isinstance(record, Continued):
            found = self.find_if_any(record.invocation_id)
            if found is not None and found.run != self._runs.get(record.invocation_id, 1):
                self._runs[record.invocation_id] = found.run
                self._pins.pop(record.invocation_id, None)  # it goes where a new one would go
        elif isinstance(record, Repinned):
            found = self.find_if_any(record.invocation_id)
            if found is not None and found.state not in FINAL:
                self._pins[record.invocation_id] = record.build_id
        elif isinstance(record, Started):
            found = self.find_if_any(record.invocation_id)
            begun = found is not None and (found.attempt, found.state) == (
                record.attempt,
                State.RUNNING,
            )
            if begun:
                self._starts[record.invocation_id] = record
            pin = self._pins.get(record.invocation_id)
            if begun or record.invocation_id not in guessed:
                assert not pin or record.build_id == pin, f"{record} is pinned to {pin}"

    def _check_received(self, record: Received, seen: dict[int, int]) -> None:
        """Checks messages that arrive, and notes in `seen` up to where they take effect."""
        sent = self._all[record.source].sent[self.index]
        end = record.first + len(record.messages)
        assert [*record.messages] == sent[record.first - 1 : end - 1], "other messages were sent"
        before = seen.get(record.source, 0)
        if record.first - 1 <= before < end - 1:
            seen[record.source] = end - 1

    def check_answered(self, record: Record) -> None:
        """Checks that a record to which a leader has replied is in the log."""
        assert batch.encode_record(record) in self._bodies, f"not in the log: {record}"

    def find_if_any(self, invocation_id: str) -> Invocation | None:
        """Returns an invocation as the log has it; None if it has none."""
        return self.partition.invocations.get(invocation_id) or self.store.load(invocation_id)

    def find(self, invocation_id: str) -> Invocation:
        """Returns an invocation as the log has it."""
        found = self.find_if_any(invocation_id)
        assert found is not None, f"{invocation_id} is not in the log"
        return found

    def check_store(self, store: ComparedStore) -> None:
        """Checks that a store has the same rows, if it is at the same position."""
        if store.recover().position != self.position:
            return
        mine, others = self.store.tables(), store.tables()
        assert mine.keys() == others.keys()
        for name, rows in mine.items():
            differ = [it for it in zip(rows, others[name], strict=False) if it[0] != it[1]]
            assert rows == others[name], f"partition {self.index}: table {name}: {differ[:2]}"

    def check_attempts(self) -> None:
        """Checks the history of attempts of each invocation."""
        page = self.store.page(Filter(), Order(), None, 100_000)
        assert page.end is None
        for listed in page.invocations:
            it = self.find(listed.id)
            ended = self.store.attempts(it.number)
            numbers = [attempt.attempt for attempt in ended]
            last = it.attempt
            if it.worker_id or (it.state in FINAL and last not in numbers):
                last -= 1  # the invocation itself says what the last one is
            assert numbers == list(range(max(1, last - KEPT + 1), last + 1)), (it.id, numbers)
            before = it.created_ms
            for attempt in last_attempts(it, ended):
                assert attempt.started_ms >= before, it.id
                before = attempt.ended_ms or attempt.started_ms
                assert before >= attempt.started_ms, it.id
            assert it.state not in FINAL or before <= it.completed_ms, it.id


class SimStream(MemoryStream):
    """A stream whose history is kept."""

    def __init__(self, history: History) -> None:
        super().__init__(f"memory-{history.index}")
        self.history = history

    def append(self, data: bytes, expected: int) -> None:
        """See `MemoryStream.append`."""
        super().append(data, expected)
        self.history.stored(self.last, data)

    def release(self) -> int:
        """See `MemoryStream.release`."""
        known = self.last
        accepted = super().release()
        for sequence in range(known + 1, self.last + 1):
            self.history.stored(sequence, self.messages[sequence - self.first])
        return accepted
