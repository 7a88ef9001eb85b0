"""A log over three nats-servers: what one of them leaves unanswered is sent again."""

from __future__ import annotations

import asyncio
from pathlib import Path

from durable_server.log.interface import Position
from durable_server.log.jetstream import JetStreamLog
from durable_server.nats.endpoint import fixed, parse_urls
from tests.support.external_nats import nats_cluster

from .proxy import Proxy, ProxyFault
from .worlds import fence


async def test_an_append_or_a_read_without_an_answer_is_sent_again(tmp_path: Path) -> None:
    """On the same connection, and long before the time in which an ack must come."""
    async with (
        nats_cluster(tmp_path) as servers,
        Proxy(fixed(parse_urls(servers[0].url))) as proxy,
    ):
        log = JetStreamLog(proxy.endpoint, replicas=3, ack_timeout=600.0, max_bytes=1 << 20)
        bodies: list[bytes] = []

        async def deliver(_: Position, body: bytes) -> None:
            bodies.append(body)

        await log.create()
        await log.take_over(Position(), deliver, fence)
        connections = proxy.connections
        for number in range(3):
            proxy.fault = ProxyFault.MUTE_ACK
            async with asyncio.timeout(60):
                position = await log.append(b"%d" % number)
            assert position.sequence == number + 2
            assert proxy.fault is ProxyFault.NONE
        assert proxy.connections == connections
        reader = JetStreamLog(proxy.endpoint, replicas=3, ack_timeout=600.0)
        reader.follow(Position())
        bodies.clear()
        proxy.fault = ProxyFault.MUTE_ACK
        async with asyncio.timeout(60):
            await reader.read(deliver)
        assert proxy.fault is ProxyFault.NONE
        assert bodies[1:] == [b"0", b"1", b"2"]
        await reader.close()
        await log.close()
