"""The program's side of an attempt: what it asks for becomes operations of the journal.

An operation gets the next index when it is asked for. If the journal has that index, kind and name
must be the journal's, and nothing is sent or started again; else a step goes to `tasks` and any other
operation to `outbox`. During replay steps are put aside: their outcomes may still be in the journal.
"""

from __future__ import annotations

import sys
from asyncio.events import _get_running_loop
from collections.abc import Callable, Mapping
from contextvars import Context as Variables
from contextvars import copy_context
from dataclasses import dataclass
from functools import cached_property, partial
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeVar

from durable_proto.v1 import payload_pb2, worker_pb2

from .._common.durations import CENTURY_SECONDS
from .._common.errors import AttemptEnded, DeterminismError, NonDurableAwaitError, TerminalError
from .._common.values.hints import HintError, Unresolved, resolve
from .._common.values.serde import encode_as
from .._common.values.shape_factory import known_shape, shape_of
from .._common.values.shapes import Shape
from .._definitions.retry import DEFAULT_POLICY, RetryPolicy
from .._definitions.workflow import Workflow
from . import locks
from .failures import describe_location
from .forgotten import Forgotten
from .futures import DurableFuture
from .journal import CALL, RUN, SLEEP, Journal, described, difference, seconds_of
from .loop import Timer, WorkflowLoop
from .places import NOT_THE_PROGRAM, Place, place_of
from .random import ReplayRandom

if TYPE_CHECKING:
    from .saga import Saga

T = TypeVar("T")

TEXT_BYTES_MAX = 256
"""The protocol's limit for a name, a key or an id: the control plane's `id_bytes`."""


def _as_they_are(service: str, method: str, headers: Mapping[str, str]) -> Mapping[str, str]:
    return headers


class Environment(NamedTuple):
    """What the shell offers to steps."""

    channel: Callable[[str], Any]
    """Returns the grpc.aio channel to a service; raises LookupError for an unknown one."""
    calling: Callable[[str, str, Mapping[str, str]], Mapping[str, str]] = _as_they_are
    """Hears that a call of a method begins; returns which of the headers travel with it."""
    payload_bytes_max: int = 1024 * 1024
    """The control plane's limit `payload_bytes`, for every value that leaves the program."""


@dataclass(slots=True)
class StepTask:
    """A side effect that the shell must start now."""

    index: int
    kind: int
    name: str
    body: Callable[[], Any]
    """Returns a value, or an awaitable for the shell's own event loop."""
    blocking: bool
    """True for a sync function, which belongs in a thread."""
    idempotency_key: str
    encode: Callable[[Any], payload_pb2.Payload]
    variables: Variables
    """What it runs in: a copy of the context variables of the code that asked for it, its own."""
    timeout: float | None = None
    """How long its body may take, in seconds."""


def too_large(what: str, size: int, limit: int) -> TerminalError:
    """Returns the error of a value over the limit: the same code would make the same one again."""
    return TerminalError(
        f"{what} has {size} bytes, more than the limit payload_bytes ({limit}); store it elsewhere"
        " and give a reference",
        metadata={"limit": "payload_bytes", "size_bytes": str(size)},
    )


def check_text(what: str, text: str) -> None:
    """Raises for what no entry can hold: before it is asked for, lest half of it be recorded.

    Raises TypeError for what is no str; ValueError for more than TEXT_BYTES_MAX bytes of UTF-8, for
    a NUL, and for what is no Unicode.
    """
    if not isinstance(text, str):
        raise TypeError(f"{what} must be a str, not {text!r}")
    size = len(text.encode())
    if size > TEXT_BYTES_MAX:
        raise ValueError(
            f"{what} has {size} bytes, and the limit is at most {TEXT_BYTES_MAX} bytes of UTF-8;"
            " take a shorter one, such as a hash of it"
        )
    if "\0" in text:
        raise ValueError(f"{what} has a NUL character; leave it out of {text!r}")


def _microseconds(seconds: float) -> int:
    """Returns a delay as the protocol has it: a millisecond at least, and what is endless a century."""
    if seconds != seconds:
        raise ValueError("a delay must be a number of seconds, not nan")
    return round(max(0.001, min(seconds, CENTURY_SECONDS)) * 1_000_000)


