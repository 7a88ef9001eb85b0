"""The comparison of this machine's clock with those of the other nodes.

The leader of a log gives each batch its time, and the log's time never goes back (`processor.clock`).
So if a node whose clock is a minute ahead leads a partition, all its times of day are a minute late
from then on, with any leader: sleeps keep their length, but a delayed start or a deadline that another
partition has computed comes at the wrong time. A minute behind is the same for the leaders before it.
So a node with such a clock does not start, and a node that runs warns.

A member's record says what its clock showed when it was published. It is compared while it is fresh:
when it comes by core NATS, or when the stream has it and the NATS server says how old it is.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from ..log.interface import LogError
from .member import Member

LIMIT_MS = 30_000
"""From which difference on two clocks do not fit: far above what a delayed message can make of it."""

logger = logging.getLogger("durable.cluster")


class ClockDiffersError(LogError):
    """The clock of this machine differs from those of all nodes; the message says by how much."""


def wall_ms() -> int:
    """Returns the time of the machine's clock, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def check_clock(ahead_ms: Mapping[str, int]) -> None:
    """Refuses a clock that differs by LIMIT_MS or more from those of all nodes.

    `ahead_ms` has how far this machine's clock is ahead of that of each node, by name; it may be empty.
    Raises ClockDiffersError.
    """
    if ahead_ms and all(abs(it) >= LIMIT_MS for it in ahead_ms.values()):
        names = ", ".join(
            f"{_text(ahead)} that of node {name}" for name, ahead in sorted(ahead_ms.items())
        )
        raise ClockDiffersError(
            f"the clock of this machine is {names}: let NTP set it, and start again"
        )


class ClockWatch:
    """Compares the clocks of members with this one while the node runs; warns once for each member."""

    def __init__(self) -> None:
        self._warned: set[str] = set()

    def heard(self, member: Member, now_ms: int) -> None:
        """Takes a record that has just come."""
        if not member.time_ms:
            return
        ahead_ms = now_ms - member.time_ms
        if abs(ahead_ms) < LIMIT_MS:
            self._warned.discard(member.name)
        elif member.name not in self._warned:
            self._warned.add(member.name)
            logger.warning(
                "the clock of this machine is %s that of node %s: let NTP set both, or times of day are"
                " wrong in partitions that both have led",
                *(_text(ahead_ms), member.name),
            )


def _text(ahead_ms: int) -> str:
    return f"{abs(ahead_ms) // 1000} s {'ahead of' if ahead_ms > 0 else 'behind'}"
