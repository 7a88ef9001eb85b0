"""The operations of one attempt: their indexes, the check against the journal, and which are open.

An operation is what a workflow asks of the engine: a step, a sleep, a child invocation, a read
of the state. Each gets the next index when the program starts it. If the journal has an entry with
that index, the entry's kind and name must be the operation's; otherwise the program is not
deterministic and the invocation is held. What an operation then does is the business of the modules
that start operations: `steps`, `state` and `server_operations`.
"""

from __future__ import annotations

import sys
from asyncio.events import _get_running_loop
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from durable_proto.v1 import invocation_pb2, payload_pb2, worker_pb2

from .._common.errors import CodecError, DeterminismError
from .._common.values.hints import HintError, Unresolved, resolve
from .._common.values.shape_factory import known_shape, shape_of
from .._common.values.shapes import Shape
from .._definitions.retry import RetryPolicy
from .._definitions.workflow import Workflow
from .compensations import Compensations
from .entry_kinds import AWAKEABLE, DEPRECATED_PATCH, KINDS, PATCH, SIGNAL, describe, describe_entry
from .failures import describe_location
from .futures import DurableFuture
from .journal import Journal, mismatch
from .limits import TEXT_BYTES_MAX, check_text
from .loop import Timer, WorkflowLoop
from .outbox import Outbox
from .own_code import OwnCode
from .places import LIBRARY_FILES, Place, place_of

_PATCHES: Final = frozenset((PATCH, DEPRECATED_PATCH))
"""Each is a patch of its name for code that asks and for code that has deprecated it."""


class OpenOperation(NamedTuple):
    """An operation that the program has started and whose completion was not delivered."""

    kind: int
    name: str
    future: DurableFuture[Any] | None
    timer: Timer | None
    shape: Shape | None
    """How its value is decoded; None when it has none."""
    convert: Callable[[payload_pb2.Outcome], Any] | None = None
    """Makes the result from an outcome that is no failure, where the result is not just the value."""
    retry: RetryPolicy | None = None
    """The step's own policy; None for the handler's."""


