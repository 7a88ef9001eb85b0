"""Output of commands: tables, fields and JSON, for a terminal, a pipe or a program.

Text from outside (failures, keys, values) may contain control characters, which a terminal would
execute. `clean` replaces them with visible escapes.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import click

from . import streams
from .times import absolute, relative

_COLOURS: Final = {
    "completed": "green",
    "running": "cyan",
    "pending": "cyan",
    "scheduled": "blue",
    "suspended": "blue",
    "backing_off": "yellow",
    "paused": "yellow",
    "failed": "red",
    "cancelled": "magenta",
    "ok": "green",
    "warn": "yellow",
    "fail": "red",
}


def on_terminal() -> bool:
    """Returns whether stdout is a terminal."""
    return sys.stdout.isatty()


def echo(text: str = "", err: bool = False) -> None:
    """Writes a line; characters that the encoding lacks are escaped (see `streams`)."""
    # With an explicit file, because click would reopen a stream of ASCII as UTF-8.
    click.echo(text, file=sys.stderr if err else sys.stdout)


def write_json(data: Any) -> None:
    """Writes one document."""
    write_text(json.dumps(data, indent=2, ensure_ascii=_ascii()))


def write_json_line(data: Any) -> None:
    """Writes one document of many, each on a line."""
    echo(json.dumps(data, ensure_ascii=_ascii(), separators=(",", ":")))


def _ascii() -> bool:
    """Returns whether JSON must be ASCII, because the encoding of stdout lacks characters.

    The escapes that the stream would write instead are not valid JSON.
    """
    return not (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")


def write_text(text: str) -> None:
    """Writes a text from outside: unchanged to a pipe, cleaned to a terminal."""
    echo("\n".join(clean_lines(text)) if on_terminal() else text)


def note(text: str) -> None:
    """Writes a note to stderr; drops it if stderr cannot be written."""
    try:
        echo(text, err=True)
    except OSError:
        # Python would try again at exit, and end with a code of its own.
        streams.discard_one(sys.stderr)


def clean(text: str) -> str:
    """Returns text on one line, with control characters as visible escapes."""
    if text.isprintable():
        return text
    return "".join(it if it.isprintable() else ascii(it)[1:-1] for it in text)


def clean_lines(text: str) -> list[str]:
    """Returns the lines of a longer text, each cleaned."""
    return [clean(line.replace("\t", "    ")) for line in text.splitlines()]


def value_text(value: Any) -> str:
    """Returns a value as compact JSON."""
    return json.dumps(value, ensure_ascii=_ascii(), separators=(",", ":"), default=str)


def shorten(text: str, width: int) -> str:
    """Cuts a text to a width on a terminal, and nowhere else."""
    if not on_terminal() or len(text) <= width:
        return text
    return text[: max(width - 1, 1)] + "…"


def width() -> int:
    """Returns the width of the terminal."""
    return shutil.get_terminal_size().columns


def coloured(word: str) -> str:
    """Returns a status or a verdict in its colour; click removes it without a terminal."""
    colour = _COLOURS.get(word.strip())
    return click.style(word, fg=colour) if colour else word


def faint(text: str) -> str:
    """Returns a text in a faint colour."""
    return click.style(text, dim=True)


def moment(time: datetime | None) -> str:
    """Returns a time: relative on a terminal, absolute in a pipe; `-` for none."""
    if time is None:
        return "-"
    return relative(time, datetime.now(UTC)) if on_terminal() else absolute(time)


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Writes columns; on a terminal the last one is cut to fit."""
    cleaned = [[clean(cell) or "-" for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headers, *cleaned, strict=True)]
    last = max(width() - sum(widths[:-1]) - 2 * (len(widths) - 1), len(headers[-1]), 8)

    def line(cells: Sequence[str], colour: bool) -> str:
        padded = [cell.ljust(size) for cell, size in zip(cells[:-1], widths[:-1], strict=True)]
        padded.append(shorten(cells[-1], last))
        return "  ".join(coloured(cell) if colour else cell for cell in padded).rstrip()

    echo(click.style(line(headers, False), bold=True))
    for row in cleaned:
        echo(line(row, True))


def fields(pairs: Iterable[tuple[str, str]]) -> None:
    """Writes names and values; those without a value are left out."""
    shown = [(name, value) for name, value in pairs if value]
    size = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        echo(f"{faint(name.ljust(size))}  {value}")
