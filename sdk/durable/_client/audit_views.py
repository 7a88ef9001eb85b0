"""Views of the audit: the calls that have changed something, or were to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from durable_proto.v1 import access_pb2

from .json_form import time_field, time_text


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One call. It holds no values."""

    time: datetime | None
    """When it was answered."""
    identity: str
    """Who has made it; empty if the control plane did not authenticate its callers."""
    kind: str
    """How the caller has shown who it is: `token`, `jwt`, `certificate`, `session`, `webhook` or
    `none`."""
    source: str
    """The address that it came from."""
    method: str
    """The RPC, such as `Cancel`; `Session` and `SessionEnd` are a worker's session."""
    subject: str
    """What it was about: an invocation, an awakeable, a handler, an object's key, a worker, a node, a
    token."""
    handler: str
    """The handler, if that is known."""
    reason: str
    """The reason that the caller gave."""
    request_id: str
    """The request id."""
    code: str
    """The gRPC code of the answer, such as `OK` or `PERMISSION_DENIED`."""
    error: str
    """The reason of the error; empty for none."""
    node: str
    """The node that the caller has called; empty without a cluster."""

    @classmethod
    def of(cls, message: access_pb2.AuditEntry) -> AuditEntry:
        """Returns the view of a message."""
        return cls(
            time=time_field(message, "time"),
            identity=message.identity,
            kind=message.kind,
            source=message.source,
            method=message.method,
            subject=message.subject,
            handler=message.handler,
            reason=message.reason,
            request_id=message.request_id,
            code=message.code,
            error=message.error,
            node=message.node,
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, for JSON."""
        names = (it for it in self.__dataclass_fields__ if it != "time")
        return {"time": time_text(self.time), **{name: getattr(self, name) for name in names}}


@dataclass(frozen=True, slots=True)
class AuditPage:
    """A page of the audit."""

    entries: list[AuditEntry]
    """The newest first. They may be few, or none, although there are more pages."""
    next_page_token: str
    """The `page_token` of the next page; empty on the last page."""

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, for JSON."""
        return {
            "entries": [it.to_dict() for it in self.entries],
            "next_page_token": self.next_page_token,
        }
