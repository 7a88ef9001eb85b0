"""Durable gRPC calls against a real server: through a generated stub, and by name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
import pytest_asyncio

import durable
from durable import Context
from durable._definitions.workflow import Workflow
from durable._engine.attempt import Attempt
from durable._engine.steps import Environment
from durable_proto.v1 import worker_pb2
from examples.services.hello_v1 import hello_pb2, hello_pb2_grpc

from .harness import CALL, INVOCATION_ID, End, World, ended, last_message, start_message

HelloRequest, HelloResponse = hello_pb2.HelloRequest, hello_pb2.HelloResponse


class Greeter(hello_pb2_grpc.HelloServiceServicer):
    """Records the metadata of calls; aborts if the name is that of a status code."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    async def SayHello(self, request: Any, context: Any) -> Any:
        self.calls.append((request.name, dict(context.invocation_metadata())))
        code = getattr(grpc.StatusCode, request.name, None)
        if code is not None:
            await context.abort(code, "as you wish")
        return HelloResponse(message=f"Hello, {request.name}!" if request.name else "")


class Service:
    """A Greeter behind a real server."""

    def __init__(self, greeter: Greeter, channel: grpc.aio.Channel) -> None:
        self.greeter = greeter
        self.looked_up: list[str] = []
        self._channel = channel
        self.environment = Environment(channel=self.channel)

    def channel(self, service: str) -> grpc.aio.Channel:
        self.looked_up.append(service)
        return self._channel

    async def run(self, workflow: Workflow[..., Any], *args: Any, **options: Any) -> End:
        """Runs one attempt, with its calls on the real loop; returns its end."""
        start = start_message(workflow, args, **options)
        attempt = Attempt(workflow, INVOCATION_ID, 1, start, self.environment)
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()
        completions = 0
        self.names: list[str] = []

        def take() -> None:
            nonlocal completions
            sent = attempt.outbox[:]
            attempt.outbox.clear()
            for message in sent:
                if message.WhichOneof("message") != "entry":
                    attempt.outbox.append(message)
                    over.set_result(None)
                    return
                assert message.entry.kind == CALL
                self.names.append(message.entry.name)
                completions += 1
                attempt.on_ack(
                    worker_pb2.Ack(index=message.entry.index, completion_number=completions)
                )
                take()
            tasks = attempt.tasks[:]
            attempt.tasks.clear()
            for task in tasks:
                assert not task.blocking
                running = loop.create_task(task.body())
                running.add_done_callback(lambda ran, task=task: finish(task, ran))

        def finish(task: Any, ran: asyncio.Task[Any]) -> None:
            error = ran.exception()
            value = None if error is not None else task.encode(ran.result())
            if not attempt.done:
                attempt.on_step(task.index, value, error, 0.0)
                take()

        def begin() -> None:
            attempt.begin()
            take()

        loop.call_soon(begin)
        await asyncio.wait_for(over, 20)
        message = last_message(attempt)
        if message.WhichOneof("message") == "finished":
            return ended(message.finished)
        return End("attempt_failed", None, message.attempt_failed.failure)


