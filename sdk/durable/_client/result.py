"""What became of an invocation: `Result`, and how an outcome turns into a value or an error.

Rules. Asking for a result never raises because the work failed: the failure is data in it.
`value()` is where work that did not succeed becomes an exception, each kind of ending its own:

- completed: the value, decoded by the workflow's return type
- failed: InvocationFailedError with the failure
- cancelled: InvocationCancelledError
- paused: InvocationPausedError (it goes on at resume, not by itself)
- anything else: WaitTimeoutError (it goes on; ask again)
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
"""Makes the value of a payload: a workflow's typed one, or the one that gives plain data."""

OutcomeResponse = control_pb2.InvokeResponse | control_pb2.GetResultResponse
"""Both answers that can hold an outcome; the fields that are read here have the same names."""


def outcome_value(answer: OutcomeResponse, decoder: Decoder) -> Any:
    """Returns the value of a completed invocation; raises what the module's head says for
    others."""
    outcome = answer.outcome
    # Tested first and alone: this is the path of nearly every call.
    if outcome.HasField("value") and answer.state == invocation_pb2.INVOCATION_STATE_COMPLETED:
        return decoder(outcome.value)
    invocation_id = answer.invocation_id
    state = answer.state
    if state == invocation_pb2.INVOCATION_STATE_COMPLETED:
        return None
    if state == invocation_pb2.INVOCATION_STATE_CANCELLED:
        raise InvocationCancelledError(invocation_id, outcome.failure.message)
    if state == invocation_pb2.INVOCATION_STATE_FAILED:
        raise InvocationFailedError(outcome.failure, invocation_id)
    last_failure = _last_failure(answer)
    if state == invocation_pb2.INVOCATION_STATE_PAUSED:
        raise InvocationPausedError(invocation_id, last_failure)
    raise WaitTimeoutError(invocation_id, status_word(state))


def _last_failure(answer: OutcomeResponse) -> payload_pb2.Failure | None:
    if isinstance(answer, control_pb2.GetResultResponse) and answer.HasField("last_failure"):
        return answer.last_failure
    return None


class Result(Generic[R]):
    """How an invocation ended, or where it stands if it has not."""

    __slots__ = ("_answer", "_decoder")

    def __init__(self, answer: OutcomeResponse, decoder: Decoder) -> None:
        self._answer: Final = answer
        self._decoder: Final = decoder

    @property
    def invocation_id(self) -> str:
        """The invocation's id."""
        return self._answer.invocation_id

    @property
    def status(self) -> str:
        """Where it stands: "completed", "failed", "cancelled", "paused", "running", ..."""
        return status_word(self._answer.state)

    @property
    def finished(self) -> bool:
        """Whether it has ended: completed, failed or cancelled."""
        return self._answer.state in FINAL_STATES

    def value(self) -> R:
        """Returns its value.

        Raises InvocationFailedError, InvocationCancelledError, InvocationPausedError, or
        WaitTimeoutError when it had not ended; CodecError when the value does not decode.
        """
        value: R = outcome_value(self._answer, self._decoder)
        return value

    @property
    def failure(self) -> payload_pb2.Failure | None:
        """Why it failed or was cancelled, or what its last attempt failed with; else None."""
        if self._answer.outcome.HasField("failure"):
            return self._answer.outcome.failure
        return _last_failure(self._answer)

    @property
    def journal(self) -> list[JournalEntry]:
        """Its steps in program order."""
        return [JournalEntry(entry) for entry in self._answer.journal]

    def first_response(self, message_type: type[M]) -> M:
        """Decodes the response of its first journaled call as a protobuf message.

        Where it made no call, of its first step that ended with a value. Raises LookupError when
        there is none, ValueError when the response is not such a message.
        """
        ended = [entry for entry in self._answer.journal if entry.outcome.HasField("value")]
        calls = [entry for entry in ended if entry.kind == invocation_pb2.ENTRY_KIND_CALL]
        steps = [entry for entry in ended if entry.kind == invocation_pb2.ENTRY_KIND_RUN]
        for entry in calls or steps:
            return parse_message(entry.outcome.value, message_type)
        raise LookupError(
            f"invocation {self.invocation_id} ({self.status}) has no journaled response"
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns it as plain data, for JSON; the value as it is without the workflow's types."""
        outcome = self._answer.outcome
        return {
            "invocation_id": self.invocation_id,
            "status": self.status,
            "value": outcome_data(outcome)["value"],
            "failure": None if self.failure is None else failure_data(self.failure),
            "journal": [it.to_dict() for it in self.journal],
        }

    def __repr__(self) -> str:
        return f"<Result {self.invocation_id} {self.status}>"
