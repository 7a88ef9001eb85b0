"""Views of invocations, as a client sees them.

A view holds the protocol's message and reads from it on access, so that making one costs nothing.
`message` is public, for fields that have no property here. Times are datetimes in UTC, and None
where absent. `to_dict` gives everything as plain data with the same names, for JSON (`json_form`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from durable_proto.v1 import invocation_pb2, payload_pb2

from .._common.values.serde import decode
from .attempt_views import InvocationAttempt
from .journal_views import AwakeableInfo, FailingStep, JournalEntry
from .json_form import failure_data, outcome_data, payload_data, time_field, time_text
from .status import FINAL_STATES, status_word


class Request(NamedTuple):
    """A request to pause or to cancel an invocation."""

    identity: str
    """Who made it; "durable" for the control plane itself."""
    reason: str
    """Why, for people."""
    time: datetime | None
    """When it was made."""

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, for JSON."""
        return {"identity": self.identity, "reason": self.reason, "time": time_text(self.time)}


class Invocation:
    """One invocation, as it was when the control plane responded."""

    __slots__ = ("message",)

    def __init__(self, message: invocation_pb2.Invocation) -> None:
        self.message: Final = message
        """The protocol's message."""

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
        """The status, as a lower-case word."""
        return status_word(self.message.state)

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
        """The headers; read-only."""
        return MappingProxyType(dict(self.message.headers))

    @property
    def attempt(self) -> int:
        """The current or last attempt, from 1; 0 before the first."""
        return self.message.attempt

    @property
    def input(self) -> Any:
        """The input as plain data, or None; lists do not have it."""
        return decode(self.message.input) if self.message.HasField("input") else None

    @property
    def output(self) -> Any:
        """The value as plain data, or None when there is none."""
        outcome = self.message.outcome
        return decode(outcome.value) if outcome.HasField("value") else None

    @property
    def failure(self) -> payload_pb2.Failure | None:
        """Why it failed, or the failure of its last attempt; None without either."""
        if self.message.outcome.HasField("failure"):
            return self.message.outcome.failure
        return self.message.last_failure if self.message.HasField("last_failure") else None

    @property
    def pause(self) -> Request | None:
        """Who paused it and why, while it is paused or a pause is pending; else None."""
        if not self.message.HasField("pause"):
            return None
        it = self.message.pause
        return Request(it.identity, it.reason, time_field(it, "pause_time"))

    @property
    def pause_reason(self) -> str:
        """Why it is paused; "" when it is not."""
        return self.message.pause.reason

    @property
    def cancel(self) -> Request | None:
        """Who cancelled it and why; None when nobody did."""
        if not self.message.HasField("cancel"):
            return None
        it = self.message.cancel
        return Request(it.identity, it.reason, time_field(it, "cancel_time"))

    @property
    def parent_invocation_id(self) -> str:
        """The invocation that started it, or ""."""
        return self.message.parent_invocation_id

    @property
    def source_invocation_id(self) -> str:
        """The invocation that it was restarted or forked from, or ""."""
        return self.message.source_invocation_id

    @property
    def source_index(self) -> int:
        """The step of its source before which steps were taken over; 0 for none."""
        return self.message.source_index

    @property
    def worker_id(self) -> str:
        """The worker that runs it or ran it last, or ""."""
        return self.message.worker_id

    @property
    def version(self) -> str:
        """The handler's version that ran the last attempt, or ""."""
        return self.message.version

    @property
    def build_id(self) -> str:
        """The build that began its journal, before that the build of its last attempt, or ""."""
        return self.message.build_id

    @property
    def pinned(self) -> bool:
        """Whether only workers of that build go on with it."""
        return self.message.pinned

    @property
    def waiting_for_build(self) -> str:
        """The build without a connected worker for which it waits while it is pending, or ""."""
        return self.message.waiting_for_build

    @property
    def run(self) -> int:
        """The number of its run, from 1; a program that continues as new begins another one."""
        return self.message.run

    @property
    def first_index(self) -> int:
        """The index of the first entry of the run's journal."""
        return self.message.first_index

    @property
    def journal(self) -> list[JournalEntry]:
        """The journal in program order; empty in lists."""
        return [JournalEntry(entry) for entry in self.message.journal]

    @property
    def failing_steps(self) -> list[FailingStep]:
        """The steps that are being retried, in program order; empty in lists."""
        return [FailingStep(it) for it in self.message.failing_steps]

    @property
    def attempts(self) -> list[InvocationAttempt]:
        """The last attempts, at most 50, oldest first, with the one that runs; empty in lists.

        In a watch, those that have begun or ended since the last change.
        """
        return [InvocationAttempt(it) for it in self.message.attempts]

    @property
    def journal_length(self) -> int:
        """How many entries the journal has, also in lists."""
        return self.message.journal_length

    @property
    def workflow_state(self) -> dict[str, Any]:
        """Its own state by name, as plain data; empty in lists."""
        return {name: decode(value) for name, value in self.message.workflow_state.items()}

    @property
    def awakeables(self) -> list[AwakeableInfo]:
        """Its awakeables; empty in lists."""
        return [AwakeableInfo(it) for it in self.message.awakeables]

    @property
    def create_time(self) -> datetime | None:
        """When it was committed to the log."""
        return time_field(self.message, "create_time")

    @property
    def start_time(self) -> datetime | None:
        """When its first attempt was dispatched to a worker."""
        return time_field(self.message, "start_time")

    @property
    def update_time(self) -> datetime | None:
        """When its state last changed."""
        return time_field(self.message, "update_time")

    @property
    def complete_time(self) -> datetime | None:
        """When it ended."""
        return time_field(self.message, "complete_time")

    @property
    def wake_time(self) -> datetime | None:
        """When its next attempt starts, while it is scheduled or backing off."""
        return time_field(self.message, "wake_time")

    @property
    def expire_time(self) -> datetime | None:
        """When it is removed, if it has ended."""
        return time_field(self.message, "expire_time")

    @property
    def deadline(self) -> datetime | None:
        """When it is cancelled because of its timeout; None without a timeout."""
        return time_field(self.message, "deadline")

    def to_dict(self, *, brief: bool = False) -> dict[str, Any]:
        """Returns plain data, for JSON; `brief` leaves out what lists do not have."""
        message = self.message
        data: dict[str, Any] = {name: getattr(message, name) for name in _TEXTS}
        data["status"] = self.status
        data |= {name: getattr(message, name) for name in _NUMBERS}
        data |= {name: time_text(time_field(message, name)) for name in _TIMES}
        outcome = message.outcome if message.HasField("outcome") else None
        data["output"] = outcome_data(outcome)["value"]
        data["failure"] = None if self.failure is None else failure_data(self.failure)
        for name, request in (("pause", self.pause), ("cancel", self.cancel)):
            data[name] = None if request is None else request.to_dict()
        if not brief:
            data["headers"] = dict(message.headers)
            given = message.HasField("input")
            data["input"] = payload_data(message.input) if given else None
            data["journal"] = [it.to_dict() for it in self.journal]
            data["failing_steps"] = [it.to_dict() for it in self.failing_steps]
            data["attempts"] = [it.to_dict() for it in self.attempts]
            data["awakeables"] = [it.to_dict() for it in self.awakeables]
            data["workflow_state"] = {
                name: payload_data(value) for name, value in sorted(message.workflow_state.items())
            }
        return data

    def __repr__(self) -> str:
        return f"<Invocation {self.invocation_id} {self.handler} {self.status}>"


_TEXTS: Final = (
    *("invocation_id", "handler", "key", "service", "partition_key", "idempotency_key"),
    *("parent_invocation_id", "worker_id", "version", "build_id", "waiting_for_build"),
    "source_invocation_id",
)
_NUMBERS: Final = (
    *("attempt", "priority", "journal_length", "pinned", "run", "first_index", "source_index"),
)
_TIMES: Final = (
    *("create_time", "start_time", "update_time", "complete_time", "wake_time", "expire_time"),
    "deadline",
)
