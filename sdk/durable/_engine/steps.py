"""Steps: the operations that the worker executes.

A new step goes to `tasks`, from where the worker takes it. Two kinds of steps wait first:

- A step that is started during replay and is not in the journal so far checked. Its outcome may
  still be among the completions to deliver, or the program may prove not to repeat the journal. It
  becomes a task when the replay is over.
- A step of a compensation, while a discarded step still runs. What is undone must not be done after
  it.

A step is discarded when the program cancels its future (directly, by a timeout, by a group that
fails). A discarded step that has not become a task, or has not begun in the worker, never begins:
it leaves a gap in the indexes and nothing else. One that runs goes on and its value is journaled,
but its failure does not fail the attempt, and the handler's end does not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import Context as Variables
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from durable_proto.v1 import payload_pb2

from .._common.values.hints import HintError
from .._common.values.serde import encode_as
from .._common.values.shape_factory import known_shape, shape_of
from .._common.values.shapes import Shape
from .._definitions.retry import RetryPolicy
from .compensations import Compensations
from .entry_kinds import CALL, RUN
from .futures import DurableFuture
from .operations import OpenOperation, Operations

T = TypeVar("T")


def _unchanged(service: str, method: str, headers: Mapping[str, str]) -> Mapping[str, str]:
    return headers


class Environment(NamedTuple):
    """What the worker offers to steps."""

    channel: Callable[[str], Any]
    """Returns the grpc.aio channel to a service; raises LookupError for an unknown one."""
    calling: Callable[[str, str, Mapping[str, str]], Mapping[str, str]] = _unchanged
    """Is called when a call of a method begins, with its service, the method and the invocation's
    headers; returns the headers that travel with the call."""
    payload_bytes_max: int = 1024 * 1024
    """The control plane's limit `payload_bytes`, for every value that leaves the program."""


@dataclass(slots=True)
class StepTask:
    """A step that the worker must execute now."""

    index: int
    kind: int
    name: str
    body: Callable[[], Any]
    """Returns a value, or an awaitable for the worker's own event loop."""
    blocking: bool
    """True for a sync function, which belongs in a thread."""
    idempotency_key: str
    encode: Callable[[Any], payload_pb2.Payload]
    variables: Variables
    """The context variables of the code that started the step: a copy for this step alone."""
    timeout: float | None = None
    """How long its body may take, in seconds."""


