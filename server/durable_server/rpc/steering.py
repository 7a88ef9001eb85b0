"""The steering half of DurableControl: what people and webhooks do to invocations that exist."""

from __future__ import annotations

import asyncio
import secrets

import grpc

from durable_proto.v1 import control_pb2, errors_pb2

from ..core.model import Invocation, State
from ..core.records import (
    AwakeableResolved,
    CancelAsked,
    PauseAsked,
    Record,
    Removed,
    Restarted,
    Resumed,
    Signalled,
)
from ..core.replies import (
    Attached,
    Conflict,
    Created,
    Done,
    Full,
    Missing,
    Refused,
    Reply,
    Resolved,
)
from ..core.restart import restart_id
from ..display import failure_text, value_text
from ..processor.loop import Processor
from . import convert
from .declared import Declared, Misfit
from .queries import Asking
from .refusal import (
    Refusal,
    invalid,
    invalid_state,
    invocation_not_found,
    limit_reached,
)

_SHOWN = 200
"""Characters of an outcome in an error."""
_UNFINISHED = "scheduled, pending, running, suspended, backing_off, paused"


class Steering:
    """Changes invocations of one processor."""

    def __init__(self, processor: Processor, asking: Asking) -> None:
        self._processor = processor
        self._asking = asking
        self._declared = Declared(processor)

    async def pause(self, request: control_pb2.PauseRequest) -> control_pb2.PauseResponse:
        """Holds an invocation, and waits for steps in flight if that is asked for."""
        reason, identity = self._words(request)
        wait = 0.0
        if request.HasField("wait_timeout"):
            wait = self._asking.wait(request.wait_timeout)
        found = self._asking.find(request.invocation_id)
        record = PauseAsked(found.id, reason, identity, self._request_id(request))
        state = await self._change(record, found.id, "pause", _UNFINISHED)
        if wait > 0 and state is State.RUNNING:
            state = await self._settled(found.id, wait)
        return control_pb2.PauseResponse(state=convert.state_number(state))

    async def _settled(self, invocation_id: str, wait: float) -> State:
        """Waits until a pause that was asked for has happened or cannot any more."""
        changed = asyncio.Event()
        end = self._processor.waiting.watch(invocation_id, changed)
        deadline = asyncio.get_running_loop().time() + wait
        try:
            while True:
                found = self._asking.find(invocation_id)
                if found.state is not State.RUNNING or not found.pause_ms:
                    return found.state
                try:
                    async with asyncio.timeout_at(deadline):
                        await changed.wait()
                except TimeoutError:
                    return found.state
                changed.clear()
        finally:
            end()

    async def resume(self, request: control_pb2.ResumeRequest) -> control_pb2.ResumeResponse:
        """Lets a paused invocation go on, or begins an attempt that backs off, now."""
        reason, identity = self._words(request)
        found = self._asking.find(request.invocation_id)
        record = Resumed(found.id, reason, identity, self._request_id(request))
        state = await self._change(record, found.id, "resume", "paused, backing_off")
        return control_pb2.ResumeResponse(state=convert.state_number(state))

    async def cancel(self, request: control_pb2.CancelRequest) -> control_pb2.CancelResponse:
        """Asks an invocation to end."""
        reason, identity = self._words(request)
        found = self._asking.find(request.invocation_id)
        request_id = self._request_id(request)
        record = CancelAsked(found.id, reason, identity, request_id, request.force)
        state = await self._change(record, found.id, "cancel", f"{_UNFINISHED}, cancelled")
        return control_pb2.CancelResponse(state=convert.state_number(state))

    async def restart(self, request: control_pb2.RestartRequest) -> control_pb2.RestartResponse:
        """Starts an invocation like an old one."""
        self._words(request)
        limits = self._processor.limits
        found = self._asking.find(request.invocation_id)
        if not 0 <= request.from_index <= limits.journal_entries:
            problem = f"must be from 0 to {limits.journal_entries}"
            raise invalid("from_index", problem, value=request.from_index)
        data = None
        if request.HasField("input"):
            if request.from_index:
                raise invalid("input", "a journal's beginning belongs to its input; leave one out")
            data = convert.payload_bytes("input", request.input, limits.payload_bytes)
        new_id = restart_id(found.id, self._request_id(request) or secrets.token_hex(16))
        record = Restarted(new_id, found.id, request.from_index, data)
        reply = await self._asking.propose(record)
        if isinstance(reply, Created | Attached):
            return control_pb2.RestartResponse(invocation_id=reply.invocation.id)
        raise _refusal(reply, found.id, "restart", "completed, failed, cancelled, paused")

    async def purge(self, request: control_pb2.PurgeRequest) -> control_pb2.PurgeResponse:
        """Removes a finished invocation."""
        found = self._asking.find(request.invocation_id)
        await self._change(Removed(found.id), found.id, "purge", "completed, failed, cancelled")
        return control_pb2.PurgeResponse()

    async def signal(self, request: control_pb2.SignalRequest) -> control_pb2.SignalResponse:
        """Delivers a signal."""
        limits = self._processor.limits
        if not request.name:
            raise invalid("name", "is empty; say which signal it is")
        convert.check_text("name", request.name, limits.id_bytes, "id_bytes")
        found = self._asking.find(request.invocation_id)
        outcome = convert.outcome_bytes("outcome", request.outcome, limits.payload_bytes)
        if request.outcome.HasField("value"):
            _refuse(self._declared.signal(found.id, request.name, request.outcome.value))
        record = Signalled(
            found.id, request.name, outcome, self._request_id(request), limits.signals
        )
        reply = await self._asking.propose(record)
        if isinstance(reply, Full):
            raise limit_reached("signals", limits.signals, "that many wait in the invocation")
        if not isinstance(reply, Done):
            raise _refusal(reply, found.id, "signal", _UNFINISHED)
        return control_pb2.SignalResponse()

    async def resolve(
        self, request: control_pb2.ResolveAwakeableRequest
    ) -> control_pb2.ResolveAwakeableResponse:
        """Gives an awakeable its outcome."""
        limits = self._processor.limits
        awakeable_id = request.awakeable_id
        if not awakeable_id:
            raise invalid("awakeable_id", "is empty")
        convert.check_text("awakeable_id", awakeable_id, limits.id_bytes, "id_bytes")
        request_id = self._request_id(request)
        outcome = convert.outcome_bytes("outcome", request.outcome, limits.payload_bytes)
        if request.outcome.HasField("value"):
            _refuse(self._declared.awakeable(awakeable_id, request.outcome.value))
        record = AwakeableResolved(awakeable_id, outcome, limits.early_awakeables, request_id)
        reply = await self._asking.propose(record)
        if isinstance(reply, Resolved):
            return control_pb2.ResolveAwakeableResponse(
                invocation_id=reply.awakeable.invocation_id, repeated=reply.repeated
            )
        if isinstance(reply, Conflict):
            raise _already_resolved(reply)
        if isinstance(reply, Full):
            what = "that many awakeables are resolved and nobody has asked for them"
            raise limit_reached("early_awakeables", limits.early_awakeables, what)
        raise Refusal(
            grpc.StatusCode.NOT_FOUND,
            errors_pb2.ERROR_REASON_AWAKEABLE_NOT_FOUND,
            f"there is no awakeable {awakeable_id!r}: the id is wrong, or its invocation has ended",
            awakeable_id=awakeable_id,
        )

    def _words(
        self,
        request: control_pb2.PauseRequest
        | control_pb2.ResumeRequest
        | control_pb2.CancelRequest
        | control_pb2.RestartRequest,
    ) -> tuple[str, str]:
        limit = self._processor.limits.text_bytes
        return (
            convert.check_text("reason", request.reason, limit, "text_bytes"),
            convert.check_text("identity", request.identity, limit, "text_bytes"),
        )

    def _request_id(
        self,
        request: control_pb2.PauseRequest
        | control_pb2.ResumeRequest
        | control_pb2.CancelRequest
        | control_pb2.RestartRequest
        | control_pb2.SignalRequest
        | control_pb2.ResolveAwakeableRequest,
    ) -> str:
        limit = self._processor.limits.id_bytes
        return convert.check_text("request_id", request.request_id, limit, "id_bytes")

    async def _change(
        self, record: Record, invocation_id: str, operation: str, allowed: str
    ) -> State:
        """Proposes a record; returns the state that it led to."""
        reply = await self._asking.propose(record)
        if not isinstance(reply, Done):
            raise _refusal(reply, invocation_id, operation, allowed)
        return reply.state


def _refusal(reply: Reply, invocation_id: str, operation: str, allowed: str) -> Refusal:
    if isinstance(reply, Refused):
        it: Invocation = reply.invocation
        return invalid_state(it.id, convert.word(it.state), operation, allowed)
    assert isinstance(reply, Missing)
    return invocation_not_found(invocation_id)


def _refuse(found: Misfit | None) -> None:
    """Raises for a value that is not what the program has said that it reads."""
    if found is not None:
        raise invalid(f"outcome.value{found.place}", found.problem, schema_path=found.rule)


def _already_resolved(reply: Conflict) -> Refusal:
    it = reply.awakeable
    outcome = convert.awakeable(it).outcome
    first = outcome.WhichOneof("result")
    shown = failure_text(it.outcome) or value_text(it.outcome) or "null"
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
    return Refusal(
        grpc.StatusCode.ALREADY_EXISTS,
        errors_pb2.ERROR_REASON_AWAKEABLE_ALREADY_RESOLVED,
        f"the awakeable {it.id!r} has another outcome, a {first}: {shown}; the first one counts",
        awakeable_id=it.id,
        first=first,
        resolve_time=convert.timestamp(it.resolved_ms).ToJsonString(),
    )
