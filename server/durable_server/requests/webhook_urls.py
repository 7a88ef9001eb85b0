"""The requests for webhooks: makes a signed URL that resolves an awakeable.

Nothing is recorded: the URL itself says what it resolves and until when.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from ..core.limits import Limits
from ..processor.errors import HttpNotServedError, InvalidFieldError, NotReadyError
from ..webhooks.files import SecretError
from ..webhooks.service import NotServedError, Webhooks
from ..webhooks.signature_schemes import SCHEMES
from ..webhooks.tokens import Claim

DEFAULT_SECONDS = 24 * 3600
"""How long a URL is valid unless the request says otherwise."""


class WebhookUrl(NamedTuple):
    """A URL, and when it expires."""

    url: str
    expires_s: int


class WebhookUrls:
    """Makes URLs; without `webhooks` nothing would answer at one, and each request is refused."""

    def __init__(self, webhooks: Webhooks | None, limits: Limits) -> None:
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
        claim = Claim(awakeable_id, expires_s, scheme, secret_name)
        return WebhookUrl(webhooks.url(claim), expires_s)

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
