"""The audit of RPCs: notes each call that changes something, or was to, at the node that was called.

`audited` decorates the methods of servicers whose rule in `access.rules` has `changes`; a test compares
both. A call that another node passes on is not noted again. The session of a worker is noted when it
opens, and when it ends (`AuditedSession`). What the check of calls refuses before a method runs, it
passes to `Auditor.refused`.

An entry names what a call was about, and holds nothing of its values, headers or credentials. Its texts
come from the caller, so each is cut off after some characters.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, Protocol, TypeVar

from durable_proto.v1 import access_pb2, control_pb2, worker_pb2

from ..access.access import Access
from ..access.audit import Audit, AuditedCall
from ..access.current import current
from ..processor.errors import RequestError
from .peer import peer_host
from .refusal import Method, Refusal, answerable, unavailable

T = TypeVar("T")
SESSION: Final = "Session"
SESSION_END: Final = "SessionEnd"
"""The method of the entry for the end of a session."""
TEXT_CHARACTERS: Final = 256
"""How much of a text an entry has. Names and ids that are accepted fit; refused ones may not."""
REASON_CHARACTERS: Final = 1024

_SERVICES: Final = (
    control_pb2.DESCRIPTOR.services_by_name["DurableControl"],
    access_pb2.DESCRIPTOR.services_by_name["DurableAccess"],
)


def _invoked(request: Any, answer: Any) -> str:
    found: str = request.handler if answer is None else answer.invocation_id
    return found


def _field(name: str) -> Callable[[Any, Any], str]:
    def read(request: Any, _answer: Any) -> str:
        found: str = getattr(request, name)
        return found

    return read


def _revoked(request: Any, answer: Any) -> str:
    """Returns the awakeable. The webhook may be given as its URL, which is a secret."""
    found: str = request.awakeable_id if answer is None else answer.awakeable_id
    return found


def _state(request: Any, _answer: Any) -> str:
    return f"{request.object}/{request.key}"


_SUBJECTS: Final[Mapping[str, Callable[[Any, Any], str]]] = {
    "Invoke": _invoked,
    "Pause": _field("invocation_id"),
    "Resume": _field("invocation_id"),
    "Cancel": _field("invocation_id"),
    "Restart": _field("invocation_id"),
    "Purge": _field("invocation_id"),
    "Signal": _field("invocation_id"),
    "ResolveAwakeable": _field("awakeable_id"),
    "CreateWebhook": _field("awakeable_id"),
    "RevokeWebhook": _revoked,
    "SetState": _state,
    "Repin": _field("invocation_id"),
    "PromoteBuild": _field("build_id"),
    "RollBackBuild": _field("build_id"),
    "DrainBuild": _field("build_id"),
    "DrainNode": _field("node"),
    "CreateToken": _field("name"),
    "RevokeToken": _field("name"),
}
"""What each RPC that changes something is about, from its request and its answer, which may be None."""


class Auditor:
    """Makes the entries of one control plane."""

    def __init__(self, audit: Audit, *, node: str = "", strict: bool = False) -> None:
        """`node` is the name of this node. `strict` refuses calls while they cannot be kept."""
        self._audit = audit
        self._node = node
        self._strict = strict

    def check(self) -> None:
        """Raises Refusal if calls must not run now, because the audit cannot keep them."""
        if self._strict and (problem := self._audit.problem):
            raise unavailable("audit", f"the audit cannot be kept: {problem}")

    def note(
        self,
        method: str,
        source: str,
        *,
        subject: str = "",
        handler: str = "",
        reason: str = "",
        request_id: str = "",
        error: Exception | None = None,
        code: str = "OK",
        access: Access | None = None,
    ) -> None:
        """Notes a call of the current caller, or of `access`; an error gives the code."""
        who = access or current()
        name = ""
        if error is not None:
            refused = answerable(error) if _expected(error) else None
            code = "INTERNAL" if refused is None else refused.code.name
            name = "INTERNAL" if refused is None else refused.reason
        self._audit.note(
            AuditedCall(
                time.time_ns() // 1_000_000,
                _cut(who.name),
                who.kind,
                _cut(who.source or source),
                method,
                _cut(subject),
                _cut(handler),
                _cut(reason, REASON_CHARACTERS),
                _cut(request_id),
                code,
                name,
                self._node,
            )
        )

    def refused(self, method: str, access: Access, error: Refusal) -> None:
        """Notes a call that was refused before its request was parsed. `method` is its full name."""
        self.note(method.rpartition("/")[2], access.source, error=error, access=access)


class Audits(Protocol):
    """A servicer whose calls are noted, if an audit is kept."""

    auditor: Auditor | None


def audited(method: Method[T]) -> Method[T]:
    """Makes a unary RPC method note its calls."""
    name = method.__name__
    subject = _SUBJECTS[name]
    described = next(it.methods_by_name[name] for it in _SERVICES if name in it.methods_by_name)
    fields = described.input_type.fields_by_name
    has_handler, has_reason = "handler" in fields, "reason" in fields
    has_request_id = "request_id" in fields

    async def note(auditor: Auditor, self: Any, request: Any, context: Any) -> T:
        auditor.check()
        answer: T | None = None
        error: Exception | None = None
        code = "CANCELLED"  # if the method neither returns nor raises an Exception
        try:
            answer = await method(self, request, context)
            code = "OK"
            return answer
        except Exception as raised:
            error = raised
            raise
        finally:
            auditor.note(
                name,
                peer_host(context),
                subject=subject(request, answer),
                handler=request.handler if has_handler else "",
                reason=request.reason if has_reason else "",
                request_id=request.request_id if has_request_id else "",
                error=error,
                code=code,
            )

    @functools.wraps(method)
    def noted(self: Audits, request: Any, context: Any) -> Awaitable[T]:
        if self.auditor is None:
            return method(self, request, context)
        return note(self.auditor, self, request, context)

    return noted


class AuditedSession:
    """The entries of one session of a worker."""

    def __init__(self, auditor: Auditor | None, context: Any) -> None:
        """Notes nothing without an auditor."""
        self._auditor = auditor
        self._source = "" if auditor is None else peer_host(context)
        self._worker = self._handlers = ""
        self._opened = False
        self.error: Exception | None = None
        """Why the session was refused, or ended."""
        self.lost = False
        """Whether its stream has ended without an error and without an announcement of the worker."""

    def begins(self, frame: worker_pb2.SessionRequest) -> None:
        """Takes the first frame. Raises Refusal if no session must open now."""
        if self._auditor is None:
            return
        for message in frame.messages[:1]:
            hello = message.hello
            self._worker = hello.worker_id
            self._handlers = _joined(it.name for it in hello.handlers)
        self._auditor.check()

    def opened(self) -> None:
        """Notes that the session is open."""
        self._opened = True
        self._note(SESSION)

    def ended(self) -> None:
        """Notes that the session has ended, or was refused."""
        if self._opened:
            self._note(SESSION_END)
        elif self.error is not None:
            self._note(SESSION)

    def _note(self, method: str) -> None:
        if self._auditor is not None:
            self._auditor.note(
                method,
                self._source,
                subject=self._worker,
                handler=self._handlers,
                error=self.error,
                code="CANCELLED" if self.lost else "OK",
            )


def _expected(error: Exception) -> bool:
    return isinstance(error, Refusal | RequestError)


def _joined(names: Iterable[str]) -> str:
    """Returns names with commas between, as many as an entry has room for."""
    text = ""
    for name in sorted(names):
        text = f"{text},{name}" if text else name
        if len(text) > TEXT_CHARACTERS:
            break
    return text


def _cut(text: str, length: int = TEXT_CHARACTERS) -> str:
    return text if len(text) <= length else f"{text[:length]}…"
