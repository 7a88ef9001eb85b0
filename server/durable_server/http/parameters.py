"""Parameters of an endpoint: what the document says of one and how it is read are one declaration."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .errors import HttpError, invalid

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SPAN = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d)?")
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of the query or one header."""

    name: str
    description: str
    schema: Mapping[str, Any]
    """JSON Schema of one value."""
    read: Callable[[str], Any]
    """Makes a value of the text; raises ValueError with what is wrong with it."""
    default: Any = None
    """The value when it is not given."""
    many: bool = False
    """It may be given more than once, and its value is a list."""
    place: Literal["query", "header"] = "query"
    other_name: str = ""
    """Another spelling that is taken too."""
    filled: bool = False
    """It may be left out, and may not be empty."""

    def value(self, texts: Sequence[str]) -> Any:
        """Returns the value of what was given; raises HttpError."""
        if not texts:
            return [] if self.many else self.default
        if len(texts) > 1 and not self.many:
            raise invalid(self.name, f"given {len(texts)} times; send it once")
        if self.filled and not texts[0].strip():
            raise invalid(self.name, "is empty; send a value, or leave it out")
        try:
            values = [self.read(text) for text in texts]
        except ValueError as error:
            raise invalid(self.name, str(error)) from None
        return values if self.many else values[0]


def values(
    parameters: Sequence[Parameter],
    query: Sequence[tuple[str, str]],
    header: Callable[[str], Sequence[str]],
) -> dict[str, Any]:
    """Reads all parameters; an unknown one is an error and not silently without effect."""
    names = {it.name: it for it in parameters if it.place == "query"}
    names |= {it.other_name: it for it in names.values() if it.other_name}
    given: dict[str, list[str]] = {}
    spellings: dict[str, str] = {}
    for name, text in query:
        if name not in names:
            raise _unknown(name, parameters)
        one = names[name].name
        if spellings.setdefault(one, name) != name:
            raise invalid(one, f"given twice, as {spellings[one]} and as {name}; keep one")
        given.setdefault(one, []).append(text)
    for it in parameters:
        if it.place == "header":
            given[it.name] = list(header(it.name))
    return {it.name: it.value(given.get(it.name, ())) for it in parameters}


def _unknown(name: str, parameters: Sequence[Parameter]) -> HttpError:
    known = ", ".join(it.name for it in parameters if it.place == "query")
    there = f"there are: {known}" if known else "there is none"
    return invalid(name[:100], f"no query parameter {name[:100]!r} here; {there}")


def text(
    name: str,
    description: str,
    *,
    place: Literal["query", "header"] = "query",
    filled: bool = False,
) -> Parameter:
    """Returns a parameter that is any text, and empty when it is not given.

    With `filled` one that is given may not be empty.
    """
    schema = {"type": "string", "minLength": 1} if filled else {"type": "string"}
    return Parameter(
        name=name, description=description, schema=schema, read=str, default="",
        place=place, filled=filled,
    )  # fmt: skip


def whole(name: str, description: str, low: int, high: int, default: int = 0) -> Parameter:
    """Returns a parameter that is a whole number within bounds."""

    def read(given: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,19}", given) or not low <= int(given) <= high:
            raise ValueError(f"{given[:40]!r} is no whole number from {low} to {high}")
        return int(given)

    schema = {"type": "integer", "minimum": low, "maximum": high}
    return Parameter(name=name, description=description, schema=schema, read=read, default=default)


def flag(name: str, description: str) -> Parameter:
    """Returns a parameter that is true or false."""

    def read(given: str) -> bool:
        if given.lower() not in _TRUTH:
            raise ValueError(f"{given[:40]!r} is neither true nor false")
        return _TRUTH[given.lower()]

    return Parameter(
        name=name, description=description, schema={"type": "boolean"}, read=read, default=False
    )


def span(name: str, description: str, most: int) -> Parameter:
    """Returns a parameter that is a span of time in seconds, with or without a unit."""

    def read(given: str) -> float:
        match = _SPAN.fullmatch(given)
        if match is None:
            raise ValueError(f"{given[:40]!r} is no span of time; write 30, 500ms, 5m, 2h or 1d")
        seconds = float(match[1]) * _UNITS[match[2] or "s"]
        if seconds > most:
            raise ValueError(f"{given!r} is more than {most} seconds")
        return seconds

    schema = {
        "type": "string",
        "pattern": r"^[0-9]{1,9}(\.[0-9]{1,9})?(ms|s|m|h|d)?$",
    }
    return Parameter(name=name, description=description, schema=schema, read=read)


def words(name: str, description: str, known: Sequence[str]) -> Parameter:
    """Returns a parameter that is some words of a list, between commas or given more than once."""

    def read(given: str) -> list[str]:
        found = given.lower().split(",")
        for word in found:
            if word not in known:
                raise ValueError(f"{word[:40]!r} is not one of {', '.join(known)}")
        return found

    schema = {"type": "string", "enum": list(known)}
    return Parameter(name=name, description=description, schema=schema, read=read, many=True)
