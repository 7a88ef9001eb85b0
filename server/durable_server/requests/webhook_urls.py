"""The requests for webhooks: makes a signed URL that resolves an awakeable, or revokes it.

A URL is not recorded: it says itself what it resolves and until when. That it is revoked is recorded
in the partition of its awakeable, where each delivery is decided (see `core.awakeables`).
"""

from __future__ import annotations

import asyncio
import secrets
from typing import NamedTuple

from ..core.limits import Limits
from ..core.model import Awakeable
from ..core.records import WebhookRevoked
from ..core.replies import Full, Revoked
from ..processor.errors import (
    AwakeableNotFoundError,
    HttpNotServedError,
    InvalidFieldError,
    LimitReachedError,
    NotReadyError,
)
from ..processor.router import Router
from ..webhooks.files import SecretError
from ..webhooks.service import NotServedError, Webhooks
from ..webhooks.signature_schemes import SCHEMES
from ..webhooks.tokens import NONCE_BYTES, Claim, awakeable_of
from .proposals import Proposals

DEFAULT_SECONDS = 24 * 3600
"""How long a URL is valid unless the request says otherwise."""


class WebhookUrl(NamedTuple):
    """A URL, and when it expires."""

    url: str
    webhook_id: str
    expires_s: int


class WebhookUrls:
    """Makes and revokes URLs; without `webhooks` nothing would answer at one, and none is made."""

    def __init__(
        self, router: Router, proposals: Proposals, webhooks: Webhooks | None, limits: Limits
    ) -> None:
        self._router = router
        self._proposals = proposals
        self._webhooks = webhooks
        self._limits = limits

    async def create(
        self,
        awakeable_id: str,
        *,
        scheme: str,
        secret_name: str,
        expires_in_ms: int | None,
        expires_ms: int | None,
    ) -> WebhookUrl:
        """Returns a URL that expires after a span or at a time; at most one of them is given."""
        webhooks = self._webhooks
        if webhooks is None or webhooks.disabled:
            raise HttpNotServedError(
                "this control plane serves no HTTP, so nothing would answer at a webhook: start it"
                " with --http HOST:PORT"
            )
        expires_s = self._expires_s(webhooks, expires_in_ms, expires_ms)
        await _check_scheme(webhooks, scheme, secret_name)
        if not webhooks.base_url and webhooks.serve is not None:
            try:
                await webhooks.serve()
            except NotServedError as error:
                raise HttpNotServedError(str(error)) from error
        if not webhooks.base_url:
            raise NotReadyError("the control plane does not serve HTTP yet")
        nonce = secrets.token_bytes(NONCE_BYTES)
        claim = Claim(awakeable_id, expires_s, scheme, secret_name, nonce)
        return WebhookUrl(webhooks.url(claim), claim.webhook_id, expires_s)

    async def revoke(self, webhook: str) -> Awakeable:
        """Revokes a webhook by its id or its URL; returns its awakeable."""
        webhook_id, awakeable_id = self.identified(webhook)
        return await self._revoke(awakeable_id, webhook_id)

    def identified(self, webhook: str) -> tuple[str, str]:
        """Returns the ids of a webhook, given by its id or its URL, and of its awakeable.

        Raises InvalidFieldError.
        """
        webhook_id = webhook
        if "/" in webhook and self._webhooks is not None:
            claim = self._webhooks.claim(webhook)
            webhook_id = claim.webhook_id if claim is not None else webhook
        awakeable_id = awakeable_of(webhook_id)
        if not awakeable_id or len(awakeable_id.encode()) > self._limits.id_bytes:
            # The text may be a URL with a mistake, which is a secret: the error does not repeat it.
            problem = "is neither the id of a webhook nor a URL that this control plane has signed"
            raise InvalidFieldError("webhook", problem)
        return webhook_id, awakeable_id

    async def revoke_all(self, awakeable_id: str) -> Awakeable:
        """Revokes all webhooks of an awakeable, also those that are made later; returns it."""
        return await self._revoke(awakeable_id, "")

    async def _revoke(self, awakeable_id: str, webhook_id: str) -> Awakeable:
        limits = self._limits
        record = WebhookRevoked(
            awakeable_id, webhook_id, limits.revoked_webhooks, limits.early_awakeables
        )
        processor = self._router.for_awakeable(awakeable_id)
        found = processor.store.awakeable(awakeable_id)
        reply = await self._proposals.propose(processor, record)
        if isinstance(reply, Revoked):
            return reply.awakeable
        if isinstance(reply, Full) and found is not None:
            raise LimitReachedError(
                "revoked_webhooks",
                limits.revoked_webhooks,
                "that many webhooks of the awakeable are revoked; revoke all of them",
            )
        if isinstance(reply, Full):
            raise LimitReachedError(
                "early_awakeables",
                limits.early_awakeables,
                "that many awakeables are known and no invocation has asked for them",
            )
        raise AwakeableNotFoundError(awakeable_id)

    def _expires_s(
        self, webhooks: Webhooks, expires_in_ms: int | None, expires_ms: int | None
    ) -> int:
        # This clock is used and not the log's time, which may be ahead, because deliveries use it too.
        now_ms = int(webhooks.now() * 1000)
        field, ms = "expires_in", DEFAULT_SECONDS * 1000
        if expires_in_ms is not None:
            ms = expires_in_ms
        elif expires_ms is not None:
            field, ms = "expire_time", expires_ms - now_ms
        if ms <= 0:
            raise InvalidFieldError(field, "the URL would have expired already")
        limit = self._limits.webhook_seconds
        if ms > limit * 1000:
            raise InvalidFieldError(
                field,
                f"{ms // 1000} seconds from now are more than the limit webhook_seconds ({limit});"
                " make another URL when this one expires",
                value=f"{ms} ms",
                limit=limit,
            )
        return -(-(now_ms + ms) // 1000)


async def _check_scheme(webhooks: Webhooks, scheme: str, secret_name: str) -> None:
    """Checks that a sender's scheme is known and its secret can be read."""
    if not scheme:
        if secret_name:
            problem = "is for a scheme; say which one, or leave it out"
            raise InvalidFieldError("secret_name", problem)
        return
    if scheme not in SCHEMES:
        raise InvalidFieldError("scheme", f"{scheme[:64]!r} is not one of {', '.join(SCHEMES)}")
    if not secret_name:
        problem = f"is empty; say which secret the {scheme} sender signs with"
        raise InvalidFieldError("secret_name", problem)
    try:
        await asyncio.to_thread(webhooks.secrets.read, secret_name)
    except SecretError as error:
        raise InvalidFieldError("secret_name", str(error)) from error
