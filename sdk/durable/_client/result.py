"""The result of an invocation: `Result`, and how an outcome becomes a value or an error.

A failure of the work is data in the Result; getting a Result never raises because of it. `value()`
turns each kind of ending into a value or an exception:

- completed: the value, decoded by the workflow's return type
- failed: InvocationFailedError with the failure
- cancelled: InvocationCancelledError
- paused: InvocationPausedError (it continues only after a resume)
- anything else: WaitTimeoutError (it continues; ask again later)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from durable_proto.v1 import control_pb2, invocation_pb2, payload_pb2

from .._common.errors import (
    InvocationCancelledError,
    InvocationFailedError,
    InvocationPausedError,
    WaitTimeoutError,
)
from .journal_views import JournalEntry, parse_message
from .json_form import failure_data, outcome_data
from .status import FINAL_STATES, status_word

if TYPE_CHECKING:
    from google.protobuf.message import Message

R = TypeVar("R")
M = TypeVar("M", bound="Message")

Decoder = Callable[[payload_pb2.Payload], Any]
"""Decodes a payload: a workflow's decoder gives typed values, the general one plain data."""

OutcomeResponse = control_pb2.InvokeResponse | control_pb2.GetResultResponse
"""The responses that can hold an outcome. The fields that are read here have the same names."""


def outcome_value(response: OutcomeResponse, decoder: Decoder) -> Any:
    """Returns the value of a completed invocation; raises the module head's error for any other."""
    outcome = response.outcome
    # This case first, because it is that of nearly every call.
    if outcome.HasField("value") and response.state == invocation_pb2.INVOCATION_STATE_COMPLETED:
        return decoder(outcome.value)
    invocation_id = response.invocation_id
    state = response.state
    if state == invocation_pb2.INVOCATION_STATE_COMPLETED:
        return None
    if state == invocation_pb2.INVOCATION_STATE_CANCELLED:
        raise InvocationCancelledError(invocation_id, outcome.failure.message)
    if state == invocation_pb2.INVOCATION_STATE_FAILED:
        raise InvocationFailedError(outcome.failure, invocation_id)
    last_failure = _last_failure(response)
    if state == invocation_pb2.INVOCATION_STATE_PAUSED:
        raise InvocationPausedError(invocation_id, last_failure)
    raise WaitTimeoutError(invocation_id, status_word(state))


def _last_failure(response: OutcomeResponse) -> payload_pb2.Failure | None:
    if isinstance(response, control_pb2.GetResultResponse) and response.HasField("last_failure"):
        return response.last_failure
    return None


class Result(Generic[R]):
    """How an invocation ended, or its status if it has not."""

    __slots__ = ("_decoder", "_response")

    def __init__(self, response: OutcomeResponse, decoder: Decoder) -> None:
        self._response: Final = response
        self._decoder: Final = decoder

    @property
    def invocation_id(self) -> str:
        """The invocation's id."""
        return self._response.invocation_id

    @property
    def status(self) -> str:
        """The status: "completed", "failed", "cancelled", "paused", "running", ..."""
        return status_word(self._response.state)

    @property
    def finished(self) -> bool:
        """Whether it has ended: completed, failed or cancelled."""
        return self._response.state in FINAL_STATES

    def value(self) -> R:
        """Returns its value.

        Raises InvocationFailedError, InvocationCancelledError, InvocationPausedError, or
        WaitTimeoutError when it had not ended; CodecError when the value does not decode.
        """
        value: R = outcome_value(self._response, self._decoder)
        return value

    @property
    def failure(self) -> payload_pb2.Failure | None:
        """Why it failed or was cancelled, or the failure of its last attempt; else None."""
        if self._response.outcome.HasField("failure"):
            return self._response.outcome.failure
        return _last_failure(self._response)

    @property
    def journal(self) -> list[JournalEntry]:
        """Its steps in program order."""
        return [JournalEntry(entry) for entry in self._response.journal]

    def first_response(self, message_type: type[M]) -> M:
        """Decodes the response of its first journaled call as a protobuf message.

        Without a call, decodes the value of its first completed step. Raises LookupError when there
        is neither, ValueError when the response is another message.
        """
        ended = [entry for entry in self._response.journal if entry.outcome.HasField("value")]
        calls = [entry for entry in ended if entry.kind == invocation_pb2.ENTRY_KIND_CALL]
        steps = [entry for entry in ended if entry.kind == invocation_pb2.ENTRY_KIND_RUN]
        for entry in calls or steps:
            return parse_message(entry.outcome.value, message_type)
        raise LookupError(
            f"invocation {self.invocation_id} ({self.status}) has no journaled response"
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, for JSON; the value is not decoded by the workflow's types."""
        outcome = self._response.outcome
        return {
            "invocation_id": self.invocation_id,
            "status": self.status,
            "value": outcome_data(outcome)["value"],
            "failure": None if self.failure is None else failure_data(self.failure),
            "journal": [it.to_dict() for it in self.journal],
        }

    def __repr__(self) -> str:
        return f"<Result {self.invocation_id} {self.status}>"
