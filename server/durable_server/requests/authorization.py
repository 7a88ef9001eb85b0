"""The authorization of requests: whether the caller may do something with what a request is about.

What is asked for is looked up where it is led, and the caller needs one of some scopes for its handler.
There are three answers. A caller that may, goes on. One that has another scope for the handler gets
NotPermittedError. For one that has none, the thing does not exist: it gets the error that it would get
if there were no such thing, and so learns nothing about it.

Rules:
- An invocation is that of its handler.
- An awakeable is that of the invocation that it belongs to. One with an id of the user's own choice,
  for which no invocation has waited yet, belongs to nobody. Only those may resolve it who may resolve
  all: else a caller could answer what a program of others will wait for.
- A build belongs to all of its handlers: the caller needs the scope for each that the request is about.
  Without a list of them these are all, or for a caller with a namespace, those within it.
- An object's state belongs to all handlers of the object: the scope for one of them is enough, as each
  of its invocations shows the state.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable

from ..access.access import Access, Scope
from ..core import ids
from ..processor.errors import (
    AwakeableNotFoundError,
    InvocationNotFoundError,
    NotPermittedError,
)
from ..processor.router import Router
from .deployments import Deployments
from .invocations import Invocations
from .object_state import ObjectState, unknown_object
from .reads import Reads

FindHandler = Callable[[str], Awaitable[str]]
"""Returns the handler of an invocation, wherever it is led. Raises InvocationNotFoundError."""
FindOwner = Callable[[str], Awaitable[str]]
"""Returns the id of the invocation that an awakeable belongs to, wherever it is led; empty for none."""


class Authorization:
    """Decides about the requests of one control plane."""

    def __init__(
        self,
        router: Router,
        reads: Reads,
        invocations: Invocations,
        object_state: ObjectState,
        deployments: Deployments,
    ) -> None:
        self._router = router
        self._reads = reads
        self._invocations = invocations
        self._object_state = object_state
        self._deployments = deployments

    def handler(self, access: Access, scopes: Collection[Scope], name: str) -> None:
        """Checks a request about a handler. Raises RequestError."""
        if not access.knows(name):
            raise self._invocations.unknown_handler(name)
        _require(access, scopes, name)

    def invocation(self, access: Access, scopes: Collection[Scope], invocation_id: str) -> None:
        """Checks a request about an invocation that is led here. Raises RequestError."""
        handler = self._reads.find(invocation_id).handler
        if not access.knows(handler):
            raise InvocationNotFoundError(invocation_id)
        _require(access, scopes, handler)

    def object(self, access: Access, scopes: Collection[Scope], name: str, key: str) -> None:
        """Checks a request about the state of an object's key that is led here. Raises RequestError."""
        handlers = self._object_state.handlers(name, key)
        known = [it for it in handlers if access.knows(it)]
        if not known:
            raise unknown_object(name)
        if not any(access.may(scopes, it) for it in known):
            raise _not_permitted(access, scopes, known[0])

    def build(
        self,
        access: Access,
        scopes: Collection[Scope],
        build_id: str,
        handlers: Collection[str] | None,
    ) -> Collection[str]:
        """Checks a request about a build where partition 0 is led; returns the handlers it is about.

        `handlers` are those that it names; None if such a request cannot name any, and is about all.
        Raises RequestError.
        """
        concerned = self._deployments.handlers_of(build_id)
        known = sorted(filter(access.knows, concerned))
        if not known:
            raise self._deployments.unknown(build_id)
        for name in handlers or ():
            if not access.knows(name):
                raise self._deployments.no_handler(build_id, name)
        if (
            not handlers
            and len(known) < len(concerned)
            and (handlers is None or not access.namespace)
        ):
            raise _not_permitted(access, scopes, "")
        about = handlers or known
        for name in about:
            _require(access, scopes, name)
        return about

    async def awakeable(
        self,
        access: Access,
        scopes: Collection[Scope],
        awakeable_id: str,
        find_owner: FindOwner,
        find_handler: FindHandler,
    ) -> None:
        """Checks a request about an awakeable, which may be led elsewhere. Raises RequestError."""
        owner = ids.owner(awakeable_id) or await find_owner(awakeable_id)
        if not owner:
            raise AwakeableNotFoundError(awakeable_id)
        try:
            handler = await find_handler(owner)
        except InvocationNotFoundError:
            raise AwakeableNotFoundError(awakeable_id) from None
        if not access.knows(handler):
            raise AwakeableNotFoundError(awakeable_id)
        _require(access, scopes, handler)

    def owner(self, awakeable_id: str) -> str:
        """Returns the id of the invocation that an awakeable belongs to; empty for none.

        Raises NotLeadingError.
        """
        found = self._router.for_awakeable(awakeable_id).store.awakeable(awakeable_id)
        return "" if found is None else found.invocation_id


def _require(access: Access, scopes: Collection[Scope], handler: str) -> None:
    if not access.may(scopes, handler):
        raise _not_permitted(access, scopes, handler)


def _not_permitted(access: Access, scopes: Iterable[Scope], handler: str) -> NotPermittedError:
    return NotPermittedError(access.name, [it.value for it in scopes], handler)
