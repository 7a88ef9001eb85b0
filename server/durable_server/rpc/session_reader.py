"""The session reader: translates the messages of one worker into records, for its session.

The rules, which decide whether a message counts and what happens to an attempt that breaks one, are in
`sessions.attempts`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import ClassVar

from durable_proto.v1 import worker_pb2

from ..core.entry_kinds import KINDS, KindFacts
from ..core.limits import SPAN_SECONDS
from ..core.records import (
    AttemptHeld,
    AttemptPaused,
    AttemptReleased,
    Continued,
    EntryRecorded,
    FailedStep,
    Finished,
    SuspendAsked,
)
from ..processor.errors import NotLeadingError, RequestError
from ..sessions.foreign import is_foreign, named
from ..sessions.sessions import Session, Sessions
from . import convert
from .refusal import Refusal, protocol_violation

logger = logging.getLogger("durable.workers")

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

    async def receive(self, frame: worker_pb2.SessionRequest) -> None:
        """Handles the messages of a frame in order; raises Refusal for one that ends the session."""
        attempts = self._attempts
        owns = attempts.owns
        learned = False
        for message in frame.messages:
            kind = message.WhichOneof("message")
            if kind is None:
                continue
            report = self._reports.get(kind)
            if report is not None:
                if kind == "entry" and not learned and self._lacks_handler(message):
                    learned = True
                    await self._learn(frame)
                foreign = kind == "entry" and attempts.namespace and await self._foreign(message)
                if not foreign and owns(message.invocation_id, message.attempt):
                    try:
                        report(self, message)
                    except NotLeadingError:
                        # The partition has moved. The worker reconnects, and sends this again.
                        continue
            elif kind == "draining":
                self._sessions.draining(self._session)
            elif kind == "hello":
                raise protocol_violation("a second hello; a session has one, at its beginning")

    async def _foreign(self, message: worker_pb2.WorkerMessage) -> bool:
        """Ends an attempt that names something outside of the worker's namespace; see `foreign`."""
        entry, lookup = message.entry, self._sessions.lookup
        it = named(message.invocation_id, int(entry.kind), entry.name, entry.target)
        if it is None or not self._attempts.owns(message.invocation_id, message.attempt):
            return False
        try:
            if lookup is not None and not await is_foreign(it, self._attempts.namespace, lookup):
                return False
        except (Refusal, RequestError) as error:
            # Nobody leads it now, for example. The attempt is retried.
            logger.info("an id that a worker has named cannot be looked up: %s", error)
        with suppress(NotLeadingError):  # the worker reconnects, and sends this again
            self._attempts.refuse_foreign(message.invocation_id, message.attempt, it)
        return True

    def _lacks_handler(self, message: worker_pb2.WorkerMessage) -> bool:
        entry, attempts = message.entry, self._attempts
        return attempts.lacks_handler(int(entry.kind), entry.name) and attempts.owns(
            message.invocation_id, message.attempt
        )

    async def _learn(self, frame: worker_pb2.SessionRequest) -> None:
        """Asks other nodes for all handlers of a frame that are unknown here, at the same time.

        A node that hangs delays each question, and what follows in the session.
        """
        names = {it.entry.name for it in frame.messages if self._lacks_handler(it)}
        await asyncio.gather(*map(self._sessions.learn, names))

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

    def _continued(self, message: worker_pb2.WorkerMessage) -> None:
        continued = message.continued
        given = None
        if continued.HasField("input"):
            given = continued.input.SerializeToString(deterministic=True)
        record = Continued(
            message.invocation_id,
            message.attempt,
            given,
            continued.completion_number,
            continued.next_index,
        )
        self._attempts.continued(record, value_bytes=len(continued.input.data))

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
        "continued": _continued,
        "attempt_failed": _attempt_failed,
        "held": _held,
        "suspend": _suspend,
        "released": _released,
        "paused": _paused,
    }