class Operations:
    """The table of one attempt's operations."""

    __slots__ = (
        "_code",
        "_compensations",
        "_version",
        "deprecated",
        "first_index",
        "journal",
        "loop",
        "next_index",
        "open",
        "outbox",
        "patch_count",
        "patches",
        "place",
        "replaying",
        "workflow",
    )

    def __init__(
        self,
        workflow: Workflow[..., Any],
        start: worker_pb2.Start,
        loop: WorkflowLoop,
        journal: Journal,
        outbox: Outbox,
        code: OwnCode,
        compensations: Compensations,
    ) -> None:
        self.workflow: Final = workflow
        self.loop: Final = loop
        self.journal: Final = journal
        self.outbox: Final = outbox
        self.open: Final[dict[int, OpenOperation]] = {}
        """The open operations, by index."""
        self.first_index: Final = start.first_index
        """The index of the run's first operation."""
        self.next_index = start.first_index
        """The index of the operation that is started next."""
        self.place: Place | None = None
        """The program's line that has started the latest operation."""
        self.replaying = bool(start.journal)
        """True until the program has repeated the whole journal."""
        self.patches: Final[dict[str, bool]] = {}
        """What the program was told about each patch."""
        self.patch_count = 0
        """How many of the indexes before `next_index` are those of patches."""
        self.deprecated: Final[dict[str, None]] = {}
        """Patches that the program has deprecated where the journal does not have them, in order."""
        self._version: Final = start.version
        self._code: Final = code
        self._compensations: Final = compensations

    def begin(self, kind: int, name: str) -> int:
        """Starts an operation: checks it against the journal and returns its index.

        Must be called by a function that the context's method calls: the third frame from here is
        the program's, as a rule.
        """
        loop = self.loop
        if _get_running_loop() is not loop:
            hint = "a step cannot have durable operations of its own; ask for it before or after"
            if self._compensations.running:
                hint += ", or give a compensation the context: saga.undo(function, ctx)"
            raise self._code.misuse(describe(kind, name), hint)
        if loop.closing:
            loop.refuse()
            self.next_index += 1
            return self.next_index - 1
        # A hot path: this test passes most names without a call.
        if type(name) is not str or len(name) > TEXT_BYTES_MAX // 4 or not name.isprintable():
            check_text(f"the name for {describe(kind, '')}", name)
        frame = sys._getframe(3)
        code = frame.f_code
        self.place = (
            (code, frame.f_lasti) if code.co_filename not in LIBRARY_FILES else place_of(frame)
        )
        index = self.next_index
        entry = self.journal.recorded.get(index)
        if entry is not None and entry.kind == DEPRECATED_PATCH:
            index = self.past_deprecated(but=name if kind in _PATCHES else "")
            self.patch_count += index - self.next_index
            entry = self.journal.recorded.get(index)
        self.next_index = index + 1
        if entry is not None and not self._repeats(entry, kind, name):
            got = f"{describe(kind, name)} at {describe_location()}"
            loop.interrupt(self.mismatch(index, entry, got), hold=True)
        if self.replaying:
            self.note_progress()
        return index

    def past_deprecated(self, but: str = "") -> int:
        """Returns the index of the next operation.

        It is after the entries of deprecated patches that are next, up to that of the patch `but`.
        """
        index, recorded = self.next_index, self.journal.recorded
        while (entry := recorded.get(index)) is not None:
            if entry.kind != DEPRECATED_PATCH or (but and entry.name == but):
                break
            index += 1
        return index

    def meets_patch(self, name: str) -> bool | None:
        """Returns whether the journal has a patch as the next entry; None if it ends before."""
        index = self.past_deprecated(but=name)
        entry = self.journal.recorded.get(index)
        if entry is None and index > self.journal.last_index:
            return None
        return entry is not None and entry.kind in _PATCHES and entry.name == name

    def check_patch(self, call: str, name: str) -> None:
        """Raises for the name of a patch that is none, and outside of the workflow's own code."""
        self._code.check(f"{call}({name!r})", "ask before, and hand the answer to the step")
        check_text("the name of a patch", name)
        if not name:
            raise ValueError("the name of a patch must not be empty")

    def entry(self, index: int, kind: int, name: str) -> worker_pb2.EntryRecorded:
        """Queues the entry of an operation that the server executes, for the caller to fill in.

        It is held if it must not take effect before the discarded steps have ended, or if an entry
        before it is held: the server is to get them in their order.
        """
        outbox = self.outbox
        held = (self._compensations.must_wait or outbox.has_held) and not KINDS[kind].only_waits
        return outbox.entry(index, kind, name, held=held)

    def note_progress(self) -> None:
        """Ends the replay once all of the journal was repeated and delivered: what follows is new.

        Completions alone do not tell: a journal may end with entries that have none, such as
        changes of the state.
        """
        journal = self.journal
        if self.next_index > journal.last_index and not journal.has_more:
            self.replaying = False

    def missing(self) -> DeterminismError | None:
        """Returns the error for a recorded entry whose operation the program has not started."""
        entry = self.journal.first_from(self.next_index, but=DEPRECATED_PATCH)
        if entry is None:
            return None
        return self.mismatch(entry.index, entry, self._not_started())

    def unexpected(self, index: int) -> DeterminismError:
        """Returns the error for a completion whose operation the program has not started."""
        return self.mismatch(index, self.journal.recorded.get(index), self._not_started())

    def mismatch(
        self, index: int, entry: invocation_pb2.JournalEntry | None, got: str
    ) -> DeterminismError:
        """Returns the error for a journal that the program does not repeat."""
        return mismatch(
            index,
            self.workflow.name,
            expected=describe_entry(entry),
            got=got,
            recorded_by=self._version,
            now=self.workflow.version,
            advice=self._advice(entry),
        )

    @staticmethod
    def _repeats(entry: invocation_pb2.JournalEntry, kind: int, name: str) -> bool:
        """Returns whether an operation is the one that the journal has."""
        return entry.name == name and (
            entry.kind == kind or (entry.kind in _PATCHES and kind in _PATCHES)
        )

    def _advice(self, entry: invocation_pb2.JournalEntry | None) -> str:
        """Returns what to do about a journal that the program does not repeat."""
        if entry is not None and entry.kind == PATCH:
            call = f"ctx.patched({entry.name!r})"
            if entry.name in self.patches:
                return (
                    f"{call} was asked here, and this code asks somewhere else; deploy code that asks"
                    " where it was asked"
                )
            return (
                f"the journal was written with the change {entry.name!r}, and this code is older than"
                " the change or has lost the call; deploy code that has"
                f" {call} or ctx.deprecate_patch({entry.name!r}) here"
            )
        if self.deprecated:
            name = next(iter(self.deprecated))
            return (
                f"ctx.deprecate_patch({name!r}) has found no entry of the patch, so the journal may be"
                " older than the change and need the code without it; deploy code that still has both"
                f" branches of ctx.patched({name!r})"
            )
        return "deploy code that asks for the same operations in the same order"

    def unreadable_value(
        self, index: int, kind: int, name: str, shape: Shape | None, error: CodecError
    ) -> CodecError:
        """Returns the error for the value of an operation that does not fit the program's type."""
        text = f"operation {index} of {self.workflow.name}, {describe(kind, name)}: {error}"
        if shape is not None:
            text += f" (read as {shape.name})"
        problem = CodecError(text)
        problem.recorded = kind not in (AWAKEABLE, SIGNAL)
        problem.__cause__ = error.__cause__
        return problem

    def is_of_other_code(self, index: int) -> bool:
        """Returns whether an operation is in a journal that another version has written."""
        return index in self.journal.recorded and self._version != self.workflow.version

    def unreadable(self, problem: str) -> CodecError:
        """Returns the error for a value that other code has recorded and this one cannot read."""
        return CodecError(
            f"{problem}; it was recorded by version {self._version or 'unknown'}, and version"
            f" {self.workflow.version} cannot read it: deploy code that can, then resume"
        )

    def describe(self, index: int) -> str:
        """Returns what an open operation is, in words."""
        operation = self.open.get(index)
        return "over" if operation is None else describe(operation.kind, operation.name)

    def shape(self, hint: Any, what: str) -> Shape:
        """Returns how values of a type that the program names are decoded.

        Raises HintError for a type that cannot be decoded; `what` says where the program names it.
        """
        known = known_shape(hint)
        if known is not None:
            return known
        scope = self.workflow.scope
        try:
            if isinstance(hint, Unresolved):
                hint = resolve(hint.annotation, hint.scope.within(scope.inner))
            return shape_of(hint, scope)
        except HintError as error:
            raise type(error)(f"{what}: {error}") from None

    def drop_from(self, index: int) -> None:
        """Forgets the operations that were started from this index on, while the program unwound."""
        for dropped in range(index, self.next_index):
            self.open.pop(dropped, None)
            self.outbox.drop(dropped)
        self.next_index = index

    def _not_started(self) -> str:
        main = self.loop.main
        if main is not None and main.done():
            return "ended before it"
        names = ", ".join(
            f"{describe(it.kind, it.name)} #{index}" for index, it in self.open.items()
        )
        return f"not asked for it, and waits for {names or 'nothing'}"
