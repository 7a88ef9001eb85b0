"""Views of attempts: who ran an invocation, when, and why each attempt ended, as a client sees them.

They are read-only views of the protocol's messages, by the rules of `invocation_views`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from durable_proto.v1 import invocation_pb2, payload_pb2

from .json_form import failure_data, time_field, time_text

_ENDS: Final[dict[int, str]] = {
    value.number: value.name.removeprefix("ATTEMPT_END_").lower()
    for value in invocation_pb2.AttemptEnd.DESCRIPTOR.values
    if value.number
}


class InvocationAttempt:
    """One attempt of an invocation: the time from its dispatch to a worker until that stops."""

    __slots__ = ("message",)

    def __init__(self, message: invocation_pb2.InvocationAttempt) -> None:
        self.message: Final = message
        """The protocol's message."""

    @property
    def attempt(self) -> int:
        """Its number, from 1."""
        return self.message.attempt

    @property
    def run(self) -> int:
        """The run that it belongs to, from 1; a program that continues as new begins another."""
        return self.message.run

    @property
    def worker_id(self) -> str:
        """The worker that ran it."""
        return self.message.worker_id

    @property
    def build_id(self) -> str:
        """The build of that worker, or "" if it has none."""
        return self.message.build_id

    @property
    def version(self) -> str:
        """The handler's version there, or ""."""
        return self.message.version

    @property
    def start_time(self) -> datetime | None:
        """When it was dispatched to the worker."""
        return time_field(self.message, "start_time")

    @property
    def end_time(self) -> datetime | None:
        """When it ended; None while it runs."""
        return time_field(self.message, "end_time")

    @property
    def end(self) -> str:
        """Why it ended: "completed", "failed", "cancelled", "retried", "held", "suspended",
        "paused", "released", "lost" or "continued"; "" while it runs."""
        if not self.message.end:
            return ""
        return _ENDS.get(self.message.end) or f"end_{self.message.end}"

    @property
    def failure(self) -> payload_pb2.Failure | None:
        """The failure that ended it, with its type and the beginning of its message; else None."""
        return self.message.failure if self.message.HasField("failure") else None

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, for JSON."""
        failure = self.failure
        return {
            "attempt": self.attempt,
            "run": self.run,
            "worker_id": self.worker_id,
            "build_id": self.build_id,
            "version": self.version,
            "start_time": time_text(self.start_time),
            "end_time": time_text(self.end_time),
            "end": self.end,
            "failure": None if failure is None else failure_data(failure),
        }

    def __repr__(self) -> str:
        return f"<InvocationAttempt {self.attempt} {self.end or 'running'}>"
