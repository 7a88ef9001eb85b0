"""Each RPC with each kind of credential: by tables made of the rules and of what is served."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from grpc_channelz.v1 import channelz_pb2
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from durable_proto.v1 import access_pb2, control_pb2, worker_pb2
from durable_server.access.access import Scope
from durable_server.access.rules import RPCS, SERVICES, Rule, Subject, rule_of
from durable_server.access.tokens import TokenText
from tests.access_check.callers import Tokens, bearer, raw
from tests.server.calls import reason

FILES: Any = (control_pb2, worker_pb2, access_pb2)
LIBRARIES: Any = (health_pb2, reflection_pb2, channelz_pb2)
MALFORMED = b"\xff\xff\xff"
ASKED = reflection_pb2.ServerReflectionRequest


def methods_of(*modules: Any) -> Iterator[tuple[str, MethodDescriptor]]:
    """Yields the RPCs of some generated modules, by their full names."""
    for module in modules:
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                yield f"/{service.full_name}/{method.name}", method


METHODS = dict(methods_of(*FILES, *LIBRARIES))


async def served(channel: grpc.aio.Channel, token: str) -> dict[str, MethodDescriptor]:
    """Returns the RPCs of all services that the server tells of, by their full names."""
    call = channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        request_serializer=ASKED.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )(iter([ASKED(list_services="")]), metadata=bearer(token))
    answers = [it async for it in call]
    names = {it.name for it in answers[0].list_services_response.service}
    found = {name: it for name, it in METHODS.items() if it.containing_service.full_name in names}
    told = {it.containing_service.full_name for it in found.values()}
    assert names - told == {"grpc.reflection.v1.ServerReflection"}, "a service that the test lacks"
    return found


def test_each_rpc_of_our_services_has_a_rule() -> None:
    ours = {name for name, _ in methods_of(*FILES)}
    assert set(RPCS) == ours
    assert {it.rpartition("/")[0][1:] for it in METHODS if it not in ours} <= set(SERVICES)
    assert rule_of("/durable.v1.DurableControl/Explode") is None


async def test_each_rpc_that_is_served_refuses_wrong_credentials_before_it_parses(
    channel: grpc.aio.Channel, tokens: Tokens
) -> None:
    await tokens.add("admin", "admin")
    await tokens.add("expired", "admin", seconds=-1)
    await tokens.add("revoked", "admin")
    await tokens.revoke("revoked")
    for name, method in (await served(channel, tokens.texts["admin"])).items():
        rule = rule_of(name)
        assert rule is not None, f"{name} has no rule"
        if rule.open:
            assert (await raw(channel, method, ""))[0] != "UNAUTHENTICATED"
            continue
        for token, part in (
            ("", "no credential"),
            ("wrong", "neither an API token nor a JWT"),
            (str(TokenText.new()), "no such API token"),
            (tokens.texts["expired"], "has expired"),
            (tokens.texts["revoked"], "was revoked"),
        ):
            code, text = await raw(channel, method, token, MALFORMED)
            assert (code, part in text) == ("UNAUTHENTICATED", True), (name, token, code, text)


async def test_each_rpc_takes_one_of_its_scopes_and_no_other(
    channel: grpc.aio.Channel, tokens: Tokens
) -> None:
    await tokens.add("admin", "admin")
    for it in Scope:
        await tokens.add(f"all-{it.value}", it.value)
        await tokens.add(f"some-{it.value}", f"{it.value}:mine.*")
        await tokens.add(f"own-{it.value}", it.value, namespace="mine.")
    for name, method in (await served(channel, tokens.texts["admin"])).items():
        rule = rule_of(name)
        assert rule is not None
        if rule.open:
            continue
        for scope in Scope:
            for kind in ("all", "some", "own"):
                code, text = await raw(
                    channel, method, tokens.texts[f"{kind}-{scope.value}"], MALFORMED
                )
                lets_in = permits(rule, scope, kind)
                expected = "not PERMISSION_DENIED" if lets_in else "PERMISSION_DENIED"
                got = code if code == "PERMISSION_DENIED" else "not PERMISSION_DENIED"
                assert got == expected, (name, kind, scope, code, text)
                if lets_in and not method.client_streaming:
                    assert "not a message of the type" in text, (name, kind, scope, code, text)


def permits(rule: Rule, scope: Scope, kind: str) -> bool:
    """Returns whether the rule of an RPC lets a caller in."""
    if rule.scopes and scope not in (*rule.scopes, Scope.ADMIN):
        return False
    return rule.subject is not Subject.WHOLE or kind == "all"


@pytest.mark.parametrize(
    "value",
    ["Basic dXNlcjpwYXNz", "Bearer", "Bearer  ", "admin", "bearer", "Bearer durable_x", "Bearer x"],
)
async def test_a_malformed_authorization_is_refused(channel: grpc.aio.Channel, value: str) -> None:
    call = channel.unary_unary("/durable.v1.DurableControl/GetServerInfo")
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call(b"", metadata=(("authorization", value),))
    assert reason(error.value) == ("UNAUTHENTICATED", {"problem": "malformed"})


async def test_what_the_http_part_passes_on_counts_only_with_the_secret_of_the_process(
    channel: grpc.aio.Channel, plane: Any, tokens: Tokens
) -> None:
    await tokens.add("admin", "admin")
    admin = tokens.access("admin")
    call = channel.unary_unary("/durable.v1.DurableControl/GetCluster")
    good = dict(plane.callers.process_secret.metadata(admin))
    await call(b"", metadata=tuple(good.items()))
    for forged in (
        {**good, "durable-process-secret": "x"},
        {"durable-caller-bin": good["durable-caller-bin"]},
        {"durable-process-secret": ""},
        {"durable-process-secret": good["durable-process-secret"]},
        {"durable-caller-bin": b"", "authorization": f"Bearer {tokens.texts['admin']}"},
    ):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call(b"", metadata=tuple(forged.items()))
        assert reason(error.value) == ("UNAUTHENTICATED", {"problem": "malformed"})
    await tokens.revoke("admin")
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call(b"", metadata=tuple(good.items()))
    assert reason(error.value) == ("UNAUTHENTICATED", {"problem": "revoked"})
