"""What clients read of a control plane with three partitions: lists, counts, awakeables, metrics."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from durable_proto.v1 import control_pb2, control_pb2_grpc, invocation_pb2
from durable_server.app import ControlPlane
from durable_server.config import Config
from durable_server.core.limits import Limits
from durable_server.core.model import State
from durable_server.metrics.rpc_tally import RpcTally
from durable_server.processor.workers import Workers
from durable_server.prometheus import HANDLERS_MAX, OTHER, Exposition
from tests.metrics.scraping import Scrape, fetch
from tests.support.manual_worker import ManualWorker, open_entry
from tests.support.waiting import eventually

from .calls import invoke, reached, reason, result
from .partitioned import DOORS, KEYS, PARTITIONS, invoke_in

if TYPE_CHECKING:
    from typing import TypeAlias

    Control: TypeAlias = control_pb2_grpc.DurableControlAsyncStub

CANCELLED = invocation_pb2.INVOCATION_STATE_CANCELLED
RUNNING = invocation_pb2.INVOCATION_STATE_RUNNING
PENDING = invocation_pb2.INVOCATION_STATE_PENDING


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(
        listen="127.0.0.1:0",
        http="127.0.0.1:0",
        data_dir=tmp_path / "data",
        grace_seconds=0.2,
        partitions=PARTITIONS,
        limits=Limits(payload_bytes=256 * 1024),
    )


async def end(control: Control, invocation_id: str) -> None:
    """Ends an invocation from outside: a cancellation by force is done when it is answered."""
    await control.Cancel(control_pb2.CancelRequest(invocation_id=invocation_id, force=True))


async def listed(control: Control, **fields: object) -> list[invocation_pb2.Invocation]:
    """Returns a whole list, page by page."""
    request = control_pb2.QueryRequest(**fields)  # type: ignore[arg-type]  # any field
    found: list[invocation_pb2.Invocation] = []
    while True:
        page = await control.Query(request)
        found += page.invocations
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


def times(found: Sequence[invocation_pb2.Invocation], field: str) -> list[int]:
    return [getattr(it, field).ToMilliseconds() for it in found]


@pytest.mark.parametrize("field", ["create_time", "complete_time", "update_time"])
async def test_a_list_is_in_order_whatever_the_size_of_its_pages(
    control: Control, channel: grpc.aio.Channel, field: str
) -> None:
    async with ManualWorker(channel, slots=1):
        made = [await invoke_in(control, number % PARTITIONS) for number in range(24)]
        for invocation_id in made[::2]:
            await end(control, invocation_id)
        oldest = await listed(control, order_by=field, page_size=500)
        expected = made[::2] if field == "complete_time" else made
        assert {it.invocation_id for it in oldest} == set(expected)
        assert times(oldest, field) == sorted(times(oldest, field))
        for size in (1, 2, 5, 24):
            assert await listed(control, order_by=field, page_size=size) == oldest
            newest = await listed(control, order_by=f"{field} desc", page_size=size)
            assert newest == oldest[::-1]


@pytest.mark.parametrize("order_by", ["", "create_time", "complete_time", "complete_time desc"])
async def test_what_is_there_all_along_comes_once(
    control: Control, channel: grpc.aio.Channel, order_by: str
) -> None:
    async with ManualWorker(channel, slots=1):
        made = [await invoke_in(control, number % PARTITIONS) for number in range(36)]
        for invocation_id in made[::2]:
            await end(control, invocation_id)
        stays = set(made[::2] if "complete_time" in order_by else made)
        seen: Counter[str] = Counter()
        in_order: list[int] = []
        request = control_pb2.QueryRequest(page_size=3, order_by=order_by)
        for turn in range(40):
            page = await control.Query(request)
            seen.update(it.invocation_id for it in page.invocations)
            in_order += times(page.invocations, order_by.split(" ")[0] or "create_time")
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
            if turn < 15:
                await end(control, await invoke_in(control, turn % PARTITIONS))
                await end(control, made[2 * turn + 1])
                gone = made[4 * (turn % 9)]
                if gone in stays:
                    await control.Purge(control_pb2.PurgeRequest(invocation_id=gone))
                    stays.discard(gone)
        assert stays
        assert {it: seen[it] for it in stays} == dict.fromkeys(stays, 1)
        assert max(seen.values()) == 1
        assert in_order == sorted(in_order, reverse=order_by in ("", "complete_time desc"))


async def test_large_outcomes_make_a_page_short_and_not_large(
    control: Control, channel: grpc.aio.Channel
) -> None:
    large = b'"' + b"x" * 200_000 + b'"'
    made = []
    async with ManualWorker(channel) as worker:
        for number in range(9):
            made.append(await invoke_in(control, number % PARTITIONS))
            await worker.finish(await worker.receive("start"), large)
            await result(control, made[-1])
    seen, sizes, token = [], [], ""
    while not sizes or token:
        request = control_pb2.QueryRequest(oldest_first=True, page_token=token)
        page = await control.Query(request)
        seen += [it.invocation_id for it in page.invocations]
        sizes.append(len(page.invocations))
        token = page.next_page_token
    assert seen == made
    assert sizes == [5, 4]


async def test_filters_reach_all_partitions(control: Control, channel: grpc.aio.Channel) -> None:
    handlers = ("three", "Box.put")
    worker = ManualWorker(channel, handlers=handlers, slots=1)
    worker.hello.handlers[1].kind = invocation_pb2.HANDLER_KIND_OBJECT_EXCLUSIVE
    async with worker:
        plain = [await invoke_in(control, index) for index in range(PARTITIONS)]
        keyed = [await invoke(control, "Box.put", key=key) for key in KEYS for _ in range(2)]
        by_handler = await listed(control, handler="Box.put", oldest_first=True, page_size=2)
        assert [it.invocation_id for it in by_handler] == keyed
        for index, key in enumerate(KEYS):
            by_key = await listed(control, key=key, oldest_first=True, page_size=1)
            assert [it.invocation_id for it in by_key] == keyed[2 * index : 2 * index + 2]
        await end(control, plain[1])
        assert [it.invocation_id for it in await listed(control, states=[CANCELLED])] == plain[1:2]


async def test_a_token_of_another_list_is_refused(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel, slots=1):
        for index in range(PARTITIONS):
            await invoke_in(control, index)
        page = await control.Query(control_pb2.QueryRequest(page_size=1))
        other = control_pb2.QueryRequest(handler="three", page_token=page.next_page_token)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await control.Query(other)
        assert reason(caught.value)[1]["field"] == "page_token"


async def test_counts_are_sums(
    plane: ControlPlane, control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel, handlers=("one", "two"), slots=2) as worker:
        for index in range(PARTITIONS):
            for handler in ("one", "two"):
                await end(control, await invoke_in(control, index, handler))
        running = [await invoke_in(control, index, "one") for index in (0, 2)]
        await asyncio.gather(*(reached(control, it, RUNNING) for it in running))
        for index in range(PARTITIONS):
            await invoke_in(control, index, "two")
        stats = await control.GetStats(control_pb2.GetStatsRequest())
        assert [(it.handler, it.state, it.count) for it in stats.counts] == [
            ("one", RUNNING, 2),
            ("one", CANCELLED, 3),
            ("two", PENDING, 3),
            ("two", CANCELLED, 3),
        ]
        assert stats.total_count == 11
        found = (await control.ListHandlers(control_pb2.ListHandlersRequest())).handlers
        assert [
            (it.spec.name, it.worker_count, it.pending_count, it.running_count) for it in found
        ] == [("one", 1, 0, 2), ("two", 1, 3, 0)]
        (connected,) = (await control.ListWorkers(control_pb2.ListWorkersRequest())).workers
        assert (connected.worker_id, connected.running_count) == (worker.hello.worker_id, 2)
        info = await control.GetServerInfo(control_pb2.GetServerInfoRequest())
        assert info.partition_count == PARTITIONS
        appends = [it.tally.append_seconds.count for it in plane.router.all()]
        assert info.append_count == sum(appends) > max(appends)


async def test_an_invocation_shows_its_awakeables_wherever_they_are(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        invocation_id = await invoke_in(control, 1)
        start = await worker.receive("start")
        own = f"{invocation_id}-0"
        for index, name in enumerate((own, *DOORS)):
            await worker.send(open_entry(start, index, "AWAKEABLE", name))
            await worker.receive("ack")
        request = control_pb2.GetInvocationRequest(
            invocation_id=invocation_id, include_journal=True
        )

        async def shown() -> list[str]:
            found = (await control.GetInvocation(request)).invocation.awakeables
            created = [it.create_time.ToMilliseconds() for it in found]
            assert created == sorted(created)
            return [it.awakeable_id for it in found]

        async def all_shown() -> bool:
            return sorted(await shown()) == sorted((own, *DOORS))

        # Those of other partitions are there when the messages have arrived.
        await eventually(all_shown)
        for name in DOORS:
            resolve = control_pb2.ResolveAwakeableRequest(awakeable_id=name)
            resolve.outcome.value.data = b"1"
            await control.ResolveAwakeable(resolve)
            await worker.receive("completion")
        await worker.finish(start)
        assert (await result(control, invocation_id)).outcome.value.data == b'"done"'


async def test_an_unknown_handler_is_unknown_from_every_partition(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        for index in range(PARTITIONS):
            invocation_id = await invoke_in(control, index)
            start = await worker.receive("start")
            await worker.send(open_entry(start, 0, "SEND", "nobody"))
            refused = await worker.receive("abandon")
            assert refused.invocation_id == invocation_id
            assert "no worker has ever registered a handler 'nobody'" in refused.abandon.reason
            await end(control, invocation_id)


async def test_a_watch_of_no_id_is_refused(control: Control) -> None:
    for text in ("", "x", "ffff", "0" * 31, "\u00e9" * 32):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await control.WatchInvocation(
                control_pb2.WatchInvocationRequest(invocation_id=text)
            ).read()
        assert reason(caught.value)[1]["field"] == "invocation_id"


async def test_metrics(plane: ControlPlane, control: Control, channel: grpc.aio.Channel) -> None:
    async with ManualWorker(channel) as worker:
        for number in range(2 * PARTITIONS):
            invocation_id = await invoke_in(control, number % PARTITIONS)
            start = await worker.receive("start")
            await worker.step(start, 0)
            await worker.finish(start)
            await result(control, invocation_id)
        seen = Scrape(await asyncio.to_thread(fetch, plane.http_address))
        assert seen("durable_invocations", state="completed") == 2 * PARTITIONS
        ended = "durable_invocations_ended_total"
        assert seen(ended, handler="three", outcome="completed") == 2 * PARTITIONS
        assert seen("durable_attempts_started_total") == 2 * PARTITIONS
        assert seen("durable_attempts_ended_total", outcome="completed") == 2 * PARTITIONS
        assert seen("durable_journal_entries_total", kind="run") == 2 * PARTITIONS
        assert seen("durable_workers_connected") == 1
        assert seen("durable_slots") == 10
        assert seen("durable_rpcs_total", method="Invoke", code="OK") == 2 * PARTITIONS
        for processor in plane.router.all():
            label = {"partition": str(processor.partition.index)}
            appends = processor.tally.append_seconds.count
            assert seen("durable_log_append_seconds_count", **label) == appends > 0
            assert seen("durable_log_append_bytes_total", **label) > 0
            assert seen("durable_epoch", **label) == 1
            assert seen("durable_outbox_messages", **label) == 0


async def test_a_handler_keeps_its_series(plane: ControlPlane) -> None:
    """A series that moved to another name would look like a counter that went back."""
    first, last = plane.router.all()[0].partition, plane.router.all()[-1].partition
    exposition = Exposition(plane.router, Workers(), RpcTally())
    for number in range(HANDLERS_MAX):
        last.endings[f"handler{number}", State.COMPLETED] = 1
    exposition.render("")
    first.endings["late", State.COMPLETED] = 3
    first.endings["handler0", State.COMPLETED] = 1
    seen = Scrape(exposition.render("")[0].decode())
    ended = "durable_invocations_ended_total"
    assert seen(ended, handler="handler0", outcome="completed") == 2
    assert seen(ended, handler=f"handler{HANDLERS_MAX - 1}", outcome="completed") == 1
    assert seen(ended, handler=OTHER, outcome="completed") == 3
