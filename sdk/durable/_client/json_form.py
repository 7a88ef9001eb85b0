"""The JSON form of the protocol's messages: plain data, for `to_dict` and for people.

Names are those of the protos, times are RFC 3339 in UTC. A value that is JSON or a known message is
shown as such. Any other payload becomes an object with its content type and its bytes in base64, so
that an invocation can be looked at without the code that made it; nothing here raises CodecError.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format
from google.protobuf.message import Message

from durable_proto.v1 import payload_pb2

from .._common.errors import CodecError
from .._common.values.serde import decode

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp


def time_field(holder: Message, field: str) -> datetime | None:
    """Returns the time in a message's field; None when it is absent."""
    if not holder.HasField(field):
        return None
    stamp: Timestamp = getattr(holder, field)
    return stamp.ToDatetime(tzinfo=UTC)


def time_text(time: datetime | None) -> str | None:
    """Returns a time as RFC 3339."""
    return None if time is None else time.isoformat().replace("+00:00", "Z")


def payload_data(payload: payload_pb2.Payload) -> Any:
    """Returns a payload as plain data."""
    try:
        value = decode(payload)
    except CodecError:
        value = payload.data
    if isinstance(value, Message):
        return json_format.MessageToDict(value, preserving_proto_field_name=True)
    if isinstance(value, bytes):
        text = base64.b64encode(value).decode()
        return {"content_type": payload.content_type, "base64": text}
    return value


def failure_data(failure: payload_pb2.Failure) -> dict[str, Any]:
    """Returns a failure as plain data, with what caused it."""
    return {
        "type": failure.type,
        "message": failure.message,
        "code": failure.code,
        "metadata": dict(failure.metadata),
        "stack_trace": failure.stack_trace,
        "cause": failure_data(failure.cause) if failure.HasField("cause") else None,
    }


def outcome_data(outcome: payload_pb2.Outcome | None) -> dict[str, Any]:
    """Returns an outcome as its value and its failure, the other one None."""
    value = failure = None
    if outcome is not None and outcome.HasField("value"):
        value = payload_data(outcome.value)
    elif outcome is not None and outcome.HasField("failure"):
        failure = failure_data(outcome.failure)
    return {"value": value, "failure": failure}
