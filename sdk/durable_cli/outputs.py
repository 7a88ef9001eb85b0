"""Output that cannot be written ends nothing that runs.

What a server or a worker prints is for whoever looks. The pager may have been left, the disk of a log
file may be full, the terminal may be gone, or there was never anything to write to: then what is
printed is lost, and the work goes on. When it can be written again, it is.
"""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def forgive() -> None:
    """Makes writing to stdout and stderr never fail."""
    sys.stdout = _forgiving(1, sys.stdout)
    sys.stderr = _forgiving(2, sys.stderr)


class _Forgiving(io.FileIO):
    """A file that loses what it cannot write."""

    def write(self, data: ReadableBuffer) -> int:
        try:
            written = super().write(data)
        except OSError:
            written = None
        return memoryview(data).nbytes if written is None else written


def _forgiving(number: int, stream: io.TextIOBase | object) -> io.TextIOWrapper:
    file = io.BufferedWriter(_Forgiving(number, "w", closefd=False))
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return io.TextIOWrapper(file, encoding=encoding, errors="backslashreplace", line_buffering=True)
