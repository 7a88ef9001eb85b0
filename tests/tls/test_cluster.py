"""Three nodes with TLS on every port that others reach: gRPC, links between them, routes of NATS."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

import durable

from ..cluster.embedded_nodes import EmbeddedNodes
from ..support.processes import nats_of
from ..support.waiting import eventually
from .files import Authority, Secret, environment, serial


@durable.workflow
async def twice(ctx: durable.Context, number: int) -> int:
    return 2 * number


async def shown(address: str, context: ssl.SSLContext) -> int:
    """Returns the serial number of the certificate that a node is shown at a port for nodes."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
    try:
        found = serial(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
        # A side that wants no client says so only now.
        writer.write(b"\0")
        await writer.drain()
        await asyncio.wait_for(reader.read(1), 0.2)
    except TimeoutError:
        pass
    finally:
        writer.close()
    return found


def links_of(nodes: EmbeddedNodes) -> list[str]:
    """Returns where the nodes are reached by each other: listening ports that nobody has named."""
    known = {*nodes.addresses.split(","), *nodes.routes.values()}
    found: list[str] = []
    for child in nodes.children.values():
        ports = psutil.Process(child.pid).net_connections("tcp")
        listening = [it.laddr for it in ports if it.status == "LISTEN"]
        addresses = [f"{it.ip.removeprefix('::ffff:')}:{it.port}" for it in listening]
        found += [it for it in addresses if it not in known]
    return found


async def test_a_cluster_with_tls_on_links_and_routes(
    tmp_path: Path,
    authority: Authority,
    stranger: Authority,
    secret: Secret,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pair = secret.publish(authority)
    options = (
        *("--tls-cert", str(pair.cert), "--tls-key", str(pair.key)),
        *("--tls-node-ca", str(authority.ca)),
    )
    environment(monkeypatch, authority)
    node = authority.context(authority.issue("node"))
    with ExitStack() as stack:
        nodes = EmbeddedNodes(stack, tmp_path, options)
        await nodes.start("a", "b", "c")
        links = links_of(nodes)
        assert len(links) == 3
        routes = [*nodes.routes.values()]
        for address in (*links, *routes):
            assert await shown(address, node) == pair.serial
            # Without a certificate, and with one of an authority that is not trusted.
            for context in (authority.context(), authority.context(stranger.issue("node"))):
                await refused(address, context)
        worker = durable.Worker(nodes.addresses, workflows=[twice])
        running = asyncio.create_task(worker.run())
        await worker.ready()
        async with durable.AsyncClient(nodes.addresses, timeout=60) as client:

            async def calls(first: int) -> None:
                numbers = range(first, first + 20)
                answers = await asyncio.gather(*(client.invoke(twice, it) for it in numbers))
                assert answers == [2 * it for it in numbers]

            await calls(0)
            servers = [nats_of(it).pid for it in nodes.children.values()]
            later = secret.publish(authority).serial
            for address in (*links, *routes):

                async def new(address: str = address) -> bool:
                    return await shown(address, node) == later

                await eventually(new)
            await calls(20)
            # Nobody was restarted for it, and no link was lost.
            assert [nats_of(it).pid for it in nodes.children.values()] == servers
            assert not any("has ended:" in it.text() for it in nodes.children.values())
            # A node that comes back is linked with the new certificate.
            await nodes.kill("b")
            await nodes.start("b")
            await calls(40)
        worker.stop()
        await running


async def refused(address: str, context: ssl.SSLContext) -> None:
    """Requires that a port ends a connection, instead of reading what comes on it."""
    host, _, port = address.rpartition(":")
    try:
        reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
        writer.write(b"\0")
        assert await asyncio.wait_for(reader.read(1), 20) == b""
        writer.close()
    except OSError:  # ssl.SSLError is one
        pass
