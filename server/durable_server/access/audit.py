"""The audit: what is told of each call that changes something, or was to."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class AuditedCall(NamedTuple):
    """One call that changes something, or was to. It holds no payloads."""

    time_ms: int
    """When it was answered, in ms since 1970."""
    identity: str
    kind: str
    """See `Access.kind`."""
    source: str
    """The address that it came from."""
    method: str
    """The name of the RPC, such as `Cancel`; `SessionEnd` for the end of a worker's session, and
    `Audit` for a note of the audit about itself: calls that it could not keep.
    """
    subject: str
    """What it was about: an invocation, an awakeable, a handler, an object's key, a node, a token."""
    handler: str
    reason: str
    """The reason that the caller gave."""
    request_id: str
    code: str
    """The name of the gRPC code of the answer."""
    error: str
    """The reason of the error; empty for none."""
    node: str = ""
    """The node that the caller has called."""


class Audit(Protocol):
    """Who keeps the audited calls."""

    @property
    def problem(self) -> str:
        """Why calls cannot be kept now; empty when all is well."""
        ...

    def note(self, call: AuditedCall) -> None:
        """Takes a call; returns at once. What is taken is kept within a second, or the log says so."""
        ...


class AuditQuery(NamedTuple):
    """Which audited calls are looked for; an empty field is no condition."""

    identity: str = ""
    method: str = ""
    subject: str = ""
    time_min_ms: int = 0
    """Calls that were answered then or later, in ms since 1970."""

    def matches(self, call: AuditedCall) -> bool:
        """Returns whether a call is one of these."""
        return (
            call.time_ms >= self.time_min_ms
            and (not self.identity or call.identity == self.identity)
            and (not self.method or call.method == self.method)
            and (not self.subject or call.subject == self.subject)
        )


class AuditPlace(NamedTuple):
    """A place among the calls that are kept."""

    sequence: int
    """The message that holds the call."""
    number: int
    """The number of the call in that message, from 0."""


class AuditPage(NamedTuple):
    """Some of the calls that are kept."""

    calls: list[AuditedCall]
    """The newest first. They may be fewer than were asked for although there are more."""
    end: AuditPlace | None
    """The place before which the next page begins; None at the end."""


class AuditUnavailableError(Exception):
    """The calls that are kept cannot be read now; the message says why."""


class AuditReader(Protocol):
    """Who reads the audited calls back."""

    async def page(self, query: AuditQuery, before: AuditPlace | None, size: int) -> AuditPage:
        """Returns up to `size` calls before a place; None begins with the newest.

        Raises AuditUnavailableError.
        """
        ...
