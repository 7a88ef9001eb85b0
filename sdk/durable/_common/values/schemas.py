"""JSON Schemas of shapes: describe a value to senders that lack the code which reads it.

The control plane validates values by `accepted_schema`, so that schema must accept everything that
the shape reads: a type that cannot be described exactly accepts anything. `described_schema` is for
people and tools and may be more precise.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from .shapes import (
    BOOL,
    INTEGER,
    NULL,
    STRING,
    Anything,
    Array,
    Choice,
    Deferred,
    FixedArray,
    Map,
    Record,
    ScalarSubclass,
    Shape,
    ThirdParty,
    Union,
)

SCHEMA_BYTES_MAX: Final = 64 * 1024
"""The protocol's limit for a schema; a longer one is left out."""
_TYPES: Final = {NULL: "null", BOOL: "boolean", INTEGER: "integer", STRING: "string"}


@lru_cache(maxsize=1024)
def accepted_schema(shape: Shape) -> str:
    """Returns a schema that accepts whatever the shape reads; empty when that is anything."""
    return _text(shape, describing=False)


def described_schema(shape: Shape) -> str:
    """Returns a schema that documents the shape; empty when it can be anything."""
    return _text(shape, describing=True)


def _text(shape: Shape, *, describing: bool) -> str:
    writer = _Writer(describing=describing)
    try:
        schema = writer.schema(shape)
        if not schema:
            return ""
        if writer.definitions:
            schema = {**schema, "$defs": writer.definitions}
        text = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    except Exception:  # noqa: BLE001  # a third-party library's, for a type that it cannot describe
        return ""
    return text if len(text.encode(errors="replace")) <= SCHEMA_BYTES_MAX else ""


class _Writer:
    """Writes one schema and the definitions that it refers to."""

    def __init__(self, *, describing: bool) -> None:
        self.definitions: dict[str, Any] = {}
        self._names: dict[int, str] = {}
        self._describing = describing

    def schema(self, shape: Shape) -> dict[str, Any]:
        """Returns the schema of a shape."""
        if isinstance(shape, Anything):
            return {}
        if isinstance(shape, Deferred | Record):
            return self._reference(shape)
        if isinstance(shape, Union):
            return self._union(shape)
        if isinstance(shape, Choice):
            if shape.more is not None and not shape.inexactly:
                return {"type": "integer"}  # flags
            if shape.more is not None and not self._describing:
                return {}
            return {"enum": [form for form, _ in shape.forms]}
        if isinstance(shape, Array):
            item = self.schema(shape.item)
            return {"type": "array", "items": item} if item else {"type": "array"}
        if isinstance(shape, FixedArray):
            sizes = {"type": "array", "minItems": shape.least, "maxItems": len(shape.items)}
            items = [self.schema(it) for it in shape.items]
            return {**sizes, "prefixItems": items} if items else sizes
        if isinstance(shape, Map):
            value = self.schema(shape.value)
            return (
                {"type": "object", "additionalProperties": value} if value else {"type": "object"}
            )
        if isinstance(shape, ThirdParty):
            return self._foreign(shape)
        if isinstance(shape, ScalarSubclass):
            return self.schema(shape.base)
        types = sorted({_TYPES.get(it, "number") for it in shape.kinds})
        if "number" in types:
            types = [it for it in types if it != "integer"]
        return {"type": types[0] if len(types) == 1 else types}

    def _union(self, shape: Union) -> dict[str, Any]:
        parts: list[dict[str, Any]] = []
        for it in shape.members:
            part = self.schema(it)
            if not part:
                return {}
            if part not in parts:
                parts.append(part)
        return {"anyOf": parts} if len(parts) > 1 else parts[0]

    def _reference(self, shape: Shape) -> dict[str, Any]:
        """Returns a reference, because a type that contains itself must be written once."""
        known = self._names.get(id(shape))
        if known is None:
            known = self._names[id(shape)] = self._name(shape.name)
            self.definitions[known] = {}
            if isinstance(shape, Deferred):
                self.definitions[known] = self.schema(shape.target)
            else:
                assert isinstance(shape, Record)
                self.definitions[known] = self._record(shape)
        return {"$ref": f"#/$defs/{known}"}

    def _record(self, shape: Record) -> dict[str, Any]:
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {name: self.schema(it.shape) for name, it in shape.fields.items()},
        }
        required = [name for name, it in shape.fields.items() if it.required]
        return {**schema, "required": required} if required else schema

    def _foreign(self, shape: ThirdParty) -> dict[str, Any]:
        make = (self._describing and shape.described) or shape.schema
        if make is None:
            return {}
        schema = dict(make())
        parts: Mapping[str, Any] = schema.pop("$defs", {})
        # A third-party library may have used names of our definitions.
        names = {it: self._name(it) for it in parts}
        for name, part in parts.items():
            self.definitions[names[name]] = _renamed(part, names)
        renamed: dict[str, Any] = _renamed(schema, names)
        return renamed

    def _name(self, wanted: str) -> str:
        plain = "".join(it if it.isalnum() else "_" for it in wanted).strip("_") or "value"
        name, number = plain, 1
        while name in self.definitions or name in self._names.values():
            number += 1
            name = f"{plain}_{number}"
        self.definitions.setdefault(name, {})
        return name


def _renamed(schema: Any, names: Mapping[str, str]) -> Any:
    if isinstance(schema, list):
        return [_renamed(it, names) for it in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _renamed(it, names) for key, it in schema.items()}
    reference = made.get("$ref")
    if isinstance(reference, str):
        prefix, slash, name = reference.rpartition("/")
        made["$ref"] = prefix + slash + names.get(name, name)
    return made
