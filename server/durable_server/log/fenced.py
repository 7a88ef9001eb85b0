"""The leader's algorithm: take over, append, heal. Written once, over any row of slots.

A `Slots` is what the algorithm needs from below: numbered slots; a message enters slot expected+1
only if `expected` is the last one used. JetStream is one (`jetstream`), a list in memory another
(`memory`); so a simulation over memory runs the very code that runs over JetStream.

Placing a frame, the heart of it. Only one frame is under way at any time, and for one position
always the same bytes:

    publish(frame, expected)
      ok        it is durable at expected+1
      refused   something is at expected+1; look what it is
      trouble   nobody knows; pause, then look at expected+1
    look
      our bytes    an earlier try landed and only its ack was lost: done
      other bytes  see below
      nothing      publish the same bytes again

Sending again is safe: all tries carry the same expectation, so at most one of them can land. What
the other bytes mean is for the caller of `_place`:

    append      valid, or of a higher epoch: another leader is here, DeposedError. Dead: step over,
                place behind it.
    take_over   read on, deliver what is valid, and fence behind it with a higher epoch.

A dead frame of a higher epoch deposes too: somebody tries to take over, and giving way is always
safe. It is also needed. A leader that appends without a pause moves the tail on while a fence for
the last one is on its way, again and again. So, after a fence that came too late, its bytes are
sent once more for a slot a little ahead: a guess, within what the log grew meanwhile. Where it
hits, it is dead, because its prev is old; but the leader finds it in its way, is deposed, and the
next fence meets a quiet log. (Should it be valid after all, it is a fence like any other, and the
next one has a higher epoch.)

An error in the middle leaves a frame whose fate is unknown. Another frame for its position could
then be taken for it by nobody, but it could land *behind* it; so after any such end the log refuses
to append until `take_over` has read what is really there.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from typing import NoReturn

from durable_server.log.frame import HEADER_SIZE, Chain, CorruptFrameError, Frame, decode
from durable_server.log.interface import (
    DeposedError,
    FrameTooLargeError,
    LogDataLostError,
    LogError,
    LogUnavailableError,
    Position,
)
from durable_server.log.presence import Presence
from durable_server.log.slots import Slots, SlotTakenError, SlotTroubleError
from durable_server.nats.backoff import Backoff

FIRST_PAUSE = 0.02
"""Seconds before the first retry; doubles from there."""
LONGEST_PAUSE = 1.0
"""Cap of the pauses in seconds: a log that is back should be found soon."""
DEFAULT_BUDGET = 60.0
"""Seconds without progress after which the log counts as unavailable: an election or a restart of
the server fits in.
"""


_NEWS_EVERY = 5
"""Tries between two lines of log about one trouble; four tries are over in half a second."""

logger = logging.getLogger("durable.log")


class FencedLog:
    """A `Log` over slots. `budget` is in seconds without progress; `rng` draws writer numbers and
    jitter.
    """

    def __init__(
        self, slots: Slots, *, budget: float = DEFAULT_BUDGET, rng: random.Random | None = None
    ) -> None:
        self.name = slots.name
        """The stream's name, which begins every message."""
        self._slots = slots
        self._budget = budget
        self._rng = rng or random.SystemRandom()
        self._chain = Chain()
        self._writer = 0
        self._tail = 0
        """The last slot that was read or written, dead ones included."""
        self._valid = 0
        """The slot of the last valid frame."""
        self._busy = False
        self._closed = False
        self._failure: LogError | None = LogUnavailableError(
            f"{slots.name}: nobody leads yet; take_over comes before append"
        )
        self.presence = Presence(
            slots,
            (FIRST_PAUSE, LONGEST_PAUSE),
            self._rng,
            lambda: self._failure is None,
            lambda: self._busy,
        )

    # ---- the Log face

    async def take_over(
        self,
        applied: Position,
        deliver: Callable[[Position, bytes], None],
        fence: Callable[[int], bytes],
    ) -> Position:
        """See `Log.take_over`."""
        self._enter()
        self._closed = False
        self._failure = LogUnavailableError(f"{self.name}: taking over did not finish")
        try:
            # A new connection for a new term: nothing of an earlier one can be under way on it.
            await self._slots.close()
            self._writer = self._rng.getrandbits(64)
            self._chain = Chain(applied.epoch, applied.number)
            self._tail = self._valid = applied.sequence
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
            position = self._settled(epoch, 0)
            deliver(position, body)
            self._failure = None
            self.presence.good()
            return position
        finally:
            self._busy = False

    async def append(self, body: bytes) -> Position:
        """See `Log.append`."""
        if self._busy:
            self._enter()
        failure = self._failure
        if failure is not None:
            raise type(failure)(*failure.args)
        if len(body) + HEADER_SIZE > self._slots.max_frame:
            self._check_size(body)
        self._busy = True
        chain = self._chain
        frame = chain.next(self._writer, body)
        try:
            try:
                await self._slots.publish(frame, self._tail)
            except (SlotTakenError, SlotTroubleError) as problem:
                await self._heal(frame, problem)
        except LogError as error:
            self._failure = type(error)(*error.args)
            raise
        except BaseException:
            # Above all a cancellation: it may have landed or not, or land later.
            self._failure = LogUnavailableError(
                f"{self.name}: append {chain.epoch}/{chain.number + 1} was given up and its outcome"
                " is unknown; take over again"
            )
            raise
        finally:
            self._busy = False
        if self.presence.trouble:
            self.presence.good()
        return self._settled(chain.epoch, chain.number + 1)

    async def trim(self, sequence: int) -> None:
        """See `Log.trim`."""
        if isinstance(self._failure, DeposedError):
            raise DeposedError(*self._failure.args)
        below = min(sequence, self._valid)
        if below <= 1:
            return
        try:
            await self._slots.purge(below)
        except SlotTroubleError as problem:
            raise LogUnavailableError(
                f"{self.name}: trimming below {below} failed: {problem}; try again later"
            ) from problem

    async def close(self) -> None:
        """See `Log.close`."""
        self._closed = True
        self._failure = LogUnavailableError(f"{self.name}: closed")
        await self.presence.close()
        await self._slots.close()

    # ---- placing a frame

    async def _place(
        self,
        frame: bytes,
        expected: int,
        backoff: Backoff,
        problem: SlotTakenError | SlotTroubleError | None = None,
    ) -> bytes | None:
        """Gets `frame` into slot expected+1; None when it is there, else the bytes that are there
        instead.

        `problem` is what a first `publish` of the same bytes has met.
        """
        slots = self._slots
        while True:
            if problem is None:
                try:
                    await slots.publish(frame, expected)
                except (SlotTakenError, SlotTroubleError) as error:
                    problem = error
                else:
                    return None
            if isinstance(problem, SlotTroubleError):
                await self._pause(backoff, problem)
            try:
                found = await slots.fetch(expected + 1)
            except SlotTroubleError as error:
                problem = error
                continue
            if found is not None:
                return None if found == frame else found
            if isinstance(problem, SlotTakenError):
                # Refused, yet the slot is empty: accepted by a replicated server but not applied
                # yet, or the row is shorter.
                await self._check_end(expected, backoff, problem)
            problem = None

    async def _interrupt(self, data: bytes, growth: int) -> None:
        """Tries to get in the way of a leader that goes on appending, see above."""
        try:
            await self._slots.publish(data, self._tail + self._rng.randint(1, max(1, growth)))
        except (SlotTakenError, SlotTroubleError):
            # A wrong guess; the next fence tells, and so does the next guess.
            return

    async def _heal(self, frame: bytes, problem: SlotTakenError | SlotTroubleError) -> None:
        """Brings an append home whose first publish was not simply acknowledged."""
        backoff = self._backoff()
        first: SlotTakenError | SlotTroubleError | None = problem
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

    def _settled(self, epoch: int, number: int) -> Position:
        self._tail = self._valid = sequence = self._tail + 1
        self._chain.epoch = epoch
        self._chain.number = number
        return Position(sequence, epoch, number)

    async def _check_end(self, expected: int, backoff: Backoff, problem: Exception) -> None:
        """After a refusal with nothing to see: raises if acknowledged slots are gone, else
        pauses.
        """
        try:
            _, last = await self._slots.bounds(create=False)
        except SlotTroubleError as error:
            problem = error
        else:
            if last < expected:
                problem = self._ends_before(last, expected)
                if not self._slots.stale_reads:
                    raise problem
        await self._pause(backoff, problem)

    # ---- reading on

    async def _read_on(
        self,
        applied: Position,
        deliver: Callable[[Position, bytes], None],
        backoff: Backoff,
        *,
        verify: bool,
    ) -> None:
        """Reads to the end of the log; with `verify` the frame at `applied` too, to see that it is
        the one that was applied.
        """

        seen = False

        def take(sequence: int, data: bytes) -> None:
            nonlocal seen
            frame = self._decode(data, sequence)
            if sequence == applied.sequence:
                seen = True
                if (frame.epoch, frame.number) != (applied.epoch, applied.number):
                    raise LogDataLostError(
                        f"{self.name}: sequence {sequence} holds frame"
                        f" {frame.epoch}/{frame.number}, but frame"
                        f" {applied.epoch}/{applied.number} was applied from there: this is not"
                        " the log that the store"
                        " was built from; bring back the log or start with an empty data directory"
                    )
                return
            if sequence != self._tail + 1:
                raise self._missing()
            self._tail = sequence
            if self._chain.admit(frame):
                self._valid = sequence
                deliver(Position(sequence, frame.epoch, frame.number), frame.body)
            backoff.progress()

        while True:
            problem: Exception
            try:
                first, last = await self._slots.bounds(create=applied.sequence == 0)
                if first > self._tail + 1:
                    raise LogDataLostError(
                        f"{self.name}: the log begins at sequence {first}, but everything"
                        f" up to {self._tail} was"
                        f" applied: {self._tail + 1} to {first - 1} are missing; restore the log"
                        " or a newer checkpoint"
                    )
                if last >= self._tail:
                    start = self._tail + 1
                    if verify and 0 < self._tail == applied.sequence and first <= self._tail:
                        start = self._tail
                    if start <= last:
                        await self._slots.read(start, last, take)
                    if start == applied.sequence and not seen:
                        # The row still counts it, so its end alone does not tell.
                        problem = LogDataLostError(
                            f"{self.name}: sequence {start}, which was applied, is missing; restore"
                            " the log from a backup"
                        )
                    elif self._tail == last:
                        return
                    else:
                        problem = self._missing()
                else:
                    problem = self._ends_before(last, self._tail)
                if not self._slots.stale_reads:
                    raise problem
            except SlotTroubleError as error:
                problem = error
            await self._pause(backoff, problem)

    # ---- small things

    def _enter(self) -> None:
        if self._busy:
            raise RuntimeError(f"{self.name}: one append or take_over at a time")
        self._busy = True

    def _backoff(self) -> Backoff:
        return Backoff(FIRST_PAUSE, LONGEST_PAUSE, self._budget, self._rng)

    async def _pause(self, backoff: Backoff, problem: Exception) -> None:
        if self._closed:
            raise LogUnavailableError(f"{self.name}: closed") from problem
        self.presence.bad(problem)
        if backoff.spent:
            self._give_up(backoff, problem)
        if backoff.attempts and backoff.attempts % _NEWS_EVERY == 0:
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
        limit = self._slots.max_frame
        if len(body) + HEADER_SIZE > limit:
            raise FrameTooLargeError(
                f"{self.name}: a body of {len(body)} bytes makes a frame of"
                f" {len(body) + HEADER_SIZE}, the limit"
                f" is {limit}; write smaller batches or raise the server's max_payload"
            )

    def _ends_before(self, last: int, known: int) -> LogDataLostError:
        return LogDataLostError(
            f"{self.name}: the log ends at sequence {last}, but {known} was acknowledged: frames"
            f" {last + 1} to {known} are lost; restore the log from a backup, or start with an empty"
            " data directory"
        )

    def _missing(self) -> LogDataLostError:
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
