"""The readiness of a node: it depends on its lease and on its stop, and not on what it leads."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import grpc

from durable_proto.v1 import control_pb2, control_pb2_grpc
from durable_server.app import ControlPlane
from durable_server.config import Config
from tests.support.external_nats import JETSTREAM, external_nats
from tests.support.health_checks import NOT_SERVING, SERVING, Watch, asked, status
from tests.support.network import OTHER_HOST, Network
from tests.support.waiting import eventually


async def test_a_node_is_ready_while_it_has_its_lease_and_does_not_stop(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        nats = await stack.enter_async_context(external_nats(tmp_path / "nats", JETSTREAM))
        network = await stack.enter_async_context(Network())
        port_of_b = await network.way("b", "nats", nats.port)
        planes: dict[str, ControlPlane] = {}
        for name, address in (("a", f"127.0.0.1:{nats.port}"), ("b", f"{OTHER_HOST}:{port_of_b}")):
            config = Config(
                data_dir=tmp_path / name,
                listen="127.0.0.1:0",
                node_listen="127.0.0.1:0",
                http="127.0.0.1:0",
                nats_url=f"nats://{address}",
                node=name,
                partitions=3,
            )
            planes[name] = await stack.enter_async_context(ControlPlane(config))
        b = planes["b"]
        channels = {
            name: await stack.enter_async_context(grpc.aio.insecure_channel(it.address))
            for name, it in planes.items()
        }
        watch = Watch(channels["b"], "")
        await watch.until(SERVING)
        await drained(channels["a"], "b")
        assert (await asked(b, "/health/ready"))[0] == 200

        network.cut("b", "nats")
        await watch.until(NOT_SERVING)
        code, body = await asked(b, "/health/ready")
        assert (code, json.loads(body)["status"]) == (503, "unavailable")
        assert "node b has no lease: NATS does not acknowledge" in json.loads(body)["reason"]
        assert (await asked(b, "/health/live"))[0] == 200
        assert await status(channels["b"], "durable.live") == SERVING
        assert (await asked(planes["a"], "/health/ready"))[0] == 200
        network.heal_all()
        await watch.until(SERVING)

        assert b.node is not None
        await b.node.drain()
        await watch.until(NOT_SERVING)
        code, body = await asked(b, "/health/ready")
        assert (code, json.loads(body)["reason"]) == (503, "node b stops")
        assert (await asked(b, "/health/live"))[0] == 200


async def drained(channel: grpc.aio.Channel, node: str) -> None:
    """Drains a node until it leads nothing."""
    control = control_pb2_grpc.DurableControlStub(channel)

    async def empty() -> bool:
        found = await control.DrainNode(control_pb2.DrainNodeRequest(node=node))
        return not found.node.led_partitions

    await eventually(empty)
