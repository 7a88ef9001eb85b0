"""The standard streams of the `durable` command, made safe whatever they were opened as.

A stream that was closed by whoever started us stands for "nothing": it reads and writes /dev/null, and
its number cannot be taken by a socket. What the terminal's encoding does not have is written as an
escape (`\\xe9`) instead of ending the command. A reader that leaves early, as `head` and pagers do, has
all that it wanted: that is a success, and quiet.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Final

import click

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""What a write fails with where there is no room, as on /dev/full."""

_NUMBERS: Final = {"stdin": 0, "stdout": 1, "stderr": 2}


class ReaderLeftError(Exception):
    """Whoever reads our output has closed it. Not an OSError, which click would handle its own way."""


def prepare() -> None:
    """Opens what is closed, and lets what an encoding does not have be written as an escape."""
    for name, number in _NUMBERS.items():
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            mode = "r" if number == 0 else "w"
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def check_arguments(arguments: Sequence[str]) -> None:
    """Raises click.UsageError for an argument that is no Unicode: no value or name could hold it."""
    for number, argument in enumerate(arguments, 1):
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise click.UsageError(
                f"argument {number} is not UTF-8: {argument!a}; for other bytes write JSON"
                " escapes, or give a file with @FILE"
            ) from None


@contextlib.contextmanager
def leaving() -> Iterator[None]:
    """Makes a ReaderLeftError of a broken pipe."""
    try:
        yield
    except BrokenPipeError as error:
        raise ReaderLeftError from error


def discard() -> None:
    """Gives up what is still to be written, which Python would try to write once more at its end."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
