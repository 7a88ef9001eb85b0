"""A workflow that starts another one, some time later."""

from dataclasses import dataclass
from datetime import timedelta

import durable
from examples.services.hello_v1.hello_pb2 import HelloRequest
from examples.services.hello_v1.hello_pb2_grpc import HelloServiceStub


@dataclass
class SchedulerInput:
    """What to say, and in how many seconds."""

    message: str
    delay: float


@dataclass
class GreetingInput:
    """Whom to greet."""

    name: str


@dataclass
class Scheduled:
    """What was scheduled."""

    message: str
    invocation_id: str


@durable.workflow
async def delayed_greeting(ctx: durable.Context, greeting: GreetingInput) -> str:
    """Greets; runs when the delay is over."""
    response = await ctx.stub(HelloServiceStub).SayHello(HelloRequest(name=greeting.name))
    return response.message


@durable.workflow
async def scheduler(ctx: durable.Context, order: SchedulerInput) -> Scheduled:
    """Does some work now, and has a greeting said later."""
    await ctx.stub(HelloServiceStub).SayHello(HelloRequest(name="Scheduler"))
    invocation_id = await ctx.send_delayed(
        delayed_greeting,
        GreetingInput(name=order.message),
        timedelta(seconds=order.delay),
        partition_key="greetings",
    )
    return Scheduled("Scheduled greeting for future execution", invocation_id)
