"""What a client gets to see of handlers, workers and invocations: read-only views of the messages.

Rules. A view holds the message that it shows and reads from it when asked, so that making one costs
nothing; `message` gives it to whoever needs a field that has no name here. Times are datetimes in
UTC, absent ones are None. States are the lower-case words of the control plane ("completed",
"backing_off"); a state that this version does not know is shown by its number and is not final.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, cast

from google.protobuf import json_format

from durable_proto.v1 import control_pb2, invocation_pb2, payload_pb2

from ._serde import decode

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from google.protobuf.timestamp_pb2 import Timestamp

    State: TypeAlias = invocation_pb2.InvocationState

M = TypeVar("M", bound="Message")

_STATES: Final[dict[int, str]] = {
    value.number: value.name.removeprefix("INVOCATION_STATE_").lower()
    for value in invocation_pb2.InvocationState.DESCRIPTOR.values
}
_STATE_NUMBERS: Final[dict[str, State]] = {
    word: cast("State", number) for number, word in _STATES.items()
}
_KINDS: Final[dict[int, str]] = {
    value.number: value.name.removeprefix("ENTRY_KIND_")
    for value in invocation_pb2.EntryKind.DESCRIPTOR.values
}
_HANDLER_KINDS: Final[dict[int, str]] = {
    value.number: value.name.removeprefix("HANDLER_KIND_").lower()
    for value in invocation_pb2.HandlerKind.DESCRIPTOR.values
}

FINAL_STATES: Final = frozenset(
    {
        invocation_pb2.INVOCATION_STATE_COMPLETED,
        invocation_pb2.INVOCATION_STATE_FAILED,
        invocation_pb2.INVOCATION_STATE_CANCELLED,
    }
)


def state_word(state: int) -> str:
    """Returns the word for a state's number."""
    return _STATES.get(state) or f"state_{state}"


def state_number(word: str) -> State:
    """Returns a state's number; raises ValueError with the known words for any other."""
    number = _STATE_NUMBERS.get(word)
    if not number:
        known = ", ".join(name for name, value in _STATE_NUMBERS.items() if value)
        raise ValueError(f"{word!r} is no invocation status; the statuses are: {known}")
    return number


def _time(holder: Message, field: str) -> datetime | None:
    if not holder.HasField(field):
        return None
    stamp: Timestamp = getattr(holder, field)
    return stamp.ToDatetime(tzinfo=UTC)


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
        """How it ended: a value or a failure; None while it has not."""
        return self.message.outcome if self.message.HasField("outcome") else None

    @property
    def completed(self) -> bool:
        """Whether it has ended."""
        return self.message.HasField("outcome")

    @property
    def create_time(self) -> datetime | None:
        """When it was committed."""
        return _time(self.message, "create_time")

    @property
    def complete_time(self) -> datetime | None:
        """When its end was committed."""
        return _time(self.message, "complete_time")

    def response(self, message_type: type[M]) -> M:
        """Decodes its value as a protobuf message.

        Raises LookupError when it has no value, ValueError when the value is no such message.
        """
        outcome = self.outcome
        if outcome is None or not outcome.HasField("value"):
            raise LookupError(f"step {self.step_number} ({self.step_type}) has no value")
        return parse_message(outcome.value, message_type)

    def __repr__(self) -> str:
        state = "open" if not self.completed else str(self.message.outcome.WhichOneof("result"))
        return f"<JournalEntry {self.step_number} {self.step_type} {state}>"


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


