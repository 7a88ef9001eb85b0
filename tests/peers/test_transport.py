"""Ports, and connections with frames on them: what is left when one side ends at any moment."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress

import pytest
import uvloop

from durable_proto.node_v1 import node_pb2
from durable_server.peers.transport import FrameConnection, bind, serve


def test_a_connection_that_was_reset_ends_quietly_and_takes_nothing_more() -> None:
    """On uvloop, whose transports refuse a write after their end with an error of another type."""

    async def reset() -> None:
        connected: asyncio.Future[FrameConnection] = asyncio.get_running_loop().create_future()
        ended = asyncio.Event()

        async def accept(connection: FrameConnection) -> None:
            connected.set_result(connection)
            await ended.wait()

        listening = bind("127.0.0.1:0")
        server = serve(listening, accept)
        with socket.create_connection(listening.getsockname()) as client:
            connection = await connected
            # Closing resets the connection, instead of ending it.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with pytest.raises(ConnectionResetError):
            await connection.read(node_pb2.LinkRequest)
        with pytest.raises(ConnectionResetError):
            await connection.write(node_pb2.LinkResponse())
        await connection.end(node_pb2.LinkResponse(ended="it is over"))
        ended.set()
        server.close()

    uvloop.run(reset())


@pytest.mark.parametrize("turns", range(6))
async def test_a_port_that_is_closed_leaves_no_connection_open(turns: int) -> None:
    """Also one that it has just accepted and that nobody serves yet."""

    async def accept(connection: FrameConnection) -> None:
        connection.abort()

    listening = bind("127.0.0.1:0")
    server = serve(listening, accept)
    with socket.create_connection(listening.getsockname()) as client:
        client.setblocking(False)
        for _ in range(turns):
            await asyncio.sleep(0)
        server.close()
        with suppress(ConnectionResetError):
            assert await asyncio.get_running_loop().sock_recv(client, 1) == b""
