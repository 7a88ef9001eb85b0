"""Hypothesis strategies that make messages of a protobuf type out of its descriptor.

Text fields often get a value that means something to the control plane, so that a request gets past the
first check; and now and then one that nobody sends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hypothesis import strategies as st

DEPTH = 3
"""How deep messages are nested."""
ODD_TEXT = (
    "",
    "*",
    "a.b",
    "\0",
    "'; --",
    "%",
    "../..",
    "é" * 300,
    "x" * 2000,
    "\u202e",
    "[",
    "(" * 50,
)

_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}


class Messages:
    """Makes strategies; `known` are texts that mean something."""

    def __init__(self, known: Sequence[str]) -> None:
        self._text = st.one_of(
            st.sampled_from([*known, *ODD_TEXT]),
            st.text(st.characters(exclude_categories=("Cs",)), max_size=20),
        )

    def of(self, descriptor: Descriptor, depth: int = DEPTH) -> st.SearchStrategy[Any]:
        """Returns a strategy of messages of a type."""
        made = message_factory.GetMessageClass(descriptor)
        fields = [it for it in descriptor.fields if depth or it.message_type is None]
        oneofs: dict[str, list[FieldDescriptor]] = {}
        for it in fields:
            if it.containing_oneof is not None:
                oneofs.setdefault(it.containing_oneof.name, []).append(it)

        @st.composite
        def draw_message(draw: st.DrawFn) -> Any:
            message = made()
            for field in fields:
                if draw(st.booleans()):
                    self._set(draw, message, field, depth)
            return message

        return draw_message()

    def _set(self, draw: st.DrawFn, message: Any, field: FieldDescriptor, depth: int) -> None:
        target = field.message_type
        if target is not None and target.GetOptions().map_entry:
            key = self._scalar(target.fields_by_name["key"])
            names = draw(st.lists(key, max_size=3))
            value = target.fields_by_name["value"]
            for name in names:
                if value.message_type is None:
                    getattr(message, field.name)[name] = draw(self._scalar(value))
                else:
                    entry = getattr(message, field.name)[name]
                    entry.CopyFrom(draw(self.of(value.message_type, depth - 1)))
        elif field.is_repeated:
            one = self._scalar(field) if target is None else self.of(target, depth - 1)
            getattr(message, field.name).extend(draw(st.lists(one, max_size=3)))
        elif target is not None:
            getattr(message, field.name).CopyFrom(draw(self.of(target, depth - 1)))
        else:
            setattr(message, field.name, draw(self._scalar(field)))

    def _scalar(self, field: FieldDescriptor) -> st.SearchStrategy[Any]:
        kind = field.cpp_type
        if kind == FieldDescriptor.CPPTYPE_STRING:
            if field.type == FieldDescriptor.TYPE_BYTES:
                return st.sampled_from([b"", b"1", b'"x"', b"{}"]) | st.binary(max_size=40)
            return self._text
        if kind == FieldDescriptor.CPPTYPE_BOOL:
            return st.booleans()
        if kind == FieldDescriptor.CPPTYPE_ENUM:
            return st.sampled_from([it.number for it in field.enum_type.values] + [99])
        if kind in _INTEGERS:
            return st.sampled_from([0, 1, 2]) | st.integers(*_INTEGERS[kind])
        return st.floats(width=32 if kind == FieldDescriptor.CPPTYPE_FLOAT else 64)