class Invocation:
    """One invocation, as the control plane knew it when it answered."""

    __slots__ = ("message",)

    def __init__(self, message: invocation_pb2.Invocation) -> None:
        self.message: Final = message
        """The message that this shows."""

    @property
    def invocation_id(self) -> str:
        """The id."""
        return self.message.invocation_id

    @property
    def handler(self) -> str:
        """The handler's registered name."""
        return self.message.handler

    @property
    def status(self) -> str:
        """Where it stands, as a lower-case word."""
        return state_word(self.message.state)

    @property
    def finished(self) -> bool:
        """Whether it has ended: completed, failed or cancelled."""
        return self.message.state in FINAL_STATES

    @property
    def key(self) -> str:
        """The object key, or ""."""
        return self.message.key

    @property
    def service(self) -> str:
        """The service label, or ""."""
        return self.message.service

    @property
    def partition_key(self) -> str:
        """The partition key, or ""."""
        return self.message.partition_key

    @property
    def idempotency_key(self) -> str:
        """The caller's idempotency key, or ""."""
        return self.message.idempotency_key

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers."""
        return self.message.headers

    @property
    def attempt(self) -> int:
        """The current or last attempt, from 1; 0 before the first."""
        return self.message.attempt

    @property
    def input(self) -> Any:
        """The input as plain data, or None; absent in lists."""
        return decode(self.message.input) if self.message.HasField("input") else None

    @property
    def output(self) -> Any:
        """The value as plain data, or None when there is none."""
        outcome = self.message.outcome
        return decode(outcome.value) if outcome.HasField("value") else None

    @property
    def failure(self) -> payload_pb2.Failure | None:
        """Why it failed, or what its last attempt failed with; None when neither is known."""
        if self.message.outcome.HasField("failure"):
            return self.message.outcome.failure
        return self.message.last_failure if self.message.HasField("last_failure") else None

    @property
    def pause_reason(self) -> str:
        """Why it is held, while it is paused."""
        return self.message.pause.reason

    @property
    def journal(self) -> list[JournalEntry]:
        """The journal in program order; empty in lists."""
        return [JournalEntry(entry) for entry in self.message.journal]

    @property
    def journal_length(self) -> int:
        """How many entries the journal has, also in lists."""
        return self.message.journal_length

    @property
    def state(self) -> dict[str, Any]:
        """Its own state by key, as plain data; empty in lists."""
        return {key: decode(value) for key, value in self.message.workflow_state.items()}

    @property
    def create_time(self) -> datetime | None:
        """When it was committed."""
        return _time(self.message, "create_time")

    @property
    def start_time(self) -> datetime | None:
        """When its first attempt was handed to a worker."""
        return _time(self.message, "start_time")

    @property
    def update_time(self) -> datetime | None:
        """When its state last changed."""
        return _time(self.message, "update_time")

    @property
    def complete_time(self) -> datetime | None:
        """When it ended."""
        return _time(self.message, "complete_time")

    @property
    def wake_time(self) -> datetime | None:
        """When it goes on, while it is scheduled or backing off."""
        return _time(self.message, "wake_time")

    def __repr__(self) -> str:
        return f"<Invocation {self.invocation_id} {self.handler} {self.status}>"


@dataclass(frozen=True, slots=True)
class InvocationPage:
    """A page of invocations."""

    invocations: list[Invocation]
    """The invocations, without input and journal."""
    next_page_token: str
    """What to pass as `page_token` for the next page; empty at the end."""


@dataclass(frozen=True, slots=True)
class Handler:
    """A handler that some worker has registered."""

    name: str
    """The registered name."""
    kind: str
    """What it is: "workflow", "object_exclusive" or "object_shared"."""
    version: str
    """The version that the last worker declared."""
    description: str
    """What it does, for a person."""
    worker_count: int
    """How many connected workers serve it."""
    pending_count: int
    """How many of its invocations wait for a worker now."""
    running_count: int
    """How many run now."""

    @classmethod
    def of(cls, message: invocation_pb2.HandlerInfo) -> Handler:
        """Makes the view of a message."""
        spec = message.spec
        return cls(
            name=spec.name,
            kind=_HANDLER_KINDS.get(spec.kind) or f"kind_{spec.kind}",
            version=spec.version,
            description=spec.description,
            worker_count=message.worker_count,
            pending_count=message.pending_count,
            running_count=message.running_count,
        )


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts over all invocations that are kept."""

    total: int
    """All invocations."""
    by_status: dict[str, int]
    """How many are in each status that occurs."""
    by_handler: dict[str, dict[str, int]]
    """The same, for each handler."""
    worker_count: int
    """How many workers are connected."""

    @classmethod
    def of(cls, message: control_pb2.GetStatsResponse) -> Stats:
        """Makes the view of a message."""
        by_status: dict[str, int] = {}
        by_handler: dict[str, dict[str, int]] = {}
        for item in message.counts:
            word = state_word(item.state)
            by_status[word] = by_status.get(word, 0) + item.count
            by_handler.setdefault(item.handler, {})[word] = item.count
        return cls(message.total_count, by_status, by_handler, message.worker_count)
