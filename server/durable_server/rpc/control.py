"""DurableControl: translates the requests of clients; what they lead to is decided in `requests`.

Each method checks the form of its message, calls a method of `requests`, and turns the result into a
message. Errors are translated in `refusal`. In a cluster, what belongs to another node is forwarded to
it (`forwarding`), and lists and counts are made of what all nodes have (`gathering`). The comments of
control.proto are the specification.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, Final, NamedTuple, TypeAlias

import grpc

from durable_proto.v1 import control_pb2, control_pb2_grpc

from .. import __version__
from ..access.access import EVERYTHING, Scope
from ..access.current import acting_as, current
from ..core.model import Invocation
from ..core.states import FINAL
from ..metrics.rpc_tally import RpcTally
from ..peers.interface import Peers
from ..processor.errors import InvocationNotFoundError, RequestError
from ..requests.build import Requests
from ..requests.invocations import NewInvocation
from . import convert
from .audited import Auditor, audited
from .authorized import authorized, shows_journal
from .cluster import NO_FACTS, ClusterFacts, of_one_node, of_topology
from .deployments import Builds
from .draining import Draining, no_cluster
from .export import exported
from .forwarding import METHODS, TAKEOVER_SECONDS, Forwarding, forwarded
from .gathering import SEARCH_SECONDS, Gathering
from .listing import Listing
from .object_state import ObjectStates
from .parts import Parts
from .patches import PatchLists
from .protocol import PROTOCOL_VERSION
from .refusal import Refusal, abort, answers, invalid
from .steering import Steering
from .topology import Changes, Listen, Topology
from .tracing import find_tracing, traced
from .watching import Watch

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
FIND_OWNER: Final = "FindOwner"
"""The method with which nodes ask each other to which invocation an awakeable belongs."""


class ClusterLinks(NamedTuple):
    """What a control plane that belongs to a cluster has to do with the other nodes."""

    topology: Topology
    peers: Peers
    listen_led: Listen
    """Hears when this node leads other partitions than before."""
    set_drained: Callable[[bool], None]
    """Makes this node lead nothing, or its share again."""
    takeover_seconds: float = TAKEOVER_SECONDS
    """How long requests wait for a leader."""
    search_seconds: float = SEARCH_SECONDS
    """How long lists and counts wait for one."""


class ControlService(control_pb2_grpc.DurableControlServicer):
    """The servicer of DurableControl."""

    def __init__(
        self,
        requests: Requests,
        tally: RpcTally,
        facts: ClusterFacts = NO_FACTS,
        cluster: ClusterLinks | None = None,
    ) -> None:
        self.tally = tally
        self.tracing = find_tracing()
        self.authorization = requests.authorization
        self.auditor: Auditor | None = None
        """Who notes the calls that change something, if an audit is kept."""
        self.address = ""
        """Where this process serves clients, once that is known."""
        self.listing = Listing(requests.reads, requests.limits)
        self.builds = Builds(requests, self.listing)
        self.patches = PatchLists(requests)
        self.parts = Parts(requests.reads, self.listing, self.builds, self.patches)
        """What this node answers to others about its partitions."""
        self.forwarding: Forwarding | None = None
        self._gathering: Gathering | None = None
        self._draining: Draining | None = None
        self._limits = requests.limits
        self._facts = facts
        self._cluster = cluster
        self._reads = requests.reads
        self._proposals = requests.proposals
        self._invocations = requests.invocations
        self._steering = Steering(requests)
        self._states = ObjectStates(requests)
        if cluster is not None:
            topology, peers = cluster.topology, cluster.peers
            changes = Changes(topology.listen, cluster.listen_led)
            self.forwarding = Forwarding(
                *(topology, peers, changes, requests.invocations.new_request_id),
                requests.limits,
                takeover_seconds=cluster.takeover_seconds,
            )
            self._gathering = Gathering(
                *(topology, peers, changes, self.parts, self.listing),
                requests.reads.partition_count,
                search_seconds=cluster.search_seconds,
            )
            self._draining = Draining(
                *(topology, peers, changes, cluster.set_drained),
                requests.limits,
            )

    def close(self) -> None:
        """Ends what waits for other nodes, because this process stops."""
        if self.forwarding is not None:
            self.forwarding.close()
        if self._draining is not None:
            self._draining.close()

    @answers
    @audited
    @traced
    @forwarded
    @authorized
    async def Invoke(
        self, request: control_pb2.InvokeRequest, context: Context
    ) -> control_pb2.InvokeResponse:
        """Starts an invocation; see control.proto."""
        wait = self._wait(request)
        found, created = await self._invocations.start(self._new_invocation(request), wait)
        return self._invoke_response(found, request, created=created)

    @answers
    @forwarded
    @authorized
    async def GetResult(
        self, request: control_pb2.GetResultRequest, context: Context
    ) -> control_pb2.GetResultResponse:
        """Returns how an invocation ended; see control.proto."""
        found = await self._invocations.result(request.invocation_id, self._wait(request))
        response = control_pb2.GetResultResponse(
            invocation_id=found.id, state=convert.state_number(found.state), handler=found.handler
        )
        if found.outcome is not None:
            response.outcome.MergeFromString(found.outcome)
        elif found.failure is not None:
            response.last_failure.MergeFromString(found.failure.data)
        if shows_journal(request, found.handler):
            for row in self._reads.journal(found):
                convert.entry(row, response.journal.add())
        return response

    @answers
    @forwarded
    @authorized
    async def GetInvocation(
        self, request: control_pb2.GetInvocationRequest, context: Context
    ) -> control_pb2.GetInvocationResponse:
        """Returns one invocation; see control.proto."""
        found = self._reads.find(request.invocation_id)
        message = convert.invocation(found)
        message.waiting_for_build = self._reads.waiting_for_build(found)
        if request.include_journal:
            reads = self._reads
            for row in reads.journal(found):
                convert.entry(row, message.journal.add())
            convert.failing_steps(found, message)
            for attempt in reads.attempts(found):
                convert.attempt(attempt, message.attempts.add())
            message.awakeables.extend(convert.awakeable(it) for it in reads.awakeables(found.id))
            for name, value in reads.state(found).items():
                message.workflow_state[name].MergeFromString(value)
        response = control_pb2.GetInvocationResponse(invocation=message)
        if self._gathering is not None and request.include_journal:
            elsewhere = self._reads.claimed_elsewhere(found)
            if elsewhere:
                await self._gathering.awakeables(response, elsewhere)
        return response

    async def WatchInvocation(
        self, request: control_pb2.WatchInvocationRequest, context: Context
    ) -> AsyncIterator[control_pb2.WatchInvocationResponse]:
        """Streams an invocation as it changes; see control.proto."""
        if self.forwarding is None:
            watch = self.watch(request, {})
        else:
            watch = self.forwarding.watch(request, self.watch)
        try:
            async with aclosing(watch) as messages:
                async for message in messages:
                    yield message
        except (Refusal, RequestError) as error:
            await abort(context, error)

    async def watch(
        self, request: control_pb2.WatchInvocationRequest, known: Mapping[int, int]
    ) -> AsyncGenerator[control_pb2.WatchInvocationResponse, None]:
        """Yields an invocation of a partition that is led here as it changes.

        `known` are the journal entries that the client has: completion numbers by index. Raises
        NotLeadingError or ProcessorEndedError when the partition is not led here any more.
        """
        access = current()
        if access is not EVERYTHING:
            self.authorization.invocation(access, (Scope.READ,), request.invocation_id)
        changed = asyncio.Event()
        watched = self._proposals.watch(request.invocation_id, changed)
        ends = [watched.end]
        if self._cluster is not None:

            def moved() -> None:
                if not self._reads.is_led(request.invocation_id):
                    changed.set()  # and `find` raises

            ends += (self._cluster.listen_led(moved), self._cluster.topology.listen(moved))
        watch = Watch(self._reads, journal=request.include_journal, known=known)
        try:
            while True:
                found = self._reads.find(request.invocation_id)
                # The invocation may change while a message is being sent.
                final = found.state in FINAL
                for message in watch.messages(found):
                    yield message
                if final:
                    return
                await changed.wait()
                changed.clear()
                watched.check()
        finally:
            for end in ends:
                end()

    def awakeable_of(self, request: Any) -> str:
        """Returns the awakeable that a request is about; see `authorized`."""
        return self._steering.awakeable_of(request)

    async def handler_of(self, invocation_id: str) -> str:
        """Returns the handler of an invocation, wherever it is led; see `authorized`.

        Raises InvocationNotFoundError, and other RequestErrors and Refusals.
        """
        if self.forwarding is None:
            return self._reads.find(invocation_id).handler
        request = control_pb2.GetInvocationRequest(invocation_id=invocation_id)

        def here(request: control_pb2.GetInvocationRequest) -> Awaitable[Any]:
            return METHODS["GetInvocation"](self, request, None)

        try:
            with acting_as(EVERYTHING):
                found = await self.forwarding.answer(
                    "GetInvocation", request, here, control_pb2.GetInvocationResponse
                )
        except Refusal as error:
            if error.reason == "INVOCATION_NOT_FOUND":
                raise InvocationNotFoundError(invocation_id) from None
            raise
        handler: str = found.invocation.handler
        return handler

    async def owner_of(self, awakeable_id: str) -> str:
        """Returns the invocation to which an awakeable belongs; see `authorized`."""
        if self.forwarding is None:
            return self.authorization.owner(awakeable_id)
        request = control_pb2.ResolveAwakeableRequest(awakeable_id=awakeable_id)
        found = await self.forwarding.answer(
            FIND_OWNER, request, self.find_owner, control_pb2.ResolveAwakeableResponse
        )
        owner: str = found.invocation_id
        return owner

    async def find_owner(
        self, request: control_pb2.ResolveAwakeableRequest, context: None = None
    ) -> control_pb2.ResolveAwakeableResponse:
        """Returns the invocation to which an awakeable that is led here belongs."""
        owner = self.authorization.owner(request.awakeable_id)
        return control_pb2.ResolveAwakeableResponse(invocation_id=owner)

    @answers
    async def Query(
        self, request: control_pb2.QueryRequest, context: Context
    ) -> control_pb2.QueryResponse:
        """Lists invocations; see control.proto."""
        if self._gathering is not None:
            return await self._gathering.query(request)
        return self.listing.query(request)

    @answers
    async def GetStats(
        self, request: control_pb2.GetStatsRequest, context: Context
    ) -> control_pb2.GetStatsResponse:
        """Counts invocations; see control.proto."""
        if self._gathering is not None:
            return await self._gathering.stats()
        return self.listing.stats()

    @answers
    async def ListHandlers(
        self, request: control_pb2.ListHandlersRequest, context: Context
    ) -> control_pb2.ListHandlersResponse:
        """Lists handlers; see control.proto."""
        if self._gathering is not None:
            return await self._gathering.handlers(request)
        return self.listing.handlers(request)

    @answers
    async def ListWorkers(
        self, request: control_pb2.ListWorkersRequest, context: Context
    ) -> control_pb2.ListWorkersResponse:
        """Lists connected workers; see control.proto."""
        if self._gathering is not None:
            return await self._gathering.workers()
        return self.listing.workers()

    @answers
    async def ListDeployments(
        self, request: control_pb2.ListDeploymentsRequest, context: Context
    ) -> control_pb2.ListDeploymentsResponse:
        """Lists builds and routes; see control.proto."""
        if self._gathering is not None:
            return await self._gathering.deployments()
        return self.builds.all()

    @answers
    @audited
    @forwarded
    @authorized
    async def PromoteBuild(
        self, request: control_pb2.PromoteBuildRequest, context: Context
    ) -> control_pb2.PromoteBuildResponse:
        """Makes a build the current one; see control.proto."""
        return await self.builds.promote(request)

    @answers
    @audited
    @forwarded
    @authorized
    async def RollBackBuild(
        self, request: control_pb2.RollBackBuildRequest, context: Context
    ) -> control_pb2.RollBackBuildResponse:
        """Takes a promotion back; see control.proto."""
        return await self.builds.roll_back(request)

    @answers
    @audited
    @forwarded
    @authorized
    async def DrainBuild(
        self, request: control_pb2.DrainBuildRequest, context: Context
    ) -> control_pb2.DrainBuildResponse:
        """Gives a build no new invocations; see control.proto."""
        return await self.builds.drain(request)

    @answers
    async def ListPatches(
        self, request: control_pb2.ListPatchesRequest, context: Context
    ) -> control_pb2.ListPatchesResponse:
        """Lists the patches in journals; see control.proto."""
        if self._gathering is not None:
            self.patches.check(request)
            return await self._gathering.patches(request)
        return self.patches.all(request)

    @answers
    @audited
    @forwarded
    @authorized
    async def Repin(
        self, request: control_pb2.RepinRequest, context: Context
    ) -> control_pb2.RepinResponse:
        """Moves an invocation to another build; see control.proto."""
        return await self.builds.repin(request)

    @answers
    @forwarded
    @authorized
    async def ExportInvocation(
        self, request: control_pb2.ExportInvocationRequest, context: Context
    ) -> control_pb2.ExportInvocationResponse:
        """Returns an invocation that can be replayed elsewhere; see control.proto."""
        return exported(self._reads, self._reads.find(request.invocation_id))

    @answers
    @audited
    @forwarded
    @authorized
    async def Pause(
        self, request: control_pb2.PauseRequest, context: Context
    ) -> control_pb2.PauseResponse:
        """Pauses an invocation; see control.proto."""
        return await self._steering.pause(request)

    @answers
    @audited
    @forwarded
    @authorized
    async def Resume(
        self, request: control_pb2.ResumeRequest, context: Context
    ) -> control_pb2.ResumeResponse:
        """Resumes a paused invocation; see control.proto."""
        return await self._steering.resume(request)

    @answers
    @audited
    @forwarded
    @authorized
    async def Cancel(
        self, request: control_pb2.CancelRequest, context: Context
    ) -> control_pb2.CancelResponse:
        """Cancels an invocation; see control.proto."""
        return await self._steering.cancel(request)

    @answers
    @audited
    @forwarded
    @authorized
    async def Restart(
        self, request: control_pb2.RestartRequest, context: Context
    ) -> control_pb2.RestartResponse:
        """Starts an invocation like an old one; see control.proto."""
        return await self._steering.restart(request)

    @answers
    @audited
    @forwarded
    @authorized
    async def Purge(
        self, request: control_pb2.PurgeRequest, context: Context
    ) -> control_pb2.PurgeResponse:
        """Removes a finished invocation; see control.proto."""
        return await self._steering.purge(request)

    @answers
    @audited
    @forwarded
    @authorized
    async def Signal(
        self, request: control_pb2.SignalRequest, context: Context
    ) -> control_pb2.SignalResponse:
        """Delivers a signal; see control.proto."""
        return await self._steering.signal(request)

    @answers
    @audited
    @forwarded
    @authorized
    async def ResolveAwakeable(
        self, request: control_pb2.ResolveAwakeableRequest, context: Context
    ) -> control_pb2.ResolveAwakeableResponse:
        """Gives an awakeable its outcome; see control.proto."""
        return await self._steering.resolve(request)

    @answers
    @audited
    @authorized
    async def CreateWebhook(
        self, request: control_pb2.CreateWebhookRequest, context: Context
    ) -> control_pb2.CreateWebhookResponse:
        """Returns a URL that resolves an awakeable; see control.proto."""
        return await self._steering.create_webhook(request)

    @answers
    @audited
    @forwarded
    @authorized
    async def RevokeWebhook(
        self, request: control_pb2.RevokeWebhookRequest, context: Context
    ) -> control_pb2.RevokeWebhookResponse:
        """Revokes one webhook or all of an awakeable; see control.proto."""
        return await self._steering.revoke_webhook(request)

    @answers
    @forwarded
    @authorized
    async def GetState(
        self, request: control_pb2.GetStateRequest, context: Context
    ) -> control_pb2.GetStateResponse:
        """Returns a state; see control.proto."""
        return self._states.get(request)

    @answers
    @audited
    @forwarded
    @authorized
    async def SetState(
        self, request: control_pb2.SetStateRequest, context: Context
    ) -> control_pb2.SetStateResponse:
        """Changes the state of an object's key; see control.proto."""
        return await self._states.set(request)

    @answers
    async def GetServerInfo(
        self, request: control_pb2.GetServerInfoRequest, context: Context
    ) -> control_pb2.GetServerInfoResponse:
        """Describes this control plane; see control.proto."""
        response = control_pb2.GetServerInfoResponse(
            version=__version__,
            protocol_version_min=PROTOCOL_VERSION,
            protocol_version_max=PROTOCOL_VERSION,
            limits=self._limits._asdict(),
            partition_count=self._reads.partition_count,
        )
        if self._gathering is not None:
            await self._gathering.server(response)
        else:
            response.MergeFrom(self.parts.leader())
        return response

    @answers
    async def GetCluster(
        self, request: control_pb2.GetClusterRequest, context: Context
    ) -> control_pb2.GetClusterResponse:
        """Describes the nodes and the partitions; see control.proto."""
        count = self._reads.partition_count
        if self._cluster is not None:
            return of_topology(self._facts, count, self._cluster.topology)
        return of_one_node(self._facts, count, self.address, self._reads.leads())

    @answers
    @audited
    async def DrainNode(
        self, request: control_pb2.DrainNodeRequest, context: Context
    ) -> control_pb2.DrainNodeResponse:
        """Makes a node lead nothing, or its share again; see control.proto."""
        if self._draining is None:
            raise no_cluster(request.node)
        return await self._draining.answer(request)

    async def drain_here(
        self, request: control_pb2.DrainNodeRequest, context: None
    ) -> control_pb2.DrainNodeResponse:
        """Executes a DrainNode that names this node, for another one."""
        assert self._draining is not None
        return await self._draining.here(request)

    # Parts

    def _wait(self, request: control_pb2.InvokeRequest | control_pb2.GetResultRequest) -> float:
        if not request.HasField("wait_timeout"):
            return 0.0
        return convert.wait_seconds(request.wait_timeout, self._limits.wait_seconds)

    def _new_invocation(self, request: control_pb2.InvokeRequest) -> NewInvocation:
        """Returns what a request wants to start."""
        limits = self._limits
        if request.key:
            convert.check_text("key", request.key, limits.id_bytes, "id_bytes")
            if "\0" in request.key:
                raise invalid("key", "must not contain a NUL character")
        for field in ("partition_key", "service", "idempotency_key", "request_id"):
            if text := getattr(request, field):
                convert.check_text(field, text, limits.id_bytes, "id_bytes")
        data = None
        if request.HasField("input"):
            data = convert.payload_bytes("input", request.input, limits.payload_bytes)
        delay_ms = start_ms = 0
        if request.HasField("delay"):
            if request.HasField("start_time"):
                raise invalid("start_time", "cannot be together with delay")
            delay_ms = convert.from_duration("delay", request.delay)
        elif request.HasField("start_time"):
            start_ms = max(0, convert.from_timestamp("start_time", request.start_time))
        return NewInvocation(
            request.handler,
            data,
            request.key,
            convert.headers(request.headers.items(), limits) if request.headers else (),
            request.service,
            request.partition_key,
            request.idempotency_key,
            request.request_id,
            delay_ms,
            start_ms,
            request.priority,
        )

    def _invoke_response(
        self, found: Invocation, request: control_pb2.InvokeRequest, *, created: bool
    ) -> control_pb2.InvokeResponse:
        response = control_pb2.InvokeResponse(
            invocation_id=found.id, state=convert.state_number(found.state), created=created
        )
        if found.outcome is not None:
            response.outcome.MergeFromString(found.outcome)
            if shows_journal(request, found.handler):
                for row in self._reads.journal(found):
                    convert.entry(row, response.journal.add())
        return response
