"""The standard streams, made safe for every command, whatever they were opened as.

- A stream that the parent process has closed is opened on /dev/null, so that a socket cannot get
  its file number.
- Characters that the encoding lacks are written as escapes (`\\xe9`), where they would end the
  command.
- A reader that closes the pipe early, as `head` and pagers do, has all that it wanted: the command
  ends silently and successfully.
- In long-running commands, output that cannot be written is dropped (`ignore_write_errors`): the
  pager may be closed, the disk of a log file full, the terminal gone. The work continues, and so
  does the output once it can be written again.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, TextIO

import click

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""The errors of a write to a full or broken disk, as of /dev/full."""

_NUMBERS: Final = {"stdin": 0, "stdout": 1, "stderr": 2}


class ReaderLeftError(Exception):
    """The reader has closed the pipe. Not an OSError, which click would handle in its own way."""


def prepare() -> None:
    """Opens closed streams, and makes characters that the encoding lacks be written as escapes."""
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
    """Raises click.UsageError for an argument that is not Unicode, as all values must be."""
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
    """Turns a BrokenPipeError into a ReaderLeftError."""
    try:
        yield
    except BrokenPipeError as error:
        raise ReaderLeftError from error


def discard() -> None:
    """Drops buffered output, which Python would try to write once more at exit."""
    for stream in (sys.stdout, sys.stderr):
        discard_one(stream)


def discard_one(stream: TextIO) -> None:
    """Drops the buffered output of one stream, and all that follows."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def ignore_write_errors() -> None:
    """Makes writing to stdout and stderr never raise; what cannot be written is lost."""
    sys.stdout = _lossy(1, sys.stdout)
    sys.stderr = _lossy(2, sys.stderr)


class _LossyFile(io.FileIO):
    """A file that drops what it cannot write."""

    def write(self, data: ReadableBuffer) -> int:
        try:
            written = super().write(data)
        except OSError:
            written = None
        return memoryview(data).nbytes if written is None else written


def _lossy(number: int, stream: io.TextIOBase | object) -> io.TextIOWrapper:
    file = io.BufferedWriter(_LossyFile(number, "w", closefd=False))
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return io.TextIOWrapper(file, encoding=encoding, errors="backslashreplace", line_buffering=True)
