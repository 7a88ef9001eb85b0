"""The requests about awakeables: gives one its outcome. The first outcome counts."""

from __future__ import annotations

from ..core.awakeables import is_revoked
from ..core.limits import Limits
from ..core.records import AwakeableResolved
from ..core.replies import Conflict, Full, Resolved, Revoked
from ..processor.errors import (
    AwakeableNotFoundError,
    AwakeableResolvedError,
    LimitReachedError,
    WebhookRevokedError,
)
from ..processor.router import Router
from ..processor.schema_check import check_awakeable
from .proposals import Proposals


class Awakeables:
    """Resolves awakeables for clients."""

    def __init__(self, router: Router, proposals: Proposals, limits: Limits) -> None:
        self._router = router
        self._proposals = proposals
        self._limits = limits

    async def resolve(
        self,
        awakeable_id: str,
        outcome: bytes,
        request_id: str,
        value: tuple[str, bytes] | None,
        webhook_id: str = "",
    ) -> Resolved:
        """Gives an awakeable its outcome; `value` is the outcome's content type and data, if any.

        `webhook_id` is the webhook through which it comes.
        """
        limit = self._limits.early_awakeables
        processor = self._router.for_awakeable(awakeable_id)
        if webhook_id:
            # The rule decides; this comes first so that a revoked URL tells nothing about the schema.
            found = processor.store.awakeable(awakeable_id)
            if found is not None and is_revoked(found, webhook_id):
                raise WebhookRevokedError(webhook_id)
        if value is not None:
            violation = check_awakeable(processor, awakeable_id, *value)
            if violation is not None:
                raise violation.as_error()
        record = AwakeableResolved(awakeable_id, outcome, limit, request_id, webhook_id)
        reply = await self._proposals.propose(processor, record)
        if isinstance(reply, Resolved):
            return reply
        if isinstance(reply, Revoked):
            raise WebhookRevokedError(webhook_id)
        if isinstance(reply, Conflict):
            raise AwakeableResolvedError(reply.awakeable)
        if isinstance(reply, Full):
            problem = "that many awakeables are resolved and nobody has asked for them"
            raise LimitReachedError("early_awakeables", limit, problem)
        raise AwakeableNotFoundError(awakeable_id)
