"""The operations that the server executes: timers, awakeables, signals and other invocations.

Each is sent as an entry when the program starts it, and the server completes it. In a replay the
entry is in the journal and nothing is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, NamedTuple, TypeAlias

from durable_proto.v1 import payload_pb2, worker_pb2

from .._common.durations import CENTURY_SECONDS
from .._common.values.schemas import accepted_schema
from .._common.values.serde import decode
from .._common.values.shapes import Shape
from .._common.webhooks import Webhook, webhook_request
from .entry_kinds import (
    ATTACH,
    AWAKEABLE,
    CANCEL,
    INVOKE,
    KINDS,
    RESOLVE,
    SEND,
    SIGNAL,
    SLEEP,
)
from .futures import Awakeable, DurableFuture, SignalFuture
from .limits import check_payload, check_text
from .loop import Timer, WorkflowLoop
from .operations import OpenOperation, Operations
from .places import Place
from .service_calls import create_webhook
from .steps import Steps


class Target(NamedTuple):
    """What is to be invoked, and how."""

    handler: str
    input: payload_pb2.Payload | None
    decode: Callable[[payload_pb2.Payload], Any]
    key: str = ""
    idempotency_key: str = ""
    partition_key: str = ""
    delay: timedelta | None = None


_FutureType: TypeAlias = Callable[
    ["ServerOperations", WorkflowLoop, int, str, Place | None], DurableFuture[Any]
]


class ServerOperations:
    """The operations of one attempt that the server executes."""

    __slots__ = (
        "_invocation_id",
        "_operations",
        "_payload_bytes_max",
        "_steps",
        "_to_renew",
        "_unread_signals",
    )

    def __init__(self, operations: Operations, steps: Steps, invocation_id: str) -> None:
        self._operations: Final = operations
        self._steps: Final = steps
        self._payload_bytes_max: Final = steps.environment.payload_bytes_max
        self._invocation_id: Final = invocation_id
        self._to_renew: Final[set[str]] = set()
        """Awakeables whose outcome did not fit their type, by id. If the program asks for one again,
        the server is to take another outcome."""
        self._unread_signals: Final[dict[int, DurableFuture[Any]]] = {}
        """Waits for signals whose outcome the program has not got, by index."""

    # Timers

    def sleep(self, seconds: float) -> DurableFuture[None]:
        """Starts a durable timer."""
        operations = self._operations
        microseconds = _microseconds(seconds)
        index = operations.begin(SLEEP, "")
        future: DurableFuture[None] = DurableFuture(
            self, operations.loop, index, "sleep", operations.place
        )
        operations.open[index] = OpenOperation(SLEEP, "", future, None, None)
        self._send_sleep(index, microseconds)
        return future

    def set_timer(self, timer: Timer, delay: float) -> None:
        """Starts a durable timer for a callback of the loop."""
        microseconds = _microseconds(delay)
        index = self._operations.begin(SLEEP, "")
        self._operations.open[index] = OpenOperation(SLEEP, "", None, timer, None)
        self._send_sleep(index, microseconds)

    def _send_sleep(self, index: int, microseconds: int) -> None:
        if index not in self._operations.journal.recorded:
            entry = self._operations.entry(index, SLEEP, "")
            entry.delay.FromMicroseconds(microseconds)

    # Awakeables and signals

    def awakeable(self, awakeable_id: str | None, hint: Any) -> Awakeable[Any]:
        """Makes an awakeable; without an id it gets one that nobody else has."""
        operations = self._operations
        name = awakeable_id
        if name is None:
            name = f"{self._invocation_id}-{operations.past_deprecated()}"
        if not name:
            raise ValueError("an awakeable's id must not be empty")
        shape = operations.shape(hint, f"the awakeable {name!r}")
        index = operations.begin(AWAKEABLE, name)
        renew = name in self._to_renew
        self._to_renew.discard(name)
        future: Awakeable[Any] = Awakeable(self, operations.loop, index, name, operations.place)
        operations.open[index] = OpenOperation(AWAKEABLE, name, future, None, shape)
        if index not in operations.journal.recorded:
            entry = operations.entry(index, AWAKEABLE, name)
            entry.schema = accepted_schema(shape)
            entry.renew = renew
        return future

    def value_refused(self, operation: OpenOperation) -> None:
        """Notes that an operation's value did not fit the type that the program named."""
        if operation.kind == AWAKEABLE:
            self._to_renew.add(operation.name)

    def webhook(
        self, awakeable_id: str, expires_in: float | timedelta | None, scheme: str, secret: str
    ) -> DurableFuture[Webhook]:
        """Makes a URL that resolves an awakeable, by a durable call of the control plane itself."""
        request = webhook_request(awakeable_id, expires_in, scheme, secret)
        return create_webhook(self._steps, request)

    def signal(self, name: str, hint: Any) -> DurableFuture[Any]:
        """Waits for the next signal with a name."""
        if not name:
            raise ValueError("a signal's name must not be empty")
        shape = self._operations.shape(hint, f"the signal {name!r}")
        future, entry = self._start(SIGNAL, name, shape, future_type=SignalFuture)
        self._unread_signals[future.index] = future
        if entry is not None:
            entry.schema = accepted_schema(shape)
        return future

    def signal_read(self, index: int) -> None:
        """Notes that the program has got the outcome of a wait for a signal."""
        self._unread_signals.pop(index, None)

    def give_back_signals(self) -> None:
        """Gives back the signals that have come and that the program has not read.

        The server keeps them for the next run: a signal whose wait is given up is not lost.
        """
        for index, future in self._unread_signals.items():
            if asyncio.Future.done(future):
                self.cancel(f"#{index}")
        self._unread_signals.clear()

    def resolve(
        self, name: str, outcome: payload_pb2.Outcome, invocation_id: str = ""
    ) -> DurableFuture[None]:
        """Resolves or rejects an awakeable, or sends a signal to an invocation."""
        check_payload(RESOLVE, name, outcome.value, self._payload_bytes_max)
        check_text("an invocation's id", invocation_id)
        future, entry = self._start(RESOLVE, name, None)
        if entry is not None:
            entry.target = invocation_id
            if outcome.HasField("value"):
                entry.argument.CopyFrom(outcome.value)
            else:
                entry.outcome.CopyFrom(outcome)
        return future

    # Other invocations

    def invoke(self, target: Target) -> DurableFuture[Any]:
        """Starts a child invocation; the future has its result."""
        return self._start_invocation(INVOKE, target, lambda outcome: target.decode(outcome.value))

    def send(self, target: Target) -> DurableFuture[str]:
        """Starts an invocation that goes on by itself; the future has its id."""
        return self._start_invocation(SEND, target, lambda outcome: decode(outcome.value, str))

    def _start_invocation(
        self, kind: int, target: Target, convert: Callable[[payload_pb2.Outcome], Any]
    ) -> DurableFuture[Any]:
        check_payload(kind, target.handler, target.input, self._payload_bytes_max)
        check_text("a key", target.key)
        check_text("an idempotency key", target.idempotency_key)
        check_text("a partition key", target.partition_key)
        future, entry = self._start(kind, target.handler, None, convert)
        if entry is not None:
            entry.target = target.key
            entry.idempotency_key = target.idempotency_key
            entry.partition_key = target.partition_key
            if target.input is not None:
                entry.argument.CopyFrom(target.input)
            if target.delay is not None:
                entry.delay.FromTimedelta(target.delay)
        return future

    def attach(
        self, invocation_id: str, read: Callable[[payload_pb2.Payload], Any]
    ) -> DurableFuture[Any]:
        """Waits for the result of an invocation that something else has started."""
        future, entry = self._start(
            ATTACH, invocation_id, None, lambda outcome: read(outcome.value)
        )
        if entry is not None:
            entry.target = invocation_id
        return future

    def cancel(self, target: str) -> DurableFuture[None]:
        """Cancels an invocation by its id, or an operation of this one by `#INDEX`."""
        future, entry = self._start(CANCEL, target, None)
        if entry is not None:
            entry.target = target
        return future

    def future_cancelled(self, index: int) -> None:
        """Cancels the operation too, if it can be: a child, or the wait for a signal.

        A program that is being unwound cancels nothing: the next attempt may want the operation.
        """
        operation = self._operations.open.get(index)
        if operation is None or self._operations.loop.closing:
            return
        self._unread_signals.pop(index, None)
        if KINDS[operation.kind].is_cancellable:
            self.cancel(f"#{index}")

    def _start(
        self,
        kind: int,
        name: str,
        shape: Shape | None,
        convert: Callable[[payload_pb2.Outcome], Any] | None = None,
        future_type: _FutureType = DurableFuture,
    ) -> tuple[DurableFuture[Any], worker_pb2.EntryRecorded | None]:
        """Starts an operation; returns its future, and the entry to fill in if it is new."""
        operations = self._operations
        index = operations.begin(kind, name)
        future = future_type(self, operations.loop, index, name, operations.place)
        operations.open[index] = OpenOperation(kind, name, future, None, shape, convert)
        if index in operations.journal.recorded:
            return future, None
        return future, operations.entry(index, kind, name)


def _microseconds(seconds: float) -> int:
    """Returns a delay as the protocol has it: at least a millisecond, at most a century."""
    if seconds != seconds:
        raise ValueError("a delay must be a number of seconds, not nan")
    return round(max(0.001, min(seconds, CENTURY_SECONDS)) * 1_000_000)
