"""Which other processes have a store's file open: for messages about what they hold up.

As Linux shows it in `/proc`, and only processes that this user may look at. Elsewhere nobody is found,
and a message does without names.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_PROCESSES: Final = Path("/proc")
_COMMAND_CHARACTERS: Final = 80


def holders(path: Path) -> list[str]:
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


def named(found: list[str]) -> str:
    """Returns holders for a sentence."""
    return ", ".join(found) or "which one cannot be seen from here"


def _has_open(pid: int, files: set[tuple[int, int]]) -> bool:
    folder = _PROCESSES / str(pid) / "fd"
    try:
        numbers = os.listdir(folder)
    except OSError:  # it is another user's, or has ended
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
