"""A node of its own process: `python -m tests.peers.node_process NAME [ADDRESS METHOD BODY]`.

It prints its address and answers calls. With the other arguments it also opens a stream to node b at
that address, and receives nothing of it.
"""

from __future__ import annotations

import asyncio
import sys

from durable_server.peers.links import Links
from durable_server.peers.server import PeerServer

from .conftest import credentials
from .methods import RecordedMethods


async def main(name: str, *rest: str) -> None:
    server = PeerServer(credentials(name), RecordedMethods())
    address = await server.start("127.0.0.1:0")
    print(address, flush=True)
    if rest:
        links = Links(credentials(name), {"b": rest[0]}.get)
        links.open("b", rest[1], rest[2].encode())
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
