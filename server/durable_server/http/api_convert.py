"""The conversion of protobuf messages into the types of `/api`.

`status` has the few words that people know: an invocation that waits for a timer, an awakeable or its
next attempt is `running`, and one that starts later is `pending`. `state` has the exact state.
"""

from __future__ import annotations

import base64
import json
from typing import Any, cast, get_args

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp
from msgspec import UNSET, UnsetType

from durable_proto.v1 import control_pb2, invocation_pb2, payload_pb2

from . import final_reasons, strict_json
from .api_types import (
    Awakeable,
    FailingStep,
    State,
    Statistics,
    Status,
    Step,
    Time,
    Workflow,
    WorkflowDetail,
)

STATES: dict[State, Any] = {
    it: invocation_pb2.InvocationState.Value(f"INVOCATION_STATE_{it.upper()}")
    for it in cast("tuple[State, ...]", get_args(State))
}
"""The protobuf value of each state."""
_WORDS = {number: word for word, number in STATES.items()}

STATUSES: dict[State, Status] = {
    "scheduled": "pending",
    "pending": "pending",
    "running": "running",
    "suspended": "running",
    "backing_off": "running",
    "paused": "paused",
    "completed": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}
"""The status of each state."""


def state(number: invocation_pb2.InvocationState) -> State:
    """Returns a state as a word."""
    return _WORDS[number]


def status(number: invocation_pb2.InvocationState) -> Status:
    """Returns the status that a state counts as."""
    return STATUSES[_WORDS[number]]


def value(payload: payload_pb2.Payload) -> Any:
    """Returns a payload for a response: JSON unchanged, other content as base64."""
    if _is_json(payload):
        return msgspec.Raw(payload.data)
    data = base64.b64encode(payload.data).decode()
    return {"content_type": payload.content_type, "base64": data}


def outcome(it: payload_pb2.Outcome) -> dict[str, Any]:
    """Returns an outcome as the fields of `Ending`."""
    kind = it.WhichOneof("result")
    if kind is None:
        return {}
    if kind == "value":
        return {"result": value(it.value)}
    return {
        "error": it.failure.message or it.failure.type,
        "error_type": it.failure.type,
        "error_code": it.failure.code,
        "error_metadata": dict(it.failure.metadata),
    }


def step_type(entry: invocation_pb2.JournalEntry | invocation_pb2.FailingStep) -> str:
    """Returns the type of a step, as in `HelloService.SayHello`, `AWAKEABLE:approval-1`,
    `RUN:charge`.
    """
    if entry.kind == invocation_pb2.ENTRY_KIND_CALL:
        return entry.name
    kind = invocation_pb2.EntryKind.Name(entry.kind).removeprefix("ENTRY_KIND_")
    return f"{kind}:{entry.name}" if entry.name else kind


def summary(it: invocation_pb2.Invocation) -> Workflow:
    """Returns an invocation as lists show it, without the fields that need its journal."""
    return Workflow(**_summary(it))


def detail(it: invocation_pb2.Invocation) -> WorkflowDetail:
    """Returns an invocation with its journal, state and awakeables."""
    current = next((e for e in it.journal if not e.HasField("complete_time")), None)
    if current is None and it.journal:
        current = it.journal[-1]
    return WorkflowDetail(
        **_summary(it) | {"total_steps": len(it.journal)},
        current_step=0 if current is None else current.index + 1,
        current_step_type="" if current is None else step_type(current),
        input=value(it.input) if it.HasField("input") else UNSET,
        journal=[_step(entry) for entry in it.journal],
        workflow_state={name: _text(it.workflow_state[name]) for name in it.workflow_state},
        awakeables={one.awakeable_id: _awakeable(one) for one in it.awakeables},
        failing_steps=[_failing(one) for one in it.failing_steps],
        error_final=final_reasons.of_invocation(it.outcome.failure, it.journal),
    )


