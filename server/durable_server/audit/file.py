"""The audit in a file, or on stdout: a line of JSON for each call, appended.

Several processes may write to the same file: it is opened with O_APPEND, and whole lines go with one
write, which the kernel does not mix with those of others.

Rules:
- A file that is new can only be read by this user.
- That the file was moved or removed, as logrotate does, is noticed before the next write, which opens
  it anew. After `reopen`, for a signal, the next write does so in any case.
- A pipe whose reader is too slow is full. A write waits READER_SECONDS for room and then fails, so that
  neither calls nor the end of the process wait for a reader that has stopped.
- A write that ends in the middle of a line, because the disk is full, leaves a broken line. The next
  one begins on a new line and repeats the call.
- Nothing is synced: a kill of the process loses no line that was written, a loss of power may.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import stat
from collections.abc import Iterator
from pathlib import Path

from .collector import AuditWriteError, Batch
from .lines import encode

READER_SECONDS = 2.0
"""How long a write waits for the reader of a pipe."""
_STDOUT = 1


class AuditFile:
    """Appends calls to a file; without a path, to stdout."""

    def __init__(self, path: Path | None) -> None:
        self.name = "stdout" if path is None else str(path)
        self._path = None if path is None else path.absolute()
        self._file: int | None = None
        self._regular = False
        self._stale = False

    def open(self) -> None:
        """Opens the file, so that the start fails where the writes would. Raises OSError."""
        self._opened()

    def reopen(self) -> None:
        """Makes the next write open the file anew."""
        self._stale = True

    async def write(self, batch: Batch) -> None:
        """Writes calls. Raises AuditWriteError."""
        # In a thread, because a disk may be slow and a pipe full.
        await asyncio.to_thread(self._write, [encode(it) for it in batch.calls])

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None and self._path is not None:
            os.close(self._file)
        self._file = None

    def _write(self, lines: list[bytes]) -> None:
        written = 0
        """How many whole lines."""
        try:
            if self._stale or self._moved():
                self._stale = False
                self.close()
            file = self._opened()
            for data in (b"".join(lines),) if self._regular else _pieces(lines):
                left = memoryview(data)
                while left:
                    # A full pipe takes a piece of this size at once, if it takes any.
                    piece = left if self._regular else _with_room(file, left)
                    sent = os.write(file, piece)
                    written += bytes(left[:sent]).count(b"\n")
                    left = left[sent:]
        except OSError as error:
            # The next try looks whether the last line is whole.
            self.close()
            raise AuditWriteError(error.strerror or str(error), written) from error

    def _moved(self) -> bool:
        """Returns whether the path names another file than the open one, or none."""
        if self._file is None or self._path is None:
            return False
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return True
        own = os.fstat(self._file)
        return (there.st_dev, there.st_ino) != (own.st_dev, own.st_ino)

    def _opened(self) -> int:
        if self._file is not None:
            return self._file
        if self._path is None:
            self._file = _STDOUT
            return _STDOUT
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        file = os.open(self._path, flags, 0o600)
        found = os.fstat(file)
        self._file, self._regular = file, stat.S_ISREG(found.st_mode)
        if self._regular and found.st_size and os.pread(file, 1, found.st_size - 1) != b"\n":
            os.write(file, b"\n")
        return file


def _with_room(file: int, data: memoryview) -> memoryview:
    """Returns as much as a pipe takes as a whole, when it has room. Raises OSError if it has none."""
    room = select.poll()
    room.register(file, select.POLLOUT)
    if not room.poll(READER_SECONDS * 1000):
        raise OSError(errno.EAGAIN, f"it is full, and was not read for {READER_SECONDS:g} s")
    return data[: select.PIPE_BUF]


def _pieces(lines: list[bytes]) -> Iterator[bytes]:
    """Yields lines together as far as a pipe takes them as a whole, beside those of other processes."""
    piece = b""
    for line in lines:
        if piece and len(piece) + len(line) > select.PIPE_BUF:
            yield piece
            piece = b""
        piece += line
    yield piece
