"""Files: written to survive a power loss, whole or not at all; and whether one has changed."""

from __future__ import annotations

import os
import secrets
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


def write_new(path: Path, data: bytes) -> bool:
    """Writes a file that only this user can read; returns False, and writes nothing, if there is one.

    Of several processes that do so at once, one succeeds, and nobody reads a part of it.
    """
    scratch = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    made = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(made, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        try:
            path.hardlink_to(scratch)
        except FileExistsError:
            return False
    finally:
        scratch.unlink()
    sync_folder(path.parent)
    return True


def file_state(path: Path) -> tuple[int, ...]:
    """Returns what differs after a change of a file, behind all symbolic links; empty without one."""
    try:
        now = path.stat()
    except OSError:
        return ()
    return now.st_dev, now.st_ino, now.st_mtime_ns, now.st_size


def sync_folder(folder: Path) -> None:
    """Makes durable which files are in a folder: those that were made, renamed or removed."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
