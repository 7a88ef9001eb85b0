"""The composition of the client requests: makes the parts that DurableControl translates for."""

from __future__ import annotations

from typing import NamedTuple

from ..core.limits import Limits
from ..processor.router import Router
from ..processor.workers import Workers
from ..webhooks.service import Webhooks
from .awakeables import Awakeables
from .invocations import Invocations
from .object_state import ObjectState
from .proposals import Proposals
from .reads import Reads
from .webhook_urls import WebhookUrls


class Requests(NamedTuple):
    """Everything that clients can ask of one control plane."""

    limits: Limits
    reads: Reads
    proposals: Proposals
    invocations: Invocations
    awakeables: Awakeables
    object_state: ObjectState
    webhook_urls: WebhookUrls


def build_requests(
    router: Router, workers: Workers, limits: Limits, webhooks: Webhooks | None
) -> Requests:
    """Returns the requests of clients; `webhooks` is None when no HTTP is served."""
    reads = Reads(router, workers, limits)
    proposals = Proposals(router, limits)
    return Requests(
        limits,
        reads,
        proposals,
        Invocations(router, reads, proposals, limits),
        Awakeables(router, proposals, limits),
        ObjectState(router, reads, proposals, limits),
        WebhookUrls(webhooks, limits),
    )
