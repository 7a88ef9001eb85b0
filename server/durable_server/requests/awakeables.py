"""The requests about awakeables: gives one its outcome. The first outcome counts."""

from __future__ import annotations

from ..core.limits import Limits
from ..core.records import AwakeableResolved
from ..core.replies import Conflict, Full, Resolved
from ..processor.errors import (
    AwakeableNotFoundError,
    AwakeableResolvedError,
    LimitReachedError,
)
from ..processor.router import Router
from ..processor.schema_check import SchemaCheck
from .proposals import Proposals


class Awakeables:
    """Resolves awakeables for clients."""

    def __init__(self, router: Router, proposals: Proposals, limits: Limits) -> None:
        self._router = router
        self._proposals = proposals
        self._limits = limits
        self._schemas = SchemaCheck(router)

    async def resolve(
        self, awakeable_id: str, outcome: bytes, request_id: str, value: tuple[str, bytes] | None
    ) -> Resolved:
        """Gives an awakeable its outcome; `value` is the outcome's content type and data, if any."""
        limit = self._limits.early_awakeables
        if value is not None:
            violation = self._schemas.awakeable(awakeable_id, *value)
            if violation is not None:
                raise violation.as_error()
        record = AwakeableResolved(awakeable_id, outcome, limit, request_id)
        processor = self._router.for_awakeable(awakeable_id)
        reply = await self._proposals.propose(processor, record)
        if isinstance(reply, Resolved):
            return reply
        if isinstance(reply, Conflict):
            raise AwakeableResolvedError(reply.awakeable)
        if isinstance(reply, Full):
            problem = "that many awakeables are resolved and nobody has asked for them"
            raise LimitReachedError("early_awakeables", limit, problem)
        raise AwakeableNotFoundError(awakeable_id)
