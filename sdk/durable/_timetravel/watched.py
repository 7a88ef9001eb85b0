"""A watched attempt: the engine's attempt, which tells a watcher what its program does.

It is the engine of a worker, with four of its parts replaced by ones that call the watcher. So a replay
here decides as a worker would.
"""

from __future__ import annotations

from types import FrameType, TracebackType
from typing import Any, Final, NamedTuple, NoReturn

from durable_proto.v1 import invocation_pb2, worker_pb2

from .._common.errors import AttemptEnded, DeterminismError
from .._definitions.workflow import Workflow
from .._engine.attempt import Attempt
from .._engine.ending import Ending
from .._engine.entry_kinds import PATCH, describe, describe_entry
from .._engine.failures import is_users, waiting_frames
from .._engine.journal import Completion, Journal
from .._engine.loop import WorkflowLoop
from .._engine.operations import Operations
from .._engine.places import line_of
from .._engine.program import Program
from .._engine.steps import Environment

_UNLIMITED: Final = 2**31
"""The largest value of a program: the control plane's own limit has let the recorded ones pass."""


class Difference(NamedTuple):
    """Where a program does not repeat its journal."""

    entry_index: int
    """The index of the entry."""
    expected: str
    """What the journal has."""
    got: str
    """What the program has asked for, or what it does instead."""
    place: str
    """The program's line, as `file:line`; empty if it has ended."""
    advice: str
    """What to do about it, if that is known; else empty."""


class Watcher:
    """What hears of a replay. Each method may raise nothing, and does nothing unless it is replaced."""

    def reached(
        self,
        index: int,
        kind: int,
        name: str,
        place: str,
        entry: invocation_pb2.JournalEntry | None,
    ) -> None:
        """The program has started an operation at a line; `entry` is the recorded one, if there is."""

    def delivered(self, entry: invocation_pb2.JournalEntry | None, completion: Completion) -> None:
        """The program gets the outcome of an entry; `entry` is None for a request to cancel."""

    def stopped(self, error: BaseException, traceback: TracebackType | None) -> None:
        """The program has failed or cannot go on. `traceback` has its own frames, if it has any."""


class WatchedAttempt(Attempt):
    """An attempt without effects: its steps never begin, and its messages go nowhere."""

    watcher: Watcher
    stopped_at: str
    """The program's line at which it has failed or cannot go on; empty for none."""
    last_delivered: int
    """The index of the entry whose outcome the program got last; -1 for none."""

    def __init__(
        self,
        workflow: Workflow[..., Any],
        invocation_id: str,
        number: int,
        start: worker_pb2.Start,
        watcher: Watcher,
    ) -> None:
        environment = Environment(channel=_no_channel, payload_bytes_max=_UNLIMITED)
        super().__init__(workflow, invocation_id, number, start, environment)
        self.watcher = watcher
        self.stopped_at = ""
        self.last_delivered = -1
        parts: tuple[Any, ...] = (self._ending, self._journal, self._operations)
        for part in parts:
            part.attempt = self

    @property
    def difference(self) -> Difference | None:
        """Where the program does not repeat its journal, if it does not."""
        operations: Any = self._operations
        found: Difference | None = operations.difference
        return found

    @property
    def recorded(self) -> dict[int, invocation_pb2.JournalEntry]:
        """The entries of the journal, by index."""
        return self._journal.recorded

    @property
    def open_indexes(self) -> list[int]:
        """The operations that the program has started and that have not ended, by index."""
        return sorted(self._operations.open)

    @property
    def program_error(self) -> BaseException | None:
        """What the program has raised, if it has ended so by itself."""
        main = self._loop.main
        if main is None or not main.done() or main.cancelled():
            return None
        error = main.exception()
        return None if isinstance(error, AttemptEnded) else error

    def where(self) -> str:
        """Returns the program's line at which it waits, as `file:line`; "" if it does not."""
        frames = waiting_frames(self._loop.main)
        return f"{frames[-1].f_code.co_filename}:{frames[-1].f_lineno}" if frames else ""

    def note_stop(self, error: BaseException) -> None:
        """Tells the watcher that the program has failed or cannot go on; only the first time."""
        if self.stopped_at or self.done:
            return
        raised = self.program_error
        if self.difference is not None and raised is not None and raised is not error:
            error = raised  # the journal has more because the program has failed
        traceback = (
            _users_part(error.__traceback__)
            or _of_interruption(self._loop)
            or _chain(waiting_frames(self._loop.main))
        )
        self.stopped_at = _last_line(traceback)
        self.watcher.stopped(error, traceback)


