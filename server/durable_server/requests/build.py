"""The composition of the client requests: makes the parts that DurableControl translates for."""

from __future__ import annotations

from typing import NamedTuple

from ..core.limits import Limits
from ..processor.router import Router
from ..processor.workers import Workers
from ..webhooks.service import Webhooks
from .authorization import Authorization
from .awakeables import Awakeables
from .deployments import Deployments
from .invocations import Invocations
from .object_state import ObjectState
from .patches import Patches
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
    deployments: Deployments
    patches: Patches
    authorization: Authorization


def build_requests(
    router: Router, workers: Workers, limits: Limits, webhooks: Webhooks | None
) -> Requests:
    """Returns the requests of clients; `webhooks` is None when no HTTP is served."""
    reads = Reads(router, workers, limits)
    proposals = Proposals(router, limits)
    invocations = Invocations(router, reads, proposals, limits)
    object_state = ObjectState(router, reads, proposals, limits)
    deployments = Deployments(router, workers, reads, proposals)
    return Requests(
        limits,
        reads,
        proposals,
        invocations,
        Awakeables(router, proposals, limits),
        object_state,
        WebhookUrls(router, proposals, webhooks, limits),
        deployments,
        Patches(router),
        Authorization(router, reads, invocations, object_state, deployments),
    )
