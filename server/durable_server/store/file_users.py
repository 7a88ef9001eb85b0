"""Which other processes have a store's file open, for messages about a lock or a growing log.

They are read from `/proc` on Linux, and only those that this user may see. On other systems none is
found, and the messages have no names.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_PROCESSES: Final = Path("/proc")
_COMMAND_CHARACTERS: Final = 80


def file_users(path: Path) -> list[str]:
    """Returns process id and command of each, as in `1234: sqlite3 partition-0.db`."""
    files: set[tuple[int, int]] = set()
    for suffix in ("", "-wal", "-shm"):
        try:
            found = os.stat(f"{path}{suffix}")
        except OSError:
            continue
        files.add((found.st_dev, found.st_ino))
    try:
        pids = [int(name) for name in os.listdir(_PROCESSES) if name.isdecimal()]
    except OSError:
        return []
    return [
        f"{pid}: {_command(pid)}"
        for pid in sorted(pids)
        if pid != os.getpid() and _has_open(pid, files)
    ]


def describe(found: list[str]) -> str:
    """Returns the processes as text for a sentence."""
    return ", ".join(found) or "which one cannot be seen from here"


def _has_open(pid: int, files: set[tuple[int, int]]) -> bool:
    folder = _PROCESSES / str(pid) / "fd"
    try:
        numbers = os.listdir(folder)
    except OSError:  # the process belongs to another user, or has ended
        return False
    for number in numbers:
        try:
            found = os.stat(folder / number)
        except OSError:
            continue
        if (found.st_dev, found.st_ino) in files:
            return True
    return False


def _command(pid: int) -> str:
    try:
        words = (_PROCESSES / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return "?"
    return b" ".join(words).decode(errors="replace").strip()[:_COMMAND_CHARACTERS]
