"""The replay of one exported run in this process: Start in, a verdict out, and no effects.

The engine repeats the journal with the program as it is here. Then it is asked where the program
stands: what it waits for, what it would do next, or why it cannot go on. Steps never begin, and what
the program would record goes nowhere. The program is unwound in the end.

Where the program's first new operation stands, nothing is known of what follows. So `ok` says that a
worker with this code would go on with the invocation, not that it will end well.
"""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple, TypeAlias

from durable_proto.v1 import payload_pb2, worker_pb2

from .._common.errors import CodecError, text_of
from .._definitions.workflow import Workflow
from .._engine.entry_kinds import describe
from .exported_run import ExportedRun
from .watched import WatchedAttempt, Watcher

Verdict: TypeAlias = Literal[
    "ok", "ends", "held", "fails", "undecodable", "unknown_handler", "stuck", "broken"
]
"""What a replay has found.

ok               the program repeats the journal, and waits or goes on
ends             it repeats the journal, and ends
held             a worker would hold the invocation: the program does not repeat the journal, or it
                 awaits something that is not durable
fails            the program raises an error
undecodable      the input or a recorded value cannot be decoded
unknown_handler  there is no such handler
stuck            the program has not come to rest in time
broken           the replay itself has failed, which is a defect of the SDK
"""
PROBLEMS: Final[frozenset[Verdict]] = frozenset(
    {"held", "fails", "undecodable", "unknown_handler", "stuck", "broken"}
)
_UNDECODABLE: Final = frozenset(
    {"durable.CodecError", "durable.UndecodableValueError", "durable.InvalidInput"}
)


class Replayed(NamedTuple):
    """What the replay of a run has found."""

    invocation_id: str
    handler: str
    verdict: Verdict
    text: str = ""
    """For people: why it cannot go on; how it ends."""
    entry_index: int = -1
    """The entry at which it cannot go on; -1 for none."""
    expected: str = ""
    """What the journal has there."""
    got: str = ""
    """What the program asks for or does instead; the type of its error."""
    place: str = ""
    """The program's line there, as `file:line`."""
    advice: str = ""
    """What to do about a difference between the program and the journal."""
    waits_for: tuple[str, ...] = ()
    """The recorded operations that the program waits for."""
    goes_on_with: tuple[str, ...] = ()
    """The operations that are not in the journal, which it would do next."""
    as_before: bool = False
    """True if it ends, fails or is held in the same way as it was when it was exported."""

    @property
    def is_problem(self) -> bool:
        """Whether a worker with this code would not go on with the invocation as it should."""
        return self.verdict in PROBLEMS and not self.as_before


def replay(
    workflow: Workflow[..., Any], run: ExportedRun, watcher: Watcher | None = None
) -> Replayed:
    """Replays a run in this thread; takes as long as the program takes. Values must be decoded."""
    start = worker_pb2.Start()
    start.CopyFrom(run.message.start)
    attempt = WatchedAttempt(workflow, run.invocation_id, run.attempt, start, watcher or Watcher())
    try:
        attempt.begin()
        return _result(attempt, run)
    except Exception as error:  # noqa: BLE001  # a defect of the SDK must not hide the other runs
        return Replayed(
            *(run.invocation_id, run.handler, "broken"),
            text=f"the replay has failed: {type(error).__name__}: {text_of(error)}",
            got=type(error).__name__,
        )
    finally:
        attempt.abandon()


def unknown_handler(run: ExportedRun) -> Replayed:
    """Returns the result for a run whose handler is not there."""
    text = f"there is no handler {run.handler!r}"
    return Replayed(run.invocation_id, run.handler, "unknown_handler", text=text)


def _result(attempt: WatchedAttempt, run: ExportedRun) -> Replayed:
    result = Replayed(run.invocation_id, run.handler, "ok")
    final = attempt.end_message
    if final is None:
        return _at_rest(attempt, result)
    kind = final.WhichOneof("message")
    if kind == "finished":
        return _ended(attempt, run, final.finished.outcome, result)
    if kind == "attempt_failed":
        return _failed(attempt, run, final.attempt_failed.failure, result)
    if kind == "held":
        return _held(attempt, run, final.held.failure, result)
    return result._replace(verdict="ends", text="continues as new")


