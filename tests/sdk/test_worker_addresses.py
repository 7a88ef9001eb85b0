"""Workers that know several addresses: where they go when a session ends, and what they keep.

The nodes are real gRPC servers that play a script, each at a port of its own. A worker begins at an
address by chance, so a test first sees which one that is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import pytest

from durable_proto.v1 import worker_pb2

from .peers import BOUND, PeerSession, Refused, WorkerPeer, ack, start, wire, worker_peer
from .workers import ID, Gate, running


class Node:
    """A control plane for workers, behind a relay that can be cut."""

    def __init__(self, peer: WorkerPeer, address: str, stack: AsyncExitStack) -> None:
        self.peer, self.address, self._stack = peer, address, stack

    async def end(self) -> None:
        """Ends it: its sessions break, and its port is closed."""
        await self._stack.aclose()


class Nodes:
    """Some nodes, and the sessions that workers open there."""

    def __init__(self, some: list[Node]) -> None:
        self.address = ",".join(node.address for node in some)
        self._next = {node: asyncio.create_task(node.peer.accept(welcome=False)) for node in some}

    async def accept(self) -> tuple[Node, PeerSession]:
        """Returns the next session, after its hello, and the node that it is at."""
        done, _ = await asyncio.wait(
            self._next.values(), timeout=BOUND, return_when=asyncio.FIRST_COMPLETED
        )
        (node,) = (node for node, task in self._next.items() if task in done)
        session = self._next[node].result()
        self._next[node] = asyncio.create_task(node.peer.accept(welcome=False))
        return node, session

    async def close(self) -> None:
        for task in self._next.values():
            task.cancel()
        await asyncio.gather(*self._next.values(), return_exceptions=True)


@asynccontextmanager
async def nodes(count: int) -> AsyncIterator[Nodes]:
    made = []
    async with AsyncExitStack() as all_of_them:
        for _ in range(count):
            stack = await all_of_them.enter_async_context(AsyncExitStack())
            peer, address = await stack.enter_async_context(worker_peer())
            relay = await stack.enter_async_context(wire(address))
            made.append(Node(peer, relay.address, stack))
        some = Nodes(made)
        all_of_them.push_async_callback(some.close)
        yield some


def drain(seconds: float) -> worker_pb2.ServerMessage:
    message = worker_pb2.ServerMessage()
    message.drain.delay.FromMilliseconds(int(seconds * 1000))
    return message


async def test_an_attempt_survives_the_node_that_its_session_was_at(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate = Gate()
    caplog.set_level(logging.INFO, "durable.worker")
    async with nodes(2) as some, running(some.address, gate.workflow()) as worker:
        first, session = await some.accept()
        await session.welcome()
        await session.send(start(ID, "gated"))
        await session.send(ack(await session.next("entry"), 1))
        await asyncio.wait_for(gate.begun.wait(), BOUND)

        await first.end()
        second, session = await some.accept()
        await session.welcome()

        assert second is not first
        assert session.hello.worker_id == worker.worker_id
        assert [it.invocation_id for it in session.hello.resumed] == [ID]
        gate.open.set()
        await session.send(ack(await session.next("entry"), 2))
        finished = await session.next("finished")
        assert finished.finished.outcome.value.data == b'"before,passed"'
        assert gate.runs == 1
    (lost,) = [it.getMessage() for it in caplog.records if it.levelno == logging.WARNING]
    assert f"the session at {first.address} ended" in lost
    assert f"connecting to {second.address} in" in lost
    served = [it.getMessage() for it in caplog.records if "serves" in it.getMessage()]
    assert [line.rpartition(" at ")[2] for line in served] == [first.address, second.address]


async def test_a_drain_is_no_reason_to_leave_a_node_that_goes_on() -> None:
    """Rule 11: it reconnects after the delay, to the node that asked for it."""
    async with nodes(3) as some, running(some.address):
        first, session = await some.accept()
        for _ in range(3):
            await session.welcome()
            await session.send(drain(0.1))
            again, session = await some.accept()
            assert again is first


async def test_a_node_that_drains_and_ends_is_left() -> None:
    async with nodes(2) as some, running(some.address) as worker:
        first, session = await some.accept()
        await session.welcome()
        await asyncio.wait_for(worker.ready(), BOUND)
        await session.send(drain(0))
        await first.end()
        second, session = await some.accept()
        assert second is not first
        await session.welcome()


async def test_a_node_that_refuses_the_session_is_left() -> None:
    """As a node does that is stopping, or has no part in the cluster yet."""
    async with nodes(2) as some, running(some.address):
        first, session = await some.accept()
        session.finish(Refused(grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE", "stopping"))
        second, session = await some.accept()
        assert second is not first
        session.finish(Refused(grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE", "stopping"))
        assert (await some.accept())[0] is first
