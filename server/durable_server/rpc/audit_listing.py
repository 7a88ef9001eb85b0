"""The list of audited calls, translated: what ListAudit answers."""

from __future__ import annotations

from typing import Final

from durable_proto.v1 import access_pb2

from ..access.audit import (
    AuditedCall,
    AuditPlace,
    AuditQuery,
    AuditReader,
    AuditUnavailableError,
)
from ..core.limits import Limits
from . import convert
from .page_tokens import numbers_of, open_token, page_token
from .refusal import invalid, unavailable, unimplemented

_PAGE_SIZE: Final = 50


class AuditListing:
    """Translates ListAudit. `reader` is None where no audit is kept that can be read."""

    def __init__(self, reader: AuditReader | None, limits: Limits) -> None:
        self._reader = reader
        self._limits = limits

    async def list(self, request: access_pb2.ListAuditRequest) -> access_pb2.ListAuditResponse:
        """Returns a page of audited calls, the newest first. Raises Refusal."""
        if self._reader is None:
            raise unimplemented(
                "ListAudit",
                "this control plane keeps no audit that can be listed; start it with --audit-log",
            )
        for field in ("identity", "method", "subject"):
            limit = self._limits.id_bytes
            convert.check_text(field, getattr(request, field), limit, "id_bytes")
        if request.page_size < 0:
            raise invalid("page_size", "must not be negative", value=request.page_size)
        size = min(request.page_size or _PAGE_SIZE, self._limits.page_size)
        query = AuditQuery(
            request.identity,
            request.method,
            request.subject,
            convert.from_timestamp("time_min", request.time_min),
        )
        binding = repr(query)
        place = open_token(request.page_token, binding)
        before = AuditPlace._make(numbers_of(place, len(AuditPlace._fields))) if place else None
        try:
            page = await self._reader.page(query, before, size)
        except AuditUnavailableError as error:
            raise unavailable("audit", str(error)) from error
        response = access_pb2.ListAuditResponse(entries=map(_entry, page.calls))
        if page.end is not None:
            response.next_page_token = page_token(".".join(map(str, page.end)), binding)
        return response


def _entry(call: AuditedCall) -> access_pb2.AuditEntry:
    return access_pb2.AuditEntry(
        time=convert.timestamp(call.time_ms),
        identity=call.identity,
        kind=call.kind,
        source=call.source,
        method=call.method,
        subject=call.subject,
        handler=call.handler,
        reason=call.reason,
        request_id=call.request_id,
        code=call.code,
        error=call.error,
        node=call.node,
    )
