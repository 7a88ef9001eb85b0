"""The check of every call: who the caller is, and whether it may make this RPC at all.

It is there only where the control plane authenticates. The handler of each RPC (`bounded`) has a gate,
so that a call passes these steps:

1. the credential: a bearer token, a client certificate, or an access that the HTTP part of this process
   passes on (`caller`)
2. the rule of the RPC (`access.rules`); an RPC without one is refused
3. one of the rule's scopes: for some handler, or for all of them where the whole system is concerned;
   what is refused here counts by 4 too, or a caller could fill the audit with it
4. the caller's own limits (`access.allowance`)
5. only now the request is read, and the RPC runs with the caller's access as the current one, unless
   the credential has expired or was revoked while the request was arriving

What the request is about is checked by what runs then (`authorized`), because only the node that leads
it knows that.

A call that stays open, which is a stream or a call that waits, ends with UNAUTHENTICATED when the
caller's token is revoked or expires. Any other call is over in a moment, and to cut it off would leave
its caller in doubt about its effect.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Collection, Sequence
from typing import Any, Final, TypeAlias, TypeVar

import grpc

from ..access.access import Access, AccessError
from ..access.allowance import Allowances, Excess
from ..access.current import acting_as
from ..access.interface import (
    Authenticator,
    Credential,
    Revocations,
    UnauthenticatedError,
    authenticate,
)
from ..access.rules import Rule, Subject, rule_of
from ..core.limits import Limits
from ..metrics.rpc_tally import RpcTally
from ..processor.errors import LimitReachedError, NotPermittedError
from .audited import Auditor
from .caller import ProcessSecret
from .peer import peer_host
from .refusal import Refusal, abort, refusal, unauthenticated

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
T = TypeVar("T")

_LONGEST_TIMER: Final = 24 * 3600.0
"""After so many seconds the timer of an expiry is set again: longer ones overflow on some platforms."""
_EXPIRED = UnauthenticatedError(
    "expired", "the credential of this call has expired; call again with a new one"
)
_REVOKED = UnauthenticatedError(
    "revoked", "the token of this call was revoked; call again with another one"
)


class AccessCheck:
    """Checks every call of one gRPC server. Implements `Refusals`, for what HTTP refuses by itself."""

    def __init__(
        self,
        authenticators: Sequence[Authenticator],
        revocations: Revocations,
        secret: ProcessSecret,
        limits: Limits,
        tally: RpcTally,
        auditor: Auditor | None = None,
    ) -> None:
        """`authenticators` are asked in order. `auditor` notes refused calls, if an audit is kept."""
        self._authenticators = authenticators
        self._revocations = revocations
        self._secret = secret
        self._allowances = Allowances(limits.identity_rate, limits.identity_calls)
        self._tally = tally
        self._auditor = auditor
        self._open: dict[str, set[_OpenCall]] = {}
        """The calls that stay open, by the id of what they were authenticated with."""
        self._end = revocations.listen(self._revoked)

    def close(self) -> None:
        """Hears of no more revocations."""
        self._end()

    def gate(self, method: str) -> Gate | None:
        """Returns what the calls of an RPC pass, by its full name; None for one that is open to all."""
        rule = rule_of(method)
        return None if rule is not None and rule.open else Gate(self, method, rule)

    async def admit(self, name: str, rule: Rule | None, context: Context) -> Access:
        """Returns the access of a caller, whose call is counted from now on. Raises Refusal."""
        try:
            access = await self._access(context)
        except UnauthenticatedError as error:
            self.unauthenticated(error.problem)
            raise unauthenticated(error) from None
        excess = self._allowances.begin(_key(access), time.monotonic())
        if excess is not None:
            self._tally.refused(excess.limit)
            raise _limited(access, excess)
        denied = None
        if rule is None or not access.has(rule.scopes):
            denied = self._deny(name, access, rule, "")
        elif rule.subject is Subject.WHOLE and not access.everywhere(rule.scopes):
            denied = self._deny(name, access, rule, "*")
        if denied is not None:
            self.over(access)
            raise denied
        return access

    def unauthenticated(self, problem: str) -> None:
        """See `Refusals.unauthenticated`."""
        # Not in the audit, or anybody could fill that; nor is what exceeds the caller's limits.
        self._tally.refused(problem)

    def denied(self, method: str, access: Access) -> None:
        """See `Refusals.denied`."""
        excess = self._allowances.begin(_key(access), time.monotonic())
        if excess is not None:
            self._tally.refused(excess.limit)
            return
        self._deny(method, access, rule_of(method), "")
        self.over(access)

    def _deny(self, name: str, access: Access, rule: Rule | None, handler: str) -> Refusal:
        self._tally.refused("scope")
        scopes = [it.value for it in rule.scopes] if rule is not None else ["of this RPC"]
        denied = refusal(NotPermittedError(access.name, scopes, handler))
        if self._auditor is not None and rule is not None and rule.changes:
            self._auditor.refused(name, access, denied)
        return denied

    async def _access(self, context: Context) -> Access:
        """Returns the access of a caller. Raises UnauthenticatedError."""
        metadata = dict(context.invocation_metadata() or ())
        try:
            passed = self._secret.passed(metadata)
        except AccessError as error:
            raise UnauthenticatedError("malformed", str(error)) from None
        if passed is not None:
            access = passed
        else:
            bearer = _bearer(metadata.get("authorization", ""))
            certificate = b"" if bearer else _certificate(context)
            credential = Credential(bearer, certificate, peer_host(context))
            access = await authenticate(self._authenticators, credential)
        if (problem := self._ended(access)) is not None:
            raise problem
        return access

    def _ended(self, access: Access) -> UnauthenticatedError | None:
        """Returns why a caller may not go on; None if it may."""
        if access.expires and access.expires <= time.time():
            return _EXPIRED
        if access.id and self._revocations.revoked(access.id):
            return _REVOKED
        return None

    async def go_on(self, access: Access, context: Context) -> None:
        """Ends an admitted call whose caller may not go on."""
        if (problem := self._ended(access)) is not None:
            self.unauthenticated(problem.problem)
            await abort(context, unauthenticated(problem))

    def over(self, access: Access) -> None:
        """Notes that an admitted call has ended."""
        self._allowances.end(_key(access))

    # Calls that stay open

    async def stay(self, access: Access, running: Awaitable[T], context: Context) -> T:
        """Awaits a call that stays open, until it ends or the caller may not go on."""
        task = asyncio.current_task()
        assert task is not None
        call = _OpenCall(task, access.expires)
        calls = self._open.setdefault(access.id, set()) if access.id else set()
        calls.add(call)
        try:
            return await running
        except asyncio.CancelledError:
            if call.ended is None:
                raise
            task.uncancel()
            self._tally.refused(call.ended.problem)
            await abort(context, unauthenticated(call.ended))
        finally:
            call.close()
            calls.discard(call)
            if not calls:
                self._open.pop(access.id, None)

    def _revoked(self, ids: Collection[str]) -> None:
        for access_id in ids:
            for call in self._open.get(access_id, ()):
                call.end(_REVOKED)


class Gate:
    """What the calls of one RPC pass."""

    def __init__(self, check: AccessCheck, method: str, rule: Rule | None) -> None:
        self._check = check
        self._method = method
        self._rule = rule

    async def admit(self, context: Context) -> Admitted:
        """Admits a call, whose request is not read yet. Raises Refusal and RequestError."""
        access = await self._check.admit(self._method, self._rule, context)
        return Admitted(self._check, access, context)


class Admitted:
    """A call that is admitted. Within `with` its caller is the current one."""

    def __init__(self, check: AccessCheck, access: Access, context: Context) -> None:
        self._check = check
        self._access = access
        self._context = context
        self._acting = acting_as(access)

    def __enter__(self) -> Admitted:
        self._acting.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._acting.__exit__(None, None, None)
        self._check.over(self._access)

    async def go_on(self) -> None:
        """Ends the call if its caller may not go on, after its request was being received."""
        await self._check.go_on(self._access, self._context)

    async def run(self, running: Awaitable[T], request: Any = None) -> T:
        """Runs the RPC. A stream, which has no `request`, and a call that waits stay open."""
        if request is None or _waits(request):
            return await self._check.stay(self._access, running, self._context)
        return await running


class _OpenCall:
    """A call that stays open; its task is cancelled when the caller may not go on."""

    def __init__(self, task: asyncio.Task[Any], expires: float) -> None:
        self.ended: UnauthenticatedError | None = None
        """Why the caller may not go on."""
        self._task = task
        self._expires = expires
        self._timer: asyncio.TimerHandle | None = None
        if expires:
            self._wait()

    def end(self, reason: UnauthenticatedError) -> None:
        """Ends the call; the first reason counts."""
        if self.ended is None:
            self.ended = reason
            self._task.cancel()

    def close(self) -> None:
        """Notes that the call is over."""
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self) -> None:
        left = self._expires - time.time()
        if left <= 0:
            self.end(_EXPIRED)
            return
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(min(left, _LONGEST_TIMER), self._wait)


def _key(access: Access) -> str | tuple[str, str]:
    """Returns by what the calls of a caller are counted."""
    return access.id or (access.kind, access.name)


def _limited(access: Access, excess: Excess) -> Refusal:
    what = "calls in flight" if excess.limit == "identity_calls" else "calls in a second"
    problem = f"{access.name!r} has made that many {what}"
    found = refusal(LimitReachedError(excess.limit, excess.value, problem))
    found.retry_seconds = excess.retry_seconds
    return found


def _waits(request: Any) -> bool:
    fields = request.DESCRIPTOR.fields_by_name
    return "wait_timeout" in fields and request.HasField("wait_timeout")


def _bearer(value: str | bytes) -> str:
    """Returns the token of the metadata `authorization`; empty without. Raises UnauthenticatedError."""
    if not value:
        return ""
    text = value if isinstance(value, str) else value.decode(errors="replace")
    scheme, _, token = text.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise UnauthenticatedError(
            "malformed",
            "the metadata authorization is not `Bearer TOKEN`, with an API token or a JWT",
        )
    return token.strip()


def _certificate(context: Context) -> bytes:
    """Returns the client's certificate in PEM, which TLS has verified; empty without."""
    for it in context.auth_context().get("x509_pem_cert", ()):
        return bytes(it)
    return b""