class _WatchedOperations(Operations):
    attempt: WatchedAttempt
    difference: Difference | None = None
    _asked = ""
    """What the program asks for now."""

    def begin(self, kind: int, name: str) -> int:
        """As the base class's, for a watcher."""
        unwinding = self.loop.closing
        self._asked = describe(kind, name) if isinstance(name, str) else ""
        try:
            index = super().begin(kind, name)
        finally:
            self._asked = ""
        if not unwinding:
            entry = self.journal.recorded.get(index)
            self.attempt.watcher.reached(index, kind, name, line_of(self.place), entry)
        return index

    def mismatch(
        self, index: int, entry: invocation_pb2.JournalEntry | None, got: str
    ) -> DeterminismError:
        """As the base class's; notes the difference."""
        error = super().mismatch(index, entry, got)
        expected = describe_entry(entry)
        of_patch = self.deprecated or (entry is not None and entry.kind == PATCH)
        advice = self._advice(entry) if of_patch else ""
        raised = self.attempt.program_error
        if self._asked:
            got, place = self._asked, line_of(self.place)
        elif raised is not None:
            got, place = (
                f"raised {type(raised).__name__} before it",
                _last_line(raised.__traceback__),
            )
            advice = ""
        else:
            place = self.attempt.where()
        self.difference = Difference(index, expected, got, place, advice)
        return error


class _WatchedJournal(Journal):
    attempt: WatchedAttempt

    def next_completion(self) -> Completion | None:
        """As the base class's, for a watcher."""
        completion = super().next_completion()
        if completion is not None:
            index = completion.entry_index
            if index >= 0:
                self.attempt.last_delivered = index
            self.attempt.watcher.delivered(self.recorded.get(index), completion)
        return completion


class _WatchedEnding(Ending):
    attempt: WatchedAttempt

    def fail(self, error: BaseException) -> None:
        """As the base class's, for a watcher."""
        self.attempt.note_stop(error)
        super().fail(error)

    def hold(self, error: BaseException, failure_type: str = "") -> None:
        """As the base class's, for a watcher."""
        self.attempt.note_stop(error)
        super().hold(error, failure_type)


class _WatchedProgram(Program):
    journal_type = _WatchedJournal
    operations_type = _WatchedOperations


WatchedAttempt.program_type = _WatchedProgram
WatchedAttempt.ending_type = _WatchedEnding


def _no_channel(service: str) -> NoReturn:
    raise LookupError(f"a replay calls no service, and this is a call of {service}")


def _chain(frames: list[FrameType]) -> TracebackType | None:
    """Returns a traceback with these frames."""
    chain: TracebackType | None = None
    for frame in reversed(frames):
        chain = TracebackType(chain, frame, frame.f_lasti, frame.f_lineno)
    return chain


def _users_part(traceback: TracebackType | None) -> TracebackType | None:
    """Returns the frames of a traceback that are the user's."""
    links: list[TracebackType] = []
    while traceback is not None:
        if is_users(traceback.tb_frame.f_code.co_filename):
            links.append(traceback)
        traceback = traceback.tb_next
    chain: TracebackType | None = None
    for link in reversed(links):
        chain = TracebackType(chain, link.tb_frame, link.tb_lasti, link.tb_lineno)
    return chain


def _last_line(traceback: TracebackType | None) -> str:
    """Returns the user's innermost line of a traceback as `file:line`; "" for none."""
    last = _users_part(traceback)
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return "" if last is None else f"{last.tb_frame.f_code.co_filename}:{last.tb_lineno}"


def _of_interruption(loop: WorkflowLoop) -> TracebackType | None:
    """Returns the frames of the user's code that the engine has stopped."""
    for task in (loop.main, *loop.tasks):
        if task is not None and task.done() and not task.cancelled():
            error = task.exception()
            if isinstance(error, AttemptEnded):
                return _users_part(error.__traceback__)
    return None
