"""Redaction: takes out of a message what users have put in, and leaves its shape.

Which strings stay is a list of fields, so a field that is added to the protocol later is redacted until
somebody has decided otherwise. Those that stay are ids and names that the program is compared with, and
facts about the control plane.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from durable_proto.v1 import payload_pb2

_KEPT: Final = frozenset(
    {
        *("invocation_id", "parent_invocation_id", "source_invocation_id", "target_invocation_id"),
        *("handler", "name", "version", "server_version", "build_id", "waiting_for_build"),
        *("worker_id", "type", "content_type"),
    }
)
"""The fields whose strings stay."""
_JSON: Final = ("", "application/json")
_PLACE: Final = re.compile(r'^\s*File "[^"\n]*", line \d+, in .*$', re.MULTILINE)


def redact(message: Message) -> None:
    """Redacts a message in place."""
    if isinstance(message, payload_pb2.Payload):
        _redact_payload(message)
        return
    if isinstance(message, payload_pb2.Failure):
        # The lines of code in a trace may hold what a value held.
        message.stack_trace, trace = "", "\n".join(_PLACE.findall(message.stack_trace))
        _redact_fields(message)
        message.stack_trace = trace
        return
    _redact_fields(message)


def _redact_fields(message: Message) -> None:
    for field, value in message.ListFields():
        if field.name in _KEPT:
            continue
        held = _map_value(field)
        if held is not None:
            for key in list(value):
                if held.message_type is not None:
                    redact(value[key])
                elif held.type == FieldDescriptor.TYPE_STRING:
                    value[key] = _x(value[key])
        elif field.message_type is not None:
            for part in value if field.is_repeated else (value,):
                redact(part)
        elif field.type == FieldDescriptor.TYPE_STRING:
            if field.is_repeated:
                value[:] = [_x(it) for it in value]
            else:
                setattr(message, field.name, _x(value))
        elif field.type == FieldDescriptor.TYPE_BYTES:
            message.ClearField(field.name)


def _redact_payload(payload: payload_pb2.Payload) -> None:
    for name, text in payload.metadata.items():
        payload.metadata[name] = _x(text)
    kind = payload.content_type.partition(";")[0].strip()
    if kind not in _JSON:  # also one that a codec has encoded
        payload.data = b""
        return
    try:
        value = _redacted(json.loads(payload.data))
        payload.data = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    except (ValueError, RecursionError):  # no JSON, or nested too deeply
        payload.data = b""


def _redacted(value: Any) -> Any:
    """Returns a JSON value of the same shape that tells nothing."""
    if isinstance(value, str):
        return _x(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return 0
    if isinstance(value, list):
        return [_redacted(it) for it in value]
    return {key: _redacted(it) for key, it in value.items()}


def _x(text: str) -> str:
    return "x" * len(text)


def _map_value(field: FieldDescriptor) -> FieldDescriptor | None:
    """Returns the field of the values of a map; None for what is no map."""
    entry = field.message_type
    if entry is None or not entry.GetOptions().map_entry:
        return None
    return entry.fields_by_name["value"]
