"""`/metrics` of two nodes: their series against what they do, and what a takeover changes."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import grpc

from durable_proto.v1 import control_pb2, control_pb2_grpc
from durable_server.app import ControlPlane
from durable_server.config import Config
from tests.metrics.scraping import Scrape, fetch
from tests.server.partitioned import KEYS
from tests.support.external_nats import JETSTREAM, external_nats
from tests.support.manual_worker import ManualWorker
from tests.support.waiting import eventually

PARTITIONS = 3


async def scrape(plane: ControlPlane) -> Scrape:
    return Scrape(await asyncio.to_thread(fetch, plane.http_address))


def numbers(seen: Scrape, name: str) -> set[int]:
    """The partitions of which a gauge is 1."""
    return {it for it in range(PARTITIONS) if seen(f"durable_{name}", partition=str(it)) == 1}


async def test_each_node_tells_what_it_has(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        nats = await stack.enter_async_context(external_nats(tmp_path / "nats", JETSTREAM))
        ends: dict[str, contextlib.AsyncExitStack] = {}
        planes: dict[str, ControlPlane] = {}
        for name in ("a", "b"):
            ends[name] = await stack.enter_async_context(contextlib.AsyncExitStack())
            config = Config(
                data_dir=tmp_path / name,
                listen="127.0.0.1:0",
                node_listen="127.0.0.1:0",
                http="127.0.0.1:0",
                nats_url=nats.url,
                node=name,
                partitions=PARTITIONS,
                grace_seconds=0.2,
            )
            planes[name] = await ends[name].enter_async_context(ControlPlane(config))
        a, b = planes["a"], planes["b"]
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(b.address))
        control = control_pb2_grpc.DurableControlStub(channel)

        async def divided() -> bool:
            both = [await scrape(it) for it in (a, b)]
            leads = [numbers(it, "partition_leading") for it in both]
            follows = [numbers(it, "partition_following") for it in both]
            return bool(leads[0] and leads[1]) and follows == leads[::-1]

        await eventually(divided)
        async with ManualWorker(channel):
            for key in KEYS:
                await control.Invoke(control_pb2.InvokeRequest(handler="three", partition_key=key))
            at_a, at_b = await scrape(a), await scrape(b)
            assert at_a("durable_node_entry_sessions") == 0
            assert at_b("durable_node_entry_sessions") == 1
            assert at_a("durable_node_relayed_sessions") == 1
            assert at_b("durable_node_relayed_sessions") == 0
        led_by_a = numbers(at_a, "partition_leading")
        assert led_by_a | numbers(at_b, "partition_leading") == set(range(PARTITIONS))
        for seen in (at_a, at_b):
            assert seen("durable_node_members") == 2
            assert seen("durable_node_lease_held") == 1
            assert seen("durable_node_draining") == 0
            assert seen("durable_node_unreachable") == 0
            assert seen("durable_requests_without_leader") == 0
            assert seen("durable_leaderless_requests_total") == 0
        # Both are given to the leader, which has the invocations.
        forwarded = "durable_forwarded_requests_total"
        assert at_b(forwarded, outcome="answered") == len(led_by_a)
        assert at_a(forwarded, outcome="answered") == 0
        assert at_b("durable_links_total", event="opened") == 1
        assert at_b("durable_link_frames_total") > 0
        assert at_b("durable_link_bytes_total") > at_b("durable_link_frames_total")
        before = at_b("durable_takeover_seconds_count")
        for partition in led_by_a:
            leader, follower = (
                it("durable_partition_position", partition=str(partition)) for it in (at_a, at_b)
            )
            assert 0 < follower <= leader
            assert at_b("durable_follower_lag", partition=str(partition)) >= 0

        assert a.node is not None
        await a.node.drain()
        at_a = await scrape(a)
        assert at_a("durable_node_draining") == 1
        assert at_a("durable_leaderships_ended_total", reason="released") >= len(led_by_a)
        assert not numbers(at_a, "partition_leading")

        async def taken_over() -> bool:
            seen = await scrape(b)
            count = seen("durable_takeover_seconds_count")
            return numbers(seen, "partition_leading") == set(range(PARTITIONS)) and (
                count == before + len(led_by_a)
            )

        await eventually(taken_over)
        await ends["a"].aclose()

        async def alone() -> bool:
            return (await scrape(b))("durable_node_members") == 1

        await eventually(alone)
