"""Plain gRPC with generated stubs: a service called directly, and the control plane without the SDK."""

import json

import grpc

from durable_proto.v1.control_pb2 import InvokeRequest
from durable_proto.v1.control_pb2_grpc import DurableControlStub
from durable_proto.v1.payload_pb2 import Payload
from examples.launcher import HELLO, running, service
from examples.services.hello_v1.hello_pb2 import HelloRequest
from examples.services.hello_v1.hello_pb2_grpc import HelloServiceStub


def call_directly(address: str) -> str:
    """Calls HelloService: nothing is journaled, and nothing survives a crash."""
    with grpc.insecure_channel(address) as channel:
        return HelloServiceStub(channel).SayHello(HelloRequest(name="Direct")).message


def call_durably(address: str) -> str:
    """Invokes a workflow that makes the same call, through the control plane's own stubs."""
    request = InvokeRequest(handler="greeting", input=Payload(data=b'"Durable"'))
    request.wait_timeout.FromSeconds(30)
    with grpc.insecure_channel(address) as channel:
        response = DurableControlStub(channel).Invoke(request)
    text: str = json.loads(response.outcome.value.data)
    return text


def main() -> None:
    """Runs the example."""
    with service(HELLO) as hello, running("examples.restate_style.workflows") as address:
        print(f"Direct:  {call_directly(hello)}")
        print(f"Durable: {call_durably(address)}")


if __name__ == "__main__":
    main()
