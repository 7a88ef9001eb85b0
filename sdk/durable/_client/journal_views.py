"""What a client gets to see of an invocation's steps: journal entries and awakeables.

Read-only views of the messages, by the rules of `_views`.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from google.protobuf import json_format

from durable_proto.v1 import invocation_pb2, payload_pb2

from .json_form import failure_data, moment, outcome_data, payload_data, time_text

if TYPE_CHECKING:
    from google.protobuf.message import Message

M = TypeVar("M", bound="Message")

_KINDS: Final[dict[int, str]] = {
    value.number: value.name.removeprefix("ENTRY_KIND_")
    for value in invocation_pb2.EntryKind.DESCRIPTOR.values
}


class JournalEntry:
    """One step of an invocation, as its journal has it."""

    __slots__ = ("message",)

    def __init__(self, message: invocation_pb2.JournalEntry) -> None:
        self.message: Final = message
        """The message that this shows."""

    @property
    def step_number(self) -> int:
        """The position in program order, from 0."""
        return self.message.index

    @property
    def kind(self) -> str:
        """What it is: "RUN", "CALL", "SLEEP", "AWAKEABLE", ..."""
        return _KINDS.get(self.message.kind) or f"KIND_{self.message.kind}"

    @property
    def name(self) -> str:
        """The step's name; for a call `Service.Method`."""
        return self.message.name

    @property
    def step_type(self) -> str:
        """The step in one word: `Service.Method` for a call, else `KIND:name`."""
        if self.message.kind == invocation_pb2.ENTRY_KIND_CALL:
            return self.message.name
        return f"{self.kind}:{self.message.name}" if self.message.name else self.kind

    @property
    def outcome(self) -> payload_pb2.Outcome | None:
        """How it ended: a value or a failure; None while it has not, and for a change of the
        state."""
        return self.message.outcome if self.message.HasField("outcome") else None

    @property
    def completed(self) -> bool:
        """Whether it has ended; a change of the state has when it is recorded, without an
        outcome."""
        return self.message.HasField("complete_time") or self.message.HasField("outcome")

    @property
    def create_time(self) -> datetime | None:
        """When it was committed; for a step or a call, when its work began in the attempt that
        ended it."""
        return moment(self.message, "create_time")

    @property
    def complete_time(self) -> datetime | None:
        """When its end was committed."""
        return moment(self.message, "complete_time")

    @property
    def due_time(self) -> datetime | None:
        """For a timer, when it is due."""
        return moment(self.message, "due_time")

    @property
    def target_invocation_id(self) -> str:
        """For a child or a one-way invocation its id, else ""."""
        return self.message.target_invocation_id

    @property
    def attempt(self) -> int:
        """The attempt that recorded it, from 1."""
        return self.message.attempt

    @property
    def failed_try_count(self) -> int:
        """For a step or a call, how many of its tries had failed before the one that is
        recorded."""
        return self.message.failed_try_count

    def response(self, message_type: type[M]) -> M:
        """Decodes its value as a protobuf message.

        Raises LookupError when it has no value, ValueError when the value is no such message.
        """
        outcome = self.outcome
        if outcome is None or not outcome.HasField("value"):
            raise LookupError(f"step {self.step_number} ({self.step_type}) has no value")
        return parse_message(outcome.value, message_type)

    def to_dict(self) -> dict[str, Any]:
        """Returns it as plain data."""
        message = self.message
        return {
            "step_number": message.index,
            "kind": self.kind,
            "name": message.name,
            "completed": self.completed,
            **outcome_data(self.outcome),
            "argument": payload_data(message.argument) if message.HasField("argument") else None,
            "create_time": time_text(self.create_time),
            "complete_time": time_text(self.complete_time),
            "due_time": time_text(self.due_time),
            "target_invocation_id": message.target_invocation_id,
            "attempt": message.attempt,
            "failed_try_count": message.failed_try_count,
        }

    def __repr__(self) -> str:
        ended = self.message.outcome.WhichOneof("result") or "done"
        state = ended if self.completed else "open"
        return f"<JournalEntry {self.step_number} {self.step_type} {state}>"


