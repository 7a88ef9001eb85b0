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
from google.protobuf.duration_pb2 import Duration

from durable_proto.v1 import control_pb2, control_pb2_grpc, errors_pb2

from .. import __version__
from ..core import ids
from ..core.limits import Limits
from ..core.machine import Attached, Created, Done, Mismatch, Missing, Refused, Reply
from ..core.model import HandlerKind, Invocation
from ..core.records import Invoked, Removed, Resumed
from ..core.states import FINAL, RESTING
from ..processor.loop import Processor
from ..processor.waiting import ProcessorEndedError
from . import convert
from .listing import Listing
from .refusal import (
    Refusal,
    abort,
    answers,
    invalid,
    invalid_state,
    invocation_not_found,
    limit_reached,
    unavailable,
    unimplemented,
)

logger = logging.getLogger("durable.rpc")

PROTOCOL_VERSION = 1
Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class ControlService(control_pb2_grpc.DurableControlServicer):
    """The servicer of DurableControl over one processor."""

    def __init__(self, processor: Processor) -> None:
        self._processor = processor
        self._limits: Limits = processor.limits
        self._listing = Listing(processor)

    @answers
    async def Invoke(
        self, request: control_pb2.InvokeRequest, context: Context
    ) -> control_pb2.InvokeResponse:
        """Starts an invocation; see control.proto."""
        processor = self._processor
        self._admit()
        record, size, fresh = self._invoked(request)
        wait = self._wait(request.wait_timeout) if request.HasField("wait_timeout") else 0.0
        future = processor.propose(record, size, follow=wait > 0, fresh=fresh)
        reply = await self._within(future, record.invocation_id, wait)
        if isinstance(reply, Mismatch):
            raise _mismatch(reply, request)
        if isinstance(reply, Attached) and wait > 0:
            # The first request made it; this one waits for its end like any other.
            found = await self._rest(reply.invocation, wait)
            return self._invoke_response(found, request, created=False)
        if isinstance(reply, Created | Attached):
            created = isinstance(reply, Created)
            return self._invoke_response(reply.invocation, request, created=created)
        current = self._find(record.invocation_id)
        return self._invoke_response(current, request, created=True)

    @answers
    async def GetResult(
        self, request: control_pb2.GetResultRequest, context: Context
    ) -> control_pb2.GetResultResponse:
        """Returns how an invocation ended; see control.proto."""
        self._admit()
        found = self._find(request.invocation_id)
        wait = self._wait(request.wait_timeout) if request.HasField("wait_timeout") else 0.0
        if wait > 0:
            found = await self._rest(found, wait)
        response = control_pb2.GetResultResponse(
            invocation_id=found.id, state=convert.state_number(found.state), handler=found.handler
        )
        if found.outcome is not None:
            response.outcome.MergeFromString(found.outcome)
        elif found.fault is not None:
            response.last_failure.MergeFromString(found.fault.data)
        if request.include_journal:
            for row in self._processor.store.journal(found.number):
                convert.entry(row, response.journal.add())
        return response

    @answers
    async def GetInvocation(
        self, request: control_pb2.GetInvocationRequest, context: Context
    ) -> control_pb2.GetInvocationResponse:
        """Returns one invocation; see control.proto."""
        found = self._find(request.invocation_id)
        message = convert.invocation(found)
        if request.include_journal:
            for row in self._processor.store.journal(found.number):
                convert.entry(row, message.journal.add())
        return control_pb2.GetInvocationResponse(invocation=message)

    async def WatchInvocation(
        self, request: control_pb2.WatchInvocationRequest, context: Context
    ) -> AsyncIterator[control_pb2.WatchInvocationResponse]:
        """Streams an invocation as it changes; see control.proto."""
        changed = asyncio.Event()
        end = self._processor.waiting.watch(request.invocation_id, changed)
        seen: dict[int, int] = {}
        try:
            while True:
                found = self._find(request.invocation_id)
                message = convert.invocation(found)
                if request.include_journal:
                    for row in self._processor.store.journal(found.number):
                        if seen.get(row.position) != row.completion:
                            seen[row.position] = row.completion
                            convert.entry(row, message.journal.add())
                yield control_pb2.WatchInvocationResponse(invocation=message)
                if found.state in FINAL:
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
    async def Resume(
        self, request: control_pb2.ResumeRequest, context: Context
    ) -> control_pb2.ResumeResponse:
        """Lets a paused invocation go on; see control.proto."""
        limit = self._limits.text_bytes
        reason = convert.check_text("reason", request.reason, limit, "text_bytes")
        identity = convert.check_text("identity", request.identity, limit, "text_bytes")
        found = self._find(request.invocation_id)
        done = await self._change(Resumed(found.id, reason, identity), "resume", "paused")
        return control_pb2.ResumeResponse(state=convert.state_number(done.state))

    @answers
    async def Purge(
        self, request: control_pb2.PurgeRequest, context: Context
    ) -> control_pb2.PurgeResponse:
        """Removes a finished invocation; see control.proto."""
        found = self._find(request.invocation_id)
        await self._change(Removed(found.id), "purge", "completed, failed, cancelled")
        return control_pb2.PurgeResponse()

    @answers
    async def Pause(
        self, request: control_pb2.PauseRequest, context: Context
    ) -> control_pb2.PauseResponse:
        """Not built yet."""
        raise unimplemented("Pause")

    @answers
    async def Cancel(
        self, request: control_pb2.CancelRequest, context: Context
    ) -> control_pb2.CancelResponse:
        """Not built yet."""
        raise unimplemented("Cancel")

    @answers
    async def Restart(
        self, request: control_pb2.RestartRequest, context: Context
    ) -> control_pb2.RestartResponse:
        """Not built yet."""
        raise unimplemented("Restart")

    @answers
    async def Signal(
        self, request: control_pb2.SignalRequest, context: Context
    ) -> control_pb2.SignalResponse:
        """Not built yet."""
        raise unimplemented("Signal")

    @answers
    async def ResolveAwakeable(
        self, request: control_pb2.ResolveAwakeableRequest, context: Context
    ) -> control_pb2.ResolveAwakeableResponse:
        """Not built yet."""
        raise unimplemented("ResolveAwakeable")

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
            epoch=processor.partition.epoch,
            start_time=convert.timestamp(processor.started_ms),
            append_count=processor.appends,
        )

    # Parts

    def _admit(self) -> None:
        processor = self._processor
        if processor.ended.done():
            raise unavailable("ended", "the control plane is stopping")
        if processor.waiting.count >= self._limits.admission:
            raise limit_reached(
                "admission", self._limits.admission, "that many requests are waiting already"
            )

    def _invoked(self, request: control_pb2.InvokeRequest) -> tuple[Invoked, int, bool]:
        """Returns the record that a request asks for, its size, and whether its id is new."""
        processor, limits = self._processor, self._limits
        name = request.handler
        handler = processor.partition.handlers.get(name)
        if handler is None:
            raise self._unknown_handler(name)
        key = request.key
        if key:
            convert.check_text("key", key, limits.id_bytes, "id_bytes")
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
        fresh = False
        if request.idempotency_key:
            invocation_id = ids.from_name("key", name, key, request.idempotency_key, routing)
        elif request.request_id:
            invocation_id = ids.from_name("request", name, key, request.request_id, routing)
        else:
            invocation_id, fresh = ids.from_chance(secrets.token_hex(16), routing), True
        record = Invoked(
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
        return record, len(data) if data else 0, fresh

    def _start_ms(self, request: control_pb2.InvokeRequest) -> int:
        if request.HasField("delay"):
            if request.HasField("start_time"):
                raise invalid("start_time", "cannot be together with delay")
            delay = convert.from_duration("delay", request.delay)
            return self._processor.now_ms() + delay if delay else 0
        if request.HasField("start_time"):
            return max(0, convert.from_timestamp(request.start_time))
        return 0

    def _unknown_handler(self, name: str) -> Refusal:
        if not name:
            return invalid("handler", "is empty; name the handler to invoke")
        if not convert.HANDLER_NAME.fullmatch(name):
            shape = f"{len(name)} characters"
            return invalid("handler", f"must match {convert.HANDLER_NAME.pattern}", value=shape)
        close = difflib.get_close_matches(name, self._processor.partition.handlers, 10)
        hint = f"; did you mean {', '.join(close)}?" if close else ""
        return Refusal(
            grpc.StatusCode.NOT_FOUND,
            errors_pb2.ERROR_REASON_HANDLER_NOT_FOUND,
            f"no worker has ever registered a handler {name!r}{hint or ': start one that serves it'}",
            handler=name,
            known=",".join(close),
        )

    def _find(self, invocation_id: str) -> Invocation:
        if not invocation_id:
            raise invalid("invocation_id", "is empty")
        if not ids.PATTERN.fullmatch(invocation_id):
            raise invalid(
                "invocation_id",
                "is not an invocation id: 32 lower-case hexadecimal characters",
                value=f"{len(invocation_id)} characters",
            )
        found = self._processor.find(invocation_id)
        if found is None:
            raise invocation_not_found(invocation_id)
        return found

    def _wait(self, timeout: Duration) -> float:
        """Returns how many seconds a request may wait."""
        ms = convert.from_duration("wait_timeout", timeout)
        return min(ms / 1000, float(self._limits.wait_seconds))

    async def _rest(self, found: Invocation, wait: float) -> Invocation:
        """Returns the invocation at rest, or as it is when the time is up."""
        if found.state in RESTING:
            return found
        future = self._processor.follow(found.id)
        reply = await self._within(future, found.id, wait)
        return reply.invocation if isinstance(reply, Created) else self._find(found.id)

    async def _within(
        self, future: asyncio.Future[Reply], invocation_id: str, wait: float
    ) -> Reply:
        """Awaits a reply for at most `wait` seconds; None when the time is up.

        Without a wait the reply comes with the next commit, and is waited for as long as that takes.
        The timer is a plain handle: `asyncio.wait_for` costs several times as much per request.
        """
        handle = None
        if wait > 0:
            handle = asyncio.get_running_loop().call_later(wait, _expire, future)
        try:
            return await future
        except ProcessorEndedError as error:
            raise unavailable("ended", "the control plane has stopped") from error
        finally:
            if handle is not None:
                handle.cancel()
            if future.cancelled() or not future.done() or handle is not None:
                self._processor.waiting.unfollow(invocation_id, future)

    async def _change(self, record: Resumed | Removed, operation: str, allowed: str) -> Invocation:
        reply = await self._within(self._processor.propose(record), record.invocation_id, 0)
        if isinstance(reply, Missing):
            raise invocation_not_found(record.invocation_id)
        if isinstance(reply, Refused):
            it = reply.invocation
            raise invalid_state(it.id, convert.word(it.state), operation, allowed)
        assert isinstance(reply, Done)
        return reply.invocation

    def _invoke_response(
        self, found: Invocation, request: control_pb2.InvokeRequest, *, created: bool
    ) -> control_pb2.InvokeResponse:
        response = control_pb2.InvokeResponse(
            invocation_id=found.id, state=convert.state_number(found.state), created=created
        )
        if found.outcome is not None:
            response.outcome.MergeFromString(found.outcome)
            if request.include_journal:
                for row in self._processor.store.journal(found.number):
                    convert.entry(row, response.journal.add())
        return response


def _expire(future: asyncio.Future[Reply]) -> None:
    if not future.done():
        future.set_result(None)


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
