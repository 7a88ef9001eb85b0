"""Open files: how many this process may have, and what has room in them.

Each connection of a client or worker is an open file, and so are a partition's store and its connection
to NATS. A process that has no more of them cannot open its own either. So connections get what remains.
"""

from __future__ import annotations

import logging
import resource
from contextlib import suppress

from .config import ConfigError
from .core.limits import Limits

FILES_PER_PARTITION = 4
"""The open files of a partition: its store with two files beside it, and a connection to NATS."""
FILES_FOR_OTHERS = 200
"""Open files for everything else, such as links to other nodes, snapshots, and connections that are
about to be refused.
"""
_SURFACES = 2
"""What has connections: gRPC and HTTP."""

logger = logging.getLogger("durable.app")


def raise_limit() -> None:
    """Raises the limit of this process as far as it may without privileges.

    The limit that shells and systemd give is as low as 1,024, for programs that use `select`.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # The system may have a limit of its own below it, as macOS has.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def check_files(partitions: int) -> None:
    """Raises ConfigError for a number of partitions whose files this process may not open."""
    needed = _needed(partitions)
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if partitions > 1 and limit != resource.RLIM_INFINITY and limit < needed:
        raise ConfigError(
            f"{partitions} partitions need {needed} open files, and this process may have {limit};"
            f" raise the limit: ulimit -n {needed}, or LimitNOFILE in a unit of systemd"
        )


def fit_connections(limits: Limits, partitions: int) -> Limits:
    """Returns limits with as many connections as there is room for; logs it when they are fewer."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return limits
    room = max(1, (limit - _needed(partitions)) // _SURFACES)
    if room >= limits.connections:
        return limits
    wanted = _needed(partitions) + _SURFACES * limits.connections
    few = room < limits.connections // 10
    logger.log(
        logging.WARNING if few else logging.INFO,
        "this process may have %d open files, so the limit connections is %d and not %d; raise it:"
        " ulimit -n %d, or LimitNOFILE in a unit of systemd",
        *(limit, room, limits.connections, wanted),
    )
    return limits._replace(connections=room)


def _needed(partitions: int) -> int:
    return partitions * FILES_PER_PARTITION + FILES_FOR_OTHERS
