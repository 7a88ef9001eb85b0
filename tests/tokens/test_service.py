"""DurableAccess: who may make, see and revoke which API tokens, over gRPC and over HTTP."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2

from durable_proto.v1 import access_pb2, access_pb2_grpc
from durable_server.access.access import Access, Grant
from durable_server.access.current import acting_as
from durable_server.access.interface import Credential
from durable_server.access.tokens import BOOTSTRAP_FILE, TokenText
from durable_server.app import ControlPlane
from durable_server.config import Config, ConfigError
from durable_server.core.limits import Limits
from durable_server.metrics.rpc_tally import RpcTally
from durable_server.rpc.access_service import AccessService
from durable_server.rpc.audit_listing import AuditListing
from durable_server.tokens.store import TokenStore
from durable_server.tokens.table import now_ms

from ..cluster.nodes import at
from ..support.external_nats import JETSTREAM, external_nats

Stub = Any


class _As(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # the stubs have no type for it
    """Makes an access that of every caller."""

    def __init__(self) -> None:
        self.access: Access | None = None

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], details: Any
    ) -> Any:
        handler = await continuation(details)
        assert self.access is not None

        async def answer(request: Any, context: Any) -> Any:
            with acting_as(self.access):  # type: ignore[arg-type]  # checked above
                return await handler.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(
            answer, handler.request_deserializer, handler.response_serializer
        )


class Served:
    """The service over real gRPC; `as_` says who calls."""

    def __init__(self, address: str, who: _As, store: TokenStore) -> None:
        self.stub: Stub = access_pb2_grpc.DurableAccessStub(grpc.aio.insecure_channel(address))
        self.store = store
        self._who = who

    def as_(self, *scopes: str, namespace: str = "", name: str = "alice") -> Stub:
        grants = tuple(map(Grant.parse, scopes))
        self._who.access = Access(name, "token", grants, namespace, "idofcaller")
        return self.stub


@pytest_asyncio.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with external_nats(tmp_path / "nats", JETSTREAM) as nats:
        store = TokenStore(at(nats.url), 1)
        await store.start()
        async with _serving(
            AccessService(
                RpcTally(), AuditListing(None, Limits()), authenticates=True, tokens=store
            )
        ) as it:
            yield Served(*it, store)
        await store.close()


@asynccontextmanager
async def _serving(service: AccessService) -> AsyncIterator[tuple[str, _As]]:
    who = _As()
    server = grpc.aio.server(interceptors=[who])
    access_pb2_grpc.add_DurableAccessServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}", who
    finally:
        await server.stop(None)


def create(name: str, *scopes: str, **fields: Any) -> access_pb2.CreateTokenRequest:
    return access_pb2.CreateTokenRequest(name=name, scopes=scopes, **fields)


async def refusal(call: Awaitable[object]) -> tuple[str, str, str]:
    """The code, the reason and the text with which a call ends."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    error = raised.value
    trailers = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    info = error_details_pb2.ErrorInfo()
    status.details[0].Unpack(info)
    return error.code().name, info.reason, error.details() or ""


async def names(stub: Stub) -> list[str]:
    return [it.name for it in (await stub.ListTokens(access_pb2.ListTokensRequest())).tokens]


