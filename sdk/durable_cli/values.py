"""Values that users type: JSON, `-` for stdin, `@file`; and NAME=VALUE pairs."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import click

from .times import shortened

INT32_MIN: Final = -(2**31)
INT32_MAX: Final = 2**31 - 1
"""The range of integers in requests."""


def parse_value(text: str, what: str = "the value") -> Any:
    """Returns the value of an argument; raises click.UsageError for invalid JSON.

    A word that is not JSON is an error and not a string, because `tru` for `true` would go
    unnoticed.
    """
    source = what
    try:
        # JSON is UTF-8, whatever the locale is; some editors begin a file with a byte order mark.
        if text == "-":
            source = f"{what} on stdin"
            text = sys.stdin.buffer.read().decode("utf-8-sig")
        elif text.startswith("@"):
            path = Path(text[1:])
            source = f"{what} in {path}"
            text = path.read_bytes().decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise click.UsageError(f"{source} cannot be read: {error}") from error
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise click.UsageError(f"{source} has half of a surrogate pair, which is no text") from None
    except RecursionError:
        raise click.UsageError(f"{source} is nested too deeply") from None
    except ValueError as error:
        raise click.UsageError(f"{source} is no JSON: {error}{_advice(text)}") from error
    return value


def _advice(text: str) -> str:
    if text.lstrip().startswith(("{", "[")):
        return '; names and texts stand in double quotes, all of it in single ones: \'{"a": "b"}\''
    if text and text.isprintable() and len(text) < 40 and not {"'", '"'} & set(text):
        return f"; for a text write '\"{text}\"'"
    return ""


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not in JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{shortened(text)} is too large for a number")
    return number


def parse_pairs(pairs: Iterable[str], option: str) -> dict[str, str]:
    """Returns NAME=VALUE words as a dict; raises click.UsageError for a malformed one."""
    parsed: dict[str, str] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not name:
            raise click.UsageError(f"{option} {pair!r} is not NAME=VALUE")
        parsed[name] = value
    return parsed
