"""Types from end to end: mypy and pyright know that the result is a str, and check the argument."""

from durable import Client
from examples.launcher import running
from examples.typed.workflows import typed_hello


def main() -> None:
    """Runs the example."""
    with running("examples.typed.workflows") as address, Client(address) as client:
        result: str = client.invoke(typed_hello, "TypeSafe World")
        print(result)  # a str: nothing to decode


if __name__ == "__main__":
    main()
