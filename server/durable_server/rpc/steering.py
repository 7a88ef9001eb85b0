"""The requests about one invocation or awakeable that change it, translated for DurableControl."""

from __future__ import annotations

from typing import Any

from durable_proto.v1 import control_pb2, payload_pb2

from ..requests.build import Requests
from ..requests.invocations import Reason
from . import convert
from .refusal import invalid


class Steering:
    """Translates Pause, Resume, Cancel, Restart, Purge, Signal, ResolveAwakeable and webhooks."""

    def __init__(self, requests: Requests) -> None:
        self._reads = requests.reads
        self._invocations = requests.invocations
        self._awakeables = requests.awakeables
        self._webhook_urls = requests.webhook_urls
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
        """Starts an invocation like an old one, or forks one."""
        reason = self._reason(request)
        limit = self._limits.payload_bytes
        data = None
        if request.HasField("input"):
            data = convert.payload_bytes("input", request.input, limit)
        outcomes = [
            (index, convert.outcome_bytes(f"outcomes[{index}]", outcome, limit))
            for index, outcome in sorted(request.outcomes.items())
        ]
        new_id = await self._invocations.restart(
            request.invocation_id,
            reason.request_id,
            request.from_index,
            data,
            tuple(outcomes),
            while_running=request.while_running,
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
        resolved = await self._awakeables.resolve(
            self._awakeable_id(request),
            self._outcome(request.outcome),
            self._request_id(request),
            _value(request.outcome),
            convert.check_text(
                "webhook_id", request.webhook_id, self._limits.text_bytes, "text_bytes"
            ),
        )
        return control_pb2.ResolveAwakeableResponse(
            invocation_id=resolved.awakeable.invocation_id, repeated=resolved.repeated
        )

    async def create_webhook(
        self, request: control_pb2.CreateWebhookRequest
    ) -> control_pb2.CreateWebhookResponse:
        """Returns a URL that resolves an awakeable."""
        expires_in_ms = expires_ms = None
        if request.HasField("expires_in"):
            if request.HasField("expire_time"):
                raise invalid("expire_time", "cannot be together with expires_in")
            expires_in_ms = convert.from_duration("expires_in", request.expires_in)
        elif request.HasField("expire_time"):
            expires_ms = convert.from_timestamp("expire_time", request.expire_time)
        made = await self._webhook_urls.create(
            self._awakeable_id(request),
            scheme=request.scheme,
            secret_name=request.secret_name,
            expires_in_ms=expires_in_ms,
            expires_ms=expires_ms,
        )
        return control_pb2.CreateWebhookResponse(
            url=made.url,
            expire_time=convert.timestamp(made.expires_s * 1000),
            webhook_id=made.webhook_id,
        )

    async def revoke_webhook(
        self, request: control_pb2.RevokeWebhookRequest
    ) -> control_pb2.RevokeWebhookResponse:
        """Revokes a webhook, or all of an awakeable."""
        if bool(request.webhook) == bool(request.awakeable_id):
            raise invalid(
                "webhook", "give either a webhook, or an awakeable_id to revoke all its webhooks"
            )
        if request.webhook:
            awakeable = await self._webhook_urls.revoke(request.webhook)
        else:
            awakeable = await self._webhook_urls.revoke_all(self._awakeable_id(request))
        return control_pb2.RevokeWebhookResponse(
            awakeable_id=awakeable.id,
            invocation_id=awakeable.invocation_id,
            resolved=bool(awakeable.resolved_ms),
        )

    def awakeable_of(self, request: Any) -> str:
        """Returns the awakeable that a request is about, by its id or a webhook; empty for none."""
        if isinstance(request, control_pb2.RevokeWebhookRequest) and request.webhook:
            return self._webhook_urls.identified(request.webhook)[1]
        awakeable_id: str = request.awakeable_id
        return awakeable_id

    def _awakeable_id(
        self,
        request: control_pb2.ResolveAwakeableRequest
        | control_pb2.CreateWebhookRequest
        | control_pb2.RevokeWebhookRequest,
    ) -> str:
        if not request.awakeable_id:
            raise invalid("awakeable_id", "is empty")
        limit = self._limits.id_bytes
        return convert.check_text("awakeable_id", request.awakeable_id, limit, "id_bytes")

    def _reason(
        self,
        request: control_pb2.PauseRequest
        | control_pb2.ResumeRequest
        | control_pb2.CancelRequest
        | control_pb2.RestartRequest,
    ) -> Reason:
        return convert.reason(request.reason, request.identity, request.request_id, self._limits)

    def _request_id(
        self, request: control_pb2.SignalRequest | control_pb2.ResolveAwakeableRequest
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