def statistics(counts: control_pb2.GetStatsResponse) -> Statistics:
    """Returns the counts by status, by state and by handler."""
    by_state = dict.fromkeys(STATES, 0)
    by_status = dict.fromkeys(STATUSES.values(), 0)
    by_handler: dict[str, dict[Status, int]] = {}
    for it in counts.counts:
        by_state[state(it.state)] += it.count
        by_status[status(it.state)] += it.count
        handler = by_handler.setdefault(it.handler, {})
        handler[status(it.state)] = handler.get(status(it.state), 0) + it.count
    return Statistics(
        total=counts.total_count,
        by_status=by_status,
        by_state=by_state,
        by_handler=by_handler,
        workers=counts.worker_count,
    )


def _summary(it: invocation_pb2.Invocation) -> dict[str, Any]:
    last = it.last_failure.message or it.last_failure.type
    is_failing = it.HasField("last_failure") and not it.HasField("outcome")
    return {
        "invocation_id": it.invocation_id,
        "handler": it.handler,
        "status": status(it.state),
        "state": state(it.state),
        "attempt": it.attempt,
        "total_steps": it.journal_length,
        "key": it.key,
        "service": it.service,
        "idempotency_key": it.idempotency_key,
        "parent_invocation_id": it.parent_invocation_id,
        "version": it.version,
        "created_at": _time(it.create_time),
        "started_at": _time(it.start_time),
        "updated_at": _time(it.update_time),
        "completed_at": _time(it.complete_time),
        "wakes_at": _time(it.wake_time),
        "expires_at": _time(it.expire_time),
        "last_error": last if is_failing else UNSET,
        "pause_reason": it.pause.reason if it.HasField("pause") else UNSET,
        "cancel_reason": it.cancel.reason if it.HasField("cancel") else UNSET,
        **outcome(it.outcome),
    }


def _step(entry: invocation_pb2.JournalEntry) -> Step:
    return Step(
        step_number=entry.index,
        step_type=step_type(entry),
        completed=entry.HasField("complete_time"),
        invocation_id=entry.target_invocation_id,
        argument=value(entry.argument) if entry.HasField("argument") else UNSET,
        created_at=_time(entry.create_time),
        completed_at=_time(entry.complete_time),
        duration_ms=_length(entry),
        due_at=_time(entry.due_time),
        failed_try_count=entry.failed_try_count,
        error_final=final_reasons.of_step(entry),
        **outcome(entry.outcome),
    )


def _failing(step: invocation_pb2.FailingStep) -> FailingStep:
    failure = step.last_failure
    has_failed = step.HasField("last_failure")
    return FailingStep(
        step_number=step.index,
        step_type=step_type(step),
        failed_try_count=step.failed_try_count,
        first_failure_at=_time(step.first_failure_time),
        last_failure_at=_time(step.last_failure_time),
        error=failure.message or failure.type if has_failed else UNSET,
        error_type=failure.type if has_failed else UNSET,
    )


def _awakeable(it: invocation_pb2.Awakeable) -> Awakeable:
    return Awakeable(
        resolved=it.HasField("outcome"),
        created_at=_time(it.create_time),
        resolved_at=_time(it.resolve_time),
        **outcome(it.outcome),
    )


def _time(time: Timestamp) -> Time:
    return time.seconds if time.seconds or time.nanos else UNSET


def _length(entry: invocation_pb2.JournalEntry) -> int | UnsetType:
    if not entry.HasField("complete_time"):
        return UNSET
    return entry.complete_time.ToMilliseconds() - entry.create_time.ToMilliseconds()


def _is_json(payload: payload_pb2.Payload) -> bool:
    if payload.content_type and not payload.content_type.startswith("application/json"):
        return False
    try:
        strict_json.parse(payload.data)
    except strict_json.JsonError:
        return False  # not JSON, although its type says so: shown as base64
    return True


def _text(payload: payload_pb2.Payload) -> str:
    """Returns a payload as JSON text."""
    return payload.data.decode() if _is_json(payload) else json.dumps(value(payload))
