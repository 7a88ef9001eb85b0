"""The smallest program: invoke a workflow by its name and print its first response."""

from durable import Client
from examples.launcher import running
from examples.services.hello_v1.hello_pb2 import HelloResponse


def main() -> None:
    """Runs the example."""
    with running("examples.simple.workflows") as address, Client(address) as client:
        result = client.invoke("hello_workflow")
        print(result.first_response(HelloResponse).message)


if __name__ == "__main__":
    main()
