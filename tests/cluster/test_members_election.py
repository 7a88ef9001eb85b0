"""Members over three nats-servers: the one that leads the stream of the records is killed."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from durable_server.cluster.records import STREAM
from durable_server.nats.api import call_api
from durable_server.nats.connection import Connection

from ..support.external_nats import nats_cluster
from .nodes import Node, at, make_system, member, with_nats


async def test_an_election_of_the_streams_leader_ends_nobody(tmp_path: Path) -> None:
    """It takes longer than the lease of these nodes."""
    async with nats_cluster(tmp_path) as servers, AsyncExitStack() as stack:
        urls = ",".join(it.url for it in servers)
        await make_system(urls, replicas=3)
        nodes = [await stack.enter_async_context(Node(at(urls), member(it))) for it in "abc"]
        for node in nodes:
            await node.until_live("a", "b", "c")
        seen: set[str] = set()
        for node in nodes:
            node.members.listen(lambda node=node: seen.add("".join(sorted(node.members.live))))
        leaders: list[str] = []

        async def use(connection: Connection) -> None:
            info = await call_api(connection, f"STREAM.INFO.{STREAM}", {}, 5.0)
            leaders.append(info["cluster"]["leader"])

        await with_nats(urls, use)
        [leader] = [it for number, it in enumerate(servers) if leaders == [f"n{number}"]]
        leader.process.kill()
        for partition, node in enumerate(nodes):
            node.now_has(leads={partition: (1, 1)})
        for partition, node in enumerate(nodes):
            await node.until_kept(urls)
            await nodes[0].until(lambda it, p=partition, n=node: it.leader(p) == n.own)
        assert seen == {"abc"}
