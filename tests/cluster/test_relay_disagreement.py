"""What a session does while nodes know different things, or do not answer."""

from __future__ import annotations

import asyncio
import socket

import grpc
import pytest

from durable_proto.v1 import control_pb2, invocation_pb2
from durable_server.core.model import HandlerKind
from durable_server.rpc import relay
from tests.server.partitioned import KEYS, invoke_in
from tests.support.manual_worker import ManualWorker
from tests.support.waiting import eventually

from .relay_nodes import TIMES, cluster, result


async def test_a_takeover_that_the_entry_node_has_not_heard_of_costs_no_attempt() -> None:
    async with cluster(a=[0], b=[1], c=[2]) as nodes:
        async with ManualWorker(nodes["a"].channel) as first:
            invocation_id = await invoke_in(nodes["b"].control, 1)
            start = await first.receive("start")
            await nodes["b"].release(1)
            await nodes["c"].lead(1)
            nodes.claims.drop(1)
            first.disconnect()
        second = ManualWorker(nodes["a"].channel)
        second.hello.resumed.add(invocation_id=invocation_id, attempt=1)
        async with second:
            nodes.claims.set(1, "c", nodes["c"].processors[1].epoch)
            await second.receive("drain")
            second.disconnect()
        third = ManualWorker(nodes["a"].channel)
        third.hello.resumed.add(invocation_id=invocation_id, attempt=1)
        async with third:
            assert (await third.step(start, 0)).completion_number == 1
            await third.finish(start)
            assert await result(nodes, 1, invocation_id) == b'"done"'


async def test_a_node_that_hangs_at_a_hello_costs_no_attempt() -> None:
    """The worker waits for it for longer than the grace period."""
    async with cluster(TIMES._replace(grace=0.5), a=[0], b=[], c=[1, 2]) as nodes:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            nodes.addresses["b"] = f"127.0.0.1:{silent.getsockname()[1]}"
            async with ManualWorker(nodes["a"].channel) as first:
                invocation_id = await invoke_in(nodes["a"].control, 0)
                start = await first.receive("start")
                nodes.claims.set(1, "b", 9)
                await first.receive("drain")
                first.disconnect()
            second = ManualWorker(nodes["a"].channel)
            second.hello.resumed.add(invocation_id=invocation_id, attempt=1)
            async with second:
                assert (await second.step(start, 0)).completion_number == 1


async def test_attempts_of_a_partition_without_a_leader_keep_their_slots() -> None:
    async with cluster(a=[0], b=[1], c=[2]) as nodes:
        async with ManualWorker(nodes["a"].channel, slots=3) as first:
            held = [await invoke_in(nodes["b"].control, 1) for _ in range(2)]
            for _ in held:
                await first.receive("start")
            await nodes["b"].release(1)
            first.disconnect()
        second = ManualWorker(nodes["a"].channel, slots=3)
        for it in held:
            second.hello.resumed.add(invocation_id=it, attempt=1)
        async with second:
            for _ in range(3):
                await invoke_in(nodes["c"].control, 2)
            start = await second.receive("start")
            # Two nodes have handled this in turn, so others could have started before.
            assert (await second.step(start, 0)).completion_number == 1
            slots = [node.workers.get("manual").slots for node in nodes.nodes.values()]  # type: ignore[union-attr]  # known
            assert sum(slots[::2]) == 1


async def test_slots_of_a_node_that_stays_away_are_divided_anew() -> None:
    """Although it goes on leading its partition, so that no leader changes."""
    async with cluster(a=[0], b=[1], c=[2]) as nodes:
        nodes["a"].relay.missing_seconds = 0.1
        async with ManualWorker(nodes["a"].channel, slots=1) as first:
            for _ in range(2):
                await invoke_in(nodes["c"].control, 2)
            await first.receive("start")
            await nodes["c"].kill()
            await first.receive("drain")
            first.disconnect()
        async with ManualWorker(nodes["a"].channel, slots=1) as second:
            await invoke_in(nodes["b"].control, 1)
            await second.finish(await second.receive("start"))


async def test_a_node_that_is_lost_and_reached_in_the_same_turn_is_tried_again() -> None:
    async with cluster(a=[0], b=[1]) as nodes:
        entry = nodes["a"].relay
        entry.lost("b")
        entry.reached("b")
        await eventually(lambda: entry.present()[1] is not None)


async def test_a_worker_that_goes_while_a_node_loses_its_partitions_is_forgotten() -> None:
    """Else invocations would wait for the version that it has run."""
    async with cluster(a=[0], b=[1, 2]) as nodes:
        async with ManualWorker(nodes["a"].channel):
            for processor in nodes["b"].processors.values():
                processor.crash()
        await eventually(lambda: nodes["b"].workers.get("manual") is None)


async def test_many_workers_that_reconnect_do_not_lose_their_attempts_by_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relay, "SPREAD_SECONDS", 1000.0)
    async with (
        cluster(a=[0], b=[1], c=[2]) as nodes,
        ManualWorker(nodes["a"].channel, "first") as first,
        ManualWorker(nodes["a"].channel, "second") as second,
    ):
        await nodes["b"].release(1)
        await nodes["c"].lead(1)
        for worker in (first, second):
            delay = (await worker.receive("drain")).drain.delay.ToTimedelta()
            assert delay.total_seconds() < TIMES.grace


async def test_a_partition_without_a_leader_gets_the_handlers_that_came_meanwhile() -> None:
    """Before its next leader has a session of a worker that serves them."""
    async with cluster(a=[0], b=[1], c=[2]) as nodes:
        await nodes["b"].release(1)
        worker = ManualWorker(nodes["a"].channel)
        del worker.hello.handlers[:]
        kind = invocation_pb2.HANDLER_KIND_OBJECT_EXCLUSIVE
        worker.hello.handlers.add(name="counter.add", version="v1", kind=kind)
        async with worker:
            await nodes["c"].lead(1)
            request = control_pb2.InvokeRequest(handler="counter.add", key=KEYS[1])
            invoked = await nodes["c"].control.Invoke(request)
            found = nodes["c"].processors[1].find(invoked.invocation_id)
            assert found is not None
            assert found.kind == HandlerKind.OBJECT_EXCLUSIVE


async def test_a_hello_that_a_newer_one_has_overtaken_changes_nothing() -> None:
    """It does not name the attempts that the worker has been given since."""
    async with cluster(a=[0], b=[1], c=[2]) as nodes:
        newer = ManualWorker(nodes["a"].channel)
        newer.hello.session_number = 2
        async with newer:
            invocation_id = await invoke_in(nodes["c"].control, 2)
            start = await newer.receive("start")
            for entry in "ab":
                older = ManualWorker(nodes[entry].channel)
                older.hello.session_number = 1
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await older.__aenter__()
                assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
                assert "newer session" in (refused.value.details() or "")
            assert (await newer.step(start, 0)).completion_number == 1
            await newer.finish(start)
            assert await result(nodes, 2, invocation_id) == b'"done"'


async def test_a_node_that_leaves_sends_its_workers_elsewhere() -> None:
    async with cluster(a=[0], b=[1]) as nodes:
        async with ManualWorker(nodes["a"].channel) as worker:
            leaving = asyncio.create_task(nodes["a"].relay.leave())
            assert (await worker.receive("drain")).drain.elsewhere
            worker.disconnect()
            await leaving
        late = ManualWorker(nodes["a"].channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await late.__aenter__()
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
