"""The RPC flows that administer who may do what, for both clients."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from durable_proto.v1 import access_pb2

from .._common.durations import span
from .access_views import ApiToken, Identity, NewApiToken
from .rpc_flow import RpcFlow, deadline_after, send_rpc


def whoami(timeout: float | None) -> RpcFlow[Identity]:
    """Returns who the caller is."""
    request = access_pb2.GetIdentityRequest()
    response = yield from send_rpc("GetIdentity", request, deadline_after(timeout), waits=False)
    return Identity.of(response)


def create_token(
    name: str,
    scopes: Iterable[str],
    handlers: Iterable[str],
    namespace: str,
    expires_in: float | timedelta | None,
    timeout: float | None,
) -> RpcFlow[NewApiToken]:
    """Makes an API token."""
    request = access_pb2.CreateTokenRequest(
        name=name, scopes=scopes, handlers=handlers, namespace=namespace
    )
    if expires_in is not None:
        request.expire_time.FromDatetime(datetime.now(UTC) + span(expires_in, "expires_in"))
    response = yield from send_rpc("CreateToken", request, deadline_after(timeout), waits=False)
    return NewApiToken(ApiToken.of(response.token), response.text)


def list_tokens(timeout: float | None) -> RpcFlow[list[ApiToken]]:
    """Returns the API tokens by name."""
    request = access_pb2.ListTokensRequest()
    response = yield from send_rpc("ListTokens", request, deadline_after(timeout), waits=False)
    return [ApiToken.of(it) for it in response.tokens]


def revoke_token(name: str, timeout: float | None) -> RpcFlow[ApiToken]:
    """Revokes an API token; returns it as it is then."""
    request = access_pb2.RevokeTokenRequest(name=name)
    response = yield from send_rpc("RevokeToken", request, deadline_after(timeout), waits=False)
    return ApiToken.of(response.token)
