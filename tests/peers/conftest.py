"""Two nodes: `links` belongs to node a and calls node b, which `methods` answers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from durable_server.peers.handshake import Credentials
from durable_server.peers.limits import LinkLimits
from durable_server.peers.links import Links
from durable_server.peers.server import PeerServer

from .methods import RecordedMethods

SYSTEM = "5f0c"
SECRET = "the secret of the nodes"


def credentials(name: str, *, system: str = SYSTEM, secret: str = SECRET) -> Credentials:
    return Credentials(name, system, secret)


@pytest.fixture
def limits() -> LinkLimits:
    """The limits of both nodes: the default ones. A test overrides them."""
    return LinkLimits()


@pytest.fixture
def methods() -> RecordedMethods:
    return RecordedMethods()


@pytest.fixture
async def server(methods: RecordedMethods, limits: LinkLimits) -> AsyncIterator[PeerServer]:
    server = PeerServer(credentials("b"), methods, limits)
    yield server
    await server.stop(0)


@pytest.fixture
async def addresses(server: PeerServer) -> dict[str, str]:
    """The addresses that node a knows."""
    return {"b": await server.start("127.0.0.1:0")}


@pytest.fixture
async def links(addresses: dict[str, str], limits: LinkLimits) -> AsyncIterator[Links]:
    links = Links(credentials("a"), addresses.get, limits)
    yield links
    await links.close()