def _at_rest(attempt: WatchedAttempt, result: Replayed) -> Replayed:
    """Returns the result for a program that waits, or that would go on."""
    recorded = attempt.recorded
    waits_for = tuple(
        f"{attempt.name_of(index)} #{index}" for index in attempt.open_indexes if index in recorded
    )
    new = {task.index: describe(task.kind, task.name) for task in attempt.tasks}
    for message in attempt.outbox:
        if message.HasField("entry"):
            entry = message.entry
            new[entry.index] = describe(entry.kind, entry.name)
    goes_on_with = tuple(f"{new[index]} #{index}" for index in sorted(new))
    parts = []
    if goes_on_with:
        parts.append("would go on with " + ", ".join(goes_on_with))
    if waits_for:
        parts.append("waits for " + ", ".join(waits_for))
    return result._replace(
        text="; ".join(parts),
        place=attempt.where(),
        waits_for=waits_for,
        goes_on_with=goes_on_with,
    )


def _ended(
    attempt: WatchedAttempt, run: ExportedRun, outcome: payload_pb2.Outcome, result: Replayed
) -> Replayed:
    """Returns the result for a program that has ended."""
    invocation = run.message.invocation
    if outcome.HasField("failure"):
        failure = outcome.failure
        if failure.type == "durable.Cancelled":
            return result._replace(
                verdict="ends",
                text="ends cancelled",
                as_before=invocation.outcome.failure.type == failure.type,
            )
        return _failed(attempt, run, failure, result)
    if not invocation.HasField("outcome"):
        return result._replace(verdict="ends", text="ends with a value")
    same = _same_outcome(outcome, invocation.outcome)
    text = "ends with the recorded value" if same else "ends with another value than was recorded"
    return result._replace(verdict="ends", text=text, as_before=same)


def _stopped(
    verdict: Verdict,
    attempt: WatchedAttempt,
    run: ExportedRun,
    failure: payload_pb2.Failure,
    result: Replayed,
) -> Replayed:
    """Returns the result for a program that has stopped with a failure, as far as that alone tells."""
    return result._replace(
        verdict=verdict,
        text=f"{failure.type}: {failure.message}",
        got=failure.type,
        place=attempt.stopped_at,
        as_before=_is_known(failure, run),
    )


def _failed(
    attempt: WatchedAttempt, run: ExportedRun, failure: payload_pb2.Failure, result: Replayed
) -> Replayed:
    """Returns the result for a program that has raised an error."""
    result = _stopped("fails", attempt, run, failure, result)
    return _undecodable(attempt, result) if failure.type in _UNDECODABLE else result


def _held(
    attempt: WatchedAttempt, run: ExportedRun, failure: payload_pb2.Failure, result: Replayed
) -> Replayed:
    """Returns the result for a program with which a worker would hold the invocation."""
    result = _stopped("held", attempt, run, failure, result)
    difference = attempt.difference
    raised = attempt.program_error
    if difference is not None and raised is not None:
        # The journal has more because the program has failed; the error is the cause.
        result = result._replace(text=f"{type(raised).__name__}: {text_of(raised)}")
        if isinstance(raised, CodecError):
            return _undecodable(attempt, result._replace(got=difference.got))
    if difference is not None:
        return result._replace(
            entry_index=difference.entry_index,
            expected=difference.expected,
            got=difference.got,
            place=difference.place,
            advice=difference.advice,
            as_before=False,
        )
    if failure.type in _UNDECODABLE:
        return _undecodable(attempt, result)
    return result


def _undecodable(attempt: WatchedAttempt, result: Replayed) -> Replayed:
    """Returns the result for a value that cannot be decoded: the one that was delivered last."""
    index = attempt.last_delivered
    entry = attempt.recorded.get(index)
    expected = "the input" if entry is None else describe(entry.kind, entry.name)
    return result._replace(
        verdict="undecodable", entry_index=index, expected=expected, as_before=False
    )


def _is_known(failure: payload_pb2.Failure, run: ExportedRun) -> bool:
    """Returns True for the failure that the last attempt has ended with."""
    invocation = run.message.invocation
    outcome = invocation.outcome
    known = outcome.failure if outcome.HasField("failure") else invocation.last_failure
    return (known.type, known.message) == (failure.type, failure.message)


def _same_outcome(one: payload_pb2.Outcome, other: payload_pb2.Outcome) -> bool:
    if one.HasField("value") and other.HasField("value"):
        return (one.value.content_type, one.value.data) == (
            other.value.content_type,
            other.value.data,
        )
    return one == other
