"""The URLs of webhooks: checks a CreateWebhook request and answers it with a signed URL.

Nothing is recorded: the URL itself says what it resolves.
"""

from __future__ import annotations

import asyncio

import grpc

from durable_proto.v1 import control_pb2, errors_pb2

from ..core.limits import Limits
from ..webhooks.files import SecretError
from ..webhooks.service import NotServedError, Webhooks
from ..webhooks.signature_schemes import SCHEMES
from ..webhooks.tokens import Claim
from . import convert
from .refusal import Refusal, invalid, unavailable

DEFAULT_SECONDS = 24 * 3600
"""How long a URL is valid unless the request says otherwise."""


class WebhookUrls:
    """Makes URLs; without `webhooks` nothing would answer at one, and each request is refused."""

    def __init__(self, webhooks: Webhooks | None, limits: Limits) -> None:
        self._webhooks = webhooks
        self._limits = limits

    async def create(
        self, request: control_pb2.CreateWebhookRequest
    ) -> control_pb2.CreateWebhookResponse:
        """Returns a URL that resolves an awakeable."""
        webhooks, limits = self._webhooks, self._limits
        if webhooks is None or webhooks.disabled:
            raise _not_served(
                "this control plane serves no HTTP, so nothing would answer at a webhook: start it"
                " with --http HOST:PORT"
            )
        if not request.awakeable_id:
            raise invalid("awakeable_id", "is empty")
        convert.check_text("awakeable_id", request.awakeable_id, limits.id_bytes, "id_bytes")
        expires_s = self._expires_s(request, webhooks)
        await self._check_scheme(request, webhooks)
        if not webhooks.base_url and webhooks.serve is not None:
            try:
                await webhooks.serve()
            except NotServedError as error:
                raise _not_served(str(error)) from error
        if not webhooks.base_url:
            raise unavailable("starting", "the control plane does not serve HTTP yet")
        claim = Claim(request.awakeable_id, expires_s, request.scheme, request.secret_name)
        return control_pb2.CreateWebhookResponse(
            url=webhooks.url(claim), expire_time=convert.timestamp(expires_s * 1000)
        )

    def _expires_s(self, request: control_pb2.CreateWebhookRequest, webhooks: Webhooks) -> int:
        # This clock is used and not the log's time, which may be ahead, because deliveries use it too.
        now_ms = int(webhooks.now() * 1000)
        field, ms = "expires_in", DEFAULT_SECONDS * 1000
        if request.HasField("expires_in"):
            if request.HasField("expire_time"):
                raise invalid("expire_time", "cannot be together with expires_in")
            ms = convert.from_duration(field, request.expires_in)
        elif request.HasField("expire_time"):
            field = "expire_time"
            ms = convert.from_timestamp(field, request.expire_time) - now_ms
        if ms <= 0:
            raise invalid(field, "the URL would have expired already")
        limit = self._limits.webhook_seconds
        if ms > limit * 1000:
            raise invalid(
                field,
                f"{ms // 1000} seconds from now are more than the limit webhook_seconds ({limit});"
                " make another URL when this one expires",
                value=f"{ms} ms",
                limit=limit,
            )
        return -(-(now_ms + ms) // 1000)

    async def _check_scheme(
        self, request: control_pb2.CreateWebhookRequest, webhooks: Webhooks
    ) -> None:
        scheme, name = request.scheme, request.secret_name
        if not scheme:
            if name:
                raise invalid("secret_name", "is for a scheme; say which one, or leave it out")
            return
        if scheme not in SCHEMES:
            raise invalid("scheme", f"{scheme[:64]!r} is not one of {', '.join(SCHEMES)}")
        if not name:
            raise invalid(
                "secret_name", f"is empty; say which secret the {scheme} sender signs with"
            )
        try:
            await asyncio.to_thread(webhooks.secrets.read, name)
        except SecretError as error:
            raise invalid("secret_name", str(error)) from error


def _not_served(problem: str) -> Refusal:
    return Refusal(
        grpc.StatusCode.FAILED_PRECONDITION,
        errors_pb2.ERROR_REASON_HTTP_NOT_SERVED,
        problem,
        operation="CreateWebhook",
    )
