"""Four ways to invoke a workflow: typed, by reference, by name, from another workflow."""

import durable
from durable import Client
from examples.launcher import running
from examples.restate_style.workflows import greet_many, greeting


def main() -> None:
    """Runs the example."""
    with running("examples.restate_style.workflows") as address, Client(address) as client:
        print("1. Typed invocation")
        print(f"   {client.invoke(greeting, 'Restate-Style')}")

        print("2. Workflow reference")  # has the types, needs no code of the workflow
        remote = greeting.ref()
        print(f"   {client.invoke(remote, 'Remote')}")

        print("3. Reference by name")  # needs no import of the workflow
        named = durable.ref("greeting", str)
        print(f"   {client.invoke(named, 'Named')}")

        print("4. Workflow composition")
        for text in client.invoke(greet_many, ["Alice", "Bob", "Charlie"]):
            print(f"   {text}")


if __name__ == "__main__":
    main()
