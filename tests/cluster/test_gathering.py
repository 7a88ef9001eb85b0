"""Lists and counts over several nodes: each is whole, or names the partitions that it lacks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_proto.v1 import control_pb2, invocation_pb2
from durable_server import __version__
from durable_server.rpc.deployments import merged
from durable_server.rpc.gathering import union_of_handlers
from tests.peers.proxy import proxy
from tests.server.partitioned import DOORS, KEYS, invoke_in
from tests.support.manual_worker import ManualWorker, open_entry
from tests.support.waiting import eventually

from .relay_nodes import PARTITIONS, Cluster, cluster

PENDING = invocation_pb2.INVOCATION_STATE_PENDING
RUNNING = invocation_pb2.INVOCATION_STATE_RUNNING


@pytest.fixture
async def nodes() -> AsyncIterator[Cluster]:
    async with cluster(a=[0], b=[1], c=[2], d=[]) as started:
        yield started


async def whole_list(nodes: Cluster, name: str, page_size: int) -> list[str]:
    request = control_pb2.QueryRequest(page_size=page_size)
    found: list[str] = []
    while True:
        page = await nodes[name].control.Query(request)
        assert not page.missing_partitions
        assert len(page.invocations) <= page_size
        found += [it.invocation_id for it in page.invocations]
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


async def test_all_nodes_have_the_same_pages(nodes: Cluster) -> None:
    async with ManualWorker(nodes["d"].channel, slots=1):
        made = [await invoke_in(nodes["d"].control, number % PARTITIONS) for number in range(20)]
        expected = await whole_list(nodes, "a", 500)
        assert sorted(expected) == sorted(made)
        for name in "abcd":
            assert await whole_list(nodes, name, 3) == expected
        # A page of one node goes on at another one, also when a partition has moved.
        first = await nodes["a"].control.Query(control_pb2.QueryRequest(page_size=5))
        await nodes["b"].release(1)
        await nodes["d"].lead(1)
        request = control_pb2.QueryRequest(page_size=500, page_token=first.next_page_token)
        rest = await nodes["c"].control.Query(request)
        assert [it.invocation_id for it in (*first.invocations, *rest.invocations)] == expected


@pytest.mark.parametrize("how", ["released", "unreachable", "cut off from NATS"])
async def test_what_has_no_leader_is_named(nodes: Cluster, how: str) -> None:
    async with ManualWorker(nodes["d"].channel, slots=1):
        made = [await invoke_in(nodes["d"].control, index) for index in range(PARTITIONS)]
        if how == "released":
            await nodes["b"].release(1)
        elif how == "unreachable":
            await nodes["b"].peers.stop(0)
        else:
            nodes.claims.cut("b")
        control = nodes["d"].control
        page = await control.Query(control_pb2.QueryRequest())
        assert {it.invocation_id for it in page.invocations} == {made[0], made[2]}
        stats = await control.GetStats(control_pb2.GetStatsRequest())
        assert stats.total_count == 2
        handlers = await control.ListHandlers(control_pb2.ListHandlersRequest())
        (handler,) = handlers.handlers
        assert handler.pending_count + handler.running_count == 2
        for answer in (page, stats, handlers):
            assert list(answer.missing_partitions) == [1]
        # What another partition's list does not need is not missing.
        page = await control.Query(control_pb2.QueryRequest(key=KEYS[0]))
        assert not page.missing_partitions


async def test_a_list_waits_a_moment_for_a_leader(nodes: Cluster) -> None:
    async with ManualWorker(nodes["d"].channel, slots=1):
        invocation_id = await invoke_in(nodes["d"].control, 1)
        await nodes["b"].release(1)
        listing = asyncio.ensure_future(nodes["d"].control.Query(control_pb2.QueryRequest()))
        await nodes["a"].lead(1)
        page = await listing
        assert [it.invocation_id for it in page.invocations] == [invocation_id]
        assert not page.missing_partitions


async def test_counts_and_workers_are_those_of_all_nodes(nodes: Cluster) -> None:
    async with (
        ManualWorker(nodes["a"].channel, "first", slots=6, handlers=("three", "four")),
        ManualWorker(nodes["d"].channel, "second", slots=3),
    ):
        for number in range(15):
            await invoke_in(nodes["b"].control, number % PARTITIONS)

        async def all_run() -> bool:
            counts = (await nodes["a"].control.GetStats(control_pb2.GetStatsRequest())).counts
            return {it.state: it.count for it in counts} == {RUNNING: 9, PENDING: 6}

        await eventually(all_run)
        for name in "abcd":
            control = nodes[name].control
            stats = await control.GetStats(control_pb2.GetStatsRequest())
            assert (stats.total_count, stats.worker_count) == (15, 2)
            found = (await control.ListHandlers(control_pb2.ListHandlersRequest())).handlers
            assert [
                (it.spec.name, it.worker_count, it.pending_count, it.running_count) for it in found
            ] == [("four", 1, 0, 0), ("three", 2, 6, 9)]
            one = control_pb2.ListHandlersRequest(page_size=1)
            page = await control.ListHandlers(one)
            one.page_token = page.next_page_token
            names = [it.spec.name for it in page.handlers]
            page = await control.ListHandlers(one)
            assert [*names, *(it.spec.name for it in page.handlers)] == ["four", "three"]
            assert not page.next_page_token
            workers = (await control.ListWorkers(control_pb2.ListWorkersRequest())).workers
            assert [(it.worker_id, it.node, it.slot_count, it.running_count) for it in workers] == [
                ("first", "a", 6, 6),
                ("second", "d", 3, 3),
            ]


async def test_the_server_is_described_by_the_leader_of_the_first_partition(nodes: Cluster) -> None:
    await nodes["a"].release(0)
    await nodes["b"].lead(0)
    for name in "abcd":
        info = await nodes[name].control.GetServerInfo(control_pb2.GetServerInfoRequest())
        assert (info.version, info.partition_count, info.epoch) == (__version__, PARTITIONS, 2)
        assert info.start_time.ToMilliseconds() == nodes["b"].processors[0].started_ms
        assert info.HasField("time")


async def test_the_cluster_as_each_node_sees_it(nodes: Cluster) -> None:
    await nodes["c"].release(2)
    for name in "abcd":
        found = await nodes[name].control.GetCluster(control_pb2.GetClusterRequest())
        assert found.answering_node == name
        assert [(it.name, list(it.led_partitions)) for it in found.nodes] == [
            ("a", [0]),
            ("b", [1]),
            ("c", []),
            ("d", []),
        ]
        assert [(it.partition, it.has_leader, it.leader, it.epoch) for it in found.partitions] == [
            (0, True, "a", 1),
            (1, True, "b", 1),
            (2, False, "", 0),
        ]


async def test_awakeables_of_other_nodes_are_shown_or_their_partitions_named(
    nodes: Cluster,
) -> None:
    async with ManualWorker(nodes["d"].channel) as worker:
        invocation_id = await invoke_in(nodes["d"].control, 0)
        start = await worker.receive("start")
        for index, name in enumerate(DOORS):
            await worker.send(open_entry(start, index, "AWAKEABLE", name))
            await worker.receive("ack")
        request = control_pb2.GetInvocationRequest(
            invocation_id=invocation_id, include_journal=True
        )

        async def shown() -> set[str]:
            answer = await nodes["d"].control.GetInvocation(request)
            return {it.awakeable_id for it in answer.invocation.awakeables}

        async def all_shown() -> bool:
            return await shown() == set(DOORS)

        await eventually(all_shown)
        await nodes["c"].release(2)
        answer = await nodes["d"].control.GetInvocation(request)
        found = {it.awakeable_id for it in answer.invocation.awakeables}
        assert (found, list(answer.missing_partitions)) == ({DOORS[0], DOORS[1]}, [2])


async def test_patches_are_those_of_all_nodes(nodes: Cluster) -> None:
    """Only one node has the patch, and others have journals without it."""
    first, second = (ManualWorker(nodes[it].channel, it, slots=1) for it in "ad")
    first.hello.build_id, second.hello.build_id = "v1", "v2"
    without = []
    async with first:
        for partition in (0, 1):
            without.append(await invoke_in(nodes["b"].control, partition))
            start = await first.receive("start")
            await first.send(open_entry(start, 0, "SIGNAL", "go"))
            await first.receive("ack")
            request = control_pb2.PauseRequest(invocation_id=start.invocation_id)
            await nodes["c"].control.Pause(request)
            await first.receive("pause_requested")
            message = open_entry(start, 0, "SIGNAL")
            message.paused.SetInParent()
            await first.send(message)
    async with second:
        for partition in (1, 2):
            await invoke_in(nodes["b"].control, partition)
            start = await second.receive("start")
            await second.send(open_entry(start, 0, "PATCH", "tax"))
            await second.receive("ack")
            await second.finish(start)
        for name in "abcd":
            response = await nodes[name].control.ListPatches(control_pb2.ListPatchesRequest())
            [patch] = response.patches
            assert (list(patch.build_ids), patch.applied_count) == (["v2"], 0)
            assert patch.unapplied_count == 2
            assert list(patch.unapplied_invocation_ids) == sorted(without)
            assert not response.missing_partitions
        await nodes["a"].release(0)
        response = await nodes["d"].control.ListPatches(control_pb2.ListPatchesRequest())
        assert list(response.missing_partitions) == [0]
        [patch] = response.patches
        assert list(patch.unapplied_invocation_ids) == [without[1]]


async def test_builds_are_counted_over_all_nodes(nodes: Cluster) -> None:
    old, new = (ManualWorker(nodes[it].channel, it) for it in "ad")
    old.hello.build_id, new.hello.build_id = "v1", "v2"
    old.hello.handlers[0].versioning = invocation_pb2.VERSIONING_PINNED
    request = control_pb2.ListDeploymentsRequest()
    async with old:
        for partition in range(PARTITIONS):
            await invoke_in(nodes["b"].control, partition)
            await old.send(open_entry(await old.receive("start"), 0, "SIGNAL", "go"))
            await old.receive("ack")
        async with new:
            # The request goes from a node that leads nothing to the one that leads partition 0.
            promote = control_pb2.PromoteBuildRequest(build_id="v2")
            [route] = (await nodes["d"].control.PromoteBuild(promote)).routes
            assert (route.build_id, route.previous_build_id) == ("v2", "v1")
            for name in "abcd":
                found = await nodes[name].control.ListDeployments(request)
                assert [
                    (it.build_id, it.worker_count, it.pinned_count, it.running_count)
                    for it in found.deployments
                ] == [("v2", 1, 0, 0), ("v1", 1, PARTITIONS, PARTITIONS)]
                assert [*found.routes] == [route]
                assert not found.missing_partitions
            drain = control_pb2.DrainBuildRequest(build_id="v1")
            await nodes["c"].control.DrainBuild(drain)
            await nodes["b"].release(1)
            found = await nodes["d"].control.ListDeployments(request)
            assert list(found.missing_partitions) == [1]
            last = found.deployments[-1]
            assert (last.pinned_count, last.draining, last.drained) == (PARTITIONS - 1, True, False)
            # Without partition 0 there are the counts, and nobody knows more of the builds.
            await nodes["a"].release(0)
            found = await nodes["d"].control.ListDeployments(request)
            assert list(found.missing_partitions) == [0, 1]
            assert not found.routes
            assert [(it.build_id, it.pinned_count) for it in found.deployments] == [
                *(("v1", 1), ("v2", 0)),
            ]


async def test_a_bad_list_is_refused_by_the_node_that_is_asked(nodes: Cluster) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await nodes["d"].control.Query(control_pb2.QueryRequest(page_token="?"))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_build_is_drained_if_nothing_anywhere_needs_it() -> None:
    part = control_pb2.ListDeploymentsResponse()
    part.deployments.add(build_id="v1", drained=True).create_time.FromSeconds(1)
    other = control_pb2.ListDeploymentsResponse()
    other.deployments.add(build_id="v1", pinned_count=1)
    other.deployments.add(build_id="v0", pinned_count=2)
    idle = control_pb2.ListWorkersResponse()
    idle.workers.add(worker_id="w", build_id="v1")
    busy = control_pb2.ListWorkersResponse()
    busy.workers.add(worker_id="w", build_id="v1", running_count=1)
    for parts, workers, missing, drained in (
        ([part], idle, [], True),
        ([part], idle, [1], False),
        ([part], busy, [], False),
        ([other, part], idle, [], False),
    ):
        found = merged(parts, workers, missing).deployments
        assert (found[0].build_id, found[0].drained) == ("v1", drained)
        # What nobody has registered comes last, and nobody can say that it gets nothing new.
        assert [it.drained for it in found[1:]] == [False] * (len(parts) - 1)


handlers = st.dictionaries(
    st.sampled_from("abcdef"), st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=6
)


@given(parts=st.lists(handlers, max_size=3), size=st.integers(1, 4))
def test_pages_of_handlers_are_the_whole_union(
    parts: list[dict[str, tuple[int, int]]], size: int
) -> None:
    sums: dict[str, tuple[int, int]] = {}
    for name, (pending, running) in ((*it,) for part in parts for it in part.items()):
        known = sums.get(name, (0, 0))
        sums[name] = known[0] + pending, known[1] + running
    seen: list[tuple[str, tuple[int, int]]] = []
    more = True
    while more:
        after = seen[-1][0] if seen else ""
        pages = []
        for part in parts:
            names = sorted(it for it in part if it > after)
            infos = [
                invocation_pb2.HandlerInfo(
                    spec=invocation_pb2.HandlerSpec(name=it),
                    pending_count=part[it][0],
                    running_count=part[it][1],
                )
                for it in names[:size]
            ]
            pages.append((infos, len(names) > size))
        page, more = union_of_handlers(pages, size)
        assert len(page) <= size
        assert page or not more
        seen += [(it.spec.name, (it.pending_count, it.running_count)) for it in page]
    assert seen == sorted(sums.items())


async def test_a_node_that_hangs_is_not_missed_once_another_one_leads(nodes: Cluster) -> None:
    async with ManualWorker(nodes["d"].channel, slots=1):
        invocation_id = await invoke_in(nodes["b"].control, 1)
    async with proxy(nodes.addresses["b"]) as between:
        nodes.addresses["b"] = between.address
        await nodes["a"].control.Query(control_pb2.QueryRequest())
        between.hold()
        asked = asyncio.ensure_future(nodes["a"].control.Query(control_pb2.QueryRequest()))
        # A request that came later is answered while the first one waits.
        await nodes["a"].control.GetCluster(control_pb2.GetClusterRequest())
        assert not asked.done()
        await nodes["d"].lead(1)
        answer = await asked
    assert not answer.missing_partitions
    assert [it.invocation_id for it in answer.invocations] == [invocation_id]