async def test_a_token_is_made_listed_and_revoked(served: Served) -> None:
    stub = served.as_("admin")
    end = Timestamp(seconds=4_000_000_000)
    made = await stub.CreateToken(
        create("ci", "invoke", "read:billing.*", handlers=["orders.*", "carts.*"], expire_time=end)
    )
    text = TokenText.parse(made.text)
    assert made.token.id == text.id
    assert list(made.token.scopes) == ["invoke:orders.*", "invoke:carts.*", "read:billing.*"]
    assert made.token.creator == "alice"
    assert made.token.expire_time == end
    access = await served.store.table.access(Credential(made.text))
    assert access is not None
    assert access.expires == 4_000_000_000

    await stub.CreateToken(create("a", "admin"))
    listed = await stub.ListTokens(access_pb2.ListTokensRequest())
    assert [it.name for it in listed.tokens] == ["a", "ci"]
    assert listed.tokens[1] == made.token
    assert made.text not in str(listed)

    revoked = await stub.RevokeToken(access_pb2.RevokeTokenRequest(name="ci"))
    assert revoked.token.revoke_time.seconds
    again = await stub.RevokeToken(access_pb2.RevokeTokenRequest(name="ci"))
    assert again == revoked
    assert await refusal(stub.CreateToken(create("ci", "read"))) == (
        "ALREADY_EXISTS",
        "TOKEN_EXISTS",
        "there is an API token 'ci' already, which is revoked; choose another name",
    )


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (create("", "read"), "name: is empty"),
        (create("a b", "read"), "name: 'a b' is no name of a token: 1 to 64 letters"),
        (create("a"), "scopes: is empty; give at least one of invoke, read"),
        (create("a", "write"), "scopes: 'write' is no scope; the scopes are invoke, read"),
        (create("a", "read:"), "scopes: '' is no pattern"),
        (create("a", "read", handlers=["a b"]), "handlers: 'a b' is no pattern"),
        (create("a", "read", namespace="a.*"), "namespace: 'a.*' is no prefix of handler names"),
        (create("a", "read", namespace="a b"), "namespace: 'a b' is no prefix of handler names"),
        (create("a", "read", handlers=[f"h{n}" for n in range(65)]), "more than 64 grants"),
        (
            create("a", "read", expire_time=Timestamp(seconds=1)),
            "expire_time: is not in the future",
        ),
    ],
)
async def test_a_malformed_request_is_refused(
    served: Served, request_: access_pb2.CreateTokenRequest, text: str
) -> None:
    code, reason, found = await refusal(served.as_("admin").CreateToken(request_))
    assert (code, reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
    assert text in found
    assert not len(served.store.table)


async def test_what_is_given_often_counts_once(served: Served) -> None:
    # Each scope with each handler would be 10^8 grants to look at.
    request = create("a", *["read", "invoke:b"] * 5_000, handlers=["a"] * 10_000)
    made = await served.as_("admin").CreateToken(request, timeout=10)
    assert list(made.token.scopes) == ["read:a", "invoke:b"]


async def test_nobody_gives_more_than_it_has(served: Served) -> None:
    stub = served.as_("admin:orders.*", namespace="orders.eu.")
    for request in (
        create("a", "read"),
        create("a", "read:orders.*", namespace="orders."),
        create("a", "read:carts.*"),
        create("a", "read:orders.new", "admin"),
    ):
        code, reason, text = await refusal(stub.CreateToken(request))
        assert (code, reason) == ("PERMISSION_DENIED", "PERMISSION_DENIED")
        assert "'alice' cannot give what it does not have" in text
    made = await stub.CreateToken(create("a", "read", handlers=["orders.eu.*"]))
    assert made.token.namespace == "orders.eu.", "the caller's, unless another is given"
    made = await stub.CreateToken(create("b", "admin:orders.*", namespace="orders.eu.north."))
    assert made.token.namespace == "orders.eu.north."


async def test_a_token_that_the_caller_could_not_have_made_does_not_exist(served: Served) -> None:
    stub = served.as_("admin")
    await stub.CreateToken(create("all", "read"))
    await stub.CreateToken(create("eu", "read", namespace="orders.eu."))
    await stub.CreateToken(create("us", "read", namespace="orders.us."))
    assert await names(stub) == ["all", "eu", "us"]
    stub = served.as_("admin", namespace="orders.eu.")
    assert await names(stub) == ["eu"]
    for name in ("us", "all", "none"):
        assert await refusal(stub.RevokeToken(access_pb2.RevokeTokenRequest(name=name))) == (
            "NOT_FOUND",
            "TOKEN_NOT_FOUND",
            f"there is no API token '{name}'",
        )
    await stub.RevokeToken(access_pb2.RevokeTokenRequest(name="eu"))
    _, reason, text = await refusal(stub.CreateToken(create("us", "read")))
    assert reason == "TOKEN_EXISTS"
    assert "valid" not in text
    assert await names(served.as_("admin:orders.*")) == []


async def test_a_caller_learns_who_it_is(served: Served) -> None:
    found = await served.as_("read:a.*", "invoke", namespace="a.").GetIdentity(
        access_pb2.GetIdentityRequest()
    )
    assert (found.name, found.kind, found.namespace) == ("alice", "token", "a.")
    assert list(found.scopes) == ["read:a.*", "invoke:*"]
    assert found.authenticates
    assert not found.HasField("expire_time")
    assert served._who.access is not None
    served._who.access = replace(served._who.access, expires=now_ms() / 1000)
    found = await served.stub.GetIdentity(access_pb2.GetIdentityRequest())
    assert found.HasField("expire_time")


async def test_without_an_audit_none_is_read(served: Served) -> None:
    code, reason, text = await refusal(served.as_("admin").ListAudit(access_pb2.ListAuditRequest()))
    assert (code, reason) == ("UNIMPLEMENTED", "UNIMPLEMENTED")
    assert "keeps no audit" in text


async def test_a_control_plane_that_does_not_authenticate_makes_no_tokens(
    plane: ControlPlane, channel: grpc.aio.Channel
) -> None:
    stub: Stub = access_pb2_grpc.DurableAccessStub(channel)
    found = await stub.GetIdentity(access_pb2.GetIdentityRequest())
    assert (found.name, found.kind, found.authenticates) == ("", "none", False)
    for call in (
        stub.CreateToken(create("a", "admin")),
        stub.ListTokens(access_pb2.ListTokensRequest()),
        stub.RevokeToken(access_pb2.RevokeTokenRequest(name="a")),
    ):
        code, _, text = await refusal(call)
        assert code == "UNIMPLEMENTED"
        assert "start it with --auth" in text
    assert plane.tokens is None
    assert not (plane.config.data_dir / BOOTSTRAP_FILE).exists()
    identity = await asyncio.to_thread(_http, plane, "/v1/access/identity")
    assert identity["kind"] == "none"


def _http(plane: ControlPlane, path: str) -> Any:
    url = f"http://{plane.http_address}{path}"
    return json.loads(urllib.request.urlopen(url, timeout=10).read())


def test_a_file_for_the_first_token_needs_authentication() -> None:
    with pytest.raises(ConfigError, match="add --auth"):
        Config(admin_token_file=Path("x")).check()
    Config(admin_token_file=Path("x"), auth=True).check()
