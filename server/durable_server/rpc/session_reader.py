"""The session reader: translates the messages of one worker into records, for its session.

The rules, which decide whether a message counts and what happens to an attempt that breaks one, are in
`sessions.attempts`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from durable_proto.v1 import worker_pb2

from ..core.entry_kinds import KINDS, KindFacts
from ..core.limits import SPAN_SECONDS
from ..core.records import (
    AttemptHeld,
    AttemptPaused,
    AttemptReleased,
    EntryRecorded,
    FailedStep,
    Finished,
    SuspendAsked,
)
from ..processor.errors import NotLeadingError
from ..sessions.sessions import Session, Sessions
from . import convert
from .refusal import protocol_violation

_UNKNOWN = KindFacts()
"""For a kind that does not exist, which `Attempts` refuses."""


class SessionReader:
    """The reader of one session."""

    def __init__(self, sessions: Sessions, session: Session) -> None:
        self._sessions = sessions
        self._session = session
        self._attempts = session.attempts

    @property
    def draining(self) -> bool:
        """Whether the worker has announced that it leaves."""
        return self._session.worker.draining

    def close(self, *, left: bool) -> None:
        """Ends the session; see `Sessions.close`."""
        self._sessions.close(self._session, left=left)

    def receive(self, frame: worker_pb2.SessionRequest) -> None:
        """Handles the messages of a frame in order; raises Refusal for one that ends the session."""
        owns = self._attempts.owns
        for message in frame.messages:
            kind = message.WhichOneof("message")
            if kind is None:
                continue
            report = self._reports.get(kind)
            if report is not None:
                if owns(message.invocation_id, message.attempt):
                    try:
                        report(self, message)
                    except NotLeadingError:
                        # The partition has moved. The worker reconnects, and sends this again.
                        continue
            elif kind == "draining":
                self._sessions.draining(self._session)
            elif kind == "hello":
                raise protocol_violation("a second hello; a session has one, at its beginning")

    def _entry(self, message: worker_pb2.WorkerMessage) -> None:
        entry = message.entry
        kind = int(entry.kind)
        facts = KINDS.get(kind, _UNKNOWN)
        outcome = argument = None
        if entry.HasField("outcome"):
            outcome = entry.outcome.SerializeToString(deterministic=facts.gives_value)
        if entry.HasField("argument"):
            argument = entry.argument.SerializeToString(deterministic=bool(entry.argument.metadata))
        delay_ms = 0
        if entry.HasField("delay"):
            delay_ms = max(1 if facts.is_timer else 0, entry.delay.ToMilliseconds())
        record = EntryRecorded(
            message.invocation_id,
            message.attempt,
            entry.index,
            kind,
            entry.name,
            outcome,
            argument,
            delay_ms,
            entry.target,
            entry.idempotency_key,
            entry.partition_key,
            max(0, min(entry.elapsed.ToMilliseconds(), SPAN_SECONDS * 1000)),
            entry.schema,
            entry.renew,
        )
        resolution = None
        if facts.gives_value and argument is not None:
            resolution = (entry.argument.content_type, entry.argument.data)
        self._attempts.entry(
            record,
            value_bytes=max(len(entry.argument.data), len(entry.outcome.value.data)),
            has_result=entry.outcome.WhichOneof("result") is not None,
            resolution=resolution,
        )

    def _finished(self, message: worker_pb2.WorkerMessage) -> None:
        outcome = message.finished.outcome
        failure = None
        if outcome.WhichOneof("result") == "failure":
            failure = convert.failure(outcome.failure)
        record = Finished(
            message.invocation_id, message.attempt, outcome.SerializeToString(), failure
        )
        self._attempts.finished(record, value_bytes=len(outcome.value.data))

    def _attempt_failed(self, message: worker_pb2.WorkerMessage) -> None:
        failed = message.attempt_failed
        retry_ms = -1
        if failed.HasField("retry_delay"):
            retry_ms = max(0, failed.retry_delay.ToMilliseconds())
        self._attempts.failed(
            message.invocation_id,
            message.attempt,
            convert.failure(failed.failure),
            retry_ms=retry_ms,
            index=failed.index if failed.HasField("index") else -1,
            kind=int(failed.kind),
            name=failed.name,
            other_steps=[
                FailedStep(it.index, int(it.kind), it.name, convert.failure(it.failure))
                for it in failed.other_steps
            ],
        )

    def _held(self, message: worker_pb2.WorkerMessage) -> None:
        failure = convert.failure(message.held.failure)
        self._attempts.ended(AttemptHeld(message.invocation_id, message.attempt, failure))

    def _suspend(self, message: worker_pb2.WorkerMessage) -> None:
        number = message.suspend.completion_number
        self._attempts.ended(SuspendAsked(message.invocation_id, message.attempt, number))

    def _released(self, message: worker_pb2.WorkerMessage) -> None:
        self._attempts.ended(AttemptReleased(message.invocation_id, message.attempt))

    def _paused(self, message: worker_pb2.WorkerMessage) -> None:
        self._attempts.ended(AttemptPaused(message.invocation_id, message.attempt))

    _reports: ClassVar[dict[str, Callable[[SessionReader, worker_pb2.WorkerMessage], None]]] = {
        "entry": _entry,
        "finished": _finished,
        "attempt_failed": _attempt_failed,
        "held": _held,
        "suspend": _suspend,
        "released": _released,
        "paused": _paused,
    }
