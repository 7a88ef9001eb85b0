"""Fire and forget: submit without waiting, do other work, fetch the result later."""

import time

from durable import Client
from examples.launcher import running
from examples.services.hello_v1.hello_pb2 import HelloResponse


def main() -> None:
    """Runs the example."""
    with running("examples.simple.workflows") as address, Client(address) as client:
        invocation_id = client.invoke_async("hello_workflow")
        print(f"Submitted: {invocation_id}")

        time.sleep(2)  # do other work ...

        result = client.get_result(invocation_id)
        print(result.first_response(HelloResponse).message)


if __name__ == "__main__":
    main()