class Open(NamedTuple):
    """An operation that the program has asked for and that has not completed."""

    kind: int
    name: str
    future: DurableFuture[Any] | None
    timer: Timer | None
    shape: Shape | None
    """How its value is read; None when it has none."""
    convert: Callable[[payload_pb2.Outcome], Any] | None = None
    """Makes the result of an outcome that is no failure, where it is not just a value."""
    retry: RetryPolicy | None = None
    """The step's own policy; None for the handler's."""


class Operations:
    """What the program may ask for, and what is known of what it asked for."""

    def __init__(
        self,
        workflow: Workflow[..., Any],
        invocation_id: str,
        attempt: int,
        start: worker_pb2.Start,
        environment: Environment,
    ) -> None:
        self.workflow = workflow
        self.policy = workflow.retry or DEFAULT_POLICY
        """The policy for the program, and for steps without one of their own."""
        self.invocation_id = invocation_id
        self.number = attempt
        self.start = start
        self.environment = environment
        self.outbox: list[worker_pb2.WorkerMessage] = []
        self.tasks: list[StepTask] = []
        self.asked_at: Place | None = None
        self.forgotten = Forgotten()
        self.done = False
        self.ending: worker_pb2.WorkerMessage | None = None
        """What the attempt ends with when the steps that run have ended; nothing else happens in it."""
        self.frozen = False
        """True when nothing is to be delivered any more, because of a pause."""
        self.replaying = bool(start.journal)
        self._seconds = seconds_of(start.start_time)
        locks.install()
        # The methods that typeshed misses are set when the class is made: they all refuse.
        self._loop = WorkflowLoop(self)  # type: ignore[abstract]
        self._main: Any = None
        self._next = 0
        self._open: dict[int, Open] = {}
        self._journal = Journal(start)
        self._deferred: list[StepTask] = []
        self._executing: set[int] = set()
        self.unwanted: set[int] = set()
        """Steps that the shell was given to start, and whose results nobody wants any more."""
        self._just_given_up: set[int] = set()
        """Those of them that the code which runs now has given up: the next attempt may want them."""
        self.idle_sagas: list[Saga] = []
        """Sagas that were given something to undo before anything said when."""
        self.open_sagas = 0
        """How many sagas' blocks the program is in."""
        self.undoing = 0
        """How many sagas undo now: their steps begin when those that were given up have ended."""
        self._held_back: list[StepTask] = []
        """Steps that wait for that."""
        self._unacknowledged: dict[int, worker_pb2.WorkerMessage] = {}
        self._held: BaseException | None = None
        """Why a person must look, once that is known and while the program is still inside."""
        self._failed: BaseException | None = None
        """What the attempt ends with, once that is known and while the program is still inside."""
        self._undone: list[BaseException] = []
        """The errors for which a saga has undone what it had done."""
        self._cancelled = ""
        self._result: payload_pb2.Payload | None = None
        self._state: dict[str, payload_pb2.Payload | None] = dict(start.state)
        """The state as far as it is known here, by name; None for what was removed."""
        self._state_complete = start.state_complete
        self._unreadable: set[str] = set()
        """Awakeables whose outcome was no value of their type: asked for again, they are renewed."""

    def run(
        self,
        name: str,
        body: Callable[[], Any],
        hint: Any,
        blocking: bool,
        retry: RetryPolicy | None = None,
        timeout: float | None = None,
    ) -> DurableFuture[Any]:
        """Asks for a step."""
        shape = known_shape(hint)
        if shape is None:
            shape = self._shape_of_step(hint, name)
        index = self._ask(RUN, name)
        return self._step(index, RUN, name, body, blocking, shape, retry, timeout)

    def call(
        self, name: str, body: Callable[[str], Any], response_type: type[T]
    ) -> DurableFuture[T]:
        """Asks for a call of a service."""
        index = self._ask(CALL, name)
        key = f"{self.invocation_id}/{index}"
        shape = shape_of(response_type)
        return self._step(index, CALL, name, lambda: body(key), False, shape)

    def _shape_of_step(self, hint: Any, name: str) -> Shape:
        try:
            return self.shape(hint, f"ctx.run({name!r}), whose function has an annotated result")
        except HintError as error:
            raise type(error)(
                f"{error}; where the function is not yours, write one around it that says which type"
                " its result has, or a lambda, to get the plain data"
            ) from None

    def shape(self, hint: Any, what: str) -> Shape:
        """Returns how values of a type are read that the program names.

        Raises HintError, which says where (`what`), for a type that cannot be read.
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

    def sleep(self, seconds: float) -> DurableFuture[None]:
        """Asks for a durable timer."""
        microseconds = _microseconds(seconds)
        index = self._ask(SLEEP, "")
        future: DurableFuture[None] = DurableFuture(self, self._loop, index, "sleep")
        self._open[index] = Open(SLEEP, "", future, None, None)
        self._send_sleep(index, microseconds)
        return future

    def set_timer(self, handle: Timer, delay: float) -> None:
        """Asks for a durable timer that calls back."""
        microseconds = _microseconds(delay)
        index = self._ask(SLEEP, "")
        self._open[index] = Open(SLEEP, "", None, handle, None)
        self._send_sleep(index, microseconds)

    def given_up(self, index: int) -> None:
        """Hears that nobody wants an operation's result any more."""
        # Not begun yet, here or in the shell: then it does not begin.
        started = index in self._executing
        self._executing.discard(index)
        for waiting in (self.tasks, self._deferred, self._held_back):
            for task in waiting:
                if task.index == index:
                    waiting.remove(task)
                    del self._open[index]
                    return
        if started:
            self.unwanted.add(index)
            self._just_given_up.add(index)

    @cached_property
    def random(self) -> Random:
        """Random numbers that are the same in each replay; one sequence for an attempt."""
        return ReplayRandom(
            self.start.random_seed,
            lambda: self.check_own("ctx.random", "draw before, and hand the value to the step"),
        )

    def check_own(
        self, what: str, hint: str = "call it before, and hand its value to the step"
    ) -> None:
        """Raises NonDurableAwaitError unless the workflow's own code runs: a replay runs no other."""
        if not self.runs_here:
            raise self._outside(what, hint)

    @property
    def runs_here(self) -> bool:
        """Whether the workflow's own code is what runs now, in this thread."""
        return _get_running_loop() is self._loop

    @property
    def over(self) -> bool:
        """Whether what still runs of the workflow's code is only being unwound."""
        return self._loop.stopped

    def _outside(self, what: str, hint: str) -> NonDurableAwaitError:
        if isinstance(_get_running_loop(), WorkflowLoop):
            where = "in the code of another invocation"
        elif self.done:
            where = "after its attempt had ended"
        else:
            where = "within a step or in another thread"
        return NonDurableAwaitError(
            f"{what} was asked for outside of the workflow's own code, {where}; {hint}"
        )

    def time(self) -> float:
        """The journal's time."""
        return self._seconds

    def hold(self, error: BaseException) -> NoReturn:
        """Holds the invocation from within the program, which does not go on."""
        self._held = error
        self._loop.stopped = self._loop.closing = True
        raise AttemptEnded

    def fail(self, error: BaseException) -> NoReturn:
        """Ends the attempt with an error from within the program, which is not asked any more."""
        self._failed = error
        self._loop.stopped = self._loop.closing = True
        raise AttemptEnded

    def undone(self, error: BaseException) -> None:
        """Notes that what was done before an error is undone: the program has failed for good."""
        self._undone.append(error)

    def unhandled(self, message: str, error: BaseException | None, source: Any = None) -> None:
        """Hears of an error that no part of the program awaits."""
        raise NotImplementedError

    def never_awaited(self, coroutine: Any, place: Place | None) -> None:
        """Hears of a coroutine that the program drops without having run it."""
        self.forgotten.never_awaited(coroutine, place)

    def _ask(self, kind: int, name: str) -> int:
        """Gives the next index to an operation; checks it against the journal."""
        loop = self._loop
        if _get_running_loop() is not loop:
            hint = "a step cannot have durable operations of its own; ask for it before or after"
            if self.undoing:
                hint += ", or give a compensation the context: saga.undo(function, ctx)"
            raise self._outside(described(kind, name), hint)
        if loop.closing:
            loop.refuse()
            self._next += 1
            return self._next - 1
        # A hot path: most names are seen to be good at a glance.
        if type(name) is not str or len(name) > TEXT_BYTES_MAX // 4 or not name.isprintable():
            check_text(f"the name for {described(kind, '')}", name)
        frame = sys._getframe(3)
        code = frame.f_code
        # The first of these as a rule: a workflow calls a method of the context.
        self.asked_at = (
            (code, frame.f_lasti) if code.co_filename not in NOT_THE_PROGRAM else place_of(frame)
        )
        index = self._next
        self._next = index + 1
        entry = self._journal.recorded.get(index)
        if entry is not None and (entry.kind != kind or entry.name != name):
            got = f"{described(kind, name)} at {describe_location()}"
            self.hold(self._difference(index, described(entry.kind, entry.name), got))
        if self.replaying and self._is_past():
            self.replaying = False
        return index

    def _is_past(self) -> bool:
        """Says whether all of the journal was asked for and delivered: what follows is new.

        Completions alone do not tell: a journal may end with entries that have none, such as
        changes of the state.
        """
        journal = self._journal
        return self._next > journal.last_index and not journal.has_more

    def _step(
        self,
        index: int,
        kind: int,
        name: str,
        body: Callable[[], Any],
        blocking: bool,
        shape: Shape,
        retry: RetryPolicy | None = None,
        timeout: float | None = None,
    ) -> DurableFuture[Any]:
        future: DurableFuture[Any] = DurableFuture(self, self._loop, index, name)
        self._open[index] = Open(kind, name, future, None, shape, None, retry)
        if index not in self._journal.recorded:
            key = f"{self.invocation_id}/{index}"
            write = partial(encode_as, shape=shape)
            variables = copy_context()
            task = StepTask(index, kind, name, body, blocking, key, write, variables, timeout)
            if self.replaying:
                self._deferred.append(task)
            elif self.undoing and self.unwanted:
                self._held_back.append(task)
            else:
                self._executing.add(index)
                self.tasks.append(task)
        return future

    def _fits(self, kind: int, name: str, payload: payload_pb2.Payload | None) -> None:
        """Raises for a value that the control plane would refuse: here the program can handle it."""
        limit = self.environment.payload_bytes_max
        if payload is not None and len(payload.data) > limit:
            raise too_large(f"the value for {described(kind, name)}", len(payload.data), limit)

    def _send_sleep(self, index: int, microseconds: int) -> None:
        if index in self._journal.recorded:
            return
        entry = self._send(index, SLEEP, "")
        entry.delay.FromMicroseconds(microseconds)

    def _send(self, index: int, kind: int, name: str) -> worker_pb2.EntryRecorded:
        """Sends an entry; the caller fills it further before it goes on."""
        message = self._message()
        entry = message.entry
        entry.index = index
        entry.kind = kind  # type: ignore[assignment]  # the enum's number
        entry.name = name
        self._unacknowledged[index] = message
        self.outbox.append(message)
        return entry

    def name_of(self, index: int) -> str:
        """Returns what an open operation is, in words."""
        operation = self._open.get(index)
        return "over" if operation is None else described(operation.kind, operation.name)

    def _difference(self, index: int, expected: str, got: str) -> DeterminismError:
        return difference(
            index,
            self.workflow.name,
            expected=expected,
            got=got,
            recorded_by=self.start.version,
            now=self.workflow.version,
        )

    def _asked_for(self) -> str:
        if self._main is not None and self._main.done():
            return "ended before it"
        names = ", ".join(
            f"{described(it.kind, it.name)} #{index}" for index, it in self._open.items()
        )
        return f"not asked for it, and waits for {names or 'nothing'}"

    def _message(self) -> worker_pb2.WorkerMessage:
        return worker_pb2.WorkerMessage(invocation_id=self.invocation_id, attempt=self.number)
