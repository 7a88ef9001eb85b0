"""The end of an asyncio server that a test has started."""

from __future__ import annotations

import asyncio


async def stop_listening(server: asyncio.Server) -> None:
    """Closes a server, and loses no connection that it has just accepted.

    `Server.close` alone leaves such a connection open for ever if its transport is not made yet
    (https://github.com/python/cpython/issues/109564), and a later test fails for its warning.
    """
    loop = asyncio.get_running_loop()
    for listening in server.sockets:
        loop.remove_reader(listening.fileno())
    for _ in range(4):  # so many turns of the loop after it is accepted, its handler has begun
        await asyncio.sleep(0)
    server.close()
