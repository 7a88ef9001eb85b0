"""Invocations as the `/api` endpoints show them: the fields of the examples that people know.

Steps are numbered from 0. `current_step` counts from 1: it is the first step that has not ended, and
`current_step_type` says which; when all have ended it is the last. Times are whole seconds since
1970; `/v1` has them exactly. Values that are JSON are shown as JSON, others as base64 beside their
content type.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from durable_proto.v1 import control_pb2, invocation_pb2, payload_pb2

STATES: dict[str, Any] = {
    it.name.removeprefix("INVOCATION_STATE_").lower(): invocation_pb2.InvocationState.Value(it.name)
    for it in invocation_pb2.InvocationState.DESCRIPTOR.values
    if it.number
}
"""The states by the names that people see."""
_WORDS = {number: name for name, number in STATES.items()}


def status(state: invocation_pb2.InvocationState) -> str:
    """Returns a state as people see it."""
    return _WORDS.get(state, "unknown")


def value(payload: payload_pb2.Payload) -> Any:
    """Returns a payload as JSON data."""
    kind = payload.content_type
    if not kind or kind.startswith("application/json"):
        try:
            return json.loads(payload.data.decode(), parse_constant=str)
        except (ValueError, RecursionError):
            pass  # no JSON, whatever it says: shown as the bytes that it is
    return {"content_type": kind, "base64": base64.b64encode(payload.data).decode()}


def failure(it: payload_pb2.Failure) -> dict[str, Any]:
    """Returns a failure: `error` for people, the rest for programs."""
    return {
        "error": it.message or it.type,
        "error_type": it.type,
        "error_code": it.code,
        "error_metadata": dict(it.metadata),
    }


def outcome(it: payload_pb2.Outcome) -> dict[str, Any]:
    """Returns how something ended: `result`, or `error` and what belongs to it."""
    kind = it.WhichOneof("result")
    if kind is None:
        return {}
    return {"result": value(it.value)} if kind == "value" else failure(it.failure)


def step_type(entry: invocation_pb2.JournalEntry) -> str:
    """Returns what a step is, as in `HelloService.SayHello`, `AWAKEABLE:approval-1`, `RUN:charge`."""
    if entry.kind == invocation_pb2.ENTRY_KIND_CALL:
        return entry.name
    kind = invocation_pb2.EntryKind.Name(entry.kind).removeprefix("ENTRY_KIND_")
    return f"{kind}:{entry.name}" if entry.name else kind


def summary(it: invocation_pb2.Invocation) -> dict[str, Any]:
    """Returns an invocation as lists show it, without what costs a look into its journal."""
    shown: dict[str, Any] = {
        "invocation_id": it.invocation_id,
        "handler": it.handler,
        "status": status(it.state),
        "attempt": it.attempt,
    }
    shown["total_steps"] = it.journal_length
    for name in ("key", "service", "idempotency_key", "parent_invocation_id", "version"):
        if text := getattr(it, name):
            shown[name] = text
    _times(
        shown,
        created_at=it.create_time,
        started_at=it.start_time,
        updated_at=it.update_time,
        completed_at=it.complete_time,
        wakes_at=it.wake_time,
        expires_at=it.expire_time,
    )
    shown.update(outcome(it.outcome))
    if it.HasField("last_failure") and not it.HasField("outcome"):
        shown["last_error"] = it.last_failure.message or it.last_failure.type
    if it.HasField("pause"):
        shown["pause_reason"] = it.pause.reason
    if it.HasField("cancel"):
        shown["cancel_reason"] = it.cancel.reason
    return shown


def detail(it: invocation_pb2.Invocation) -> dict[str, Any]:
    """Returns an invocation with its journal, state and awakeables."""
    shown = summary(it)
    current = next((e for e in it.journal if not e.HasField("complete_time")), None)
    if current is None and it.journal:
        current = it.journal[-1]
    shown["total_steps"] = len(it.journal)
    shown["current_step"] = 0 if current is None else current.index + 1
    shown["current_step_type"] = "" if current is None else step_type(current)
    if it.HasField("input"):
        shown["input"] = value(it.input)
    shown["journal"] = [_step(entry) for entry in it.journal]
    shown["workflow_state"] = {name: _text(it.workflow_state[name]) for name in it.workflow_state}
    shown["awakeables"] = {one.awakeable_id: _awakeable(one) for one in it.awakeables}
    return shown


def statistics(counts: control_pb2.GetStatsResponse) -> dict[str, Any]:
    """Returns the counts by status and by handler."""
    by_status = dict.fromkeys(STATES, 0)
    by_handler: dict[str, dict[str, int]] = {}
    for it in counts.counts:
        by_status[status(it.state)] += it.count
        by_handler.setdefault(it.handler, {})[status(it.state)] = it.count
    return {
        "total": counts.total_count,
        "by_status": by_status,
        "by_handler": by_handler,
        "workers": counts.worker_count,
    }


def _step(entry: invocation_pb2.JournalEntry) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "step_number": entry.index,
        "step_type": step_type(entry),
        "completed": entry.HasField("outcome"),
    }
    if entry.target_invocation_id:
        shown["invocation_id"] = entry.target_invocation_id
    if entry.HasField("argument"):
        shown["argument"] = value(entry.argument)
    shown.update(outcome(entry.outcome))
    _times(
        shown,
        created_at=entry.create_time,
        completed_at=entry.complete_time,
        due_at=entry.due_time,
    )
    return shown


def _awakeable(it: invocation_pb2.Awakeable) -> dict[str, Any]:
    shown: dict[str, Any] = {"resolved": it.HasField("outcome")}
    _times(shown, created_at=it.create_time, resolved_at=it.resolve_time)
    shown.update(outcome(it.outcome))
    return shown


def _times(into: dict[str, Any], **times: Timestamp) -> None:
    for name, time in times.items():
        if time.seconds or time.nanos:
            into[name] = time.seconds


def _text(payload: payload_pb2.Payload) -> str:
    """Returns a value as the text of its JSON."""
    shown = value(payload)
    if isinstance(shown, dict) and shown.keys() == {"content_type", "base64"}:
        return json.dumps(shown)
    return payload.data.decode()
