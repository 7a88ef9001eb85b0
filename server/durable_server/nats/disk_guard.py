"""Where the embedded server is, unless its disk has no room: then that is said instead.

A nats-server whose disk is full answers nothing, and once a write has failed its stream takes no more,
even when there is room again, until the server is started anew. The log asks for the endpoint after
each trouble. So this is the place where the reason can be seen, and where a server that has met
a full disk is started again once there is room.
"""

from __future__ import annotations

import logging
import shutil

from durable_server.nats.embedded import MAX_PAYLOAD, EmbeddedNats
from durable_server.nats.endpoint import Endpoint

ROOM_BYTES = MAX_PAYLOAD
"""Less than this is no room: the next frame may need it."""
_ENOUGH_BYTES = 4 * ROOM_BYTES
"""What must be free before a server that met a full disk is started again: lest it meet it at once."""

logger = logging.getLogger("durable.nats")


class RoomyEndpoint:
    """An `EndpointSource` of an embedded server that looks at its disk first."""

    def __init__(self, server: EmbeddedNats) -> None:
        self._server = server
        self._was_full = False

    async def __call__(self) -> Endpoint:
        """Returns where the server listens.

        Raises ConnectionError when its disk is full, NatsStartError as `EmbeddedNats.endpoint`.
        """
        folder = self._server.folder
        free = shutil.disk_usage(folder).free
        if free < (_ENOUGH_BYTES if self._was_full else ROOM_BYTES):
            problem = (
                f"the disk of {folder} is full: {free >> 10} KiB are free, {_ENOUGH_BYTES >> 10} are"
                " needed; free some"
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
