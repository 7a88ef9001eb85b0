"""The requests about builds, translated for DurableControl, and the list of all deployments.

The list is made of parts (`part`), one of each node: what its partitions know of builds. `merged` puts
them together with the connected workers. A build that only an invocation or a worker names is listed
too: it may be what something waits for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from durable_proto.v1 import control_pb2

from ..core.model import Route
from ..requests.build import Requests
from ..requests.invocations import Reason
from . import convert
from .listing import Listing
from .refusal import invalid

_Request = (
    control_pb2.PromoteBuildRequest
    | control_pb2.RollBackBuildRequest
    | control_pb2.DrainBuildRequest
    | control_pb2.RepinRequest
)


class Builds:
    """Translates ListDeployments, PromoteBuild, RollBackBuild, DrainBuild and Repin."""

    def __init__(self, requests: Requests, listing: Listing) -> None:
        self._deployments = requests.deployments
        self._reads = requests.reads
        self._listing = listing
        self._limits = requests.limits

    def all(self) -> control_pb2.ListDeploymentsResponse:
        """Returns the builds and routes of a system whose partitions are all led here."""
        part = self.part(range(self._reads.partition_count))
        return merged([part], self._listing.workers(), [])

    def part(self, partitions: Collection[int]) -> control_pb2.ListDeploymentsResponse:
        """Returns what partitions that are led here know.

        There `drained` says only that the build gets no new invocations.
        """
        found = self._deployments.part(partitions)
        response = control_pb2.ListDeploymentsResponse(routes=map(_route, found.routes))
        for it in found.deployments:
            response.deployments.add(
                build_id=it.build_id,
                handlers=it.handlers,
                create_time=convert.timestamp(it.created_ms),
                draining=it.draining,
                drained=it.build_id in found.idle,
            )
        known = {it.build_id: it for it in response.deployments}
        for build_id in {**found.pinned, **found.waiting}:
            message = known.get(build_id) or response.deployments.add(build_id=build_id)
            message.pinned_count = found.pinned.get(build_id, 0)
            message.waiting_count = found.waiting.get(build_id, 0)
        return response

    async def promote(
        self, request: control_pb2.PromoteBuildRequest
    ) -> control_pb2.PromoteBuildResponse:
        """Makes a build the current one of its handlers, or gives it a share of new invocations."""
        if not 0 <= request.percent <= 100:
            raise invalid("percent", "must be from 1 to 100, or 0 for 100", value=request.percent)
        if request.automatic and request.percent:
            raise invalid("percent", "cannot be together with automatic", value=request.percent)
        routes = await self._deployments.promote(
            self._build_id(request),
            self._handlers(request),
            request.percent or 100,
            self._reason(request),
            automatic=request.automatic,
        )
        return control_pb2.PromoteBuildResponse(routes=map(_route, routes))

    async def roll_back(
        self, request: control_pb2.RollBackBuildRequest
    ) -> control_pb2.RollBackBuildResponse:
        """Takes the last promotion of a build back."""
        routes = await self._deployments.roll_back(
            self._build_id(request), self._handlers(request), self._reason(request)
        )
        return control_pb2.RollBackBuildResponse(routes=map(_route, routes))

    async def drain(self, request: control_pb2.DrainBuildRequest) -> control_pb2.DrainBuildResponse:
        """Gives a build no new invocations, or takes that back."""
        await self._deployments.drain(
            self._build_id(request), self._reason(request), undo=request.undo
        )
        return control_pb2.DrainBuildResponse()

    async def repin(self, request: control_pb2.RepinRequest) -> control_pb2.RepinResponse:
        """Moves an invocation to another build."""
        state = await self._deployments.repin(
            request.invocation_id, self._build_id(request), self._reason(request)
        )
        return control_pb2.RepinResponse(state=convert.state_number(state))

    def _build_id(self, request: _Request) -> str:
        limit = self._limits.id_bytes
        return convert.check_text("build_id", request.build_id, limit, "id_bytes")

    def _handlers(
        self, request: control_pb2.PromoteBuildRequest | control_pb2.RollBackBuildRequest
    ) -> list[str]:
        limit = self._limits.id_bytes
        return [convert.check_text("handlers", it, limit, "id_bytes") for it in request.handlers]

    def _reason(self, request: _Request) -> Reason:
        request_id = ""
        if not isinstance(request, control_pb2.DrainBuildRequest):
            request_id = request.request_id
        return convert.reason(request.reason, request.identity, request_id, self._limits)


def merged(
    parts: Iterable[control_pb2.ListDeploymentsResponse],
    workers: control_pb2.ListWorkersResponse,
    missing: Collection[int],
) -> control_pb2.ListDeploymentsResponse:
    """Returns the list of all deployments, of the parts of all partitions but the missing ones.

    The registered builds come first, the latest before the others; then the others by name.
    """
    builds: dict[str, control_pb2.Deployment] = {}
    registered: list[str] = []
    response = control_pb2.ListDeploymentsResponse(missing_partitions=missing)
    for part in parts:
        response.routes.extend(part.routes)
        for it in part.deployments:
            known = builds.setdefault(it.build_id, control_pb2.Deployment(build_id=it.build_id))
            known.MergeFrom(_without_counts(it))
            known.pinned_count += it.pinned_count
            known.waiting_count += it.waiting_count
            if it.HasField("create_time"):  # of partition 0, which has them in order
                registered.append(it.build_id)
    for worker in workers.workers:
        if worker.build_id:
            build = worker.build_id
            known = builds.setdefault(build, control_pb2.Deployment(build_id=build))
            known.worker_count += 1
            known.running_count += worker.running_count
            if build not in registered:
                known.handlers[:] = sorted({*known.handlers, *worker.handlers})
    for known in builds.values():
        needed = known.pinned_count or known.running_count or missing
        known.drained = known.drained and not needed
    _keep_the_last(response.routes, workers, builds)
    others = sorted(builds.keys() - {*registered})
    response.deployments.extend(builds[it] for it in (*registered, *others))
    return response


def _keep_the_last(
    routes: Iterable[control_pb2.Route],
    workers: control_pb2.ListWorkersResponse,
    builds: Mapping[str, control_pb2.Deployment],
) -> None:
    """Takes back that a build is drained if it has the only workers of a handler without a route.

    Such a handler's new invocations go to them although the build drains, so they may not be stopped.
    """
    routed = {it.handler for it in routes}
    served = {
        name
        for worker in workers.workers
        if not (worker.draining or (worker.build_id and builds[worker.build_id].draining))
        for name in worker.handlers
    }
    for worker in workers.workers:
        build = builds.get(worker.build_id)
        if build is not None and not {*worker.handlers} <= {*routed, *served}:
            build.drained = False


def _without_counts(it: control_pb2.Deployment) -> control_pb2.Deployment:
    found = control_pb2.Deployment()
    found.CopyFrom(it)
    found.pinned_count = found.waiting_count = 0
    return found


def _route(it: Route) -> control_pb2.Route:
    return control_pb2.Route(
        handler=it.handler,
        build_id=it.build_id,
        ramping_build_id=it.ramping,
        ramping_percent=it.percent,
        previous_build_id=it.previous,
        update_time=convert.timestamp(it.changed_ms),
        identity=it.identity,
        reason=it.reason,
    )
