"""Webhooks, URLs that resolve an awakeable: what clients and workflows share about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from durable_proto.v1 import control_pb2

from .durations import limit

CONTROL_SERVICE: Final = control_pb2.DESCRIPTOR.services_by_name["DurableControl"].full_name
"""The control plane as a gRPC service that workflows can call; a worker knows its address."""
CREATE_PATH: Final = f"/{CONTROL_SERVICE}/CreateWebhook"


@dataclass(frozen=True, slots=True)
class Webhook:
    """A URL that resolves one awakeable with the body of the first POST."""

    url: str = field(repr=False)
    """Where to POST. Anyone who knows it can resolve the awakeable, so it is a secret."""
    expire_time: datetime
    """When it expires, in UTC."""
    id: str = ""
    """Its id, with which it can be revoked; no secret. Empty if an older control plane made it."""


def webhook_request(
    awakeable_id: str, expires_in: float | timedelta | None, scheme: str, secret: str
) -> control_pb2.CreateWebhookRequest:
    """Returns the request to create a webhook; `expires_in` is in seconds or a timedelta."""
    request = control_pb2.CreateWebhookRequest(
        awakeable_id=awakeable_id, scheme=scheme, secret_name=secret
    )
    if expires_in is not None:
        request.expires_in.FromTimedelta(limit(expires_in, "expires_in", none="for 24 hours"))
    return request


def webhook_of(response: control_pb2.CreateWebhookResponse) -> Webhook:
    """Returns the webhook of a response."""
    return Webhook(response.url, response.expire_time.ToDatetime(UTC), response.webhook_id)
