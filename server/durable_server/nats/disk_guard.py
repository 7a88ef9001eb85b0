"""The disk guard: checks the embedded server's disk before a connection is opened.

A nats-server whose disk is full does not answer. Once a write has failed, its stream accepts nothing
until the server is restarted, even when space is free again. The log asks for the endpoint after each
failure, so this is the place where the reason can be reported, and where a server that met a full disk
is restarted once there is space.
"""

from __future__ import annotations

import logging
import shutil

from .embedded import MAX_PAYLOAD, EmbeddedNats
from .endpoint import Endpoint

MIN_FREE_BYTES = MAX_PAYLOAD
"""With less than this the disk counts as full: the next frame may need it."""
_RESTART_FREE_BYTES = 4 * MIN_FREE_BYTES
"""What must be free before a server that met a full disk is restarted, so that it does not meet a full
disk again at once."""

logger = logging.getLogger("durable.nats")


class DiskGuard:
    """An `EndpointSource` of an embedded server that checks the server's disk first."""

    def __init__(self, server: EmbeddedNats) -> None:
        self._server = server
        self._was_full = False

    async def __call__(self) -> Endpoint:
        """Returns where the server listens.

        Raises ConnectionError when its disk is full, NatsStartError as `EmbeddedNats.endpoint`.
        """
        folder = self._server.folder
        free = shutil.disk_usage(folder).free
        if free < (_RESTART_FREE_BYTES if self._was_full else MIN_FREE_BYTES):
            problem = (
                f"the disk of {folder} is full: {free >> 10} KiB are free,"
                f" {_RESTART_FREE_BYTES >> 10} are needed; free some"
            )
            if not self._was_full:
                logger.error("%s; nothing is accepted until then", problem)
            self._was_full = True
            raise ConnectionError(problem)
        if self._was_full:
            self._was_full = False
            logger.warning("there is room on the disk of %s again", folder)
            self._server.restart()
        return await self._server.endpoint()
