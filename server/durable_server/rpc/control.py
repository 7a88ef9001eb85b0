"""DurableControl: translates the requests of clients; what they lead to is decided in `requests`.

Each method checks the form of its message, calls a method of `requests`, and turns the result into a
message. Errors are translated in `refusal`. The comments of control.proto are the specification.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import grpc

from durable_proto.v1 import control_pb2, control_pb2_grpc

from .. import __version__
from ..core.model import Invocation
from ..core.states import FINAL
from ..metrics.rpc_tally import RpcTally
from ..processor.errors import RequestError
from ..requests.build import Requests
from ..requests.invocations import NewInvocation
from . import convert
from .listing import Listing
from .object_state import ObjectStates
from .protocol import PROTOCOL_VERSION
from .refusal import Refusal, abort, answers, invalid
from .steering import Steering
from .tracing import find_tracing
from .watching import Watch

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class ControlService(control_pb2_grpc.DurableControlServicer):
    """The servicer of DurableControl."""

    def __init__(self, requests: Requests, tally: RpcTally) -> None:
        self.tally = tally
        self._limits = requests.limits
        self._reads = requests.reads
        self._proposals = requests.proposals
        self._invocations = requests.invocations
        self._tracing = find_tracing()
        self._listing = Listing(requests.reads, requests.limits)
        self._steering = Steering(requests)
        self._states = ObjectStates(requests)

    @answers
    async def Invoke(
        self, request: control_pb2.InvokeRequest, context: Context
    ) -> control_pb2.InvokeResponse:
        """Starts an invocation; see control.proto."""
        if self._tracing is None:
            return await self._invoke(request)
        with self._tracing.span(request) as span:
            response = await self._invoke(request)
            span.set_attribute("durable.invocation_id", response.invocation_id)
            return response

    async def _invoke(self, request: control_pb2.InvokeRequest) -> control_pb2.InvokeResponse:
        wait = self._wait(request)
        found, created = await self._invocations.start(self._new_invocation(request), wait)
        return self._invoke_response(found, request, created=created)

    @answers
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
        if request.include_journal:
            for row in self._reads.journal(found):
                convert.entry(row, response.journal.add())
        return response

    @answers
    async def GetInvocation(
        self, request: control_pb2.GetInvocationRequest, context: Context
    ) -> control_pb2.GetInvocationResponse:
        """Returns one invocation; see control.proto."""
        found = self._reads.find(request.invocation_id)
        message = convert.invocation(found)
        if request.include_journal:
            reads = self._reads
            for row in reads.journal(found):
                convert.entry(row, message.journal.add())
            convert.failing_steps(found, message)
            message.awakeables.extend(convert.awakeable(it) for it in reads.awakeables(found))
            for name, value in reads.state(found).items():
                message.workflow_state[name].MergeFromString(value)
        return control_pb2.GetInvocationResponse(invocation=message)

    async def WatchInvocation(
        self, request: control_pb2.WatchInvocationRequest, context: Context
    ) -> AsyncIterator[control_pb2.WatchInvocationResponse]:
        """Streams an invocation as it changes; see control.proto."""
        changed = asyncio.Event()
        end = self._proposals.watch(request.invocation_id, changed)
        watch = Watch(self._reads, journal=request.include_journal)
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
        except (Refusal, RequestError) as error:
            await abort(context, error)
        finally:
            end()

    @answers
    async def Query(
        self, request: control_pb2.QueryRequest, context: Context
    ) -> control_pb2.QueryResponse:
        """Lists invocations; see control.proto."""
        return self._listing.query(request)

    @answers
    async def GetStats(
        self, request: control_pb2.GetStatsRequest, context: Context
    ) -> control_pb2.GetStatsResponse:
        """Counts invocations; see control.proto."""
        return self._listing.stats()

    @answers
    async def ListHandlers(
        self, request: control_pb2.ListHandlersRequest, context: Context
    ) -> control_pb2.ListHandlersResponse:
        """Lists handlers; see control.proto."""
        return self._listing.handlers(request)

    @answers
    async def ListWorkers(
        self, request: control_pb2.ListWorkersRequest, context: Context
    ) -> control_pb2.ListWorkersResponse:
        """Lists connected workers; see control.proto."""
        return self._listing.workers()

    @answers
    async def Pause(
        self, request: control_pb2.PauseRequest, context: Context
    ) -> control_pb2.PauseResponse:
        """Pauses an invocation; see control.proto."""
        return await self._steering.pause(request)

    @answers
    async def Resume(
        self, request: control_pb2.ResumeRequest, context: Context
    ) -> control_pb2.ResumeResponse:
        """Resumes a paused invocation; see control.proto."""
        return await self._steering.resume(request)

    @answers
    async def Cancel(
        self, request: control_pb2.CancelRequest, context: Context
    ) -> control_pb2.CancelResponse:
        """Cancels an invocation; see control.proto."""
        return await self._steering.cancel(request)

    @answers
    async def Restart(
        self, request: control_pb2.RestartRequest, context: Context
    ) -> control_pb2.RestartResponse:
        """Starts an invocation like an old one; see control.proto."""
        return await self._steering.restart(request)

    @answers
    async def Purge(
        self, request: control_pb2.PurgeRequest, context: Context
    ) -> control_pb2.PurgeResponse:
        """Removes a finished invocation; see control.proto."""
        return await self._steering.purge(request)

    @answers
    async def Signal(
        self, request: control_pb2.SignalRequest, context: Context
    ) -> control_pb2.SignalResponse:
        """Delivers a signal; see control.proto."""
        return await self._steering.signal(request)

    @answers
    async def ResolveAwakeable(
        self, request: control_pb2.ResolveAwakeableRequest, context: Context
    ) -> control_pb2.ResolveAwakeableResponse:
        """Gives an awakeable its outcome; see control.proto."""
        return await self._steering.resolve(request)

    @answers
    async def CreateWebhook(
        self, request: control_pb2.CreateWebhookRequest, context: Context
    ) -> control_pb2.CreateWebhookResponse:
        """Returns a URL that resolves an awakeable; see control.proto."""
        return await self._steering.create_webhook(request)

    @answers
    async def GetState(
        self, request: control_pb2.GetStateRequest, context: Context
    ) -> control_pb2.GetStateResponse:
        """Returns a state; see control.proto."""
        return self._states.get(request)

    @answers
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
        server = self._reads.server()
        return control_pb2.GetServerInfoResponse(
            version=__version__,
            protocol_version_min=PROTOCOL_VERSION,
            protocol_version_max=PROTOCOL_VERSION,
            limits=self._limits._asdict(),
            epoch=server.epoch,
            start_time=convert.timestamp(server.started_ms),
            append_count=server.append_count,
            time=convert.timestamp(server.now_ms),
            partition_count=server.partition_count,
        )

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
            if request.include_journal:
                for row in self._reads.journal(found):
                    convert.entry(row, response.journal.add())
        return response
