"""What a request is about: each RPC by callers who may, who may not, and who do not know of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import grpc
import pytest

from durable_proto.v1 import control_pb2
from tests.access_check.callers import Tokens, bearer
from tests.access_check.subjects import (
    OUTCOME,
    Caller,
    Requests,
    Things,
    check_denied,
    check_permitted,
    check_unknown,
    rules,
    two_tenants,
)
from tests.support.manual_worker import ManualWorker

if TYPE_CHECKING:
    from tests.server.calls import Control


@pytest.fixture
async def things(
    channel: grpc.aio.Channel, control: Control, tokens: Tokens
) -> AsyncIterator[dict[str, Things]]:
    async with two_tenants(channel, control, tokens) as made:
        yield made


def test_each_rpc_about_something_is_in_the_table() -> None:
    assert set(Requests) == set(rules())


async def test_what_a_caller_does_not_know_is_answered_as_what_does_not_exist(
    control: Control, tokens: Tokens, things: dict[str, Things]
) -> None:
    await check_unknown(control, tokens, things)


async def test_what_a_caller_knows_and_may_not_do_is_denied(
    control: Control, tokens: Tokens, things: dict[str, Things]
) -> None:
    await check_denied(control, tokens, things)


async def test_one_of_the_scopes_for_the_handler_is_enough(
    control: Control, tokens: Tokens, things: dict[str, Things]
) -> None:
    await check_permitted(control, tokens, things)


async def test_an_early_awakeable_is_resolved_only_by_those_who_may_resolve_all(
    control: Control, tokens: Tokens, things: dict[str, Things]
) -> None:
    await tokens.add("some", "resolve:mine.*")
    await tokens.add("all", "resolve")
    request = control_pb2.ResolveAwakeableRequest(
        awakeable_id=things["mine"].early, outcome=OUTCOME
    )
    error = await Caller(control, tokens.texts["some"])("ResolveAwakeable", request)
    assert error is not None
    assert error.reason == "AWAKEABLE_NOT_FOUND"
    assert await Caller(control, tokens.texts["all"])("ResolveAwakeable", request) is None


async def test_hints_for_an_unknown_handler_name_only_what_the_caller_knows(
    control: Control, tokens: Tokens, things: dict[str, Things]
) -> None:
    await tokens.add("mine", "invoke:mine.*", "read:m*")
    hints = {}
    for token, name in (("mine", "mine.doo"), ("mine", "theirs.doo"), ("admin", "theirs.doo")):
        error = await Caller(control, tokens.texts[token])(
            "Invoke", control_pb2.InvokeRequest(handler=name)
        )
        assert error is not None
        assert error.reason == "HANDLER_NOT_FOUND"
        hints[token, name] = json.loads(error.metadata)["known"].split(",")[0]
    assert hints["mine", "mine.doo"] == "mine.do"
    assert not hints["mine", "theirs.doo"].startswith("theirs")
    assert hints["admin", "theirs.doo"] == "theirs.do"
    assert things


async def test_a_build_of_two_tenants_is_promoted_for_the_own_handlers_only(
    channel: grpc.aio.Channel, control: Control, tokens: Tokens
) -> None:
    admin = bearer(await tokens.add("admin", "admin"))
    both = ManualWorker(channel, handlers=("mine.do", "theirs.do"), metadata=admin)
    both.hello.build_id = "v1"
    mine = Caller(control, await tokens.add("mine", "operate", "read", namespace="mine."))
    some = Caller(control, await tokens.add("some", "operate:mine.*", "read:mine.*"))
    promote = control_pb2.PromoteBuildRequest(build_id="v1")
    async with both:
        # Without a namespace a request is about all handlers, unless it names some.
        error = await some("PromoteBuild", promote)
        assert error is not None
        assert error.reason == "PERMISSION_DENIED"
        assert "theirs" not in error.text + error.metadata
        own = control_pb2.PromoteBuildRequest(build_id="v1", handlers=["mine.do"])
        assert await some("PromoteBuild", own) is None
        assert await mine("PromoteBuild", promote) is None
        others = control_pb2.PromoteBuildRequest(build_id="v1", handlers=["theirs.do"])
        absent = control_pb2.PromoteBuildRequest(build_id="v1", handlers=["absent.do"])
        errors = [await mine("PromoteBuild", it) for it in (others, absent)]
        assert errors[0] is not None
        assert errors[0].reason == "INVALID_FIELD"
        assert errors[0].text.replace("theirs", "absent") == (errors[1] or errors[0]).text
        # A request id of others is not that of the own request.
        promote = control_pb2.PromoteBuildRequest(build_id="v1", request_id="deploy-1")
        await control.PromoteBuild(promote, metadata=admin)
        again = control_pb2.PromoteBuildRequest(build_id="v1", automatic=True)
        assert await mine("PromoteBuild", again) is None
        assert await mine("PromoteBuild", promote) is None
        request = control_pb2.ListDeploymentsRequest()
        own_route = await control.ListDeployments(request, metadata=bearer(tokens.texts["mine"]))
        assert [it.handler for it in own_route.routes] == ["mine.do"]
        everything = control_pb2.PromoteBuildRequest(
            build_id="v1", handlers=["theirs.do"], automatic=True
        )
        await control.PromoteBuild(everything, metadata=admin)
        # A drain concerns them all.
        error = await mine("DrainBuild", control_pb2.DrainBuildRequest(build_id="v1"))
        assert error is not None
        assert error.reason == "PERMISSION_DENIED"
        request = control_pb2.ListDeploymentsRequest()
        for token, handlers in (("mine", ["mine.do"]), ("admin", ["mine.do", "theirs.do"])):
            found = await control.ListDeployments(request, metadata=bearer(tokens.texts[token]))
            assert [[*it.handlers] for it in found.deployments] == [handlers]
            assert [it.handler for it in found.routes] == ["mine.do"]
        nothing = bearer(await tokens.add("nothing", "read:other.*"))
        found = await control.ListDeployments(request, metadata=nothing)
        assert [*found.deployments, *found.routes] == []


async def test_who_may_only_invoke_learns_the_end_and_not_the_journal(
    control: Control, tokens: Tokens, things: dict[str, Things]
) -> None:
    await tokens.add("invoke", "invoke:mine.*")
    await tokens.add("read", "read:mine.*")
    request = control_pb2.GetResultRequest(
        invocation_id=things["mine"].invocation, include_journal=True
    )
    entries = {
        token: len((await control.GetResult(request, metadata=bearer(tokens.texts[token]))).journal)
        for token in ("invoke", "read")
    }
    assert entries == {"invoke": 0, "read": 2}


async def test_a_repin_does_not_tell_which_builds_others_have(
    control: Control, tokens: Tokens, things: dict[str, Things]
) -> None:
    own = things["mine"]
    mine = Caller(control, await tokens.add("mine", "operate", "read", namespace="mine."))
    errors = []
    for build in (things["theirs"].build, "absent-1"):
        error = await mine(
            "Repin", control_pb2.RepinRequest(invocation_id=own.invocation, build_id=build)
        )
        assert error is not None
        errors.append((error.reason, error.text.replace(build, "it")))
    assert errors[0] == errors[1]
    assert errors[0][0] == "BUILD_NOT_FOUND"
    request = control_pb2.RepinRequest(invocation_id=own.invocation, build_id=own.build)
    operator = Caller(control, await tokens.add("operator", "operate"))
    for caller in (mine, operator):
        assert await caller("Repin", request) is None
