"""What a program may ask of the control plane: state, promises, signals, other invocations.

Each is an entry that is sent when it is asked for and completed by the control plane; in a replay it is
only looked up. State is the exception. A handler that has its state with it (`Start.state`) reads and
writes it here, at once, and the entries that record this have no completion. That is sound because
nobody else changes such a state while the handler has its turn, and because entries are committed in
the order in which they are asked for: when the program asks for the first state entry that the journal
does not have, everything that it has written before is in the journal, and so in `Start.state`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

from durable_proto.v1 import invocation_pb2, payload_pb2, worker_pb2

from .._common.errors import CodecError, TerminalError
from .._common.values.schemas import accepted_schema
from .._common.values.serde import decode, decode_as, encode
from .._common.values.shapes import Shape
from .._common.webhooks import Webhook, webhook_request
from .futures import Awakeable, DurableFuture
from .journal import (
    ATTACH,
    AWAKEABLE,
    CANCEL,
    CLEAR_STATE,
    GET_STATE,
    INVOKE,
    RESOLVE,
    SEND,
    SET_STATE,
    SIGNAL,
    STATE_KEYS,
)
from .operations import Open, Operations, check_text
from .service_calls import create_webhook

_SHARED = invocation_pb2.HANDLER_KIND_OBJECT_SHARED


class Target(NamedTuple):
    """What is to be invoked, and how."""

    handler: str
    input: payload_pb2.Payload | None
    decode: Callable[[payload_pb2.Payload], Any]
    key: str = ""
    idempotency_key: str = ""
    partition_key: str = ""
    delay: timedelta | None = None


class Primitives(Operations):
    """The operations that the control plane serves."""

    # State

    def get_state(self, name: str, hint: Any, default: Any) -> DurableFuture[Any]:
        """Asks for a value of the state."""

        shape = self.shape(hint, f"ctx.get({name!r})")

        def convert(outcome: payload_pb2.Outcome) -> Any:
            return decode_as(outcome.value, shape) if outcome.HasField("value") else default

        index = self._ask(GET_STATE, name)
        outcome: payload_pb2.Outcome | None = None
        state = self._state
        if index not in self._journal.recorded and (name in state or self._state_complete):
            outcome = payload_pb2.Outcome()
            value = state.get(name)
            if value is not None:
                outcome.value.CopyFrom(value)
        return self._read(index, GET_STATE, name, outcome, convert)

    def state_keys(self) -> DurableFuture[list[str]]:
        """Asks for the names in the state."""

        def convert(outcome: payload_pb2.Outcome) -> list[str]:
            names: list[str] = json.loads(outcome.value.data)
            return names

        index = self._ask(STATE_KEYS, "")
        outcome: payload_pb2.Outcome | None = None
        if index not in self._journal.recorded and self._state_complete:
            names = sorted(name for name, value in self._state.items() if value is not None)
            outcome = payload_pb2.Outcome(value=encode(names))
        return self._read(index, STATE_KEYS, "", outcome, convert)

    def set_state(self, name: str, value: Any) -> None:
        """Sets a value of the state."""
        payload = encode(value)
        self._fits(SET_STATE, name, payload)
        if self._write(SET_STATE, name):
            entry = self._send(self._next - 1, SET_STATE, name)
            entry.argument.CopyFrom(payload)
            self._state[name] = payload

    def clear_state(self, name: str) -> None:
        """Removes a value of the state, or with an empty name all of it."""
        if self._write(CLEAR_STATE, name):
            self._send(self._next - 1, CLEAR_STATE, name)
            if name:
                self._state[name] = None
            else:
                self._state.clear()
                self._state_complete = True

    def _write(self, kind: int, name: str) -> bool:
        """Asks for a change of the state; says whether it is new."""
        if self.workflow.kind == _SHARED:
            raise TerminalError(
                f"{self.workflow.name} is a shared handler: it may read the state, not change it;"
                " do that in a handler that has its turn on the key"
            )
        return self._ask(kind, name) not in self._journal.recorded

    def _read(
        self,
        index: int,
        kind: int,
        name: str,
        outcome: payload_pb2.Outcome | None,
        convert: Callable[[payload_pb2.Outcome], Any],
    ) -> DurableFuture[Any]:
        """Answers a read from here if that is possible, else from the control plane."""
        recorded = self._journal.recorded.get(index)
        if recorded is None:
            entry = self._send(index, kind, name)
            if outcome is not None:
                entry.outcome.SetInParent()
                entry.outcome.CopyFrom(outcome)
        elif not recorded.completion_number and recorded.HasField("complete_time"):
            outcome = recorded.outcome
        future: DurableFuture[Any] = DurableFuture(self, self._loop, index, name)
        if outcome is None:
            self._open[index] = Open(kind, name, future, None, None, convert)
        else:
            try:
                future.set_result(convert(outcome))
            except CodecError as error:
                future.set_exception(error)
        return future

    # Promises and signals

    def awakeable(self, awakeable_id: str | None, hint: Any) -> Awakeable[Any]:
        """Asks for an awakeable."""
        name = f"{self.invocation_id}-{self._next}" if awakeable_id is None else awakeable_id
        if not name:
            raise ValueError("an awakeable's id must not be empty")
        shape = self.shape(hint, f"the awakeable {name!r}")
        index = self._ask(AWAKEABLE, name)
        renewed = name in self._unreadable
        self._unreadable.discard(name)
        future: Awakeable[Any] = Awakeable(self, self._loop, index, name)
        self._open[index] = Open(AWAKEABLE, name, future, None, shape)
        if index not in self._journal.recorded:
            entry = self._send(index, AWAKEABLE, name)
            entry.schema = accepted_schema(shape)
            entry.renew = renewed
        return future

    def webhook(
        self, awakeable_id: str, expires_in: float | timedelta | None, scheme: str, secret: str
    ) -> DurableFuture[Webhook]:
        """Asks for a URL that resolves an awakeable: a durable call of the control plane itself."""
        return create_webhook(self, webhook_request(awakeable_id, expires_in, scheme, secret))

    def signal(self, name: str, hint: Any) -> DurableFuture[Any]:
        """Asks for the next signal of a name."""
        if not name:
            raise ValueError("a signal's name must not be empty")
        shape = self.shape(hint, f"the signal {name!r}")
        future, entry = self._serve(SIGNAL, name, shape)
        if entry is not None:
            entry.schema = accepted_schema(shape)
        return future

    def resolve(
        self, name: str, outcome: payload_pb2.Outcome, invocation_id: str = ""
    ) -> DurableFuture[None]:
        """Resolves or rejects an awakeable, or sends a signal to an invocation."""
        self._fits(RESOLVE, name, outcome.value)
        check_text("an invocation's id", invocation_id)
        future, entry = self._serve(RESOLVE, name, None)
        if entry is not None:
            entry.target = invocation_id
            if outcome.HasField("value"):
                entry.argument.CopyFrom(outcome.value)
            else:
                entry.outcome.CopyFrom(outcome)
        return future

    # Other invocations

    def invoke(self, target: Target) -> DurableFuture[Any]:
        """Asks for a child invocation and its result."""
        return self._start(INVOKE, target, lambda outcome: target.decode(outcome.value))

    def send(self, target: Target) -> DurableFuture[str]:
        """Asks for an invocation that nobody here waits for."""
        return self._start(SEND, target, lambda outcome: decode(outcome.value, str))

    def _start(
        self, kind: int, target: Target, convert: Callable[[payload_pb2.Outcome], Any]
    ) -> DurableFuture[Any]:
        self._fits(kind, target.handler, target.input)
        check_text("a key", target.key)
        check_text("an idempotency key", target.idempotency_key)
        check_text("a partition key", target.partition_key)
        future, entry = self._serve(kind, target.handler, None, convert)
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
        """Asks for the result of an invocation that something else has started."""
        future, entry = self._serve(
            ATTACH, invocation_id, None, lambda outcome: read(outcome.value)
        )
        if entry is not None:
            entry.target = invocation_id
        return future

    def cancel(self, target: str) -> DurableFuture[None]:
        """Asks for the end of an invocation, by id or as `#INDEX` of the entry that started it."""
        future, entry = self._serve(CANCEL, target, None)
        if entry is not None:
            entry.target = target
        return future

    def given_up(self, index: int) -> None:
        """As the base's; a child is cancelled then, and a wait for a signal takes none any more."""
        super().given_up(index)
        operation = self._open.get(index)
        if operation is None or self._loop.closing:
            return
        if operation.kind in (INVOKE, SIGNAL):
            self.cancel(f"#{index}")

    def _serve(
        self,
        kind: int,
        name: str,
        shape: Shape | None,
        convert: Callable[[payload_pb2.Outcome], Any] | None = None,
    ) -> tuple[DurableFuture[Any], worker_pb2.EntryRecorded | None]:
        """Asks for an operation of the control plane; returns the entry to fill if it is new."""
        index = self._ask(kind, name)
        future: DurableFuture[Any] = DurableFuture(self, self._loop, index, name)
        self._open[index] = Open(kind, name, future, None, shape, convert)
        if index in self._journal.recorded:
            return future, None
        return future, self._send(index, kind, name)