class Steps:
    """The steps of one attempt."""

    __slots__ = (
        "_after_discarded",
        "_after_replay",
        "_compensations",
        "_executing",
        "_invocation_id",
        "_just_discarded",
        "_operations",
        "discarded",
        "environment",
        "headers",
        "tasks",
    )

    def __init__(
        self,
        operations: Operations,
        compensations: Compensations,
        environment: Environment,
        invocation_id: str,
        headers: Mapping[str, str],
    ) -> None:
        self.environment: Final = environment
        self.headers: Final = headers
        """The invocation's headers, which service calls carry on."""
        self.tasks: Final[list[StepTask]] = []
        """Steps that the worker is to start. The worker takes them out; the list stays the same."""
        self.discarded: Final = compensations.discarded
        self._just_discarded: Final[set[int]] = set()
        """Those that were discarded since the latest completion. If the attempt fails now, it was
        the failure that discarded them, and the next attempt may not discard them."""
        self._executing: Final[set[int]] = set()
        """Steps that the worker was given and that the program has not discarded."""
        self._after_replay: Final[list[StepTask]] = []
        self._after_discarded: Final[list[StepTask]] = []
        self._operations: Final = operations
        self._compensations: Final = compensations
        self._invocation_id: Final = invocation_id

    # The program's side

    def run(
        self,
        name: str,
        body: Callable[[], Any],
        hint: Any,
        blocking: bool,
        retry: RetryPolicy | None = None,
        timeout: float | None = None,
    ) -> DurableFuture[Any]:
        """Starts a step that executes a function."""
        shape = known_shape(hint)
        if shape is None:
            shape = self._shape(hint, name)
        index = self._operations.begin(RUN, name)
        return self._start(index, RUN, name, body, blocking, shape, retry, timeout)

    def call(
        self, name: str, body: Callable[[str], Any], response_type: type[T]
    ) -> DurableFuture[T]:
        """Starts a step that calls a service; `body` gets the idempotency key."""
        index = self._operations.begin(CALL, name)
        key = f"{self._invocation_id}/{index}"
        shape = shape_of(response_type)
        return self._start(index, CALL, name, lambda: body(key), False, shape)

    def future_cancelled(self, index: int) -> None:
        """Discards a step."""
        started = index in self._executing
        self._executing.discard(index)
        # A task that the worker has not taken, or that waits here, does not begin.
        for waiting in (self.tasks, self._after_replay, self._after_discarded):
            for task in waiting:
                if task.index == index:
                    waiting.remove(task)
                    del self._operations.open[index]
                    return
        if started:
            self.discarded.add(index)
            self._just_discarded.add(index)

    def _shape(self, hint: Any, name: str) -> Shape:
        what = f"ctx.run({name!r}), whose function has an annotated result"
        try:
            return self._operations.shape(hint, what)
        except HintError as error:
            raise type(error)(
                f"{error}; where the function is not yours, write one around it that says which type"
                " its result has, or a lambda, to get the plain data"
            ) from None

    def _start(
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
        operations = self._operations
        future: DurableFuture[Any] = DurableFuture(
            self, operations.loop, index, name, operations.place
        )
        operations.open[index] = OpenOperation(kind, name, future, None, shape, None, retry)
        if index not in operations.journal.recorded:
            key = f"{self._invocation_id}/{index}"
            write = partial(encode_as, shape=shape)
            variables = copy_context()
            task = StepTask(index, kind, name, body, blocking, key, write, variables, timeout)
            if operations.replaying:
                self._after_replay.append(task)
            elif self._compensations.must_wait:
                self._after_discarded.append(task)
            else:
                self._executing.add(index)
                self.tasks.append(task)
        return future

    # The attempt's side

    @property
    def has_executing(self) -> bool:
        """True while the worker has a step that the program has not discarded."""
        return bool(self._executing)

    @property
    def has_waiting(self) -> bool:
        """True while steps of compensations wait for discarded steps to end."""
        return bool(self._after_discarded)

    @property
    def delays_end(self) -> bool:
        """True while a failed attempt has to wait for steps, so that their outcomes are journaled.

        Among them are steps that the failure itself made the program discard: once the failure is
        put right, the program wants them.
        """
        return bool(self._executing or self._just_discarded & self.discarded)

    def ended(self, index: int) -> None:
        """Notes that the worker has ended a step."""
        self._executing.discard(index)

    def completion_handled(self) -> None:
        """Notes that the program has acted on a completion without failing."""
        self._just_discarded.clear()

    def start_after_replay(self) -> None:
        """Makes tasks of the steps that have waited for the end of the replay."""
        self._make_tasks(self._after_replay)

    def start_after_discarded(self) -> None:
        """Makes tasks of the steps of compensations that have waited."""
        self._make_tasks(self._after_discarded)

    def drop_waiting(self) -> None:
        """Drops all steps that the worker has not taken: the attempt ends."""
        for task in self.tasks:
            self._executing.discard(task.index)
        self.tasks.clear()
        self._after_replay.clear()
        self._after_discarded.clear()

    def drop_from(self, index: int) -> None:
        """Drops the steps that were started from this index on, while the program unwound."""
        self._executing.difference_update([it for it in self._executing if it >= index])
        self.tasks[:] = [task for task in self.tasks if task.index < index]

    def _make_tasks(self, waiting: list[StepTask]) -> None:
        for task in waiting:
            self._executing.add(task.index)
            self.tasks.append(task)
        waiting.clear()
