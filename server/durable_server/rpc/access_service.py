"""DurableAccess: who may do what. Translates the requests that administer API tokens and read the
audit.

The caller of each is `access.current`. Nobody gives more than it has, and a token that the caller
could not have made does not exist for it: it is neither listed nor revoked. The comments of
access.proto are the specification.

A control plane that does not authenticate its callers has no tokens: whoever reaches it could make
one, which would still be valid when it authenticates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc

from durable_proto.v1 import access_pb2, access_pb2_grpc, errors_pb2

from ..access.access import GRANTS_MAX, PATTERN_CHARACTERS, AccessError, Grant, Scope, check_pattern
from ..access.current import current
from ..access.tokens import (
    TOKENS_MAX,
    Token,
    TokenExistsError,
    TokenNameError,
    TokenNotFoundError,
    TokensFullError,
    TokenText,
    check_token_name,
    new_token,
)
from ..metrics.rpc_tally import RpcTally
from ..tokens.table import now_ms
from . import convert
from .audit_listing import AuditListing
from .audited import Auditor, audited
from .refusal import Refusal, answers, invalid, unimplemented

if TYPE_CHECKING:
    from ..tokens.store import TokenStore

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class AccessService(access_pb2_grpc.DurableAccessServicer):
    """The servicer of DurableAccess.

    `tokens` is None where callers are not authenticated.
    """

    def __init__(
        self,
        tally: RpcTally,
        audit: AuditListing,
        *,
        authenticates: bool = False,
        tokens: TokenStore | None = None,
        clock_ms: Callable[[], int] = now_ms,
    ) -> None:
        self.tally = tally
        self.auditor: Auditor | None = None
        """Who notes the calls that change something, if an audit is kept."""
        self._authenticates = authenticates
        self._tokens = tokens
        self._audit = audit
        self._clock_ms = clock_ms

    @answers
    async def GetIdentity(
        self, request: access_pb2.GetIdentityRequest, context: Context
    ) -> access_pb2.GetIdentityResponse:
        """Says who the caller is; see access.proto."""
        access = current()
        response = access_pb2.GetIdentityResponse(
            name=access.name,
            kind=access.kind,
            scopes=map(str, access.grants),
            namespace=access.namespace,
            authenticates=self._authenticates,
        )
        if access.expires:
            response.expire_time.CopyFrom(convert.timestamp(int(access.expires * 1000)))
        return response

    @answers
    @audited
    async def CreateToken(
        self, request: access_pb2.CreateTokenRequest, context: Context
    ) -> access_pb2.CreateTokenResponse:
        """Makes a token; see access.proto."""
        tokens = self._store("CreateToken")
        caller = current()
        name = _name(request.name)
        grants = _grants(request)
        namespace = _namespace(request.namespace) or caller.namespace
        if not caller.covers(grants, namespace):
            raise _gives_more(caller.name)
        now = self._clock_ms()
        expire_ms = 0
        if request.HasField("expire_time"):
            expire_ms = convert.from_timestamp("expire_time", request.expire_time)
            if expire_ms <= now:
                raise invalid("expire_time", "is not in the future")
        text = TokenText.new()
        token = new_token(
            *(text, name, grants),
            now_ms=now,
            namespace=namespace,
            creator=caller.name,
            expire_ms=expire_ms,
        )
        try:
            await tokens.create(token)
        except TokenExistsError as error:
            raise _exists(error.token, now) from error
        except TokensFullError as error:
            raise _full() from error
        return access_pb2.CreateTokenResponse(token=_message(token), text=str(text))

    @answers
    async def ListTokens(
        self, request: access_pb2.ListTokensRequest, context: Context
    ) -> access_pb2.ListTokensResponse:
        """Lists tokens; see access.proto."""
        found = [it for it in self._store("ListTokens").table if _may_see(it)]
        found.sort(key=lambda it: it.name)
        return access_pb2.ListTokensResponse(tokens=map(_message, found))

    @answers
    @audited
    async def RevokeToken(
        self, request: access_pb2.RevokeTokenRequest, context: Context
    ) -> access_pb2.RevokeTokenResponse:
        """Revokes a token; see access.proto."""
        tokens = self._store("RevokeToken")
        name = _name(request.name)
        try:
            token = await tokens.revoke(name, _may_see)
        except TokenNotFoundError as error:
            raise Refusal(
                grpc.StatusCode.NOT_FOUND,
                errors_pb2.ERROR_REASON_TOKEN_NOT_FOUND,
                f"there is no API token {name!r}",
                name=name,
            ) from error
        return access_pb2.RevokeTokenResponse(token=_message(token))

    @answers
    async def ListAudit(
        self, request: access_pb2.ListAuditRequest, context: Context
    ) -> access_pb2.ListAuditResponse:
        """Reads the audit; see access.proto."""
        return await self._audit.list(request)

    def _store(self, operation: str) -> TokenStore:
        if self._tokens is None:
            raise unimplemented(
                operation,
                "this control plane does not authenticate its callers, so it has no API tokens; start"
                " it with --auth",
            )
        return self._tokens


def _may_see(token: Token) -> bool:
    """Returns whether the caller could have made a token, and so may know of it."""
    return current().covers(token.grants, token.namespace)


def _name(name: str) -> str:
    if not name:
        raise invalid("name", "is empty")
    try:
        return check_token_name(name)
    except TokenNameError as error:
        raise invalid("name", str(error)) from error


def _grants(request: access_pb2.CreateTokenRequest) -> tuple[Grant, ...]:
    """Returns the grants of a request: a scope without a pattern has each of the `handlers`."""
    if not request.scopes:
        known = ", ".join(it.value for it in Scope)
        raise invalid("scopes", f"is empty; give at least one of {known}")
    try:
        patterns = [check_pattern(it) for it in dict.fromkeys(request.handlers)] or ["*"]
    except AccessError as error:
        raise invalid("handlers", str(error)) from error
    found: dict[Grant, None] = {}
    # What is given twice counts once, so each step makes a grant, or the bound ends the work.
    for text in dict.fromkeys(request.scopes):
        for pattern in patterns if ":" not in text else ("*",):
            try:
                found[Grant.parse(text, pattern)] = None
            except AccessError as error:
                raise invalid("scopes", str(error)) from error
            if len(found) > GRANTS_MAX:
                raise invalid(
                    "scopes",
                    f"with their handlers these are more than {GRANTS_MAX} grants; use patterns that"
                    " match more, or several tokens",
                    limit=GRANTS_MAX,
                )
    return tuple(found)


def _namespace(namespace: str) -> str:
    if not namespace:
        return ""
    try:
        found = check_pattern(namespace)
    except AccessError:
        found = "*"
    if "*" in found:
        raise invalid(
            "namespace",
            f"{namespace[:40]!r} is no prefix of handler names: 1 to {PATTERN_CHARACTERS} characters,"
            " without spaces, commas, colons and *",
        )
    return found


def _gives_more(identity: str) -> Refusal:
    return Refusal(
        grpc.StatusCode.PERMISSION_DENIED,
        errors_pb2.ERROR_REASON_PERMISSION_DENIED,
        f"{identity!r} cannot give what it does not have itself: leave out scopes, handlers and the"
        " namespace that `durable whoami` does not show",
        identity=identity,
        scopes=Scope.ADMIN.value,
    )


def _exists(token: Token, now_ms: int) -> Refusal:
    if not _may_see(token):
        what = "outside of what the caller may see"
    elif token.ended_ms(now_ms):
        what = "revoked" if token.revoke_ms else "expired"
    else:
        what = "valid"
    return Refusal(
        grpc.StatusCode.ALREADY_EXISTS,
        errors_pb2.ERROR_REASON_TOKEN_EXISTS,
        f"there is an API token {token.name!r} already, which is {what}; choose another name",
        name=token.name,
    )


def _full() -> Refusal:
    return Refusal(
        grpc.StatusCode.FAILED_PRECONDITION,
        errors_pb2.ERROR_REASON_LIMIT_REACHED,
        f"there are as many API tokens as a system may have ({TOKENS_MAX}, with those that ended within"
        " 30 days); let several clients use one token, or tokens that a JWT issuer makes",
        limit="tokens",
        value=TOKENS_MAX,
    )


def _message(token: Token) -> access_pb2.Token:
    message = access_pb2.Token(
        name=token.name,
        id=token.id,
        scopes=map(str, token.grants),
        namespace=token.namespace,
        create_time=convert.timestamp(token.create_ms),
        creator=token.creator,
    )
    if token.expire_ms:
        message.expire_time.CopyFrom(convert.timestamp(token.expire_ms))
    if token.revoke_ms:
        message.revoke_time.CopyFrom(convert.timestamp(token.revoke_ms))
    return message