@pytest_asyncio.fixture
async def service() -> AsyncIterator[Service]:
    greeter = Greeter()
    server = grpc.aio.server()
    hello_pb2_grpc.add_HelloServiceServicer_to_server(greeter, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Service(greeter, channel)
    await server.stop(None)


@durable.workflow
async def by_stub(ctx: Context, name: str) -> str:
    hello = ctx.stub(hello_pb2_grpc.HelloServiceStub)
    response = await hello.SayHello(HelloRequest(name=name))
    return response.message


@durable.workflow
async def by_name(ctx: Context, name: str) -> str:
    response = await ctx.durable_call(
        "HelloService", "SayHello", HelloRequest(name=name), HelloResponse
    )
    return response.message


@durable.workflow
async def by_full_name(ctx: Context, name: str) -> str:
    response = await ctx.durable_call(
        "hello.v1.HelloService", "SayHello", HelloRequest(name=name), HelloResponse, timeout=10
    )
    return response.message


WAYS = (by_stub, by_name, by_full_name)


@pytest.mark.parametrize("workflow", WAYS, ids=lambda it: it.name)
async def test_a_call_is_journaled_by_service_and_method(
    service: Service, workflow: Workflow[..., Any]
) -> None:
    end = await service.run(workflow, "Ada", headers={"tenant": "acme"})
    assert end.get() == "Hello, Ada!"
    assert service.names == ["HelloService.SayHello"]
    assert service.looked_up == ["hello.v1.HelloService"]
    ((_, metadata),) = service.greeter.calls
    assert metadata["durable-idempotency-key"] == f"{INVOCATION_ID}/0"
    assert metadata["tenant"] == "acme"


async def test_headers_that_are_no_metadata_do_not_break_calls(service: Service) -> None:
    headers = {
        "Authorization": "Bearer x",
        "X-Name": "Zoë",
        "grpc-timeout": "1n",
        "with space": "x",
        "raw-bin": "ü",
        "durable-idempotency-key": "forged",
        "user-agent": "mine",
    }
    end = await service.run(by_stub, "Ada", headers=headers)
    assert end.get() == "Hello, Ada!"
    ((_, metadata),) = service.greeter.calls
    assert metadata["authorization"] == "Bearer x"
    assert metadata["x-name"] == "Zo%C3%AB"
    assert metadata["durable-idempotency-key"] == f"{INVOCATION_ID}/0"


async def test_an_empty_response_is_a_response(service: Service) -> None:
    assert (await service.run(by_stub, "")).get() == ""


async def test_each_call_has_its_own_key_and_calls_run_side_by_side(service: Service) -> None:
    @durable.workflow
    async def many(ctx: Context) -> list[str]:
        hello = ctx.stub(hello_pb2_grpc.HelloServiceStub)
        request = HelloRequest()
        calls = []
        for name in ("a", "b", "c"):
            request.name = name  # one request object for all: a call sends what it was then
            calls.append(hello.SayHello(request))
        return [response.message for response in await asyncio.gather(*calls)]

    assert (await service.run(many)).get() == ["Hello, a!", "Hello, b!", "Hello, c!"]
    keys = [metadata["durable-idempotency-key"] for _, metadata in service.greeter.calls]
    assert sorted(keys) == [f"{INVOCATION_ID}/{index}" for index in range(3)]


@pytest.mark.parametrize(
    "code",
    [
        "INVALID_ARGUMENT",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "FAILED_PRECONDITION",
        "UNIMPLEMENTED",
        "OUT_OF_RANGE",
        "UNAUTHENTICATED",
    ],
)
async def test_codes_that_no_retry_changes_are_journaled(service: Service, code: str) -> None:
    @durable.workflow
    async def caught(ctx: Context) -> str:
        hello = ctx.stub(hello_pb2_grpc.HelloServiceStub)
        try:
            await hello.SayHello(HelloRequest(name=code))
        except durable.StepFailedError as error:
            return f"{error.message}"
        return "no error"

    end = await service.run(caught)
    assert code in end.get()
    assert "as you wish" in end.get()
    assert len(service.greeter.calls) == 1


@pytest.mark.parametrize("code", ["UNAVAILABLE", "INTERNAL", "UNKNOWN", "RESOURCE_EXHAUSTED"])
async def test_other_codes_fail_the_attempt(service: Service, code: str) -> None:
    end = await service.run(by_stub, code)
    assert end.kind == "attempt_failed"
    assert end.failure is not None
    assert code in end.failure.message
    assert not service.names


def test_the_error_for_an_unknown_service_says_how_to_name_it() -> None:
    world = World(by_stub, "Ada", attempts=1)
    for task in list(world.attempt.tasks):
        world.attempt.tasks.remove(task)
    end = world.run()
    assert end.failure is not None
    assert "hello.v1.HelloService" in end.failure.message


def test_a_short_service_name_must_be_in_the_file_of_the_request() -> None:
    @durable.workflow
    async def program(ctx: Context) -> None:
        await ctx.durable_call("Other", "SayHello", HelloRequest(), HelloResponse)

    failure = World(program, attempts=1).run().failure
    assert failure is not None
    assert "Other" in failure.message
    assert "full name" in failure.message


def test_streams_are_refused() -> None:
    @durable.workflow
    async def program(ctx: Context) -> None:
        class Stub:
            """As a generator would make it."""

            def __init__(self, channel: grpc.aio.Channel) -> None:
                self.Watch: Any = channel.unary_stream("/hello.v1.HelloService/Watch")

        ctx.stub(Stub).Watch(HelloRequest())

    failure = World(program, attempts=1).run().failure
    assert failure is not None
    assert failure.type == "durable.NonDurableAwaitError"
    assert "streaming" in failure.message
