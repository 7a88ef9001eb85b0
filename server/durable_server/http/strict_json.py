"""A strict JSON parser: accepts what all JSON readers agree on, and locates each mistake.

Python's parser accepts more than JSON, and readers disagree about parts of JSON. So these are refused
as well: `NaN` and the like, a key twice in one object, half of a surrogate pair, a number that does
not fit into a float or has very many digits, and nesting so deep that other parsers give up.

Python's parser does the work. It cannot say where these mistakes are, so a second, slower scan finds
the line and column, and only in a text that is refused.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

DEPTH = 100
"""The deepest nesting of arrays and objects; protobuf's parsers have the same limit."""
DIGITS = 1000
"""The most characters of a number."""

_NO_JSON = "is no JSON"
_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_NOT_A_BRACKET = re.compile(_STRING + r'|[^\[\]{}"]+', re.DOTALL)
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
"""What the decoder takes for a number, whatever follows."""
_TOKEN = re.compile(_STRING + rf"|{_NUMBER}|NaN|-?Infinity|[\[\]{{}},]", re.DOTALL)


class JsonError(Exception):
    """A text is refused; the message says what is wrong and where."""

    def __init__(self, problem: str, *, is_json: bool) -> None:
        super().__init__(problem)
        self.is_json = is_json
        """Whether the text is JSON by the standard all the same."""


def parse(data: bytes) -> Any:
    """Returns the value of a JSON text in UTF-8; raises JsonError."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        where = f"at line {line}, column {column}"
        raise JsonError(f"{_NO_JSON}: not UTF-8 {where}", is_json=False) from None
    if text.startswith("\ufeff"):
        problem = f"{_NO_JSON}: leave out the byte order mark at line 1, column 1"
        raise JsonError(problem, is_json=False)
    try:
        found = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_int=_integer,
            parse_float=_float,
        )
    except json.JSONDecodeError as error:
        where = f"at line {error.lineno}, column {error.colno}"
        raise JsonError(f"{_NO_JSON}: {error.msg} {where}", is_json=False) from None
    except (_RefusedError, RecursionError):
        pass
    else:
        if not (_is_deep(text) or _has_half_a_pair(text, found)):
            return found
    place, problem = next(_mistakes(text))
    line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)
    is_json = not problem.startswith(_NO_JSON)
    raise JsonError(f"{problem} at line {line}, column {column}", is_json=is_json)


class _RefusedError(Exception):
    """The text is refused; `_mistakes` finds the place."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _RefusedError
    return found


def _constant(name: str) -> Any:
    raise _RefusedError


def _integer(text: str) -> int:
    if len(text) > DIGITS:
        raise _RefusedError
    return int(text)


def _float(text: str) -> float:
    if len(text) > DIGITS or math.isinf(value := float(text)):
        raise _RefusedError
    return value


def _is_deep(text: str) -> bool:
    """Returns whether a JSON text is nested too deep."""
    if text.count("[") + text.count("{") <= DEPTH:
        return False
    steps = map(_STEPS.__getitem__, _NOT_A_BRACKET.sub("", text))
    return max(accumulate(steps)) > DEPTH


def _has_half_a_pair(text: str, found: Any) -> bool:
    """Returns whether a string in it cannot be encoded in UTF-8."""
    if not _SURROGATE.search(text):
        return False
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _mistakes(text: str) -> Iterator[tuple[int, str]]:
    """Yields the positions at which a text is refused, with the reasons."""
    objects: list[set[str] | None] = []  # the keys of each open object; None for an array
    is_key = False
    for match in _TOKEN.finditer(text):
        place, token = match.start(), match[0]
        if token in "[{":
            objects.append(set() if token == "{" else None)
            if len(objects) > DEPTH:
                yield place, f"is nested more than {DEPTH} deep"
        elif token in "]}":
            if objects:
                objects.pop()
        elif token[0] == '"':
            string = json.loads(token)
            if any("\ud800" <= it <= "\udfff" for it in string):
                yield place, "has half of a surrogate pair in the string"
            keys = objects[-1] if objects else None
            if is_key and keys is not None:
                if string in keys:
                    yield place, f"has the key {string[:100]!r} twice in one object, again"
                keys.add(string)
        elif token[0] in "NI" or token == "-Infinity":
            yield place, f"{_NO_JSON}: {token} is not a JSON value"
        elif token != ",":
            if len(token) > DIGITS:
                yield place, f"has a number of more than {DIGITS} characters"
            elif math.isinf(float(token)):
                yield place, "has a number that is too large for a float"
        is_key = token in "{,"
