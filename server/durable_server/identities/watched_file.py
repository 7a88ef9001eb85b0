"""A file that is read again when it has changed.

The file is looked at when it is used, at most every LOOK_SECONDS, and not by a timer: a control
plane without calls does no work. A change is another inode, size or time, so a symbolic link that
is replaced, as Kubernetes does it with mounted secrets, is one too.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from ..files import file_state

LOOK_SECONDS: Final = 2.0


class WatchedFile:
    """Whether a file has changed since it was looked at."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._seen = file_state(path)
        self._looked = time.monotonic()

    def changed(self) -> bool:
        """Returns whether the file is another one than at the last look; each change is told once."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return False
        self._looked = now
        state = file_state(self.path)
        if state == self._seen:
            return False
        self._seen = state
        return True
