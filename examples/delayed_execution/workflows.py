"""A workflow that schedules another workflow."""

from dataclasses import dataclass
from datetime import timedelta

import durable
from examples.services.hello_v1.hello_pb2 import HelloRequest
from examples.services.hello_v1.hello_pb2_grpc import HelloServiceStub


@dataclass
class SchedulerInput:
    """The greeting, and after how many seconds it is due."""

    message: str
    delay: float


@dataclass
class GreetingInput:
    """Whom to greet."""

    name: str


@dataclass
class Scheduled:
    """The invocation that was scheduled."""

    message: str
    invocation_id: str


@durable.workflow
async def delayed_greeting(ctx: durable.Context, greeting: GreetingInput) -> str:
    """Greets; starts when the delay is over."""
    response = await ctx.stub(HelloServiceStub).SayHello(HelloRequest(name=greeting.name))
    return response.message


@durable.workflow
async def scheduler(ctx: durable.Context, order: SchedulerInput) -> Scheduled:
    """Makes one call now, and schedules a greeting for later."""
    await ctx.stub(HelloServiceStub).SayHello(HelloRequest(name="Scheduler"))
    invocation_id = await ctx.send_delayed(
        delayed_greeting,
        GreetingInput(name=order.message),
        timedelta(seconds=order.delay),
        partition_key="greetings",
    )
    return Scheduled("Scheduled greeting for future execution", invocation_id)
