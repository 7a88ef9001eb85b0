"""Workflows for the worker processes of these tests."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import durable
from examples.services.hello_v1 import hello_pb2, hello_pb2_grpc


@durable.workflow
async def three_calls(ctx: durable.Context, name: str) -> list[str]:
    """Three calls, one after another."""
    service = ctx.stub(hello_pb2_grpc.HelloServiceStub)
    said = []
    for number in (1, 2, 3):
        response = await service.SayHello(hello_pb2.HelloRequest(name=f"{name}-{number}"))
        said.append(response.message)
    return said


@durable.workflow
async def in_rounds(ctx: durable.Context, name: str, said: list[str]) -> list[str]:
    """Three calls, each in a run of its own."""
    service = ctx.stub(hello_pb2_grpc.HelloServiceStub)
    request = hello_pb2.HelloRequest(name=f"{name}-{len(said) + 1}")
    said = [*said, (await service.SayHello(request)).message]
    if len(said) < 3:
        ctx.continue_as(name, said)
    return said


@durable.workflow
async def side_by_side(ctx: durable.Context, name: str) -> list[str]:
    """Three calls at once, in a task group, and a sleep beside them."""
    service = ctx.stub(hello_pb2_grpc.HelloServiceStub)

    async def call(number: int) -> str:
        request = hello_pb2.HelloRequest(name=f"{name}-{number}")
        return (await service.SayHello(request)).message

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(call(number)) for number in (1, 2, 3)]
        group.create_task(asyncio.sleep(0.05))
    return [task.result() for task in tasks]


@durable.workflow
async def changing(ctx: durable.Context) -> str:
    """Calls a differently named first step when FIRST_STEP is set."""
    first = await ctx.run(os.environ.get("FIRST_STEP", "first"), lambda: "one")
    service = ctx.stub(hello_pb2_grpc.HelloServiceStub)
    second = await service.SayHello(hello_pb2.HelloRequest(name="changing-2"))
    return f"{first} {second.message}"


@durable.workflow(retry=durable.RetryPolicy(max_attempts=2))
async def failing(ctx: durable.Context) -> None:
    """Fails in a step, each time."""

    def step() -> None:
        raise ValueError("this step always fails")

    await ctx.run("step", step)


@durable.workflow
async def napping(ctx: durable.Context, seconds: float) -> str:
    """Sleeps."""
    await asyncio.sleep(seconds)
    return "awake"


@durable.workflow
async def both_kinds(ctx: durable.Context) -> list[str]:
    """Steps of every kind: async, sync, and a lambda whose value is to be awaited."""

    async def later(word: str) -> str:
        await asyncio.sleep(0)
        return word

    def now(word: str) -> str:
        return word

    first = await ctx.run("async", later, "a")
    second = await ctx.run("sync", now, "b")
    third = await ctx.run("lambda", lambda: later("c"))
    return [first, second, third]


@durable.workflow
async def gated(ctx: durable.Context, files: list[str]) -> str:
    """Does a step that waits for a file, another step, and waits for the promise `go`."""
    gate, log = (Path(it) for it in files)

    def note(word: str) -> None:
        with log.open("a") as file:
            file.write(f"{word}\n")
        while word == "before" and not gate.exists():
            time.sleep(0.01)

    await ctx.run("before", note, "before")
    await ctx.run("after", note, "after")
    return str(await ctx.awakeable("go"))
