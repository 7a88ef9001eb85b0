"""Query over gRPC: orders, and pages of a list that changes while it is read."""

from __future__ import annotations

import base64
from collections import Counter
from typing import TYPE_CHECKING

import grpc
import pytest

from durable_proto.v1 import control_pb2, control_pb2_grpc, invocation_pb2
from tests.support.manual_worker import ManualWorker

from .calls import reason, result

if TYPE_CHECKING:
    from typing import TypeAlias

    Control: TypeAlias = control_pb2_grpc.DurableControlAsyncStub

Query = control_pb2.QueryRequest


async def invoke(control: Control) -> str:
    asked = control_pb2.InvokeRequest(handler="three")
    return (await control.Invoke(asked)).invocation_id


async def end(control: Control, invocation_id: str) -> None:
    """Ends an invocation from outside: a cancellation by force is done when it is answered."""
    asked = control_pb2.CancelRequest(invocation_id=invocation_id, force=True)
    await control.Cancel(asked)


async def ids(control: Control, **fields: object) -> list[str]:
    found = await control.Query(Query(**fields))  # type: ignore[arg-type]  # any field
    return [it.invocation_id for it in found.invocations]


async def test_orders(control: Control, channel: grpc.aio.Channel) -> None:
    async with ManualWorker(channel, slots=1):
        made = [await invoke(control) for _ in range(4)]
        first, second, third, fourth = made
        await end(control, third)
        await end(control, second)
        assert await ids(control) == made[::-1]
        assert await ids(control, order_by="create_time") == made
        assert await ids(control, oldest_first=True) == made
        assert await ids(control, order_by=" create_time   desc ") == made[::-1]
        # Both may have ended in the same millisecond; then the number decides.
        listed = await control.Query(Query(order_by="complete_time desc"))
        times = [it.complete_time.ToNanoseconds() for it in listed.invocations]
        assert {it.invocation_id for it in listed.invocations} == {second, third}
        assert times == sorted(times, reverse=True)
        assert (
            await ids(control, order_by="complete_time")
            == ([it.invocation_id for it in listed.invocations][::-1])
        )
        listed = await control.Query(Query(order_by="update_time"))
        assert {it.invocation_id for it in listed.invocations} == {first, second, third, fourth}
        times = [it.update_time.ToNanoseconds() for it in listed.invocations]
        assert times == sorted(times)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"order_by": "handler"}, "order_by"),
        ({"order_by": "create_time asc"}, "order_by"),
        ({"order_by": "create_time desc, handler"}, "order_by"),
        ({"order_by": "desc"}, "order_by"),
        ({"order_by": " "}, "order_by"),
        ({"order_by": "x" * 100_000}, "order_by"),
        ({"order_by": "create_time", "oldest_first": True}, "oldest_first"),
    ],
)
async def test_orders_that_there_are_not(
    control: Control, fields: dict[str, object], field: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ids(control, **fields)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason(caught.value)[1]["field"] == field
    assert len(caught.value.details() or "") < 300


async def test_a_forged_token(control: Control, channel: grpc.aio.Channel) -> None:
    async with ManualWorker(channel):
        for _ in range(2):
            await invoke(control)
        token = (await control.Query(Query(page_size=1))).next_page_token
        digest = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))[:8]
        for place in (b"1", b"1.0.-1", b"x.y.z", b"0.0." + b"9" * 40, b"0.1", b"0.1.2.3"):
            made = base64.urlsafe_b64encode(digest + place).decode()
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await ids(control, page_token=made)
            assert reason(caught.value)[1]["field"] == "page_token"


async def test_a_state_may_be_named_twice(control: Control, channel: grpc.aio.Channel) -> None:
    async with ManualWorker(channel, slots=1):
        asked = control_pb2.InvokeRequest(handler="three", service="twice")
        invocation_id = (await control.Invoke(asked)).invocation_id
        await end(control, invocation_id)
        state = invocation_pb2.INVOCATION_STATE_CANCELLED
        assert await ids(control, states=[state, state], service="twice") == [invocation_id]
        # Counts that are zero again are left out.
        stats = await control.GetStats(control_pb2.GetStatsRequest())
        assert [(it.state, it.count) for it in stats.counts] == [(state, 1)]


async def test_a_token_belongs_to_its_order(control: Control, channel: grpc.aio.Channel) -> None:
    async with ManualWorker(channel):
        for _ in range(3):
            await invoke(control)
        token = (await control.Query(Query(page_size=1))).next_page_token
        # The same order in another notation.
        assert len(await ids(control, order_by="create_time desc", page_token=token)) == 2
        for order in ("create_time", "update_time desc", "complete_time"):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await ids(control, order_by=order, page_token=token)
            assert reason(caught.value)[1]["field"] == "page_token"


@pytest.mark.parametrize("order_by", ["", "create_time", "complete_time", "complete_time desc"])
async def test_what_is_there_all_along_comes_once(
    control: Control, channel: grpc.aio.Channel, order_by: str
) -> None:
    async with ManualWorker(channel, slots=1):
        made = [await invoke(control) for _ in range(40)]
        for invocation_id in made[::2]:
            await end(control, invocation_id)
        ended = "complete_time" in order_by
        stays = set(made[::2] if ended else made)
        seen: Counter[str] = Counter()
        asked = Query(page_size=3, order_by=order_by)
        for turn in range(40):
            page = await control.Query(asked)
            seen.update(it.invocation_id for it in page.invocations)
            if not page.next_page_token:
                break
            asked.page_token = page.next_page_token
            if turn < 15:
                await end(control, await invoke(control))
                await end(control, made[2 * turn + 1])
                gone = made[4 * (turn % 10)]
                if gone in stays:
                    await control.Purge(control_pb2.PurgeRequest(invocation_id=gone))
                    stays.discard(gone)
        assert stays
        assert {it: seen[it] for it in stays} == dict.fromkeys(stays, 1)
        assert max(seen.values()) == 1
        stats = await control.GetStats(control_pb2.GetStatsRequest())
        counts = {it.state: it.count for it in stats.counts}
        left = counts[invocation_pb2.INVOCATION_STATE_CANCELLED]
        assert left == len(await ids(control, order_by="complete_time", page_size=500))
        assert stats.total_count == len(await ids(control, page_size=500))


async def test_large_outcomes_make_a_page_short_and_not_large(
    control: Control, channel: grpc.aio.Channel
) -> None:
    """A list must fit into what clients take, whatever the handlers return."""
    large = b'"' + b"x" * 60_000 + b'"'
    made = []
    async with ManualWorker(channel, slots=30) as worker:
        for _ in range(30):
            made.append(await invoke(control))
            await worker.finish(await worker.receive("start"), large)
            await result(control, made[-1])
    seen, sizes, token = [], [], ""
    while not sizes or token:
        request = control_pb2.QueryRequest(oldest_first=True, page_token=token)
        page = await control.Query(request)
        seen += [it.invocation_id for it in page.invocations]
        sizes.append(page.ByteSize())
        token = page.next_page_token
    assert seen == made
    assert len(sizes) == 2
    assert max(sizes) < 1_200_000


async def test_a_text_that_is_in_everything_is_refused(control: Control) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await control.Query(Query(failure_text="ab"))
    assert reason(caught.value)[0] == "INVALID_FIELD"
    assert "3 characters or more" in (caught.value.details() or "")
