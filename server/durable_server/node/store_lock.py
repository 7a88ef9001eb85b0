"""The lock of a store: which of the processes of one machine has the store of a partition open.

The processes of `durable server --processes` have one data dir, and the leader of a partition opens
its store there. The log decides who leads. But a leader that was stopped, and goes on when another
process leads, may still apply a batch that was acknowledged before: to a store that has more by then.
So whoever opens a store takes the lock of the file `partition-N.lock` first. The lock belongs to the
open file, so it ends with the process, in whatever way.

A process that does not share its data dir takes no lock, unless there is such a file: then the data dir
was shared before, and a process of that time may still be there.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import signal
from pathlib import Path

logger = logging.getLogger("durable.node")


class StoreHeldError(Exception):
    """Another process has the store open. The message says which, and what to do."""

    def __init__(self, store: Path, lock: Path, pid: int | None) -> None:
        who = f"process {pid}" if pid else "another process"
        super().__init__(f"the store {store} is held by {who}: end it, and start again")
        self._store = store
        self._lock = lock

    def end_holder(self) -> None:
        """Kills the process that has the store, if it still has it."""
        with contextlib.suppress(FileNotFoundError):
            try:
                StoreLock.take(self._store, make=False).release()
            except StoreHeldError:
                pid = _read_pid(self._lock)
                if pid in (None, os.getpid()):
                    return
                logger.warning(
                    "process %d holds the store %s and leads nothing any more; it is killed",
                    *(pid, self._store),
                )
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


class StoreLock:
    """A lock that this process holds; or none, where none is needed."""

    def __init__(self, file: int | None) -> None:
        self._file = file

    @classmethod
    def take(cls, store: Path, *, make: bool) -> StoreLock:
        """Takes the lock of a store; makes its file if `make`, else takes none if there is no file.

        Raises StoreHeldError when another process has it.
        """
        path = store.with_suffix(".lock")
        try:
            file = os.open(path, os.O_RDWR | (os.O_CREAT if make else 0), 0o600)
        except FileNotFoundError:
            if make:
                raise
            return cls(None)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise StoreHeldError(store, path, _read_pid(path)) from None
        os.ftruncate(file, 0)
        os.pwrite(file, b"%d\n" % os.getpid(), 0)
        return cls(file)

    def release(self) -> None:
        """Gives the lock back. May be called more than once."""
        if self._file is not None:
            file, self._file = self._file, None
            # The next holder has the lock a moment before it has written its own number.
            os.ftruncate(file, 0)
            os.close(file)


def _read_pid(path: Path) -> int | None:
    text = path.read_text().strip()
    return int(text) if text.isdigit() else None
