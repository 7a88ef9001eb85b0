"""DurableControl: what clients ask, translated into records and reads.

Each method checks its request, hands a record to the processor or reads what is committed, and turns
the reply into a message. The comments of control.proto are the specification.
"""

from __future__ import annotations

import asyncio
import difflib
import logging
import secrets
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import grpc

from durable_proto.v1 import control_pb2, control_pb2_grpc, errors_pb2

from .. import __version__
from ..core import ids
from ..core.limits import Limits
from ..core.model import HandlerKind, Invocation
from ..core.records import Invoked
from ..core.replies import Attached, Created, Mismatch
from ..core.states import FINAL
from ..processor.loop import Processor
from ..webhooks.service import Webhooks
from . import convert
from .listing import Listing
from .object_state import States
from .queries import Asking
from .refusal import Refusal, abort, answers, invalid
from .steering import Steering
from .tracing import find_tracing
from .watching import Following
from .webhooks import Urls

logger = logging.getLogger("durable.rpc")

PROTOCOL_VERSION = 1
Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class ControlService(control_pb2_grpc.DurableControlServicer):
    """The servicer of DurableControl over one processor."""

    def __init__(self, processor: Processor, webhooks: Webhooks | None) -> None:
        self._processor = processor
        self._limits: Limits = processor.limits
        self._tracing = find_tracing()
        self.tally = processor.tally
        self._asking = Asking(processor)
        self._listing = Listing(processor)
        self._steering = Steering(processor, self._asking)
        self._states = States(processor, self._asking)
        self._urls = Urls(processor, webhooks)

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
        processor = self._processor
        self._asking.admit()
        record = self._invoked(request)
        wait = self._asking.wait(request.wait_timeout) if request.HasField("wait_timeout") else 0.0
        until = asyncio.get_running_loop().time() + wait if wait > 0 else 0.0
        future = processor.inputs.propose(record, settle_by=until)
        reply = await self._asking.within(future, record.invocation_id, wait)
        if isinstance(reply, Mismatch):
            raise _mismatch(reply, request)
        if isinstance(reply, Attached) and wait > 0:
            # The first request made it; this one waits for its end like any other.
            found = await self._asking.rest(reply.invocation, wait)
            return self._invoke_response(found, request, created=False)
        if isinstance(reply, Created | Attached):
            created = isinstance(reply, Created)
            return self._invoke_response(reply.invocation, request, created=created)
        current = self._asking.find(record.invocation_id)
        return self._invoke_response(current, request, created=True)

    @answers
    async def GetResult(
        self, request: control_pb2.GetResultRequest, context: Context
    ) -> control_pb2.GetResultResponse:
        """Returns how an invocation ended; see control.proto."""
        self._asking.admit()
        found = self._asking.find(request.invocation_id)
        wait = self._asking.wait(request.wait_timeout) if request.HasField("wait_timeout") else 0.0
        if wait > 0:
            found = await self._asking.rest(found, wait)
        response = control_pb2.GetResultResponse(
            invocation_id=found.id, state=convert.state_number(found.state), handler=found.handler
        )
        if found.outcome is not None:
            response.outcome.MergeFromString(found.outcome)
        elif found.failure is not None:
            response.last_failure.MergeFromString(found.failure.data)
        if request.include_journal:
            for row in self._asking.journal(found):
                convert.entry(row, response.journal.add())
        return response

    @answers
    async def GetInvocation(
        self, request: control_pb2.GetInvocationRequest, context: Context
    ) -> control_pb2.GetInvocationResponse:
        """Returns one invocation; see control.proto."""
        found = self._asking.find(request.invocation_id)
        message = convert.invocation(found)
        if request.include_journal:
            store = self._processor.store
            for row in self._asking.journal(found):
                convert.entry(row, message.journal.add())
            convert.failing_steps(found, message)
            message.awakeables.extend(convert.awakeable(it) for it in store.awakeables(found.id))
            for name, value in store.state(found.state_owner).items():
                message.workflow_state[name].MergeFromString(value)
        return control_pb2.GetInvocationResponse(invocation=message)

    async def WatchInvocation(
        self, request: control_pb2.WatchInvocationRequest, context: Context
    ) -> AsyncIterator[control_pb2.WatchInvocationResponse]:
        """Streams an invocation as it changes; see control.proto."""
        changed = asyncio.Event()
        end = self._processor.subscriptions.watch(request.invocation_id, changed)
        following = Following(self._processor.store, journal=request.include_journal)
        try:
            while True:
                found = self._asking.find(request.invocation_id)
                # What is found may change while a message is being sent.
                final = found.state in FINAL
                for message in following.messages(found):
                    yield message
                if final:
                    return
                await changed.wait()
                changed.clear()
        except Refusal as error:
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
        """Holds an invocation; see control.proto."""
        return await self._steering.pause(request)

    @answers
    async def Resume(
        self, request: control_pb2.ResumeRequest, context: Context
    ) -> control_pb2.ResumeResponse:
        """Lets a paused invocation go on; see control.proto."""
        return await self._steering.resume(request)

    @answers
    async def Cancel(
        self, request: control_pb2.CancelRequest, context: Context
    ) -> control_pb2.CancelResponse:
        """Asks an invocation to end; see control.proto."""
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
        return await self._urls.create(request)

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
        processor = self._processor
        return control_pb2.GetServerInfoResponse(
            version=__version__,
            protocol_version_min=PROTOCOL_VERSION,
            protocol_version_max=PROTOCOL_VERSION,
            limits=self._limits._asdict(),
            epoch=processor.epoch,
            start_time=convert.timestamp(processor.started_ms),
            append_count=processor.tally.append_seconds.count,
            time=convert.timestamp(processor.now_ms()),
        )

    # Parts

    def _invoked(self, request: control_pb2.InvokeRequest) -> Invoked:
        """Returns the record that a request asks for."""
        processor, limits = self._processor, self._limits
        name = request.handler
        handler = processor.partition.handlers.get(name)
        if handler is None:
            raise self._unknown_handler(name)
        key = request.key
        if key:
            convert.check_text("key", key, limits.id_bytes, "id_bytes")
            if "\0" in key:
                raise invalid("key", "must not contain a NUL character")
            if handler.kind == HandlerKind.WORKFLOW:
                raise invalid("key", f"{name} is not a keyed handler; leave the key out")
        elif handler.kind != HandlerKind.WORKFLOW:
            raise invalid("key", f"{name} is a keyed handler; say which key it is for")
        for field in ("partition_key", "service", "idempotency_key", "request_id"):
            if text := getattr(request, field):
                convert.check_text(field, text, limits.id_bytes, "id_bytes")
        if key and request.partition_key:
            raise invalid("partition_key", "the key chooses the partition; leave one of them out")
        given = request.input if request.HasField("input") else None
        data = (
            None if given is None else convert.payload_bytes("input", given, limits.payload_bytes)
        )
        routing = key or request.partition_key
        if request.idempotency_key:
            invocation_id = ids.from_name("key", name, key, request.idempotency_key, routing)
        elif request.request_id:
            invocation_id = ids.from_name("request", name, key, request.request_id, routing)
        else:
            invocation_id = ids.from_chance(secrets.token_hex(16), routing)
        return Invoked(
            invocation_id,
            name,
            data,
            key,
            convert.headers(request.headers.items(), limits) if request.headers else (),
            request.service,
            request.partition_key,
            request.idempotency_key,
            self._start_ms(request),
            "",
            request.priority,
        )

    def _start_ms(self, request: control_pb2.InvokeRequest) -> int:
        if request.HasField("delay"):
            if request.HasField("start_time"):
                raise invalid("start_time", "cannot be together with delay")
            delay = convert.from_duration("delay", request.delay)
            return self._processor.now_ms() + delay if delay else 0
        if request.HasField("start_time"):
            return max(0, convert.from_timestamp("start_time", request.start_time))
        return 0

    def _unknown_handler(self, name: str) -> Refusal:
        if not name:
            return invalid("handler", "is empty; name the handler to invoke")
        if not convert.HANDLER_NAME.fullmatch(name):
            shape = f"{len(name)} characters"
            return invalid("handler", f"must match {convert.HANDLER_NAME.pattern}", value=shape)
        close = difflib.get_close_matches(name, self._processor.partition.handlers, 10)
        hint = ": start a worker that serves it, or correct the name"
        if close:
            hint = f"; did you mean {', '.join(close)}?"
        return Refusal(
            grpc.StatusCode.NOT_FOUND,
            errors_pb2.ERROR_REASON_HANDLER_NOT_FOUND,
            f"no worker has ever registered a handler {name!r}{hint}",
            handler=name,
            known=",".join(close),
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
                for row in self._asking.journal(found):
                    convert.entry(row, response.journal.add())
        return response


def _mismatch(reply: Mismatch, request: control_pb2.InvokeRequest) -> Refusal:
    by = "idempotency_key" if request.idempotency_key else "request_id"
    return Refusal(
        grpc.StatusCode.ALREADY_EXISTS,
        errors_pb2.ERROR_REASON_IDEMPOTENCY_MISMATCH,
        f"{by} was used before with another {reply.field}, for invocation {reply.invocation.id}; "
        f"use a new {by} for a new request",
        invocation_id=reply.invocation.id,
        field=reply.field,
    )
