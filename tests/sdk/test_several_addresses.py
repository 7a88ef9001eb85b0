"""Clients that know several addresses: what they do when one of them does not serve.

The nodes are real gRPC servers that play a script, each at a port of its own. A client begins at an
address by chance, so a test first sees which one that is.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import pytest

import durable
from durable_proto.v1 import control_pb2, invocation_pb2
from tests.support.waiting import eventually

from .clients import KINDS, Facade, client_of
from .peers import BOUND, Control, Refused, completed, serving, wire

STOPPING = Refused(grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE", "stopping")


class Node:
    """A control plane with a script, behind a relay that can be cut."""

    def __init__(self, control: Control, address: str, stack: AsyncExitStack) -> None:
        self.control, self.address, self._stack = control, address, stack

    def count(self, method: str) -> int:
        return len(self.control.asked(method))

    async def end(self) -> None:
        """Ends it: calls in flight break, and its port is closed."""
        await self._stack.aclose()


@asynccontextmanager
async def nodes(count: int, kind: type[Control] = Control) -> AsyncIterator[list[Node]]:
    made = []
    async with AsyncExitStack() as all_of_them:
        for _ in range(count):
            stack = await all_of_them.enter_async_context(AsyncExitStack())
            control = kind()
            relay = await stack.enter_async_context(
                wire(await stack.enter_async_context(serving(control)))
            )
            made.append(Node(control, relay.address, stack))
        yield made


def listed(some: list[Node]) -> str:
    return ",".join(node.address for node in some)


@asynccontextmanager
async def client_at(kind: str, some: list[Node]) -> AsyncIterator[tuple[Facade, list[Node]]]:
    """A client that knows all nodes; gives the nodes too, the one that the client uses first."""
    for node in some:
        node.control.answers("GetServerInfo", control_pb2.GetServerInfoResponse(version="x"))
    async with client_of(kind, listed(some)) as client:
        await client("server_info")
        yield client, sorted(some, key=lambda node: -node.count("GetServerInfo"))


pytestmark = pytest.mark.parametrize("kind", KINDS)


async def test_one_address_serves_all_calls_until_it_refuses_one(kind: str) -> None:
    async with nodes(3) as some, client_at(kind, some) as (client, (first, *others)):
        for _ in range(5):
            await client("server_info")
        assert first.count("GetServerInfo") == 6
        assert [node.count("GetServerInfo") for node in others] == [0, 0]

        first.control.answers("Invoke", STOPPING)
        for node in others:
            node.control.answers("Invoke", completed('"done"'))
        assert (await client("invoke", "hello")).value() == "done"
        second = max(others, key=lambda node: node.count("Invoke"))
        assert (first.count("Invoke"), second.count("Invoke")) == (1, 1)
        # The same request, so that the second node can tell that it is the same one.
        (refused,), (sent,) = first.control.asked("Invoke"), second.control.asked("Invoke")
        assert refused.request_id == sent.request_id
        # It stays there.
        await client("server_info")
        assert second.count("GetServerInfo") == 1


async def test_calls_in_flight_at_a_node_that_ends_go_on_at_another(kind: str) -> None:
    async with nodes(3) as some, client_at(kind, some) as (client, (first, *others)):
        held = asyncio.Event()

        async def hold(_: Any) -> Any:
            held.set()
            await asyncio.Event().wait()

        first.control.script["Invoke"] = hold
        for node in others:
            node.control.answers("Invoke", completed('"done"'))
        calls = [asyncio.create_task(client("invoke", "hello")) for _ in range(4)]
        await asyncio.wait_for(held.wait(), BOUND)
        await first.end()
        async with asyncio.timeout(BOUND):
            assert [(await call).value() for call in calls] == ["done"] * 4
        # Calls that fail together move the client on together, and only once.
        assert sorted(node.count("Invoke") for node in others) == [0, 4]


async def test_a_call_that_nobody_serves_names_all_addresses(kind: str) -> None:
    async with nodes(2) as some, client_at(kind, some) as (client, _):
        for node in some:
            await node.end()
        with pytest.raises(durable.UnavailableError) as caught:
            await client.options(timeout=1)("server_info")
        for node in some:
            assert str(caught.value).count(node.address) == 1
        assert "\n" not in str(caught.value)
        assert "durable server" in str(caught.value)


@pytest.mark.parametrize("count", [1, 2])
async def test_a_call_that_a_stopping_node_cancels_is_sent_again(kind: str, count: int) -> None:
    async with nodes(count) as some, client_at(kind, some) as (client, (first, *_)):
        first.control.answers("Invoke", Refused(grpc.StatusCode.CANCELLED), completed('"done"'))
        for node in some:  # all play the one script
            node.control.script["Invoke"] = first.control.script["Invoke"]
        assert (await client("invoke", "hello")).value() == "done"
        assert sum(node.count("Invoke") for node in some) == 2
        assert first.count("Invoke") == (2 if count == 1 else 1)


async def test_a_limit_is_no_reason_to_leave(kind: str) -> None:
    async with nodes(2) as some, client_at(kind, some) as (client, (first, second)):
        full = Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "LIMIT_REACHED", "full")
        first.control.answers("Invoke", full, full, completed('"done"'))
        assert (await client("invoke", "hello")).value() == "done"
        assert (first.count("Invoke"), second.count("Invoke")) == (3, 0)


async def test_a_node_that_accepts_and_says_nothing_does_not_hold_a_call_up(kind: str) -> None:
    """As a process that was stopped does: its listening socket goes on accepting."""
    async with nodes(1) as (node,):
        node.control.answers("GetServerInfo", control_pb2.GetServerInfoResponse(version="x"))
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = f"127.0.0.1:{silent.getsockname()[1]},{node.address}"
            for _ in range(4):  # half of them begin at the silent one
                async with client_of(kind, address, seconds=5) as client:
                    assert (await client("server_info")).version == "x"


class Watched(Control):
    """A control plane whose watch shows one step more at each stream, and ends after the second."""

    streams = 0

    async def WatchInvocation(self, request: Any, context: Any) -> Any:
        Watched.streams += 1
        self.requests.append(("WatchInvocation", request))
        ended = Watched.streams == 2
        state = "COMPLETED" if ended else "RUNNING"
        yield control_pb2.WatchInvocationResponse(
            invocation=invocation_pb2.Invocation(
                invocation_id="a" * 32,
                state=invocation_pb2.InvocationState.Value(f"INVOCATION_STATE_{state}"),
                journal=[invocation_pb2.JournalEntry(index=it) for it in range(Watched.streams)],
            )
        )
        if not ended:
            await asyncio.Event().wait()


async def watch_into(seen: list[durable.Invocation], client: Facade, invocation_id: str) -> None:
    """Adds what a watch shows, as soon as it does."""
    if isinstance(client.client, durable.Client):
        sync = client.client
        await asyncio.to_thread(lambda: seen.extend(sync.watch(invocation_id)))
    else:
        async for view in client.client.watch(invocation_id):
            seen += [view]


async def test_a_watch_goes_on_at_the_next_address(kind: str) -> None:
    Watched.streams = 0
    async with nodes(2, Watched) as some, client_at(kind, some) as (client, (first, second)):
        seen: list[durable.Invocation] = []
        watching = asyncio.create_task(watch_into(seen, client, "a" * 32))
        await eventually(lambda: seen)
        await first.end()
        await asyncio.wait_for(watching, BOUND)
        # What was seen at the first address is not shown again.
        assert [[it.step_number for it in one.journal] for one in seen] == [[0], [1]]
        assert [it.status for it in seen] == ["running", "completed"]
        assert (first.count("WatchInvocation"), second.count("WatchInvocation")) == (1, 1)