class FailingStep:
    """A step or a call that is not in the journal yet, because its tries have failed so far."""

    __slots__ = ("message",)

    def __init__(self, message: invocation_pb2.FailingStep) -> None:
        self.message: Final = message
        """The message that this shows."""

    @property
    def step_number(self) -> int:
        """The position in program order, from 0."""
        return self.message.index

    @property
    def kind(self) -> str:
        """What it will be: "RUN" or "CALL"; "" where many fail and only the count of it is kept."""
        return _KINDS.get(self.message.kind, "") if self.message.kind else ""

    @property
    def name(self) -> str:
        """The step's name; for a call `Service.Method`."""
        return self.message.name

    @property
    def failed_try_count(self) -> int:
        """How many tries have failed."""
        return self.message.failed_try_count

    @property
    def first_failure_time(self) -> datetime | None:
        """When the first of them ended."""
        return moment(self.message, "first_failure_time")

    @property
    def last_failure_time(self) -> datetime | None:
        """When the last of them ended."""
        return moment(self.message, "last_failure_time")

    @property
    def last_failure(self) -> payload_pb2.Failure | None:
        """How the last of them ended, in short: without a stack trace, which the invocation's
        has."""
        return self.message.last_failure if self.message.HasField("last_failure") else None

    def to_dict(self) -> dict[str, Any]:
        """Returns it as plain data."""
        failure = self.last_failure
        return {
            "step_number": self.step_number,
            "kind": self.kind,
            "name": self.name,
            "failed_try_count": self.failed_try_count,
            "first_failure_time": time_text(self.first_failure_time),
            "last_failure_time": time_text(self.last_failure_time),
            "last_failure": None if failure is None else failure_data(failure),
        }

    def __repr__(self) -> str:
        return (
            f"<FailingStep {self.step_number} {self.name!r} failed {self.failed_try_count} times>"
        )


def parse_message(payload: payload_pb2.Payload, message_type: type[M]) -> M:
    """Decodes a payload as a protobuf message, from its binary or its JSON form.

    Raises ValueError when it is another message, or neither form.
    """
    name = message_type.DESCRIPTOR.full_name
    kind, _, parameters = payload.content_type.partition(";")
    if kind.strip() == "application/x-protobuf":
        _, found, actual = parameters.partition("message=")
        if found and actual.strip().strip('"') != name:
            raise ValueError(f"the value is a {actual.strip()}, not a {name}")
        return message_type.FromString(payload.data)
    if kind.strip() in ("", "application/json"):
        return json_format.Parse(payload.data, message_type())
    raise ValueError(f"the value is {payload.content_type}, not a {name}")


class AwakeableInfo:
    """A promise that something outside resolves."""

    __slots__ = ("message",)

    def __init__(self, message: invocation_pb2.Awakeable) -> None:
        self.message: Final = message
        """The message that this shows."""

    @property
    def awakeable_id(self) -> str:
        """The id by which it is resolved."""
        return self.message.awakeable_id

    @property
    def invocation_id(self) -> str:
        """The invocation that it belongs to; "" while none has asked for it."""
        return self.message.invocation_id

    @property
    def resolved(self) -> bool:
        """Whether it was resolved or rejected."""
        return self.message.HasField("outcome")

    @property
    def outcome(self) -> payload_pb2.Outcome | None:
        """With what: a value or a failure; None while it is open."""
        return self.message.outcome if self.message.HasField("outcome") else None

    @property
    def schema(self) -> str:
        """JSON Schema of the value that its program reads; "" when it takes any value."""
        return self.message.schema

    @property
    def create_time(self) -> datetime | None:
        """When it was asked for, or resolved before that."""
        return moment(self.message, "create_time")

    @property
    def resolve_time(self) -> datetime | None:
        """When it was resolved or rejected."""
        return moment(self.message, "resolve_time")

    def to_dict(self) -> dict[str, Any]:
        """Returns it as plain data."""
        return {
            "awakeable_id": self.awakeable_id,
            "invocation_id": self.invocation_id,
            "resolved": self.resolved,
            **outcome_data(self.outcome),
            "create_time": time_text(self.create_time),
            "resolve_time": time_text(self.resolve_time),
            "schema": self.schema,
        }

    def __repr__(self) -> str:
        return f"<AwakeableInfo {self.awakeable_id} {'resolved' if self.resolved else 'open'}>"
