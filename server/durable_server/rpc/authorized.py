"""The second half of the check of calls: what the request is about, where that is led.

The first half, `access_check`, has let the call in because the caller has the scope of the RPC's rule
for some handler. Here the subject of the rule says which field names what the request is about, and
`requests.authorization` decides. It runs at the node that leads the subject, so it comes after
forwarding. A caller that has the scope for all handlers needs no look-up.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Collection
from typing import Any, Protocol, TypeVar

from ..access.access import EVERYTHING, Access, Scope
from ..access.current import current
from ..access.rules import RPCS, Subject
from ..requests.authorization import Authorization
from .forwarding import METHODS
from .refusal import Method

T = TypeVar("T")

_SERVICE = "/durable.v1.DurableControl/"


class Authorizes(Protocol):
    """A servicer whose requests are authorized."""

    authorization: Authorization

    def awakeable_of(self, request: Any) -> str:
        """Returns the awakeable that a request is about; empty if it does not name one."""
        ...

    async def handler_of(self, invocation_id: str) -> str:
        """Returns the handler of an invocation, wherever it is led."""
        ...

    async def owner_of(self, awakeable_id: str) -> str:
        """Returns the invocation to which an awakeable belongs, wherever it is led; empty for none."""
        ...


def authorized(method: Method[T]) -> Method[T]:
    """Makes a unary RPC method refuse what the caller may not do."""
    name = method.__name__
    rule = RPCS[_SERVICE + name]
    scopes, subject = rule.scopes, rule.subject

    async def check(self: Authorizes, access: Access, request: Any, context: Any) -> T:
        if subject is Subject.AWAKEABLE:
            await _check_awakeable(self, access, scopes, request, name in METHODS)
        else:
            _check(self.authorization, access, scopes, subject, request)
        return await method(self, request, context)

    @functools.wraps(method)
    def authorize(self: Authorizes, request: Any, context: Any) -> Awaitable[T]:
        access = current()
        if access is EVERYTHING or access.everywhere(scopes):
            return method(self, request, context)
        return check(self, access, request, context)

    return authorize


def _check(
    authorization: Authorization,
    access: Access,
    scopes: Collection[Scope],
    subject: Subject,
    request: Any,
) -> None:
    """Raises RequestError. A request that does not name its subject is left to the method."""
    if subject is Subject.HANDLER:
        authorization.handler(access, scopes, request.handler)
    elif subject is Subject.INVOCATION or (subject is Subject.STATE and _names_invocation(request)):
        authorization.invocation(access, scopes, request.invocation_id)
    elif subject is Subject.BUILD:
        _check_build(authorization, access, scopes, request)
    elif subject is Subject.STATE:
        if request.object and request.key:
            authorization.object(access, scopes, request.object, request.key)
    else:
        raise AssertionError(f"no check for {subject}")


def _check_build(
    authorization: Authorization, access: Access, scopes: Collection[Scope], request: Any
) -> None:
    """Raises RequestError. Limits a request about all handlers to those within a namespace."""
    if "handlers" not in request.DESCRIPTOR.fields_by_name:
        authorization.build(access, scopes, request.build_id, None)
    else:
        about = authorization.build(access, scopes, request.build_id, [*request.handlers])
        request.handlers[:] = about


async def _check_awakeable(
    service: Authorizes,
    access: Access,
    scopes: Collection[Scope],
    request: Any,
    forwarded: bool,
) -> None:
    """Raises RequestError. `forwarded` says that the RPC is executed where the awakeable is led."""
    awakeable_id = service.awakeable_of(request)
    if not awakeable_id:
        return
    if forwarded:
        service.authorization.owner(awakeable_id)  # raises NotLeadingError elsewhere
    await service.authorization.awakeable(
        *(access, scopes, awakeable_id), service.owner_of, service.handler_of
    )


def _names_invocation(request: Any) -> bool:
    return "invocation_id" in request.DESCRIPTOR.fields_by_name and bool(request.invocation_id)


def shows_journal(request: Any, handler: str) -> bool:
    """Returns whether an answer has the journal: if it is asked for, and the caller may read it.

    Who may only invoke learns how an invocation ends, and not what it has done.
    """
    return request.include_journal and current().may((Scope.READ,), handler)
