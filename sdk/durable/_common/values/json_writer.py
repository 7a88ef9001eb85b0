"""The JSON writer: values to JSON text, by what the value is and without a type hint.

The text must be the same in each process that writes the value. So sets are sorted: the order of a
set of strings differs between processes. A value without a JSON form raises an error that says why;
the caller adds which value it is.

JSON has only texts as keys. Keys that are no texts become texts, and two keys of one dict that would
become the same text (`1` and `"1"`) are refused, because one of their values would be lost. `json`
itself converts numbers, booleans and None, and does not compare; so the text that it returns is
searched for a key that one of those may have become, and only then the value is walked through.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import json
import re
import sys
import uuid
from collections.abc import Awaitable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import PurePath
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

_CONVERTED_KEY = re.compile(r'"(?=[-\dtfn])(?:-?\d[\d.e+-]*+|true|false|null)":')
"""Finds a key in JSON text that json may have made of a key that was no text."""


class SameTextError(TypeError):
    """Two keys of a dict have the same text in JSON."""

    def __init__(self, one: Any, other: Any, text: str) -> None:
        super().__init__(one, other, text)
        self.path: list[str] = []
        """The steps to the dict within the value, the last one first."""

    def __str__(self) -> str:
        one, other, text = self.args
        place = "".join(reversed(self.path))
        return (
            f"value{place}: the keys {one!r:.80} and {other!r:.80} have the same text in JSON,"
            f" {text!r:.80}; give the keys of a dict one type"
        )


def dump(value: Any) -> str:
    """Returns JSON text; raises TypeError for a value without any, or the value's own error.

    Two keys of a dict that have the same text raise SameTextError, a TypeError.
    """
    try:
        text = _encode(value)
    except TypeError:  # usually a dict with keys that json does not support
        return _encode(_plain(value))
    if _CONVERTED_KEY.search(text) is not None:
        _plain(value)  # compares the keys
    return text


def plain_form(value: Any) -> Any:
    """Returns the plain data that its JSON would be read as."""
    return json.loads(dump(value))


def seconds_form(span: timedelta) -> float | str:
    """Returns a span of time in seconds: a number, or a text where a float is not exact."""
    seconds = span.total_seconds()
    if timedelta(seconds=seconds) == span:
        return seconds
    micros = span // timedelta(microseconds=1)
    sign = "-" if micros < 0 else ""
    whole, part = divmod(abs(micros), 1_000_000)
    return f"{sign}{whole}.{part:06}s"


def _default(value: Any) -> Any:
    """Returns a value that json supports for one that it does not support."""
    if isinstance(value, type):
        raise TypeError(f"{value.__name__} is a class; give an object of it")
    names = _field_names(type(value))  # type: ignore[arg-type]  # a class can be hashed
    if names is not None:
        return {it: getattr(value, it) for it in names}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return seconds_form(value)
    if isinstance(value, uuid.UUID | Decimal | PurePath):
        return str(value)
    if isinstance(value, set | frozenset):
        # Only texts and ints have a total order; sets, for example, have a partial one.
        kinds = {type(it) for it in value}
        return sorted(value, key=None if kinds in ({str}, {int}) else dump)
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    if isinstance(value, Message):
        return json_format.MessageToDict(value)
    # Look at the class, because a mock or a proxy has every attribute.
    if hasattr(type(value), "model_dump"):
        if hasattr(type(value), "__pydantic_core_schema__"):
            return value.model_dump(mode="json", round_trip=True)
        return value.model_dump(mode="json")
    if hasattr(type(value), "__struct_fields__"):
        return sys.modules["msgspec"].to_builtins(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    if isinstance(value, Awaitable):
        raise TypeError("it was not awaited; write `await` in front of it")
    raise TypeError(
        "give a dataclass, a pydantic model, a protobuf message, or dicts and lists of such values"
    )


_encode = json.JSONEncoder(
    separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_default
).encode


@lru_cache(maxsize=4096)
def _field_names(cls: Any) -> tuple[str, ...] | None:
    """Returns the fields of a dataclass or a class of attrs; None for any other class."""
    if dataclasses.is_dataclass(cls):
        return tuple(it.name for it in dataclasses.fields(cls))
    found = getattr(cls, "__attrs_attrs__", None)
    return None if found is None else tuple(it.name for it in found)


def _plain(value: Any) -> Any:
    """Returns a value as plain JSON data, with the keys as texts."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, dict):
        return _plain_dict(value)
    if isinstance(value, list | tuple):
        return [_plain_part(item, "[{}]", number) for number, item in enumerate(value)]
    names = _field_names(type(value))  # type: ignore[arg-type]  # a class can be hashed
    if names is not None:
        return {it: _plain_part(getattr(value, it), ".{}", it) for it in names}
    return _plain(_default(value))


def _plain_dict(value: dict[Any, Any]) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    for key, item in value.items():
        text = _key(key)
        if text in made:
            other = next(it for it in value if _key(it) == text)
            raise SameTextError(other, key, text)
        made[text] = _plain_part(item, "[{!r:.80}]", key)
    return made


def _plain_part(value: Any, step: str, name: Any) -> Any:
    """Returns a part of a value as plain data; `step` is the form in which an error names it."""
    try:
        return _plain(value)
    except SameTextError as error:
        error.path.append(step.format(name))
        raise


def _key(key: Any) -> Any:
    """Returns the text of a key; json refuses a key of another type, and says so."""
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, int | float):
        return _encode(key)
    if isinstance(key, enum.Enum):
        return _key(key.value)
    if isinstance(key, datetime | date | time):
        return key.isoformat()
    return str(key) if isinstance(key, uuid.UUID | Decimal) else key
