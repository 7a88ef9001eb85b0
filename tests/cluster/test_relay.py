"""Sessions of workers over several nodes: which node a worker has dialled makes no difference."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from functools import partial

import grpc
import pytest

import durable
from durable_proto.node_v1 import sessions_pb2
from durable_proto.v1 import control_pb2, worker_pb2
from durable_server.core.model import HandlerKind
from durable_server.peers.interface import PeerStream
from durable_server.processor.workers import Worker
from durable_server.rpc import relay
from durable_server.rpc.relayed import SESSION
from durable_server.sessions.sessions import Hello
from tests.server.calls import reason
from tests.server.partitioned import KEYS, invoke_in
from tests.server.test_primitives import cart
from tests.support.manual_worker import ManualWorker, message_about, open_entry, step_entry
from tests.support.waiting import eventually

from .relay_nodes import PARTITIONS, TIMES, Cluster, cluster, result


async def test_a_worker_runs_what_other_nodes_lead() -> None:
    async with (
        cluster(a=[0], b=[1], c=[2]) as nodes,
        ManualWorker(nodes["a"].channel) as worker,
    ):
        for partition in range(PARTITIONS):
            invocation_id = await invoke_in(nodes.leader(partition).control, partition)
            start = await worker.receive("start")
            assert start.invocation_id == invocation_id
            assert (await worker.step(start, 0)).completion_number == 1
            await worker.finish(start)
            assert await result(nodes, partition, invocation_id) == b'"done"'


async def test_a_node_that_leads_nothing_is_an_entry_node() -> None:
    async with (
        cluster(a=[], b=[0, 1, 2]) as nodes,
        ManualWorker(nodes["a"].channel) as worker,
    ):
        invocation_id = await invoke_in(nodes["b"].control, 1)
        await worker.finish(await worker.receive("start"))
        assert await result(nodes, 1, invocation_id) == b'"done"'


@pytest.mark.parametrize("asked", ["a", "b"])
async def test_a_partition_without_a_leader_at_the_hello_gets_the_handlers_that_it_needs(
    asked: str,
) -> None:
    async with (
        cluster(a=[0], b=[], c=[2]) as nodes,
        cart(ManualWorker(nodes["a"].channel)) as worker,
    ):
        await nodes["b"].lead(1)
        # The worker does not connect again.
        await worker.receive("drain")
        control, partition = nodes[asked].control, nodes["b"].processors[1].partition
        made = [
            await control.Invoke(control_pb2.InvokeRequest(handler="cart.add", key=KEYS[1]))
            for _ in range(2)
        ]
        # The handler is registered before the invocations, or they would not share the key's lock.
        assert partition.handlers["cart.add"].kind == HandlerKind.OBJECT_EXCLUSIVE
        (queue,) = partition.lock_queues.values()
        assert [*queue] == [it.invocation_id for it in made]
        await control.Invoke(control_pb2.InvokeRequest(handler="three", partition_key=KEYS[1]))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await control.Invoke(control_pb2.InvokeRequest(handler="no", partition_key=KEYS[1]))
        assert reason(caught.value)[0] == "HANDLER_NOT_FOUND"


async def test_a_child_for_a_partition_without_a_leader_at_the_hello_has_its_handler() -> None:
    async with (
        cluster(a=[0], b=[], c=[2]) as nodes,
        cart(ManualWorker(nodes["a"].channel)) as worker,
    ):
        await invoke_in(nodes["a"].control, 0)
        parent = await worker.receive("start")
        await nodes["b"].lead(1)
        await worker.receive("drain")
        for index in range(2):
            entry = open_entry(parent, index, "SEND", "cart.add", target=KEYS[1])
            await worker.send(entry)
            await worker.receive("ack")
            await worker.receive("completion")
        (queue,) = nodes["b"].processors[1].partition.lock_queues.values()
        assert len(queue) == 2


async def test_a_parent_in_a_partition_without_a_leader_at_the_hello_finds_the_childs_handler() -> (
    None
):
    async with cluster(a=[0], b=[], c=[2]) as nodes, cart(ManualWorker(nodes["a"].channel, "w1")):
        await nodes["b"].lead(1)
        async with ManualWorker(nodes["b"].channel, "w2") as worker:
            await invoke_in(nodes["b"].control, 1)
            parent = await worker.receive("start")
            await worker.send(open_entry(parent, 0, "SEND", "cart.add", target=KEYS[1]))
            await worker.receive("ack")
            assert (await worker.receive("completion")).completion.outcome.HasField("value")


async def test_a_partition_without_a_leader_at_the_hello_hides_no_handlers() -> None:
    async with cluster(a=[0], b=[2]) as nodes:
        async with ManualWorker(nodes["a"].channel):
            pass
        await invoke_in(nodes["b"].control, 2)
        await nodes["b"].lead(1)
        answer = await nodes["a"].control.ListHandlers(control_pb2.ListHandlersRequest())
        assert [(it.spec.name, it.pending_count) for it in answer.handlers] == [("three", 1)]


async def test_other_nodes_are_asked_for_all_handlers_of_a_frame_at_the_same_time() -> None:
    """A node that hangs would delay the session once for each, and the session would be too late."""
    asked: list[str] = []
    answered = asyncio.Event()

    async def hang(name: str) -> None:
        asked.append(name)
        await answered.wait()

    async with cluster(a=[0], b=[1]) as nodes, ManualWorker(nodes["a"].channel) as worker:
        nodes["a"].router.ask = hang
        await invoke_in(nodes["a"].control, 0)
        start = await worker.receive("start")
        names = ("one", "two", "one", "is it a name?")
        await worker.send(*(open_entry(start, it, "SEND", name) for it, name in enumerate(names)))
        await eventually(lambda: sorted(asked) == ["one", "two"])
        answered.set()
        await worker.receive("abandon")


async def test_a_moved_partition_keeps_the_attempts_of_its_worker() -> None:
    async with cluster(a=[0], b=[1], c=[2]) as nodes:
        async with ManualWorker(nodes["a"].channel) as first:
            invocation_id = await invoke_in(nodes["b"].control, 1)
            start = await first.receive("start")
            await first.step(start, 0)
            await nodes["b"].release(1)
            await nodes["c"].lead(1)
            assert (await first.receive("drain")).drain.delay.ToTimedelta().total_seconds() == 0
            first.disconnect()
        second = ManualWorker(nodes["a"].channel)
        second.hello.resumed.add(invocation_id=invocation_id, attempt=1)
        async with second:
            assert (await second.step(start, 0)).completion_number == 1
            assert (await second.step(start, 1)).completion_number == 2
            await second.finish(start)
            assert await result(nodes, 1, invocation_id) == b'"done"'


async def test_what_a_session_was_given_while_it_opened_stays_with_it_when_its_partition_moves() -> (
    None
):
    """The entry node gains the partition before it has looked at the hello, which cannot name this."""
    async with cluster(a=[0], b=[1], c=[2]) as nodes:
        sessions, moved = nodes["a"].sessions, asyncio.Event()
        register = sessions.register

        async def register_slowly(hello: Hello) -> None:
            await register(hello)
            await moved.wait()

        sessions.register = register_slowly  # type: ignore[method-assign]  # only slower
        first = ManualWorker(nodes["a"].channel)
        opening = asyncio.create_task(first.__aenter__())
        await eventually(lambda: nodes["b"].workers.get("manual") is not None)
        invocation_id = await invoke_in(nodes["b"].control, 1)
        worker = nodes["b"].workers.get("manual")
        assert worker is not None
        await eventually(lambda: invocation_id in worker.owned)
        await nodes["b"].release(1)
        await nodes["a"].lead(1)
        moved.set()
        await opening
        start = await first.receive("start")
        await first.receive("drain")
        first.disconnect()
        second = ManualWorker(nodes["a"].channel)
        second.hello.resumed.add(invocation_id=invocation_id, attempt=start.attempt)
        async with second:
            assert (await second.step(start, 0)).completion_number == 1
            await second.finish(start)
            assert await result(nodes, 1, invocation_id) == b'"done"'


async def test_nothing_is_lost_or_doubled_while_partitions_move() -> None:
    ran: Counter[str] = Counter()
    attempts: Counter[str] = Counter()

    @durable.workflow
    async def three(ctx: durable.Context) -> str:
        attempts[ctx.invocation_id] += not ctx.is_replaying
        for index in range(6):
            name = f"{ctx.invocation_id} {index}"
            await ctx.run(f"step {index}", count, name)
        return "done"

    async def count(name: str) -> None:
        ran[name] += 1
        await asyncio.sleep(0.02)

    async with cluster(a=[0], b=[1], c=[2]) as nodes:
        worker = durable.Worker(nodes["a"].address, workflows=[three], insecure=True)
        running = asyncio.create_task(worker.run())
        try:
            await worker.ready()
            async with asyncio.timeout(60):
                ids: list[tuple[int, str]] = []
                for number in range(60):
                    partition = number % PARTITIONS
                    control = nodes.leader(partition).control
                    request = control_pb2.InvokeRequest(
                        handler="three", partition_key=KEYS[partition]
                    )
                    ids.append((partition, (await control.Invoke(request)).invocation_id))
                    if number % 6 == 5:
                        moved = (number // 6) % PARTITIONS
                        names = sorted(nodes.nodes)
                        old = nodes.leader(moved).name
                        new = names[(names.index(old) + 1) % len(names)]
                        await nodes[old].release(moved)
                        await nodes[new].lead(moved)
                    await asyncio.sleep(0.02)
                for partition, invocation_id in ids:
                    assert await result(nodes, partition, invocation_id) == b'"done"'
        finally:
            worker.stop()
            await running
    assert not [it for it in ran if ran[it] > 1]
    assert len(ran) == 60 * 6
    assert worker.statistics().sessions > 3


async def test_what_a_session_has_brought_is_handled_before_the_next_one_begins() -> None:
    """So an attempt that has ended is over, even if the worker has forgotten it."""
    async with cluster(a=[0], b=[1, 2]) as nodes:
        hello = worker_pb2.Hello(protocol_version=1, worker_id="w", slot_count=5)
        hello.handlers.add(name="three", version="v1")
        opening = sessions_pb2.RelayedHello(
            hello=hello.SerializeToString(), share=5, entry_node="a"
        ).SerializeToString()
        first = nodes["a"].links.open("b", SESSION, opening)
        assert (await _response(first)).opened
        invocation_id = await invoke_in(nodes["b"].control, 1)
        start = worker_pb2.SessionResponse.FromString((await _response(first)).frame).messages[0]
        assert start.invocation_id == invocation_id
        ended = message_about(start)
        ended.finished.outcome.value.data = b'"done"'
        frame = worker_pb2.SessionRequest(messages=[ended]).SerializeToString()
        first.send(sessions_pb2.RelayedRequest(frame=frame).SerializeToString())
        first.close()
        second = nodes["a"].links.open("b", SESSION, opening)
        assert (await _response(second)).opened
        assert await result(nodes, 1, invocation_id) == b'"done"'
        request = control_pb2.GetInvocationRequest(invocation_id=invocation_id)
        assert (await nodes["b"].control.GetInvocation(request)).invocation.attempt == 1


async def test_only_a_new_leader_makes_a_worker_reconnect() -> None:
    async with (
        cluster(a=[0], b=[1], c=[2]) as nodes,
        ManualWorker(nodes["a"].channel) as worker,
    ):
        await nodes["b"].release(1)
        await asyncio.sleep(2 * relay.SETTLE_SECONDS)
        # Another partition goes on, and nothing was sent before.
        await invoke_in(nodes["a"].control, 0)
        await worker.finish(await worker.receive("start"))
        await nodes["b"].lead(1)
        await worker.receive("drain")


async def test_a_worker_that_does_not_reconnect_is_hung_up_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relay, "DRAIN_SECONDS", 0.1)
    async with (
        cluster(a=[0], b=[1], c=[2]) as nodes,
        ManualWorker(nodes["a"].channel) as worker,
    ):
        await nodes["b"].release(1)
        await nodes["c"].lead(1)
        await worker.receive("drain")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await worker.receive("nothing more")
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "partitions have moved to other nodes" in (caught.value.details() or "")


async def test_a_worker_that_leaves_gives_its_work_to_others_at_once() -> None:
    """On all nodes: the grace period is longer than the test waits."""
    async with (
        cluster(TIMES._replace(grace=60.0), a=[0], b=[1, 2]) as nodes,
        ManualWorker(nodes["a"].channel, "first") as first,
    ):
        invoked = [await invoke_in(nodes.leader(it).control, it) for it in range(PARTITIONS)]
        for _ in invoked:
            await first.receive("start")
        await first.send(worker_pb2.WorkerMessage(draining=worker_pb2.Draining()))
        for node in nodes.nodes.values():
            known = node.workers.get("first")
            assert known is not None
            await eventually(partial(_draining, known))
        async with ManualWorker(nodes["b"].channel, "second") as second:
            await first.half_close()
            again = [await second.receive("start") for _ in invoked]
            assert {it.invocation_id for it in again} == set(invoked)
            assert {it.attempt for it in again} == {2}


async def test_a_lost_worker_keeps_its_work_for_the_grace_period_on_all_nodes() -> None:
    async with cluster(a=[0], b=[1, 2]) as nodes:
        async with ManualWorker(nodes["a"].channel) as first:
            invoked = [await invoke_in(nodes.leader(it).control, it) for it in range(PARTITIONS)]
            starts = [await first.receive("start") for _ in invoked]
            first.disconnect()
        # It comes back by way of the other node.
        second = ManualWorker(nodes["b"].channel)
        for it in starts:
            second.hello.resumed.add(invocation_id=it.invocation_id, attempt=1)
        async with second:
            for start in starts:
                assert (await second.step(start, 0)).completion_number == 1
            second.disconnect()
        # It does not come back again.
        async with ManualWorker(nodes["a"].channel, "other") as other:
            again = [await other.receive("start") for _ in invoked]
            assert {it.invocation_id for it in again} == set(invoked)
            assert [(it.attempt, len(it.start.journal)) for it in again] == [(2, 1)] * 3


async def test_a_worker_that_does_not_come_back_after_a_takeover_is_lost() -> None:
    """Node c has no session of it, because it leads nothing at first."""
    async with cluster(a=[0, 2], b=[1], c=[]) as nodes:
        async with ManualWorker(nodes["b"].channel) as first:
            start = await _started(nodes, first, 1)
            await first.step(start, 0)
            await nodes["b"].kill()
        await nodes["c"].lead(1)
        async with ManualWorker(nodes["a"].channel, "other") as other:
            again = await other.receive("start")
            assert (again.invocation_id, again.attempt) == (start.invocation_id, 2)
            assert len(again.start.journal) == 1


async def test_an_attempt_is_kept_while_the_leader_is_not_the_expected_one() -> None:
    async with cluster(a=[0], b=[1], c=[2]) as nodes:
        async with ManualWorker(nodes["a"].channel) as first:
            start = await _started(nodes, first, 1)
            await nodes["b"].release(1)
            nodes.claims.set(1, "c", 9)
            await first.receive("drain")
            first.disconnect()
        second = ManualWorker(nodes["a"].channel)
        second.hello.resumed.add(invocation_id=start.invocation_id, attempt=1)
        async with second:
            await nodes["b"].lead(1)
            await second.receive("drain")
            second.disconnect()
        third = ManualWorker(nodes["a"].channel)
        third.hello.resumed.add(invocation_id=start.invocation_id, attempt=1)
        async with third:
            assert (await third.step(start, 0)).completion_number == 1


@pytest.mark.parametrize("leads", [[[0], [1, 2]], [[], [0, 1, 2]]])
async def test_a_session_by_another_node_replaces_the_first(leads: list[list[int]]) -> None:
    async with (
        cluster(a=leads[0], b=leads[1]) as nodes,
        ManualWorker(nodes["a"].channel) as first,
        ManualWorker(nodes["b"].channel) as second,
    ):
        await first.receive("drain")
        for partition in range(PARTITIONS):
            invocation_id = await invoke_in(nodes.leader(partition).control, partition)
            await second.finish(await second.receive("start"))
            assert await result(nodes, partition, invocation_id) == b'"done"'


async def test_the_others_go_on_without_a_node_that_is_killed() -> None:
    async with cluster(a=[0], b=[1], c=[2]) as nodes:
        async with ManualWorker(nodes["a"].channel) as first:
            invocation_id = await invoke_in(nodes["b"].control, 1)
            start = await first.receive("start")
            await first.step(start, 0)
            await nodes["b"].kill()
            # What it says now is lost.
            await first.send(step_entry(start, 1, b'"x"'))
            await invoke_in(nodes["c"].control, 2)
            await first.finish(await first.receive("start"))
            await nodes["c"].lead(1)
            await first.receive("drain")
            first.disconnect()
        second = ManualWorker(nodes["a"].channel)
        second.hello.resumed.add(invocation_id=invocation_id, attempt=1)
        async with second:
            assert (await second.step(start, 1)).completion_number == 2
            await second.finish(start)
            assert await result(nodes, 1, invocation_id) == b'"done"'


async def test_a_node_that_does_not_answer_is_left_out_until_it_does() -> None:
    async with cluster(a=[0], b=[1], c=[2]) as nodes:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            real, port = nodes.addresses["b"], silent.getsockname()[1]
            nodes.addresses["b"] = f"127.0.0.1:{port}"
            async with ManualWorker(nodes["a"].channel) as first:
                await invoke_in(nodes["c"].control, 2)
                await first.finish(await first.receive("start"))
                await asyncio.sleep(2 * relay.SETTLE_SECONDS)
                await invoke_in(nodes["a"].control, 0)
                await first.finish(await first.receive("start"))
                nodes.addresses["b"] = real
                await first.receive("drain")
        async with ManualWorker(nodes["a"].channel) as second:
            await invoke_in(nodes["b"].control, 1)
            await second.finish(await second.receive("start"))


async def test_workers_leave_a_node_that_nats_does_not_answer() -> None:
    async with cluster(a=[0], b=[1], c=[2]) as nodes:
        async with ManualWorker(nodes["a"].channel) as worker:
            nodes.claims.cut("a")
            await worker.receive("drain")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async with ManualWorker(nodes["a"].channel):
                pass
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        async with ManualWorker(nodes["b"].channel) as worker:
            await invoke_in(nodes["c"].control, 2)
            await worker.finish(await worker.receive("start"))


async def test_workers_stay_while_nats_answers_nobody() -> None:
    async with (
        cluster(a=[0], b=[1], c=[2]) as nodes,
        ManualWorker(nodes["a"].channel) as worker,
    ):
        start = await _started(nodes, worker, 1)
        for name in "abc":
            nodes.claims.cut(name)
        await asyncio.sleep(2 * relay.SETTLE_SECONDS)
        assert (await worker.step(start, 0)).completion_number == 1


async def test_slots_go_to_the_node_where_work_waits() -> None:
    async with (
        cluster(a=[0], b=[1], c=[2]) as nodes,
        ManualWorker(nodes["a"].channel, slots=3) as worker,
    ):
        for _ in range(5):
            await invoke_in(nodes["b"].control, 1)
        starts = [await worker.receive("start") for _ in range(3)]
        assert len(nodes["b"].workers.get("manual").owned) == 3  # type: ignore[union-attr]  # known
        await invoke_in(nodes["c"].control, 2)
        ended = {it.invocation_id for it in starts}
        while len(ended) < 6:
            await worker.finish(starts.pop(0))
            starts.append(await worker.receive("start"))
            ended.add(starts[-1].invocation_id)


async def _started(
    nodes: Cluster, worker: ManualWorker, partition: int
) -> worker_pb2.ServerMessage:
    await invoke_in(nodes.leader(partition).control, partition)
    return await worker.receive("start")


async def _response(stream: PeerStream) -> sessions_pb2.RelayedResponse:
    part = await stream.receive()
    assert part is not None
    return sessions_pb2.RelayedResponse.FromString(part)


def _draining(worker: Worker) -> bool:
    return worker.draining
