"""Files that survive a power loss: what is written is there as a whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file that only this user can read, or replaces one."""
    scratch = path.with_name(f"{path.name}.new")
    scratch.unlink(missing_ok=True)  # left behind by a process that died here
    made = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(made, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    scratch.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes durable which files are in a folder: those that were made, renamed or removed."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
