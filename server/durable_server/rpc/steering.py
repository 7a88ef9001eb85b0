"""The requests that change an invocation or an awakeable, translated for DurableControl."""

from __future__ import annotations

from durable_proto.v1 import control_pb2, payload_pb2

from ..requests.build import Requests
from ..requests.invocations import Reason
from . import convert
from .refusal import invalid


class Steering:
    """Translates Pause, Resume, Cancel, Restart, Purge, Signal and ResolveAwakeable."""

    def __init__(self, requests: Requests) -> None:
        self._reads = requests.reads
        self._invocations = requests.invocations
        self._awakeables = requests.awakeables
        self._limits = requests.limits

    async def pause(self, request: control_pb2.PauseRequest) -> control_pb2.PauseResponse:
        """Pauses an invocation, and waits for its running steps if that is asked for."""
        wait = 0.0
        if request.HasField("wait_timeout"):
            wait = convert.wait_seconds(request.wait_timeout, self._limits.wait_seconds)
        state = await self._invocations.pause(request.invocation_id, self._reason(request), wait)
        return control_pb2.PauseResponse(state=convert.state_number(state))

    async def resume(self, request: control_pb2.ResumeRequest) -> control_pb2.ResumeResponse:
        """Resumes a paused invocation, or begins the next attempt of one that backs off."""
        state = await self._invocations.resume(request.invocation_id, self._reason(request))
        return control_pb2.ResumeResponse(state=convert.state_number(state))

    async def cancel(self, request: control_pb2.CancelRequest) -> control_pb2.CancelResponse:
        """Cancels an invocation."""
        reason = self._reason(request)
        state = await self._invocations.cancel(request.invocation_id, reason, force=request.force)
        return control_pb2.CancelResponse(state=convert.state_number(state))

    async def restart(self, request: control_pb2.RestartRequest) -> control_pb2.RestartResponse:
        """Starts an invocation like an old one."""
        reason = self._reason(request)
        data = None
        if request.HasField("input"):
            data = convert.payload_bytes("input", request.input, self._limits.payload_bytes)
        new_id = await self._invocations.restart(
            request.invocation_id, reason.request_id, request.from_index, data
        )
        return control_pb2.RestartResponse(invocation_id=new_id)

    async def purge(self, request: control_pb2.PurgeRequest) -> control_pb2.PurgeResponse:
        """Removes a finished invocation."""
        await self._invocations.purge(request.invocation_id)
        return control_pb2.PurgeResponse()

    async def signal(self, request: control_pb2.SignalRequest) -> control_pb2.SignalResponse:
        """Delivers a signal."""
        if not request.name:
            raise invalid("name", "is empty; say which signal it is")
        convert.check_text("name", request.name, self._limits.id_bytes, "id_bytes")
        found = self._reads.find(request.invocation_id)
        await self._invocations.signal(
            found,
            request.name,
            self._outcome(request.outcome),
            self._request_id(request),
            _value(request.outcome),
        )
        return control_pb2.SignalResponse()

    async def resolve(
        self, request: control_pb2.ResolveAwakeableRequest
    ) -> control_pb2.ResolveAwakeableResponse:
        """Gives an awakeable its outcome."""
        awakeable_id = request.awakeable_id
        if not awakeable_id:
            raise invalid("awakeable_id", "is empty")
        convert.check_text("awakeable_id", awakeable_id, self._limits.id_bytes, "id_bytes")
        resolved = await self._awakeables.resolve(
            awakeable_id,
            self._outcome(request.outcome),
            self._request_id(request),
            _value(request.outcome),
        )
        return control_pb2.ResolveAwakeableResponse(
            invocation_id=resolved.awakeable.invocation_id, repeated=resolved.repeated
        )

    def _reason(
        self,
        request: control_pb2.PauseRequest
        | control_pb2.ResumeRequest
        | control_pb2.CancelRequest
        | control_pb2.RestartRequest,
    ) -> Reason:
        limit = self._limits.text_bytes
        return Reason(
            convert.check_text("reason", request.reason, limit, "text_bytes"),
            convert.check_text("identity", request.identity, limit, "text_bytes"),
            self._request_id(request),
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
        limit = self._limits.id_bytes
        return convert.check_text("request_id", request.request_id, limit, "id_bytes")

    def _outcome(self, outcome: payload_pb2.Outcome) -> bytes:
        return convert.outcome_bytes("outcome", outcome, self._limits.payload_bytes)


def _value(outcome: payload_pb2.Outcome) -> tuple[str, bytes] | None:
    """Returns the content type and data of an outcome's value; None for a failure."""
    if not outcome.HasField("value"):
        return None
    return outcome.value.content_type, outcome.value.data
