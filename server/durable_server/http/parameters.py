"""Parameters of endpoints: one declaration says how each is read and how the document shows it."""

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
    """Returns the value of a text; raises ValueError that says what is wrong with it."""
    default: Any = None
    """The value when the parameter is not given."""
    repeated: bool = False
    """Whether it may be given more than once; its value is then a list."""
    location: Literal["query", "header"] = "query"
    other_name: str = ""
    """Another accepted spelling of the name."""
    non_empty: bool = False
    """Whether an empty value is refused. The parameter may be left out."""

    def value(self, texts: Sequence[str]) -> Any:
        """Returns the value of the given texts; raises HttpError."""
        if not texts:
            return [] if self.repeated else self.default
        if len(texts) > 1 and not self.repeated:
            raise invalid(self.name, f"given {len(texts)} times; send it once")
        if self.non_empty and not texts[0].strip():
            raise invalid(self.name, "is empty; send a value, or leave it out")
        try:
            values = [self.read(text) for text in texts]
        except ValueError as error:
            raise invalid(self.name, str(error)) from None
        return values if self.repeated else values[0]


def values(
    parameters: Sequence[Parameter],
    query: Sequence[tuple[str, str]],
    header: Callable[[str], Sequence[str]],
) -> dict[str, Any]:
    """Reads all parameters; an unknown one is an error, so that none is silently ignored."""
    names = {it.name: it for it in parameters if it.location == "query"}
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
        if it.location == "header":
            given[it.name] = list(header(it.name))
    return {it.name: it.value(given.get(it.name, ())) for it in parameters}


def _unknown(name: str, parameters: Sequence[Parameter]) -> HttpError:
    known = ", ".join(it.name for it in parameters if it.location == "query")
    there = f"there are: {known}" if known else "there is none"
    return invalid(name[:100], f"no query parameter {name[:100]!r} here; {there}")


def string(
    name: str,
    description: str,
    *,
    location: Literal["query", "header"] = "query",
    non_empty: bool = False,
) -> Parameter:
    """Returns a parameter of any text; its value is empty when it is not given.

    With `non_empty` an empty value is refused.
    """
    schema = {"type": "string", "minLength": 1} if non_empty else {"type": "string"}
    return Parameter(
        name=name, description=description, schema=schema, read=str, default="",
        location=location, non_empty=non_empty,
    )  # fmt: skip


def integer(name: str, description: str, low: int, high: int, default: int = 0) -> Parameter:
    """Returns a parameter that is an integer within bounds."""

    def read(given: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,19}", given) or not low <= int(given) <= high:
            raise ValueError(f"{given[:40]!r} is no whole number from {low} to {high}")
        return int(given)

    schema = {"type": "integer", "minimum": low, "maximum": high}
    return Parameter(name=name, description=description, schema=schema, read=read, default=default)


def boolean(name: str, description: str) -> Parameter:
    """Returns a parameter that is true or false."""

    def read(given: str) -> bool:
        if given.lower() not in _TRUTH:
            raise ValueError(f"{given[:40]!r} is neither true nor false")
        return _TRUTH[given.lower()]

    return Parameter(
        name=name, description=description, schema={"type": "boolean"}, read=read, default=False
    )


def duration(name: str, description: str, most: int) -> Parameter:
    """Returns a parameter that is a duration in seconds; the text may have a unit."""

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


def choices(name: str, description: str, known: Sequence[str]) -> Parameter:
    """Returns a parameter with values from a list, separated by commas or given more than once."""

    def read(given: str) -> list[str]:
        found = given.lower().split(",")
        for word in found:
            if word not in known:
                raise ValueError(f"{word[:40]!r} is not one of {', '.join(known)}")
        return found

    schema = {"type": "string", "enum": list(known)}
    return Parameter(name=name, description=description, schema=schema, read=read, repeated=True)
