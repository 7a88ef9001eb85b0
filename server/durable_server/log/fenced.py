"""The leader's algorithm: take over a partition, append to its log, recover from lost acks.

A follower reads the same log by the same rules and never writes (`follow`, `read`).

The algorithm is written once, over a `StreamClient`: a stream of numbered messages that accepts a
message at sequence expected+1 only while `expected` is its last sequence. JetStream is such a stream
(`jetstream`) and a list in memory is another one (`memory`), so a simulation over memory runs the code
that runs over JetStream.

Placing a frame is the heart of it. Only one frame is in flight at any time, and for one sequence it is
always the same bytes:

    publish(frame, expected)
      ok           the frame is durable at expected+1
      refused      something else is at expected+1: read it
      unavailable  the outcome is unknown: pause, then read expected+1
    read expected+1
      our bytes    an earlier publish succeeded and only its ack was lost: done
      other bytes  see below
      nothing      publish the same bytes again

Publishing again is safe: all tries carry the same expectation, so at most one of them can succeed. What
the other bytes mean is decided by the caller of `_place`:

    append      A valid frame, or a frame of a higher epoch, means that another leader is active:
                DeposedError. A dead frame is skipped, and our frame is placed behind it.
    take_over   Read on, deliver the valid frames, and place the fence behind them with a higher epoch.

A dead frame of a higher epoch deposes a leader too, because another process is trying to take over and
stepping down is always safe. It is also necessary. A leader that appends without a pause moves the end
of the log on while a fence for the previous end is in flight, again and again. So after a fence that
came too late, `_interrupt` publishes the same bytes once more for a sequence slightly ahead, chosen
within what the log grew meanwhile. When it succeeds, that frame is dead, because its predecessor is
out of date; but the leader meets it, is deposed, and the next fence finds a log that does not move.
(Should the frame be valid after all, it is a fence like any other, and the next one has a higher
epoch.)

An error in the middle of an append leaves a frame whose outcome is unknown. A different frame for the
same sequence could not be confused with it, but the first one could still land *behind* the second. So
after any such end the log refuses to append until `take_over` has read what is really there.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable
from typing import NoReturn

from ..nats.backoff import Backoff
from .availability import Availability
from .frame import HEADER_SIZE, Chain, CorruptFrameError, Frame, decode
from .interface import (
    DeposedError,
    FrameTooLargeError,
    LogDataLostError,
    LogError,
    LogTrimmedError,
    LogUnavailableError,
    Position,
)
from .stream import StreamClient, StreamUnavailableError, WrongLastSequenceError

FIRST_PAUSE = 0.02
"""Seconds before the first retry; doubles from there."""
LONGEST_PAUSE = 1.0
"""The longest pause in seconds: a log that has come back should be noticed soon."""
DEFAULT_BUDGET = 60.0
"""Seconds without progress after which the log counts as unavailable. An election or a restart of the
server takes less.
"""
_WAY_ON = (
    "Bring the log back, or go on from the stores: `durable backup DIR`, then `durable restore DIR`"
    " into a new --data-dir"
)
"""What to do when the log lacks what the store has applied."""
_FOLLOWED_MESSAGES = 32
"""How many messages a follower reads at once: few, because others share its event loop."""
_WARN_EVERY = 5
"""Tries between two warnings about one problem; four tries take half a second."""

logger = logging.getLogger("durable.log")


class FencedLog:
    """A `Log` over a stream.

    `budget` is in seconds without progress; `rng` draws writer numbers and jitter.
    """

    def __init__(
        self,
        stream: StreamClient,
        *,
        budget: float = DEFAULT_BUDGET,
        rng: random.Random | None = None,
    ) -> None:
        self.name = stream.name
        """The stream's name, with which every error message begins."""
        self._stream = stream
        self._budget = budget
        self._rng = rng or random.SystemRandom()
        self._chain = Chain()
        self._writer = 0
        self._tail = 0
        """The last sequence that was read or written, dead frames included."""
        self._last_valid = 0
        """The sequence of the last valid frame."""
        self._unverified: Position | None = None
        """The applied frame that a follower has not found in the log yet."""
        self._busy = False
        self._closed = False
        self._failure: LogError | None = LogUnavailableError(
            f"{stream.name}: nobody leads yet; take_over comes before append"
        )
        self.availability = Availability(
            stream,
            (FIRST_PAUSE, LONGEST_PAUSE),
            self._rng,
            lambda: self._failure is None,
            lambda: self._busy,
        )

    # ---- the `Log` interface

    async def take_over(
        self,
        applied: Position,
        deliver: Callable[[Position, bytes], Awaitable[None]],
        fence: Callable[[int], bytes],
    ) -> Position:
        """See `Log.take_over`."""
        self._begin_call()
        self._closed = False
        self._failure = LogUnavailableError(f"{self.name}: taking over did not finish")
        try:
            # A new epoch gets a new connection, on which no earlier append can be in flight.
            await self._stream.close()
            self._writer = self._rng.getrandbits(64)
            self._chain = Chain(applied.epoch, applied.number)
            self._tail = self._last_valid = applied.sequence
            backoff = self._backoff()
            await self._read_on(applied, deliver, backoff, verify=True)
            while True:
                epoch = self._chain.epoch + 1
                body = fence(epoch)
                self._check_size(body)
                data = self._chain.fence(epoch, self._writer, body)
                known = self._tail
                if await self._place(data, known, backoff) is None:
                    break
                await self._read_on(applied, deliver, backoff, verify=False)
                await self._interrupt(data, self._tail - known)
                await self._read_on(applied, deliver, backoff, verify=False)
            position = self._advance(epoch, 0)
            await deliver(position, body)
            self._failure = None
            self.availability.succeeded()
            return position
        finally:
            self._busy = False

    async def append(self, body: bytes) -> Position:
        """See `Log.append`."""
        if self._busy:
            self._begin_call()
        failure = self._failure
        if failure is not None:
            raise type(failure)(*failure.args)
        if len(body) + HEADER_SIZE > self._stream.max_frame:
            self._check_size(body)
        self._busy = True
        chain = self._chain
        frame = chain.next(self._writer, body)
        try:
            try:
                await self._stream.publish(frame, self._tail)
            except (WrongLastSequenceError, StreamUnavailableError) as problem:
                await self._recover_append(frame, problem)
        except LogError as error:
            self._failure = type(error)(*error.args)
            raise
        except BaseException:
            # Above all a cancellation: the frame may be in the log, or may still reach it.
            self._failure = LogUnavailableError(
                f"{self.name}: append {chain.epoch}/{chain.number + 1} was given up and its outcome"
                " is unknown; take over again"
            )
            raise
        finally:
            self._busy = False
        if self.availability.problem:
            self.availability.succeeded()
        return self._advance(chain.epoch, chain.number + 1)

    async def create(self) -> None:
        """See `Log.create`."""
        backoff = self._backoff()
        while True:
            try:
                await self._stream.bounds(create=True)
                return
            except StreamUnavailableError as problem:
                await self._pause(backoff, problem)

    def follow(self, applied: Position) -> None:
        """See `Log.follow`."""
        self._closed = False
        self._failure = LogUnavailableError(
            f"{self.name}: this is a follower; take_over comes before append"
        )
        self._chain = Chain(applied.epoch, applied.number)
        self._tail = self._last_valid = applied.sequence
        self._unverified = applied if applied.sequence else None

    async def read(self, deliver: Callable[[Position, bytes], Awaitable[None]]) -> bool:
        """See `Log.read`."""
        self._begin_call()
        try:
            first, last = await self._stream.bounds(create=self._tail == 0)
            end = min(last, self._tail + _FOLLOWED_MESSAGES)
            problem = await self._read_range(first, end, self._unverified, deliver, _nothing)
            if problem is None:
                self._unverified = None
            elif not self._stream.stale_reads:
                raise problem
            return problem is None and self._tail < last
        except StreamUnavailableError as problem:
            raise LogUnavailableError(f"{self.name}: {problem}") from problem
        finally:
            self._busy = False

    async def trim(self, sequence: int) -> None:
        """See `Log.trim`."""
        if isinstance(self._failure, DeposedError):
            raise DeposedError(*self._failure.args)
        below = min(sequence, self._last_valid)
        if below <= 1:
            return
        try:
            await self._stream.purge(below)
        except StreamUnavailableError as problem:
            raise LogUnavailableError(
                f"{self.name}: trimming below {below} failed: {problem}; try again later"
            ) from problem

    async def close(self) -> None:
        """See `Log.close`."""
        self._closed = True
        self._failure = LogUnavailableError(f"{self.name}: closed")
        await self.availability.close()
        await self._stream.close()

    # ---- placing a frame

    async def _place(
        self,
        frame: bytes,
        expected: int,
        backoff: Backoff,
        problem: WrongLastSequenceError | StreamUnavailableError | None = None,
    ) -> bytes | None:
        """Places `frame` at sequence expected+1; returns None, or the bytes that are there instead.

        `problem` is the error of a first `publish` of the same bytes, if there was one.
        """
        stream = self._stream
        while True:
            if problem is None:
                try:
                    await stream.publish(frame, expected)
                except (WrongLastSequenceError, StreamUnavailableError) as error:
                    problem = error
                else:
                    return None
            if isinstance(problem, StreamUnavailableError):
                await self._pause(backoff, problem)
            try:
                found = await stream.fetch(expected + 1)
            except StreamUnavailableError as error:
                problem = error
                continue
            if found is not None:
                return None if found == frame else found
            if isinstance(problem, WrongLastSequenceError):
                # Refused, yet nothing is there: a replicated server has accepted a message that it
                # has not applied yet, or the stream is shorter than expected.
                await self._check_end(expected, backoff, problem)
            problem = None

    async def _interrupt(self, data: bytes, growth: int) -> None:
        """Tries to depose a leader that appends without a pause; see the head of this file."""
        try:
            await self._stream.publish(data, self._tail + self._rng.randint(1, max(1, growth)))
        except (WrongLastSequenceError, StreamUnavailableError):
            # The guessed sequence was wrong. The next fence or the next guess will succeed.
            return

    async def _recover_append(
        self, frame: bytes, problem: WrongLastSequenceError | StreamUnavailableError
    ) -> None:
        """Completes an append whose first publish was not acknowledged."""
        backoff = self._backoff()
        first: WrongLastSequenceError | StreamUnavailableError | None = problem
        while (found := await self._place(frame, self._tail, backoff, first)) is not None:
            other = self._decode(found, self._tail + 1)
            if self._chain.accepts(other) or other.epoch > self._chain.epoch:
                raise DeposedError(
                    f"{self.name}: epoch {other.epoch} has taken over at sequence"
                    f" {self._tail + 1};"
                    f" this leader's epoch {self._chain.epoch} is over"
                )
            self._tail += 1
            first = None
            backoff.progress()

    def _advance(self, epoch: int, number: int) -> Position:
        self._tail = self._last_valid = sequence = self._tail + 1
        self._chain.epoch = epoch
        self._chain.number = number
        return Position(sequence, epoch, number)

    async def _check_end(self, expected: int, backoff: Backoff, problem: Exception) -> None:
        """Raises if acknowledged messages are gone, else pauses; for a refusal without a message."""
        try:
            _, last = await self._stream.bounds(create=False)
        except StreamUnavailableError as error:
            problem = error
        else:
            if last < expected:
                problem = self._ends_early(last, expected)
                if not self._stream.stale_reads:
                    raise problem
        await self._pause(backoff, problem)

    # ---- reading

    async def _read_on(
        self,
        applied: Position,
        deliver: Callable[[Position, bytes], Awaitable[None]],
        backoff: Backoff,
        *,
        verify: bool,
    ) -> None:
        """Reads to the end of the log.

        With `verify` it also reads the frame at `applied` and checks that it is the one that was
        applied.
        """
        while True:
            problem: Exception | None
            try:
                first, last = await self._stream.bounds(create=applied.sequence == 0)
                expected = applied if verify else None
                problem = await self._read_range(first, last, expected, deliver, backoff.progress)
                if problem is None:
                    return
                if not self._stream.stale_reads:
                    raise problem
            except StreamUnavailableError as error:
                problem = error
            await self._pause(backoff, problem)

    async def _read_range(
        self,
        first: int,
        last: int,
        expected: Position | None,
        deliver: Callable[[Position, bytes], Awaitable[None]],
        progress: Callable[[], None],
    ) -> LogDataLostError | None:
        """Reads from the tail to `last`, in a log that begins at `first`.

        `expected` is the frame at the tail, to be checked too; None for no check. Returns an error if
        frames are missing, which a replica that is behind may be the reason of.
        """
        if first > self._tail + 1:
            raise LogTrimmedError(
                f"{self.name}: the log begins at sequence {first}, but everything"
                f" up to {self._tail} was"
                f" applied: {self._tail + 1} to {first - 1} are missing; bring back the newer"
                " store, or make a new system of a backup with `durable restore`"
            )
        if last < self._tail:
            return self._ends_early(last, self._tail)
        start = self._tail + 1
        verified = True
        if expected is not None and first <= expected.sequence == self._tail:
            start = expected.sequence
            verified = False

        async def take(sequence: int, data: bytes) -> None:
            nonlocal verified
            frame = self._decode(data, sequence)
            if expected is not None and sequence == expected.sequence:
                verified = True
                self._check_frame(frame, expected)
                return
            if sequence != self._tail + 1:
                raise self._gap()
            self._tail = sequence
            if self._chain.admit(frame):
                self._last_valid = sequence
                await deliver(Position(sequence, frame.epoch, frame.number), frame.body)
            progress()

        if start <= last:
            await self._stream.read(start, last, take)
        if not verified:
            # The bounds still include it, so they do not show that it is missing.
            return LogDataLostError(
                f"{self.name}: sequence {start}, which was applied, is missing. {_WAY_ON}"
            )
        return None if self._tail == last else self._gap()

    def _check_frame(self, frame: Frame, applied: Position) -> None:
        if (frame.epoch, frame.number) != (applied.epoch, applied.number):
            raise LogDataLostError(
                f"{self.name}: sequence {applied.sequence} holds frame"
                f" {frame.epoch}/{frame.number}, but frame"
                f" {applied.epoch}/{applied.number} was applied from there: this is not"
                " the log that the store"
                " was built from; bring back the log or start with an empty data directory"
            )

    # ---- helpers

    def _begin_call(self) -> None:
        if self._busy:
            raise RuntimeError(f"{self.name}: one append or take_over at a time")
        self._busy = True

    def _backoff(self) -> Backoff:
        return Backoff(FIRST_PAUSE, LONGEST_PAUSE, self._budget, self._rng)

    async def _pause(self, backoff: Backoff, problem: Exception) -> None:
        if self._closed:
            raise LogUnavailableError(f"{self.name}: closed") from problem
        self.availability.failed(problem)
        if backoff.spent:
            self._give_up(backoff, problem)
        if backoff.attempts and backoff.attempts % _WARN_EVERY == 0:
            logger.warning(
                "%s: no progress after %d tries, %s; trying on, nothing is accepted meanwhile",
                *(self.name, backoff.attempts, problem),
            )
        await backoff.pause()

    def _give_up(self, backoff: Backoff, problem: Exception) -> NoReturn:
        if isinstance(problem, LogDataLostError):
            raise problem
        raise LogUnavailableError(
            f"{self.name}: no progress within {self._budget:g} s and {backoff.attempts}"
            f" tries; last: {problem}."
            " Take over again when NATS is back"
        ) from problem

    def _check_size(self, body: bytes) -> None:
        limit = self._stream.max_frame
        if len(body) + HEADER_SIZE > limit:
            raise FrameTooLargeError(
                f"{self.name}: a body of {len(body)} bytes makes a frame of"
                f" {len(body) + HEADER_SIZE}, the limit"
                f" is {limit}; write smaller batches or raise the server's max_payload"
            )

    def _ends_early(self, last: int, known: int) -> LogDataLostError:
        return LogDataLostError(
            f"{self.name}: the log ends at sequence {last}, but {known} was acknowledged: frames"
            f" {last + 1} to {known} are lost. {_WAY_ON}"
        )

    def _gap(self) -> LogDataLostError:
        return LogDataLostError(
            f"{self.name}: sequence {self._tail + 1} is missing between others; restore"
            " the log from a backup"
        )

    def _decode(self, data: bytes, sequence: int) -> Frame:
        try:
            return decode(data)
        except CorruptFrameError as error:
            raise CorruptFrameError(
                f"{self.name}: sequence {sequence} is corrupt: {error}"
            ) from None


def _nothing() -> None:
    pass
