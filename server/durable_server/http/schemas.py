"""JSON Schemas of protobuf messages in their canonical JSON, made from the descriptors.

Requests may have more forms than this: canonical JSON also accepts a field by its proto name, null for
an absent field, numbers in strings, and enum values by number. The schema describes what responses have
and what requests should have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor

TEXTS: dict[str, dict[str, Any]] = {
    "google.protobuf.Duration": {
        "type": "string",
        "pattern": r"^[0-9]{1,11}(\.[0-9]{1,9})?s$",
    },
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
}
"""Messages that are strings in JSON."""

VARIABLES: dict[str, dict[str, Any]] = {
    "invocation_id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    "handler": {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_.-]{0,127}$"},
}
"""Path variables with a restricted form."""
ANY_VARIABLE = {"type": "string", "minLength": 1, "maxLength": 256}

_INT64 = {"type": "string", "format": "int64", "pattern": "^-?[0-9]{1,19}$"}
_SCALARS: dict[int, dict[str, Any]] = {
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "format": "byte", "contentEncoding": "base64"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_INT32: {
        "type": "integer", "format": "int32", "minimum": -(1 << 31), "maximum": (1 << 31) - 1,
    },
    FieldDescriptor.TYPE_INT64: _INT64,
    FieldDescriptor.TYPE_FIXED64: {"type": "string", "format": "uint64", "pattern": "^[0-9]{1,20}$"},
    FieldDescriptor.TYPE_DOUBLE: {
        "oneOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]
    },
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """A message without the fields that are in the path: the body of a request."""

    kind: Any
    without: frozenset[str]

    @property
    def required(self) -> bool:
        """Whether one of the fields is required."""
        return any(_is_required(it) for it in self.kind.fields if it.name not in self.without)


def value(field: FieldDescriptor) -> dict[str, Any]:
    """Returns the schema of one value of a field."""
    descriptor: Any = field
    if descriptor.enum_type is not None:
        return {"type": "string", "enum": [it.name for it in descriptor.enum_type.values]}
    if descriptor.message_type is not None:
        name = descriptor.message_type.full_name
        return TEXTS.get(name) or {"$ref": f"#/components/schemas/{name}"}
    return _SCALARS[field.type]


def message(kind: Descriptor, components: dict[str, Any]) -> dict[str, Any]:
    """Returns a reference to a message's schema; adds it, and those it refers to, to components."""
    name = kind.full_name
    if name not in TEXTS and name not in components:
        components[name] = {}  # a message type may contain itself
        components[name] = fields(Part(kind, frozenset()), components)
    return TEXTS.get(name) or {"$ref": f"#/components/schemas/{name}"}


def fields(part: Part, components: dict[str, Any]) -> dict[str, Any]:
    """Returns the schema of a message's JSON object."""
    properties: dict[str, Any] = {}
    required: list[str] = []
    for field in part.kind.fields:
        if field.name in part.without:
            continue
        properties[field.camelcase_name] = _field(field, components)
        if _is_required(field):
            required.append(field.camelcase_name)
            if field.type == FieldDescriptor.TYPE_STRING:
                properties[field.camelcase_name] = {"type": "string", "minLength": 1}
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required
    if any(len(oneof.fields) == len(part.kind.fields) > 1 for oneof in part.kind.oneofs):
        schema["minProperties"] = schema["maxProperties"] = 1
    return schema


def _field(field: Any, components: dict[str, Any]) -> dict[str, Any]:
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        return {
            "type": "object",
            "additionalProperties": _field(kind.fields_by_name["value"], components),
        }
    if kind is not None:
        message(kind, components)
    one = value(field)
    return {"type": "array", "items": one} if field.is_repeated else one


def _is_required(field: Any) -> bool:
    behaviors = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    return field_behavior_pb2.REQUIRED in behaviors
