"""The RPC flows about builds and routes, for both clients."""

from __future__ import annotations

from collections.abc import Iterable

from durable_proto.v1 import control_pb2

from .deployment_views import Deployments, Route
from .options import default_identity
from .rpc_flow import RpcFlow, deadline_after, new_request_id, send_rpc
from .status import status_word


def list_deployments(timeout: float | None) -> RpcFlow[Deployments]:
    """Returns the builds and the routes."""
    request = control_pb2.ListDeploymentsRequest()
    response = yield from send_rpc("ListDeployments", request, deadline_after(timeout), waits=False)
    return Deployments.of(response)


def promote(
    build_id: str,
    percent: int,
    handlers: Iterable[str],
    automatic: bool,
    reason: str,
    identity: str,
    timeout: float | None,
) -> RpcFlow[list[Route]]:
    """Makes a build the current one, or forgets promotions; returns the changed routes."""
    if percent == 0:  # which the protocol takes for 100
        raise ValueError("percent must be from 1 to 100")
    request = control_pb2.PromoteBuildRequest(
        build_id=build_id,
        percent=0 if automatic else percent,
        handlers=_names(handlers),
        automatic=automatic,
        request_id=new_request_id(),
        reason=reason,
        identity=identity or default_identity(),
    )
    response = yield from send_rpc("PromoteBuild", request, deadline_after(timeout), waits=False)
    return [*map(Route.of, response.routes)]


def roll_back(
    build_id: str, handlers: Iterable[str], reason: str, identity: str, timeout: float | None
) -> RpcFlow[list[Route]]:
    """Takes the last promotion of a build back; returns the changed routes."""
    request = control_pb2.RollBackBuildRequest(
        build_id=build_id,
        handlers=_names(handlers),
        request_id=new_request_id(),
        reason=reason,
        identity=identity or default_identity(),
    )
    response = yield from send_rpc("RollBackBuild", request, deadline_after(timeout), waits=False)
    return [*map(Route.of, response.routes)]


def drain(
    build_id: str, undo: bool, reason: str, identity: str, timeout: float | None
) -> RpcFlow[None]:
    """Gives a build no new invocations, or takes that back."""
    request = control_pb2.DrainBuildRequest(
        build_id=build_id, undo=undo, reason=reason, identity=identity or default_identity()
    )
    yield from send_rpc("DrainBuild", request, deadline_after(timeout), waits=False)


def repin(
    invocation_id: str, build_id: str | None, reason: str, identity: str, timeout: float | None
) -> RpcFlow[str]:
    """Moves an invocation to another build; returns its status after that."""
    request = control_pb2.RepinRequest(
        invocation_id=invocation_id,
        build_id=build_id or "",
        request_id=new_request_id(),
        reason=reason,
        identity=identity or default_identity(),
    )
    response = yield from send_rpc("Repin", request, deadline_after(timeout), waits=False)
    return status_word(response.state)


def _names(handlers: Iterable[str]) -> list[str]:
    if isinstance(handlers, str):
        raise TypeError("handlers takes several names, not one text: write [name]")
    return [*handlers]
