"""Numbers and bytes of the store and the log as words and JSON, for people."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

from durable_proto.v1 import invocation_pb2, payload_pb2


def status_word(number: int) -> str:
    """Returns the word for a lifecycle state, as in `backing_off`."""
    try:
        name: str = invocation_pb2.InvocationState.Name(number)
    except ValueError:
        return f"state_{number}"
    return name.removeprefix("INVOCATION_STATE_").lower()


def kind_word(number: int) -> str:
    """Returns the word for the kind of a journal entry, as in `RUN`."""
    try:
        name: str = invocation_pb2.EntryKind.Name(number)
    except ValueError:
        return f"KIND_{number}"
    return name.removeprefix("ENTRY_KIND_")


def end_word(number: int) -> str | None:
    """Returns the word for why an attempt ended, as in `suspended`; None while it runs."""
    if not number:
        return None
    try:
        name: str = invocation_pb2.AttemptEnd.Name(number)
    except ValueError:
        return f"end_{number}"
    return name.removeprefix("ATTEMPT_END_").lower()


def timestamp_text(ms: int | None) -> str | None:
    """Returns a time as text in UTC; None for no time."""
    if not ms:
        return None
    text = datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def payload_text(data: bytes | None) -> str | None:
    """Returns a serialized `Payload` as JSON."""
    return None if data is None else _decoded(payload_pb2.Payload.FromString(data))


def value_text(data: bytes | None) -> str | None:
    """Returns the value of a serialized `Outcome` as JSON; None for a failure."""
    if data is None:
        return None
    outcome = payload_pb2.Outcome.FromString(data)
    return _decoded(outcome.value) if outcome.HasField("value") else None


def failure_text(data: bytes | None) -> str | None:
    """Returns the failure of a serialized `Outcome`; None for a value."""
    if data is None:
        return None
    outcome = payload_pb2.Outcome.FromString(data)
    if not outcome.HasField("failure"):
        return None
    return f"{outcome.failure.type}: {outcome.failure.message}"


def _decoded(payload: payload_pb2.Payload) -> str:
    """Returns a payload as JSON: the JSON that it is, or its content type and its bytes."""
    if payload.content_type in ("", "application/json"):
        return payload.data.decode(errors="replace")
    text = base64.b64encode(payload.data).decode()
    return json.dumps({"content_type": payload.content_type, "base64": text})
