"""The log's interface: what the processor may rely on, whatever the log is stored in.

The log of a partition is a sequence of *frames*; a frame is one batch of records, whose bytes mean
nothing here. One leader writes at a time. The guarantees:

- `append` returns only when the frame is durable (law 1), and a frame is in the log at most once,
  however many acks or connections are lost.
- Every leader begins with `take_over`, which delivers the frames that the leader has not seen and
  writes a *fence* of a higher epoch. From then on no earlier leader can add a frame that counts (law 3;
  the rule itself is in `frame`).
- Acknowledged frames are never missing silently: LogDataLostError names those that are gone.

The errors, with who must act:

    LogError
    ├── DeposedError         Another leader took over. Stop leading this partition.
    ├── LogUnavailableError  The log did not answer within its budget, and the outcome of the last
    │                        append is unknown. Stop leading, and take over again when it is back.
    ├── LogDataLostError     Acknowledged frames are missing. An operator must decide; nothing
    │   │                    continues automatically.
    │   └── LogTrimmedError  They were trimmed: this store is too old. Others may go on.
    ├── CorruptFrameError    (in `frame`) A frame's bytes are damaged, or this program did not write
    │                        them. An operator must decide.
    └── FrameTooLargeError   The caller's batch exceeds a limit. Nothing was written, and the log
                             remains usable.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol


class Position(NamedTuple):
    """The position of a valid frame. A store saves it in the transaction that applies the frame."""

    sequence: int = 0
    """The sequence in the stream, from 1; 0 before the first frame."""
    epoch: int = 0
    """The leader's epoch, from 1."""
    number: int = 0
    """The frame's number within the epoch; 0 is the fence."""


class LogError(Exception):
    """The base class of the log's errors."""


class DeposedError(LogError):
    """Another leader has fenced this one off. It stays so until `take_over`."""


class LogUnavailableError(LogError):
    """The log could not be reached within the time budget.

    The last append may or may not be in it.
    """


class LogDataLostError(LogError):
    """The log no longer holds frames that were acknowledged."""


class LogTrimmedError(LogDataLostError):
    """The log begins after what the store has, because it was trimmed.

    What is between is in the stores of others, and in snapshots if any are made.
    """


class FrameTooLargeError(LogError):
    """The body does not fit into one frame. Nothing was written."""


class Availability(Protocol):
    """Whether the log can accept an append now."""

    problem: str
    """Why it cannot; empty while it can."""
    changed: Callable[[], None]
    """Called when `problem` becomes set or empty."""


class Log(Protocol):
    """The log of one partition."""

    @property
    def availability(self) -> Availability:
        """Whether the log can accept an append now; kept up to date also between calls."""
        ...

    async def take_over(
        self,
        applied: Position,
        deliver: Callable[[Position, bytes], Awaitable[None]],
        fence: Callable[[int], bytes],
    ) -> Position:
        """Becomes the leader: reads on from `applied`, writes a fence, and returns its position.

        Every valid frame after `applied` goes to `deliver`, in order, and then the fence, whose body
        is `fence(epoch)` with the epoch after the last valid one. `fence` is called again when
        another leader was faster. When `take_over` fails, the frames that were delivered stay
        delivered: try again from the last of them. Exceptions of `deliver` and `fence` are passed
        on.

        Raises LogDataLostError when the log ends before `applied`, begins after the frame that
        follows it, or holds another frame in its place; CorruptFrameError; LogUnavailableError
        after the budget without progress.
        """
        ...

    async def create(self) -> None:
        """Makes the log if there is none. Raises LogUnavailableError, LogDataLostError."""
        ...

    def follow(self, applied: Position) -> None:
        """Makes `read` go on after `applied`."""
        ...

    async def read(self, deliver: Callable[[Position, bytes], Awaitable[None]]) -> bool:
        """Delivers the next few valid frames that are in the log now, without leading it.

        Returns whether there are more. `follow` comes first. When it fails, the frames that were
        delivered stay delivered, and the next call goes on behind them.

        Raises LogDataLostError and CorruptFrameError as `take_over` does, and LogUnavailableError
        without any retry, because a follower can wait.
        """
        ...

    async def append(self, body: bytes) -> Position:
        """Appends one frame and returns its position when it is durable.

        Only one call at a time: a second concurrent one is a programming error (RuntimeError).
        Lost acks, lost connections and dead frames are dealt with inside. After DeposedError,
        LogUnavailableError, LogDataLostError or a cancellation every further call raises the same
        until `take_over`, because the outcome is unknown and only reading the log can tell.

        Raises DeposedError, LogUnavailableError, LogDataLostError, CorruptFrameError,
        FrameTooLargeError.
        """
        ...

    async def trim(self, sequence: int) -> None:
        """Removes the frames before `sequence`, but never the last valid one.

        The numbering of sequences is not changed. The frames are gone at once, so only those that a
        checkpoint of the store has made durable may be trimmed. Raises DeposedError, and
        LogUnavailableError, after which it may be tried again later; appends are not affected.
        """
        ...

    async def close(self) -> None:
        """Closes the log without writing; an append in flight ends in LogUnavailableError."""
        ...
