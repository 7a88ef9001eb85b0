"""Lists and counts have only what belongs to handlers that the caller may see."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from durable_proto.v1 import control_pb2
from durable_server.access.access import Access, Grant
from durable_server.access.current import acting_as
from durable_server.rpc.control import ControlService
from durable_server.rpc.refusal import Refusal
from tests.cluster.relay_nodes import cluster
from tests.server.partitioned import invoke_in
from tests.support.manual_worker import ManualWorker

HANDLERS = ("acme.orders", "acme.refunds", "other.orders")


@pytest.fixture
async def service() -> AsyncIterator[ControlService]:
    """A control plane with two invocations of each handler, and three workers."""
    async with cluster(a=[0, 1, 2]) as nodes:
        node = nodes["a"]
        async with (
            ManualWorker(node.channel, "acme", handlers=HANDLERS[:2], slots=1),
            ManualWorker(node.channel, "both", handlers=HANDLERS, slots=1),
            ManualWorker(node.channel, "other", handlers=HANDLERS[2:], slots=1),
        ):
            for handler in HANDLERS:
                for partition in (0, 1):
                    await invoke_in(node.control, partition, handler)
            yield node.service


def caller(*scopes: str, namespace: str = "") -> Access:
    return Access("somebody", "token", tuple(map(Grant.parse, scopes)), namespace)


@pytest.mark.parametrize(
    ("access", "seen"),
    [
        (caller("read"), HANDLERS),
        (caller("admin"), HANDLERS),
        (caller("read", namespace="acme."), HANDLERS[:2]),
        (caller("admin", namespace="acme."), HANDLERS[:2]),
        (caller("read:*.orders"), (HANDLERS[0], HANDLERS[2])),
        (caller("read:*.orders", namespace="acme."), HANDLERS[:1]),
        (caller("read:acme.refunds", "invoke"), HANDLERS[1:2]),
        (caller("invoke"), ()),
    ],
)
async def test_everybody_sees_their_own(
    service: ControlService, access: Access, seen: tuple[str, ...]
) -> None:
    with acting_as(access):
        listed = await service.Query(control_pb2.QueryRequest(), None)
        assert sorted(it.handler for it in listed.invocations) == sorted([*seen, *seen])
        for order in ("update_time", "create_time desc", "complete_time"):
            listed = await service.Query(control_pb2.QueryRequest(order_by=order), None)
            assert {it.handler for it in listed.invocations} <= set(seen)
        states = [control_pb2.QueryRequest(states=[it.state]) for it in listed.invocations]
        for request in (*states, control_pb2.QueryRequest(handler=HANDLERS[2])):
            listed = await service.Query(request, None)
            assert {it.handler for it in listed.invocations} <= set(seen)
        stats = await service.GetStats(control_pb2.GetStatsRequest(), None)
        assert stats.total_count == 2 * len(seen)
        assert {it.handler for it in stats.counts} == set(seen)
        handlers = await service.ListHandlers(control_pb2.ListHandlersRequest(), None)
        assert [it.spec.name for it in handlers.handlers] == sorted(seen)
        workers = await service.ListWorkers(control_pb2.ListWorkersRequest(), None)
        assert {name for it in workers.workers for name in it.handlers} == set(seen)
        assert all(it.handlers for it in workers.workers)
        assert stats.worker_count == len(workers.workers)


async def test_a_page_has_no_gaps_where_others_have_something(service: ControlService) -> None:
    with acting_as(caller("read", namespace="acme.")):
        found: list[str] = []
        token = ""
        while True:
            request = control_pb2.QueryRequest(page_size=1, page_token=token)
            page = await service.Query(request, None)
            assert len(page.invocations) == 1
            found += [it.handler for it in page.invocations]
            if not (token := page.next_page_token):
                break
        assert sorted(found) == sorted(HANDLERS[:2] * 2)


async def test_a_page_token_is_of_no_use_to_others(service: ControlService) -> None:
    with acting_as(caller("read", namespace="acme.")):
        page = await service.Query(control_pb2.QueryRequest(page_size=1), None)
    with acting_as(caller("read", namespace="other.")), pytest.raises(Refusal) as caught:
        service.listing.parse_query(control_pb2.QueryRequest(page_token=page.next_page_token))
    assert caught.value.reason == "INVALID_FIELD"


async def test_a_handler_of_another_namespace_is_not_listed_by_name(
    service: ControlService,
) -> None:
    with acting_as(caller("read", namespace="acme.")):
        listed = await service.Query(control_pb2.QueryRequest(handler="other.orders"), None)
        assert not listed.invocations
