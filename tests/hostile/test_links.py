"""The port of a node for other nodes: what no node sends, before a greeting and after it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_proto.node_v1 import node_pb2, parts_pb2, sessions_pb2
from durable_proto.v1 import control_pb2, control_pb2_grpc, worker_pb2
from durable_server.cluster.metadata import load_or_create
from durable_server.cluster.secret import LINK_LABEL, derive, load_or_create_secret
from durable_server.nats.endpoint import fixed, parse_urls
from tests.support.external_nats import JETSTREAM, external_nats
from tests.support.processes import Child, durable, free_port, running, until
from tests.support.waiting import eventually

from .messages import Messages

SECONDS = 20
METHODS = (
    *(it.name for it in control_pb2.DESCRIPTOR.services_by_name["DurableControl"].methods),
    "Session", "Reach", "Deliver", "Handler", "Concurrency", "Metrics", "Nothing",
    "List", "Count", "Handlers", "Workers", "Awakeables",
)  # fmt: skip


class NodeUnderTest:
    """A node, and the greeting that it accepts."""

    def __init__(self, child: Child, address: str, links: int, greeting: node_pb2.Greeting) -> None:
        self.child = child
        self.address = address
        self.links = links
        self.greeting = greeting

    def send(self, data: bytes) -> bytes:
        """Sends bytes to the port for nodes; returns what comes until the node hangs up."""
        with socket.create_connection(("127.0.0.1", self.links), timeout=SECONDS) as connection:
            received = b""
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while found := connection.recv(65536):
                    received += found
            except ConnectionError:
                pass
            return received

    async def check(self) -> None:
        """Fails if it does not serve, or has found a defect in itself."""
        assert self.child.process.poll() is None, self.child.text()
        async with grpc.aio.insecure_channel(self.address) as channel:
            control = control_pb2_grpc.DurableControlStub(channel)
            await control.GetStats(control_pb2.GetStatsRequest(), timeout=SECONDS)
        said = self.child.text()
        assert "Traceback" not in said, said[-6000:]
        assert "incident" not in said, said[-6000:]


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[NodeUnderTest]:
    async with external_nats(tmp_path / "nats", JETSTREAM) as nats:
        ready, port = tmp_path / "ready", free_port()
        command = durable(
            "server", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data"),
            "--node", "a", "--node-listen", f"127.0.0.1:{port}", "--nats", nats.url,
            "--partitions", "2", "--snapshots", "none", "--ready-file", str(ready),
        )  # fmt: skip
        with running(command, tmp_path / "log") as child:
            until(ready.exists, "ready file", child)
            source = fixed(parse_urls(nats.url))
            secret = derive(await load_or_create_secret(source, 1), LINK_LABEL).hex()
            system = (await load_or_create(source)).id
            greeting = node_pb2.Greeting(secret=secret, system=system, caller="b", called="a")
            address = json.loads(ready.read_text())["address"]
            found = NodeUnderTest(child, address, port, greeting)
            await eventually(lambda: _serves(found))
            yield found
            # What it leaves does not keep the next one from serving.
            await found.check()
            child.kill()
        ready.unlink()
        with running(command, tmp_path / "second-log") as again:
            until(ready.exists, "ready file", again)
            address = json.loads(ready.read_text())["address"]
            after = NodeUnderTest(again, address, port, greeting)
            await eventually(lambda: _serves(after))
            await after.check()


async def _serves(node: NodeUnderTest) -> bool:
    async with grpc.aio.insecure_channel(node.address) as channel:
        control = control_pb2_grpc.DurableControlStub(channel)
        try:
            await control.GetStats(control_pb2.GetStatsRequest(), timeout=SECONDS)
        except grpc.aio.AioRpcError:
            return False
        return True


def framed(data: bytes) -> bytes:
    return len(data).to_bytes(4) + data


async def test_frames_that_no_node_sends(node: NodeUnderTest, fuzz: settings) -> None:
    texts = Messages(["a", "b", *METHODS])
    requests = [
        *(
            it.input_type
            for it in control_pb2.DESCRIPTOR.services_by_name["DurableControl"].methods
        ),
        *parts_pb2.DESCRIPTOR.message_types_by_name.values(),
        *sessions_pb2.DESCRIPTOR.message_types_by_name.values(),
        worker_pb2.SessionRequest.DESCRIPTOR,
    ]
    bodies = st.binary(max_size=40) | st.sampled_from(requests).flatmap(
        lambda it: texts.of(it).map(lambda message: message.SerializeToString())
    )
    opened = st.builds(
        node_pb2.Part,
        call=st.integers(1, 5),
        method=st.sampled_from(METHODS),
        body=bodies,
        caller=st.sampled_from([b"", b"", b"\xff", b"\x0a\x01x"]),
    )
    parts = opened | texts.of(node_pb2.Part.DESCRIPTOR)
    greeting = framed(node_pb2.LinkRequest(greeting=node.greeting).SerializeToString())

    @fuzz
    @given(st.lists(st.lists(parts, max_size=5), max_size=4), st.binary(max_size=8))
    def bombard(frames: list[list[node_pb2.Part]], rest: bytes) -> None:
        sent = [framed(node_pb2.LinkRequest(parts=it).SerializeToString()) for it in frames]
        assert node.send(b"".join([greeting, *sent, rest]))

    await asyncio.to_thread(bombard)
    await node.check()


async def test_bytes_before_a_greeting(node: NodeUnderTest, fuzz: settings) -> None:
    secret = node.greeting.secret.encode()
    greetings = Messages(["a", "b", node.greeting.system]).of(node_pb2.LinkRequest.DESCRIPTOR)

    @fuzz
    @given(
        st.binary(max_size=60)
        | st.binary(max_size=60).map(framed)
        | greetings.map(lambda it: framed(it.SerializeToString()))
    )
    def bombard(data: bytes) -> None:
        assert secret not in node.send(data)

    await asyncio.to_thread(bombard)
    await node.check()
