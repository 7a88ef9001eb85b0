"""Durable calls through the worker: a user's generated stub, a real service, the channel between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest

import durable
from durable_proto.v1 import control_pb2, control_pb2_grpc, invocation_pb2, worker_pb2_grpc
from examples.services.hello_v1 import hello_pb2, hello_pb2_grpc

from .peers import WorkerPeer, ack, start, worker_peer
from .test_worker_session import ID, running


class Hello(hello_pb2_grpc.HelloServiceServicer):
    """Greets, refuses `nobody`, and remembers the metadata of each call."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    async def SayHello(self, request: Any, context: Any) -> Any:
        self.seen.append(dict(context.invocation_metadata()))
        if request.name == "nobody":
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "nobody is no name")
        if request.name == "later":
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        return hello_pb2.HelloResponse(message=f"Hello, {request.name}!")


@durable.workflow
async def by_stub(ctx: durable.Context, name: str) -> str:
    stub = ctx.stub(hello_pb2_grpc.HelloServiceStub)
    return (await stub.SayHello(hello_pb2.HelloRequest(name=name))).message


@durable.workflow
async def by_name(ctx: durable.Context, name: str) -> str:
    request = hello_pb2.HelloRequest(name=name)
    found = await ctx.durable_call("HelloService", "SayHello", request, hello_pb2.HelloResponse)
    return found.message


@durable.workflow
async def number(ctx: durable.Context, n: int) -> int:
    return n


@pytest.fixture
async def hello() -> AsyncIterator[tuple[Hello, str]]:
    service = Hello()
    server = grpc.aio.server()
    hello_pb2_grpc.add_HelloServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield service, f"127.0.0.1:{port}"
    await server.stop(None)


@pytest.mark.parametrize("workflow", [by_stub, by_name])
@pytest.mark.parametrize("where", ["argument", "environment"])
async def test_a_call_is_made_and_journaled(
    hello: tuple[Hello, str], workflow: Any, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = {"HelloService": hello[1]} if where == "argument" else None
    if where == "environment":
        monkeypatch.setenv("DURABLE_SERVICES", f"HelloService={hello[1]}")
    async with worker_peer() as (peer, address), running(address, workflow, services=services):
        session = await peer.accept()
        await session.send(start(ID, workflow.name, '"Ann"'))
        entry = await session.next("entry")
        assert entry.entry.kind == invocation_pb2.ENTRY_KIND_CALL
        assert entry.entry.name == "HelloService.SayHello"
        value = entry.entry.outcome.value
        kind = hello_pb2.HelloResponse.DESCRIPTOR.full_name
        assert value.content_type == f"application/x-protobuf; message={kind}"
        assert hello_pb2.HelloResponse.FromString(value.data).message == "Hello, Ann!"
        await session.send(ack(entry, 1))
        assert (await session.next("finished")).finished.outcome.value.data == b'"Hello, Ann!"'
        # With this key a service can make its effect exactly-once.
        assert hello[0].seen[0]["durable-idempotency-key"] == f"{ID}/0"


class Webhooks(control_pb2_grpc.DurableControlServicer):
    """A control plane's webhooks, and the metadata of each call."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    async def CreateWebhook(self, request: Any, context: Any) -> Any:
        self.seen.append(dict(context.invocation_metadata()))
        return control_pb2.CreateWebhookResponse(url=f"https://example.com/{request.awakeable_id}")


async def test_a_webhook_is_made_by_a_durable_call_like_any_other() -> None:
    @durable.workflow
    async def hooked(ctx: durable.Context) -> str:
        return (await ctx.awakeable("paid").webhook()).url

    webhooks, peer, server = Webhooks(), WorkerPeer(), grpc.aio.server()
    control_pb2_grpc.add_DurableControlServicer_to_server(webhooks, server)
    worker_pb2_grpc.add_DurableWorkerServicer_to_server(peer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with running(f"127.0.0.1:{port}", hooked):
            session = await peer.accept()
            begin = start(ID, "hooked")
            begin.start.headers["tenant"] = "t1"
            await session.send(begin)
            await session.send(ack(await session.next("entry"), 0))
            entry = await session.next("entry")
            assert entry.entry.name == "DurableControl.CreateWebhook"
            await session.send(ack(entry, 1))
            value = (await session.next("finished")).finished.outcome.value
            assert value.data == b'"https://example.com/paid"'
    finally:
        await server.stop(None)
    assert webhooks.seen[0]["durable-idempotency-key"] == f"{ID}/1"
    assert webhooks.seen[0]["tenant"] == "t1"


async def test_a_refusal_for_good_is_journaled(hello: tuple[Hello, str]) -> None:
    services = {"HelloService": hello[1]}
    async with worker_peer() as (peer, address), running(address, by_stub, services=services):
        session = await peer.accept()
        await session.send(start(ID, "by_stub", '"nobody"'))
        entry = await session.next("entry")
        assert "nobody is no name" in entry.entry.outcome.failure.message
        await session.send(ack(entry, 1))
        failure = (await session.next("finished")).finished.outcome.failure
        assert failure.terminal


async def test_another_refusal_is_left_to_the_retry_policy(hello: tuple[Hello, str]) -> None:
    services = {"HelloService": hello[1]}
    async with worker_peer() as (peer, address), running(address, by_stub, services=services):
        session = await peer.accept()
        await session.send(start(ID, "by_stub", '"later"'))
        failed = await session.next("attempt_failed")
        assert "not now" in failed.attempt_failed.failure.message


async def test_a_service_without_an_address_says_how_to_give_one() -> None:
    async with worker_peer() as (peer, address), running(address, by_stub):
        session = await peer.accept()
        await session.send(start(ID, "by_stub", '"Ann"'))
        failed = await session.next("attempt_failed")
        assert "--service HelloService=HOST:PORT" in failed.attempt_failed.failure.message


@pytest.mark.parametrize(("value", "problem"), [('"x"', "int"), ("{", "JSON"), (None, "n")])
async def test_an_input_that_does_not_fit_fails_for_good(value: str | None, problem: str) -> None:
    async with worker_peer() as (peer, address), running(address, number):
        session = await peer.accept()
        await session.send(start(ID, "number", value))
        failure = (await session.next("finished")).finished.outcome.failure
        assert failure.type == "durable.InvalidInput"
        assert failure.terminal
        assert problem in failure.message
