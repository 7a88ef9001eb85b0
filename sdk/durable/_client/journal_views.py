"""Views of a journal: entries, failing steps and awakeables, as a client sees them.

They are read-only views of the protocol's messages, by the rules of `invocation_views`.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from google.protobuf import json_format

from durable_proto.v1 import invocation_pb2, payload_pb2

from .json_form import failure_data, outcome_data, payload_data, time_field, time_text

if TYPE_CHECKING:
    from google.protobuf.message import Message

M = TypeVar("M", bound="Message")

_KINDS: Final[dict[int, str]] = {
    value.number: value.name.removeprefix("ENTRY_KIND_")
    for value in invocation_pb2.EntryKind.DESCRIPTOR.values
}


class JournalEntry:
    """One journal entry of an invocation."""

    __slots__ = ("message",)

    def __init__(self, message: invocation_pb2.JournalEntry) -> None:
        self.message: Final = message
        """The protocol's message."""

    @property
    def step_number(self) -> int:
        """The entry's index in program order, from 0."""
        return self.message.index

    @property
    def kind(self) -> str:
        """The kind: "RUN", "CALL", "SLEEP", "AWAKEABLE", ..."""
        return _KINDS.get(self.message.kind) or f"KIND_{self.message.kind}"

    @property
    def name(self) -> str:
        """The step's name; for a call `Service.Method`."""
        return self.message.name

    @property
    def step_type(self) -> str:
        """Kind and name in one word: `Service.Method` for a call, else `KIND:name`."""
        if self.message.kind == invocation_pb2.ENTRY_KIND_CALL:
            return self.message.name
        return f"{self.kind}:{self.message.name}" if self.message.name else self.kind

    @property
    def outcome(self) -> payload_pb2.Outcome | None:
        """A value or a failure; None until it is completed, and always for a change of state and a
        patch."""
        return self.message.outcome if self.message.HasField("outcome") else None

    @property
    def completed(self) -> bool:
        """Whether it is completed. A change of state and a patch are from the start, without an
        outcome."""
        return self.message.HasField("complete_time") or self.message.HasField("outcome")

    @property
    def create_time(self) -> datetime | None:
        """When it was committed; for a step or a call, when the attempt that completed it began
        it."""
        return time_field(self.message, "create_time")

    @property
    def complete_time(self) -> datetime | None:
        """When its completion was committed."""
        return time_field(self.message, "complete_time")

    @property
    def due_time(self) -> datetime | None:
        """For a timer, when it is due."""
        return time_field(self.message, "due_time")

    @property
    def target_invocation_id(self) -> str:
        """The id of the child or one-way invocation that it started, else ""."""
        return self.message.target_invocation_id

    @property
    def attempt(self) -> int:
        """The attempt that recorded it, from 1."""
        return self.message.attempt

    @property
    def failed_try_count(self) -> int:
        """For a step or a call, how many tries failed before the recorded one."""
        return self.message.failed_try_count

    @property
    def build_id(self) -> str:
        """For a patch, the build of the worker that recorded it, else ""."""
        return self.message.build_id

    def response(self, message_type: type[M]) -> M:
        """Decodes its value as a protobuf message.

        Raises LookupError when it has no value, ValueError when the value is no such message.
        """
        outcome = self.outcome
        if outcome is None or not outcome.HasField("value"):
            raise LookupError(f"step {self.step_number} ({self.step_type}) has no value")
        return parse_message(outcome.value, message_type)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, for JSON."""
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
            "build_id": message.build_id,
            "attempt": message.attempt,
            "failed_try_count": message.failed_try_count,
        }

    def __repr__(self) -> str:
        ended = self.message.outcome.WhichOneof("result") or "done"
        state = ended if self.completed else "open"
        return f"<JournalEntry {self.step_number} {self.step_type} {state}>"


class FailingStep:
    """A step or a call that is not in the journal yet, because all its tries so far have failed."""

    __slots__ = ("message",)

    def __init__(self, message: invocation_pb2.FailingStep) -> None:
        self.message: Final = message
        """The protocol's message."""

    @property
    def step_number(self) -> int:
        """The entry's index in program order, from 0."""
        return self.message.index

    @property
    def kind(self) -> str:
        """The kind: "RUN" or "CALL"; "" where so many fail that only their counts are kept."""
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
        """When the first failed try ended."""
        return time_field(self.message, "first_failure_time")

    @property
    def last_failure_time(self) -> datetime | None:
        """When the last failed try ended."""
        return time_field(self.message, "last_failure_time")

    @property
    def last_failure(self) -> payload_pb2.Failure | None:
        """The last failure, without its stack trace; the invocation's failure has that."""
        return self.message.last_failure if self.message.HasField("last_failure") else None

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, for JSON."""
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
    """An awakeable: a promise that something outside the program resolves."""

    __slots__ = ("message",)

    def __init__(self, message: invocation_pb2.Awakeable) -> None:
        self.message: Final = message
        """The protocol's message."""

    @property
    def awakeable_id(self) -> str:
        """The id by which it is resolved."""
        return self.message.awakeable_id

    @property
    def invocation_id(self) -> str:
        """The invocation that it belongs to; "" while no invocation has created it."""
        return self.message.invocation_id

    @property
    def resolved(self) -> bool:
        """Whether it was resolved or rejected."""
        return self.message.HasField("outcome")

    @property
    def outcome(self) -> payload_pb2.Outcome | None:
        """The value or the failure; None while it is pending."""
        return self.message.outcome if self.message.HasField("outcome") else None

    @property
    def schema(self) -> str:
        """JSON Schema of the values that its program accepts; "" for any value."""
        return self.message.schema

    @property
    def create_time(self) -> datetime | None:
        """When the program created it, or when it was resolved if that was earlier."""
        return time_field(self.message, "create_time")

    @property
    def resolve_time(self) -> datetime | None:
        """When it was resolved or rejected."""
        return time_field(self.message, "resolve_time")

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, for JSON."""
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
