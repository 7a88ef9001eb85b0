"""Values as people type them: JSON, `-` for stdin, `@file`; NAME=VALUE pairs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click


def parse_value(text: str, what: str = "the value") -> Any:
    """Returns the value of an argument; raises click.UsageError when it is no JSON.

    A word that is no JSON is an error and not a string: `tru` for `true` would else go unnoticed.
    """
    source = what
    if text == "-":
        text, source = sys.stdin.read(), f"{what} on stdin"
    elif text.startswith("@"):
        path = Path(text[1:])
        try:
            text, source = path.read_text(), f"{what} in {path}"
        except (OSError, UnicodeDecodeError) as error:
            raise click.UsageError(f"{what} cannot be read: {error}") from error
    try:
        return json.loads(text, parse_constant=_refuse)
    except ValueError as error:
        raise click.UsageError(f"{source} is no JSON: {error}{_advice(text)}") from error


def _advice(text: str) -> str:
    if text.lstrip().startswith(("{", "[")):
        return '; names and texts stand in double quotes, all of it in single ones: \'{"a": "b"}\''
    if text and text.isprintable() and len(text) < 40 and not {"'", '"'} & set(text):
        return f"; for a text write '\"{text}\"'"
    return ""


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not in JSON")


def parse_pairs(pairs: Iterable[str], option: str) -> dict[str, str]:
    """Returns NAME=VALUE words as a dict; raises click.UsageError for a malformed one."""
    parsed: dict[str, str] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not name:
            raise click.UsageError(f"{option} {pair!r} is not NAME=VALUE")
        parsed[name] = value
    return parsed
