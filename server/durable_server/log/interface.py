"""The log's face: what a processor may rely on, whatever the log is made of.

The log of a partition is a row of *frames*; a frame is one batch of records, opaque here. One
leader writes at a time. Its promises:

- `append` returns only when the frame is durable (law 1), and a frame is in the log at most once,
  however often acks or connections were lost on the way.
- Every leader begins with `take_over`, which delivers what it has not seen and writes a *fence* of
  a higher epoch. From then on no earlier leader can add a frame that counts (law 3; the rule itself
  is in `frame`).
- What was acknowledged is never missing silently: LogDataLostError names what is gone.

Errors, by who must act:

    LogError
    ├── DeposedError         another leader took over: stop leading this partition
    ├── LogUnavailableError  the log did not answer within its budget: the outcome of the last
                             append is unknown;
    │                        stop leading, and take over again when it is back
    ├── LogDataLostError     acknowledged frames are missing: an operator must decide; nothing goes
                             on by itself
    ├── CorruptFrameError    (in `frame`) a frame's bytes are damaged or not ours: an operator must
                             decide
    └── FrameTooLargeError   the caller's batch exceeds a limit; nothing was written, the log is as
                             usable as before
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol


class Position(NamedTuple):
    """Where a valid frame is. A store saves it in the transaction that applies the frame."""

    sequence: int = 0
    """The slot in the log, from 1; 0 = nothing yet."""
    epoch: int = 0
    """The leader's epoch, from 1."""
    number: int = 0
    """The frame's number within the epoch; 0 is the fence."""


class LogError(Exception):
    """Base of everything the log raises on purpose."""


class DeposedError(LogError):
    """Another leader has fenced this one off. Final until `take_over`."""


class LogUnavailableError(LogError):
    """The log could not be reached within the time budget. The last append may or may not be in
    it.
    """


class LogDataLostError(LogError):
    """The log no longer holds frames that were acknowledged."""


class FrameTooLargeError(LogError):
    """The body does not fit into one frame. Nothing was written."""


class Presence(Protocol):
    """Whether the log can take anything now."""

    trouble: str
    """Why it cannot; empty when all is well."""
    changed: Callable[[], None]
    """Called when trouble comes or goes."""


class Log(Protocol):
    """The log of one partition."""

    @property
    def presence(self) -> Presence:
        """What is known of it between and during calls."""
        ...

    async def take_over(
        self,
        applied: Position,
        deliver: Callable[[Position, bytes], None],
        fence: Callable[[int], bytes],
    ) -> Position:
        """Becomes the leader: reads on from `applied`, fences, and returns the fence's position.

        Every valid frame after `applied` goes to `deliver`, in order, then the fence too, whose
        body is `fence(epoch)` with the epoch after the last valid one. `fence` may be called again
        when another leader was faster. When it fails, frames already delivered
        stay delivered: try again from the last of them. An exception of `deliver` or `fence` passes
        through.

        Raises LogDataLostError when the log ends before `applied`, begins after the frame that
        follows it, or holds another frame in its place; CorruptFrameError; LogUnavailableError
        after the budget without progress.
        """
        ...

    async def append(self, body: bytes) -> Position:
        """Appends one frame and returns its position when it is durable.

        One call at a time: a second concurrent one is a programming error (RuntimeError). Lost
        acks, reconnects and dead slots are healed inside. After DeposedError, LogUnavailableError,
        LogDataLostError or a cancellation every further call raises the same until `take_over`: the
        outcome is unknown and only reading the log can tell.

        Raises DeposedError, LogUnavailableError, LogDataLostError, CorruptFrameError,
        FrameTooLargeError.
        """
        ...

    async def trim(self, sequence: int) -> None:
        """Removes the frames before `sequence`, but never the last valid one. Numbering goes on
        unchanged.

        Only what a checkpoint elsewhere has made durable may be trimmed: it is gone at once.
        Raises DeposedError, and LogUnavailableError: nothing else is affected by that, try again later.
        """
        ...

    async def close(self) -> None:
        """Lets go of the log and writes nothing; an append under way ends in LogUnavailableError."""
        ...
