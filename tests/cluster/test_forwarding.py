"""Requests to a node that does not lead their partition, also while the partition moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from durable_proto.v1 import control_pb2, invocation_pb2
from durable_server.core import ids
from durable_server.core.limits import Limits
from durable_server.core.model import HandlerKind
from durable_server.core.records import PauseAsked
from tests.server.calls import reason
from tests.server.partitioned import KEYS, invoke_in
from tests.support.manual_worker import ManualWorker, open_entry
from tests.support.waiting import eventually

from .relay_nodes import PARTITIONS, TAKEOVER_SECONDS, Cluster, Node, cluster

CANCELLED = invocation_pb2.INVOCATION_STATE_CANCELLED
RUNNING = invocation_pb2.INVOCATION_STATE_RUNNING
COMPLETED = invocation_pb2.INVOCATION_STATE_COMPLETED
WAIT = Duration(seconds=30)


@pytest.fixture
async def nodes() -> AsyncIterator[Cluster]:
    """Node a leads nothing, b leads partition 1, c the others."""
    async with cluster(a=[], b=[1], c=[0, 2]) as started:
        async with ManualWorker(started["c"].channel):
            pass  # the handler is known from now on
        yield started


async def move(nodes: Cluster, how: str) -> None:
    """Moves partition 1 from b to c."""
    if how == "killed":
        await nodes["b"].kill()
    elif how == "released":
        await nodes["b"].release(1)
    # Else b has not noticed yet that it leads no more.
    await nodes["c"].lead(1)
    if how == "deposed":
        processor = nodes["b"].processors.pop(1)
        processor.inputs.submit(PauseAsked("8" * 32, "", "", ""))
        await asyncio.wait({processor.ended})
        nodes["b"].router.remove(processor)


async def waited_for(node: Node) -> None:
    """Returns when somebody waits for an invocation of partition 1 at a node."""
    subscriptions = node.processors[1].subscriptions
    await eventually(lambda: subscriptions.waiter_count)


async def end(node: Node, invocation_id: str) -> None:
    await node.control.Cancel(control_pb2.CancelRequest(invocation_id=invocation_id, force=True))


async def count(nodes: Cluster) -> int:
    found = await nodes["c"].control.GetStats(control_pb2.GetStatsRequest())
    assert not found.missing_partitions
    return found.total_count


async def refused(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


@pytest.mark.parametrize("how", ["released", "killed", "replaced", "deposed"])
async def test_a_result_is_waited_for_over_a_move(nodes: Cluster, how: str) -> None:
    invocation_id = await invoke_in(nodes["a"].control, 1)
    request = control_pb2.GetResultRequest(invocation_id=invocation_id, wait_timeout=WAIT)
    waiting = asyncio.ensure_future(nodes["a"].control.GetResult(request))
    await waited_for(nodes["b"])
    await move(nodes, how)
    await waited_for(nodes["c"])
    await end(nodes["c"], invocation_id)
    assert (await waiting).state == CANCELLED


@pytest.mark.parametrize("how", ["released", "killed"])
async def test_an_invoke_that_waits_starts_once_and_goes_on(nodes: Cluster, how: str) -> None:
    request = control_pb2.InvokeRequest(handler="three", partition_key=KEYS[1], wait_timeout=WAIT)
    waiting = asyncio.ensure_future(nodes["a"].control.Invoke(request))
    await waited_for(nodes["b"])
    await move(nodes, how)
    await waited_for(nodes["c"])
    (found,) = (await nodes["a"].control.Query(control_pb2.QueryRequest())).invocations
    await end(nodes["a"], found.invocation_id)
    answer = await waiting
    assert (answer.invocation_id, answer.state) == (found.invocation_id, CANCELLED)
    assert answer.created


async def test_a_request_of_this_node_goes_on_where_its_partition_goes(nodes: Cluster) -> None:
    invocation_id = await invoke_in(nodes["b"].control, 1)
    request = control_pb2.GetResultRequest(invocation_id=invocation_id, wait_timeout=WAIT)
    waiting = asyncio.ensure_future(nodes["b"].control.GetResult(request))
    await waited_for(nodes["b"])
    await move(nodes, "released")
    await waited_for(nodes["c"])
    await end(nodes["c"], invocation_id)
    assert (await waiting).state == CANCELLED


async def test_a_request_waits_for_the_next_leader(nodes: Cluster) -> None:
    await nodes["b"].release(1)
    starting = asyncio.ensure_future(invoke_in(nodes["a"].control, 1))
    # A request that came later is answered while the first one waits.
    await invoke_in(nodes["a"].control, 2)
    assert not starting.done()
    await nodes["c"].lead(1)
    await starting
    assert await count(nodes) == 2


async def test_without_a_leader_the_answer_names_the_partition(nodes: Cluster) -> None:
    await nodes["b"].release(1)
    error = await refused(invoke_in(nodes["a"].control, 1))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert reason(error) == ("UNAVAILABLE", {"phase": "no_leader"})
    assert error.details() == ("no node leads partition 1 now; retry with the same request id")


async def test_a_leader_that_cannot_be_reached_is_named(nodes: Cluster) -> None:
    await nodes["b"].peers.stop(0)
    error = await refused(invoke_in(nodes["a"].control, 1))
    assert reason(error) == ("UNAVAILABLE", {"phase": "no_leader"})
    assert error.details() == (
        "node b at an address leads partition 1 and cannot be reached from node a;"
        " retry with the same request id"
    )


async def test_a_node_that_is_cut_off_from_nats_does_not_answer_for_its_partitions(
    nodes: Cluster,
) -> None:
    invocation_id = await invoke_in(nodes["b"].control, 1)
    nodes.claims.cut("b")
    request = control_pb2.GetInvocationRequest(invocation_id=invocation_id)
    asked = [asyncio.ensure_future(nodes[it].control.GetInvocation(request)) for it in "ab"]
    # Both wait, although b still has the partition.
    await nodes["c"].control.GetStats(control_pb2.GetStatsRequest())
    assert not any(it.done() for it in asked)
    await nodes["c"].lead(1)
    for answer in await asyncio.gather(*asked):
        assert answer.invocation.invocation_id == invocation_id


async def test_a_revoked_webhook_is_refused_by_every_node(nodes: Cluster) -> None:
    request = control_pb2.InvokeRequest(handler="three", partition_key=KEYS[1])
    async with ManualWorker(nodes["b"].channel, handlers=("three",)):
        started = await nodes["a"].control.Invoke(request)
    awakeable_id = f"{started.invocation_id}-0"
    webhook = f"{awakeable_id}#{'0' * 24}"
    await nodes["a"].control.RevokeWebhook(control_pb2.RevokeWebhookRequest(webhook=webhook))
    resolve = control_pb2.ResolveAwakeableRequest(awakeable_id=awakeable_id, webhook_id=webhook)
    resolve.outcome.value.data = b"1"
    for name in "abc":
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await nodes[name].control.ResolveAwakeable(resolve)
        assert caught.value.details() == f"the webhook {webhook!r} is revoked"


async def test_a_lost_answer_does_no_harm(nodes: Cluster) -> None:
    """Every request that changes something is repeated, and has its effect once."""
    control = nodes["a"].control
    nodes.loses_answers = True
    worker = ManualWorker(nodes["b"].channel, handlers=("three", "cart.add"))
    worker.hello.handlers[1].kind = invocation_pb2.HANDLER_KIND_OBJECT_EXCLUSIVE
    async with worker:
        request = control_pb2.InvokeRequest(handler="three", partition_key=KEYS[1])
        started = await control.Invoke(request)
        assert started.created
        invocation_id = started.invocation_id
        start = await worker.receive("start")
        await worker.send(open_entry(start, 0, "SIGNAL", "go"))
        await worker.receive("ack")
        signal = control_pb2.SignalRequest(invocation_id=invocation_id, name="go")
        signal.outcome.value.data = b"1"
        await control.Signal(signal)
        await worker.receive("completion")
        awakeable_id = f"{invocation_id}-1"
        await worker.send(open_entry(start, 1, "AWAKEABLE", awakeable_id))
        await worker.receive("ack")
        resolve = control_pb2.ResolveAwakeableRequest(awakeable_id=awakeable_id)
        resolve.outcome.value.data = b"2"
        assert not (await control.ResolveAwakeable(resolve)).repeated
        await worker.receive("completion")
        await worker.send(open_entry(start, 2, "SIGNAL", "go"))
        await worker.receive("ack")
        await control.Pause(control_pb2.PauseRequest(invocation_id=invocation_id))
        await worker.receive("pause_requested")
        await control.Resume(control_pb2.ResumeRequest(invocation_id=invocation_id))
        cancel = control_pb2.CancelRequest(invocation_id=invocation_id, force=True)
        assert (await control.Cancel(cancel)).state == CANCELLED
        edit = control_pb2.SetStateRequest(object="cart", key=KEYS[1])
        edit.state["n"].data = b"7"
        await control.SetState(edit)
        restarted = await control.Restart(control_pb2.RestartRequest(invocation_id=invocation_id))
        assert await count(nodes) == 2
        await control.Purge(control_pb2.PurgeRequest(invocation_id=invocation_id))
        assert await count(nodes) == 1
        (left,) = (await control.Query(control_pb2.QueryRequest())).invocations
        assert left.invocation_id == restarted.invocation_id


async def test_what_nothing_routes_does_not_wait_for_a_leader(nodes: Cluster) -> None:
    await nodes["b"].release(1)
    await nodes["c"].release(2)
    await nodes["a"].lead(2)
    # Node c leads nothing, and nobody leads partition 1.
    for _ in range(20):
        answer = await nodes["c"].control.Invoke(control_pb2.InvokeRequest(handler="three"))
        assert ids.partition(answer.invocation_id, PARTITIONS) in (0, 2)


async def test_what_nothing_routes_stays_on_the_node_that_is_asked(nodes: Cluster) -> None:
    await nodes["c"].release(2)
    await nodes["a"].lead(2)
    for name, led in (("a", {2}), ("b", {1}), ("c", {0})):
        for _ in range(10):
            answer = await nodes[name].control.Invoke(control_pb2.InvokeRequest(handler="three"))
            assert {ids.partition(answer.invocation_id, PARTITIONS)} == led
    await nodes["b"].release(1)
    await nodes["a"].lead(1)
    answers = await asyncio.gather(
        *(nodes["a"].control.Invoke(control_pb2.InvokeRequest(handler="three")) for _ in range(100))
    )
    used = [ids.partition(it.invocation_id, PARTITIONS) for it in answers]
    assert set(used) == {1, 2}
    # With the same chance for both, fewer than 10 of 100 do not occur.
    assert min(used.count(1), used.count(2)) >= 10


async def test_a_client_that_gives_up_leaves_nothing_behind(nodes: Cluster) -> None:
    invocation_id = await invoke_in(nodes["a"].control, 1)
    request = control_pb2.GetResultRequest(invocation_id=invocation_id, wait_timeout=WAIT)
    waiting = nodes["a"].control.GetResult(request)
    await waited_for(nodes["b"])
    waiting.cancel()
    subscriptions = nodes["b"].processors[1].subscriptions
    await eventually(lambda: not subscriptions.pending_count)


async def test_a_deadline_of_the_client_holds_where_there_is_no_leader(nodes: Cluster) -> None:
    await nodes["b"].release(1)
    request = control_pb2.InvokeRequest(handler="three", partition_key=KEYS[1])
    error = await refused(nodes["a"].control.Invoke(request, timeout=0.3))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_node_that_stops_ends_what_waits_for_a_leader(nodes: Cluster) -> None:
    await nodes["b"].release(1)
    waiting = asyncio.ensure_future(invoke_in(nodes["a"].control, 1))
    await invoke_in(nodes["a"].control, 2)
    nodes["a"].service.close()
    error = await refused(waiting)
    assert reason(error) == ("UNAVAILABLE", {"phase": "ended"})
    assert error.details() == (
        "node a stops, and no node leads partition 1 now; retry with the same request id"
    )


@pytest.mark.parametrize(
    ("how", "name"),
    [
        *(("released", "a"), ("killed", "a"), ("replaced", "a"), ("deposed", "a")),
        *(("released", "b"), ("deposed", "b")),
    ],
)
async def test_a_watch_goes_on_at_the_next_leader(nodes: Cluster, how: str, name: str) -> None:
    worker = ManualWorker(nodes["c"].channel)
    async with worker:
        invocation_id = await invoke_in(nodes["c"].control, 1)
        start = await worker.receive("start")
        await worker.step(start, 0)
        request = control_pb2.WatchInvocationRequest(
            invocation_id=invocation_id, include_journal=True
        )
        watch = nodes[name].control.WatchInvocation(request)
        told = [(await watch.read()).invocation]
        assert [it.index for it in told[0].journal] == [0]
        await move(nodes, how)
        await worker.receive("drain")
        worker.disconnect()
    again = ManualWorker(nodes["c"].channel)
    again.hello.resumed.add(invocation_id=invocation_id, attempt=1)
    async with again:
        await again.step(start, 1)
        await again.finish(start)
        async with asyncio.timeout(20):
            while (message := await watch.read()) is not grpc.aio.EOF:
                told.append(message.invocation)
    assert told[-1].state == COMPLETED
    assert [entry.index for it in told for entry in it.journal] == [0, 1]
    numbers = [it.update_time.ToNanoseconds() for it in told]
    assert numbers == sorted(numbers)


async def test_a_watch_tells_nothing_when_another_partition_moves(nodes: Cluster) -> None:
    async with ManualWorker(nodes["c"].channel) as worker:
        invocation_id = await invoke_in(nodes["c"].control, 1)
        await worker.receive("start")
        request = control_pb2.WatchInvocationRequest(
            invocation_id=invocation_id, include_journal=True
        )
        watch = nodes["b"].control.WatchInvocation(request)
        running = (await watch.read()).invocation
        await nodes["c"].release(2)
        await nodes["b"].lead(2)
        await end(nodes["c"], invocation_id)
        told = (await watch.read()).invocation
        assert (running.state, told.state) == (RUNNING, CANCELLED)


async def test_a_watch_leaves_a_node_that_is_cut_off_from_nats(nodes: Cluster) -> None:
    invocation_id = await invoke_in(nodes["b"].control, 1)
    request = control_pb2.WatchInvocationRequest(invocation_id=invocation_id)
    watch = nodes["b"].control.WatchInvocation(request)
    await watch.read()
    nodes.claims.cut("b")
    await nodes["c"].lead(1)
    await end(nodes["c"], invocation_id)
    async with asyncio.timeout(20):
        while (message := await watch.read()) is not grpc.aio.EOF:
            last = message.invocation.state
    assert last == CANCELLED


async def test_a_long_journal_is_watched_message_by_message(nodes: Cluster) -> None:
    async with ManualWorker(nodes["c"].channel) as worker:
        invocation_id = await invoke_in(nodes["c"].control, 1)
        start = await worker.receive("start")
        for index in range(8):
            await worker.step(start, index, b'"' + b"x" * 100_000 + b'"')
        request = control_pb2.WatchInvocationRequest(
            invocation_id=invocation_id, include_journal=True
        )
        watch = nodes["a"].control.WatchInvocation(request)
        seen: list[int] = []
        while len(seen) < 8:
            entries = (await watch.read()).invocation.journal
            assert len(entries) <= 3
            seen += [it.index for it in entries]
        assert seen == list(range(8))
        watch.cancel()
        watchers = nodes["b"].processors[1].subscriptions.watchers
        await eventually(lambda: not watchers)


async def test_an_error_of_a_watch_is_that_of_the_leader(nodes: Cluster) -> None:
    request = control_pb2.WatchInvocationRequest(invocation_id="8" * 32)
    errors = [await refused(nodes[it].control.WatchInvocation(request).read()) for it in "ab"]
    assert (
        reason(errors[0])
        == reason(errors[1])
        == (
            "INVOCATION_NOT_FOUND",
            {"invocation_id": "8" * 32},
        )
    )
    assert errors[0].details() == errors[1].details()


async def test_a_watch_goes_on_when_its_partition_came_back_before_it_looked(
    nodes: Cluster,
) -> None:
    node = nodes["b"]
    invocation_id = await invoke_in(node.control, 1)
    request = control_pb2.WatchInvocationRequest(invocation_id=invocation_id)
    forwarding = node.service.forwarding
    assert forwarding is not None
    async with aclosing(forwarding.watch(request, node.service.watch)) as told:
        await anext(told)
        # The client has not taken the first message yet.
        await node.release(1)
        await node.lead(1)
        await anext(told)
        await end(node, invocation_id)
        async with asyncio.timeout(20):
            states = [it.invocation.state async for it in told]
    assert states[-1] == CANCELLED


async def test_a_pause_is_waited_for_over_a_move(nodes: Cluster) -> None:
    async with ManualWorker(nodes["c"].channel) as worker:
        invocation_id = await invoke_in(nodes["c"].control, 1)
        await worker.receive("start")
        request = control_pb2.PauseRequest(invocation_id=invocation_id, wait_timeout=WAIT)
        waiting = asyncio.ensure_future(nodes["b"].control.Pause(request))
        await worker.receive("pause_requested")
        watchers = nodes["b"].processors[1].subscriptions.watchers
        await eventually(lambda: watchers)
        await move(nodes, "deposed")
        await eventually(lambda: nodes["c"].processors[1].subscriptions.watchers)
        await end(nodes["c"], invocation_id)
        assert (await waiting).state == CANCELLED


async def test_a_request_that_waits_outlasts_several_broken_links(nodes: Cluster) -> None:
    invocation_id = await invoke_in(nodes["a"].control, 1)
    request = control_pb2.GetResultRequest(invocation_id=invocation_id, wait_timeout=WAIT)
    waiting = asyncio.ensure_future(nodes["a"].control.GetResult(request))
    watch = nodes["a"].control.WatchInvocation(
        control_pb2.WatchInvocationRequest(invocation_id=invocation_id)
    )
    await waited_for(nodes["b"])
    await watch.read()
    for _ in range(2):
        nodes["a"].links.drop("b")
        await watch.read()
        # Patience with one leader, which must not run out while that one works on the request.
        await asyncio.sleep(TAKEOVER_SECONDS + 0.2)
    nodes["a"].links.drop("b")
    await watch.read()
    await waited_for(nodes["b"])
    await end(nodes["b"], invocation_id)
    assert (await watch.read()).invocation.state == CANCELLED
    assert (await waiting).state == CANCELLED


async def test_requests_that_wait_for_a_leader_are_bounded() -> None:
    async with cluster(limits=Limits(admission=2), a=[], b=[0]) as nodes:
        asked = [asyncio.ensure_future(invoke_in(nodes["a"].control, 1)) for _ in range(3)]
        done, waiting = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        (error,) = [it.exception() for it in done]
        assert isinstance(error, grpc.aio.AioRpcError)
        assert reason(error) == ("LIMIT_REACHED", {"limit": "admission", "value": "2"})
        assert len(waiting) == 2
        for it in waiting:
            it.cancel()


async def test_a_partition_that_was_away_knows_a_handler_when_it_is_invoked(
    nodes: Cluster,
) -> None:
    node = nodes["c"]
    await node.release(2)
    worker = ManualWorker(node.channel, handlers=("cart.add",))
    worker.hello.handlers[0].kind = invocation_pb2.HANDLER_KIND_OBJECT_EXCLUSIVE
    async with worker:
        pass
    await node.lead(2)
    await nodes["a"].control.SetState(control_pb2.SetStateRequest(object="cart", key=KEYS[2]))
    request = control_pb2.InvokeRequest(handler="cart.add", key=KEYS[2])
    started = await nodes["a"].control.Invoke(request)
    found = node.processors[2].find(started.invocation_id)
    assert found is not None
    assert found.kind == HandlerKind.OBJECT_EXCLUSIVE


async def test_a_partition_that_was_away_knows_a_handler_when_a_child_of_it_starts(
    nodes: Cluster,
) -> None:
    node = nodes["c"]
    await node.release(2)
    worker = ManualWorker(nodes["b"].channel, handlers=("three", "cart.add"))
    worker.hello.handlers[1].kind = invocation_pb2.HANDLER_KIND_OBJECT_EXCLUSIVE
    async with worker:
        await invoke_in(nodes["b"].control, 1)
        start = await worker.receive("start")
        await node.lead(2)
        entry = open_entry(start, 0, "INVOKE", "cart.add", target=KEYS[2], argument=b"1")
        await worker.send(entry)
        asked = control_pb2.QueryRequest(handler="cart.add")

        async def children() -> list[str]:
            return [it.invocation_id for it in (await node.control.Query(asked)).invocations]

        await eventually(children)
        (child_id,) = await children()
    child = node.processors[2].find(child_id)
    assert child is not None
    assert child.kind == HandlerKind.OBJECT_EXCLUSIVE
