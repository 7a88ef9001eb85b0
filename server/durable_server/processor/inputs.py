"""The inputs of a partition: the records that wait for a place in the next batch of the log.

Everything that happens to a partition is submitted here as a record: requests, messages of workers,
timers, lost workers. The loop takes the records that wait, appends them as one batch, and answers each
proposal after the commit. A record is encoded when it is submitted, because one that cannot be encoded
or is too large must fail for its sender alone and not for the whole batch.

When `ended` is done, the partition accepts no more records, and each proposal is refused at once.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from ..core.levels import FIRST
from ..core.limits import Limits
from ..core.records import Received, Record
from ..core.replies import Reply
from ..futures import fail
from ..log.batch import encode_record
from .errors import RecordTooLargeError
from .subscriptions import Subscriptions, refuse


class Input(NamedTuple):
    """One record that waits, and the future of its reply."""

    record: Record
    data: bytes
    """The record, encoded; its size counts against the limit of the batch."""
    reply: asyncio.Future[Reply] | None
    settle_by: float
    """The event loop's time until which the reply waits for a new invocation to settle; 0: no wait."""


class Inputs:
    """The records that wait for the next batch of one partition."""

    def __init__(self, limits: Limits, subscriptions: Subscriptions) -> None:
        self.waiting: list[Input] = []
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the partition cannot go on; holds the error that ended it, if there was one."""
        self.awake = asyncio.Event()
        """Set when the loop has something to do."""
        self.level = FIRST
        """The format level of the log when it holds all that waits: see `core.levels`."""
        self._limits = limits
        self._subscriptions = subscriptions

    def submit(self, record: Record) -> None:
        """Adds a record without waiting for its reply. Raises RecordTooLargeError and LevelError."""
        self.waiting.append(Input(record, self._encoded(record), None, 0.0))
        self.awake.set()

    def propose(self, record: Record, *, settle_by: float = 0.0) -> asyncio.Future[Reply]:
        """Adds a record; the returned future has its reply after the commit.

        With `settle_by`, the reply to a record that creates an invocation comes when that invocation
        is settled, unless the commit is later than that time of the event loop. Raises
        RecordTooLargeError, and LevelError for a record that the log may not hold yet.
        """
        data = self._encoded(record)
        future = self._subscriptions.future()
        if self.ended.done():
            refuse(future)
        else:
            self.waiting.append(Input(record, data, future, settle_by))
            self.awake.set()
        return future

    def wake(self) -> None:
        """Makes the loop look for assignments: a worker has come, has a free slot, or leaves."""
        self.awake.set()

    @property
    def urgent(self) -> bool:
        """Whether messages of another partition are among the records that wait."""
        return any(type(it.record) is Received for it in self.waiting)

    def take(self) -> tuple[list[Input], int]:
        """Removes and returns the inputs of the next batch, within its limits, and their bytes."""
        inputs = self.waiting
        limits = self._limits
        count = size = 0
        for item in inputs:
            grown = size + len(item.data)
            if count and (grown > limits.batch_bytes or count == limits.batch_records):
                break
            size = grown
            count += 1
        if count == len(inputs):
            self.waiting = []
        else:
            self.waiting = inputs[count:]
            inputs = inputs[:count]
        return inputs, size

    def end(self, error: BaseException) -> None:
        """Accepts no more records: refuses those that wait, and sets `ended` with the error."""
        if self.ended.done():
            return
        if isinstance(error, Exception):
            fail(self.ended, error)
        else:
            self.ended.set_result(None)
        inputs, self.waiting = self.waiting, []
        refuse_all(inputs)
        self._subscriptions.end()
        self.awake.set()

    def _encoded(self, record: Record) -> bytes:
        try:
            data = encode_record(record, self.level)
        except OverflowError as error:
            raise RecordTooLargeError(f"{type(record).__name__}: {error}") from error
        if len(data) > self._limits.batch_bytes:
            raise RecordTooLargeError(
                f"{type(record).__name__}: {len(data)} bytes are more than the limit batch_bytes"
                f" ({self._limits.batch_bytes}); keep large values elsewhere, or raise max_payload"
                " of an external NATS server if that is what lowers it"
            )
        return data


def refuse_all(inputs: list[Input]) -> None:
    """Answers all proposals among some inputs with ProcessorEndedError."""
    for item in inputs:
        if item.reply is not None:
            refuse(item.reply)
