"""The intervals of worker sessions."""

from __future__ import annotations

from typing import NamedTuple


class SessionTimes(NamedTuple):
    """The intervals of worker sessions, in seconds."""

    heartbeat: float = 5.0
    """How often each side sends something."""
    timeout: float = 20.0
    """How long a worker may be silent before its session ends."""
    grace: float = 3.0
    """How long a worker keeps its attempts after its session broke."""
