"""One workflow, four service calls, four journal entries."""

from durable import Client
from examples.launcher import running
from examples.multi_service.workflows import multi_service_demo


def main() -> None:
    """Runs the example."""
    with running("examples.multi_service.workflows") as address, Client(address) as client:
        invocation_id = client.invoke_async(multi_service_demo, "Durable Execution")
        result = client.get_result(invocation_id, multi_service_demo)
        print("Multi-Service Workflow Results:")
        print(result.value())
        print(f"Total service calls: {len(result.journal)}")


if __name__ == "__main__":
    main()
