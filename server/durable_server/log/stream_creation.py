"""The creation of a JetStream stream: smaller where there is less space, and with advice on failure.

A stream reserves its `max_bytes` when it is created. Where the server has less free space, the size is
halved until it fits. A refusal that no retry changes is a `StreamConfigError`, which says what to
change.
"""

from __future__ import annotations

import logging
from typing import Any

from ..nats.api import CREATE_ADVICE, INSUFFICIENT_STORAGE, ApiError, call_api
from ..nats.connection import Connection, PermissionDeniedError
from .interface import LogError

CREATE_TIMEOUT = 30.0
"""The least seconds to wait for the answer: the server writes and syncs several files."""

logger = logging.getLogger("durable.log")


class StreamConfigError(LogError):
    """The stream has options that would break the log's guarantees, or it cannot be created."""


async def create_stream(
    connection: Connection,
    config: dict[str, Any],
    *,
    smallest_bytes: int,
    clustered: bool,
    timeout_seconds: float = CREATE_TIMEOUT,
) -> dict[str, Any]:
    """Creates the stream of this configuration, with at least `smallest_bytes`; returns its state.

    An equal stream that exists already is returned. `clustered` says that other servers may have the
    space that one lacks, so that a later try may succeed. Raises StreamConfigError, and for what a
    retry may change ApiError, TimeoutError or ConnectionLostError.
    """
    name = config["name"]
    size: int = config["max_bytes"]
    while True:
        try:
            return await call_api(
                connection,
                f"STREAM.CREATE.{name}",
                {**config, "max_bytes": size},
                timeout_seconds,
            )
        except PermissionDeniedError as error:
            raise StreamConfigError(
                f"{name}: the stream cannot be made ({error}); allow this user to publish to $JS.API.>"
            ) from error
        except ApiError as error:
            if error.number in CREATE_ADVICE:
                raise StreamConfigError(
                    f"{name}: JetStream does not make the stream ({error}):"
                    f" {CREATE_ADVICE[error.number]}"
                ) from error
            if error.number not in INSUFFICIENT_STORAGE:
                raise
            if size // 2 >= smallest_bytes:
                logger.warning(
                    "%s: JetStream has no room to reserve %d MiB, trying with half of it",
                    *(name, size >> 20),
                )
                size //= 2
            elif clustered:
                raise
            else:
                raise StreamConfigError(
                    f"{name}: JetStream has no room for {size >> 20} MiB ({error});"
                    " raise max_file_store in nats-server.conf or max_file of the account, or free"
                    " some of its disk"
                ) from error
