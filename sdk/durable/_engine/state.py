"""The state: the values that a workflow, or an object key, keeps by name.

`Start.state` brings values along with an attempt. What is among them is read and written here, at
once; the entries that record this have no completion. That is sound for two reasons. Nobody else
changes such a state while the handler has the key's lock. And the log has entries in the order in
which they were started: when the program starts the first state entry that the journal does not
have, all that it has written before is in the journal, and so in `Start.state`. A value that is not
here is read by the server.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from durable_proto.v1 import invocation_pb2, payload_pb2, worker_pb2

from .._common.errors import CodecError, TerminalError, UndecodableValueError
from .._common.values.serde import decode, decode_as, encode
from .._common.values.shapes import Shape
from .entry_kinds import CLEAR_STATE, GET_STATE, SET_STATE, STATE_KEYS
from .futures import DurableFuture
from .limits import check_payload
from .operations import OpenOperation, Operations

_SHARED = invocation_pb2.HANDLER_KIND_OBJECT_SHARED


class State:
    """The operations on the state."""

    __slots__ = ("_complete", "_operations", "_payload_bytes_max", "_values")

    def __init__(
        self, operations: Operations, start: worker_pb2.Start, payload_bytes_max: int
    ) -> None:
        self._operations: Final = operations
        self._payload_bytes_max: Final = payload_bytes_max
        self._values: Final[dict[str, payload_pb2.Payload | None]] = dict(start.state)
        """The values that are known here, by name; None for one that was removed."""
        self._complete = start.state_complete
        """True if a name that is not in `_values` has no value."""

    def get(self, name: str, hint: Any, default: Any) -> DurableFuture[Any]:
        """Reads a value."""
        operations, values = self._operations, self._values
        shape = operations.shape(hint, f"ctx.get({name!r})")

        def convert(outcome: payload_pb2.Outcome) -> Any:
            return decode_as(outcome.value, shape) if outcome.HasField("value") else default

        index = operations.begin(GET_STATE, name)
        outcome: payload_pb2.Outcome | None = None
        if index not in operations.journal.recorded and (name in values or self._complete):
            outcome = payload_pb2.Outcome()
            value = values.get(name)
            if value is not None:
                outcome.value.CopyFrom(value)
        return self._read(index, GET_STATE, name, outcome, convert, shape)

    def keys(self) -> DurableFuture[list[str]]:
        """Reads the names that have values."""

        def convert(outcome: payload_pb2.Outcome) -> list[str]:
            names: list[str] = decode(outcome.value, list[str])
            return names

        index = self._operations.begin(STATE_KEYS, "")
        outcome: payload_pb2.Outcome | None = None
        if index not in self._operations.journal.recorded and self._complete:
            names = sorted(name for name, value in self._values.items() if value is not None)
            outcome = payload_pb2.Outcome(value=encode(names))
        return self._read(index, STATE_KEYS, "", outcome, convert)

    def set(self, name: str, value: Any) -> None:
        """Sets a value."""
        payload = encode(value)
        check_payload(SET_STATE, name, payload, self._payload_bytes_max)
        self._check_writable()
        index = self._operations.begin(SET_STATE, name)
        if index not in self._operations.journal.recorded:
            entry = self._operations.entry(index, SET_STATE, name)
            entry.argument.CopyFrom(payload)
            self._values[name] = payload

    def clear(self, name: str) -> None:
        """Removes a value, or all values if the name is empty."""
        self._check_writable()
        index = self._operations.begin(CLEAR_STATE, name)
        if index not in self._operations.journal.recorded:
            self._operations.entry(index, CLEAR_STATE, name)
            if name:
                self._values[name] = None
            else:
                self._values.clear()
                self._complete = True

    def _check_writable(self) -> None:
        workflow = self._operations.workflow
        if workflow.kind == _SHARED:
            raise TerminalError(
                f"{workflow.name} is a shared handler: it may read the state, not change it;"
                " do that in a handler that has its turn on the key"
            )

    def _read(
        self,
        index: int,
        kind: int,
        name: str,
        outcome: payload_pb2.Outcome | None,
        convert: Callable[[payload_pb2.Outcome], Any],
        shape: Shape | None = None,
    ) -> DurableFuture[Any]:
        """Completes a read at once if its outcome is known here or recorded without a completion."""
        operations = self._operations
        recorded = operations.journal.recorded.get(index)
        if recorded is None:
            entry = operations.entry(index, kind, name)
            if outcome is not None:
                entry.outcome.SetInParent()
                entry.outcome.CopyFrom(outcome)
        elif not recorded.completion_number and recorded.HasField("complete_time"):
            outcome = recorded.outcome
        future: DurableFuture[Any] = DurableFuture(
            None, operations.loop, index, name, operations.place
        )
        if outcome is None:
            operations.open[index] = OpenOperation(kind, name, future, None, shape, convert)
        else:
            try:
                future.set_result(convert(outcome))
            except UndecodableValueError as error:
                operations.loop.interrupt(error, hold=True)
            except CodecError as error:
                problem = operations.unreadable_value(index, kind, name, shape, error)
                future.set_exception(problem)
        return future
