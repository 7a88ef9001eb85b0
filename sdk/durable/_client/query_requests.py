"""The RPC flows that read what the control plane knows, for both clients; they change nothing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypedDict, cast

from durable_proto.v1 import access_pb2, control_pb2

from .._timetravel.exported_run import ExportedRun
from .audit_views import AuditEntry, AuditPage
from .cluster_views import Cluster
from .invocation_views import Invocation
from .rpc_flow import RpcFlow, deadline_after, send_rpc
from .server_views import Handler, HandlerList, InvocationPage, ServerInfo, Stats, WorkerInfo
from .status import state_number


def get(invocation_id: str, timeout: float | None) -> RpcFlow[Invocation]:
    """Returns what is known about an invocation."""
    request = control_pb2.GetInvocationRequest(invocation_id=invocation_id, include_journal=True)
    response = yield from send_rpc("GetInvocation", request, deadline_after(timeout), waits=False)
    return Invocation(response.invocation)


def export(invocation_id: str, timeout: float | None) -> RpcFlow[ExportedRun]:
    """Returns an invocation with all that its replay needs."""
    request = control_pb2.ExportInvocationRequest(invocation_id=invocation_id)
    deadline = deadline_after(timeout)
    response = yield from send_rpc("ExportInvocation", request, deadline, waits=False)
    return ExportedRun(response)


class Filters(TypedDict, total=False):
    """The filters of `query`; an invocation must match all that are given."""

    status: str | Iterable[str]
    """Any of these statuses."""
    handler: str
    """This handler."""
    key: str
    """This object key."""
    service: str
    """This service label."""
    failure_text: str
    """A text in the failure's type and message (`ValueError: no stock`), of 3 characters or
    more."""
    create_time_min: datetime
    """Created at or after this time; without a time zone it is UTC."""
    create_time_max: datetime
    """Created before this time; without a time zone it is UTC."""
    parent_invocation_id: str
    """Children and sends of this invocation."""
    pinned_build_id: str
    """Pinned to this build, and not ended."""
    oldest_first: bool
    """Oldest first instead of newest first; not together with `order_by`."""
    order_by: str
    """`create_time`, `complete_time` (only what has ended) or `update_time`, the oldest first; with
    ` desc` after it the newest first. Empty for `create_time desc`."""
    page_size: int
    """How many to return, at most 500; 0 for the default, 50."""
    page_token: str
    """The `next_page_token` of the page before; the other filters must be the same."""


def query(filters: Filters, timeout: float | None) -> RpcFlow[InvocationPage]:
    """Returns a page of the invocations that match all filters."""
    fields: dict[str, Any] = {name: value for name, value in filters.items() if value is not None}
    status = fields.pop("status", ())
    words = (status,) if isinstance(status, str) else status
    request = control_pb2.QueryRequest(
        states=[state_number(word) for word in words if word], **fields
    )
    response = yield from send_rpc("Query", request, deadline_after(timeout), waits=False)
    return InvocationPage(
        [Invocation(message) for message in response.invocations],
        response.next_page_token,
        tuple(response.missing_partitions),
    )


def next_page(filters: Filters, page: InvocationPage) -> Filters | None:
    """Returns the filters of the next page; None after the last page."""
    if not page.next_page_token:
        return None
    return cast("Filters", {**filters, "page_token": page.next_page_token})


def list_handlers(timeout: float | None) -> RpcFlow[HandlerList]:
    """Returns all handlers that workers have registered, page by page."""
    deadline = deadline_after(timeout)
    handlers = HandlerList()
    request = control_pb2.ListHandlersRequest()
    while True:
        response = yield from send_rpc("ListHandlers", request, deadline, waits=False)
        handlers += [Handler.of(message) for message in response.handlers]
        missing = {*handlers.missing_partitions, *response.missing_partitions}
        handlers.missing_partitions = tuple(sorted(missing))
        if not response.next_page_token:
            return handlers
        request = control_pb2.ListHandlersRequest(page_token=response.next_page_token)


def stats(timeout: float | None) -> RpcFlow[Stats]:
    """Counts invocations by status and by handler."""
    response = yield from send_rpc(
        "GetStats", control_pb2.GetStatsRequest(), deadline_after(timeout), waits=False
    )
    return Stats.of(response)


def list_workers(timeout: float | None) -> RpcFlow[list[WorkerInfo]]:
    """Returns the workers that are connected now, by connect time."""
    response = yield from send_rpc(
        "ListWorkers", control_pb2.ListWorkersRequest(), deadline_after(timeout), waits=False
    )
    return [WorkerInfo.of(message) for message in response.workers]


def server_info(timeout: float | None) -> RpcFlow[ServerInfo]:
    """Returns the version, the limits and the start time of the control plane."""
    response = yield from send_rpc(
        "GetServerInfo", control_pb2.GetServerInfoRequest(), deadline_after(timeout), waits=False
    )
    return ServerInfo.of(response)


def cluster(timeout: float | None) -> RpcFlow[Cluster]:
    """Returns the nodes and the partitions of the control plane."""
    response = yield from send_rpc(
        "GetCluster", control_pb2.GetClusterRequest(), deadline_after(timeout), waits=False
    )
    return Cluster.of(response)


class AuditFilters(TypedDict, total=False):
    """The filters of `list_audit`; a call must match all that are given."""

    identity: str
    """Made by this identity."""
    method: str
    """Of this RPC, such as `Cancel`."""
    subject: str
    """About this: an invocation, an awakeable, a handler, a worker, a node, a token."""
    time_min: datetime
    """Answered then or later; without a time zone it is UTC."""
    page_size: int
    """How many to return, at most 500; 0 for the default, 50."""
    page_token: str
    """The `next_page_token` of the page before; the other filters must be the same."""


def list_audit(filters: AuditFilters, timeout: float | None) -> RpcFlow[AuditPage]:
    """Returns a page of the calls that have changed something."""
    fields: dict[str, Any] = {name: value for name, value in filters.items() if value is not None}
    request = access_pb2.ListAuditRequest(**fields)
    response = yield from send_rpc("ListAudit", request, deadline_after(timeout), waits=False)
    return AuditPage([AuditEntry.of(it) for it in response.entries], response.next_page_token)
