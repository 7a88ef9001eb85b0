"""A workflow that fails terminally for some inputs."""

import durable
from examples.services.hello_v1.hello_pb2 import HelloRequest
from examples.services.hello_v1.hello_pb2_grpc import HelloServiceStub


@durable.workflow
async def flaky_workflow(ctx: durable.Context, task: str) -> str:
    """Fails for a flaky task, unless it is a retry."""
    response = await ctx.stub(HelloServiceStub).SayHello(HelloRequest(name=task))
    if "flaky" in task and not task.endswith("-retry"):
        # A TerminalError is not retried. Durable retries any other exception by the handler's policy.
        raise durable.TerminalError(f"{task} does not work")
    return response.message
