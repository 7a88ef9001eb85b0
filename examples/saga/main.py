"""All or nothing over several service calls: a failure compensates the calls before it."""

from durable import Client, InvocationFailedError
from examples.launcher import TICKET, running
from examples.saga.workflows import book_seats, give_back


def book(client: Client, user: str, tickets: list[str]) -> None:
    """Books the tickets and prints the outcome."""
    try:
        print(f"✅ {client.invoke(book_seats, user=user, tickets=tickets)}")
    except InvocationFailedError as error:
        print(f"❌ {user} has nothing: {error.failure.message}")
        for step in client.get_result(error.invocation_id).journal:
            print(f"   {step.step_type}")


def main() -> None:
    """Runs the example."""
    with running("examples.saga.workflows", TICKET) as address, Client(address) as client:
        book(client, "alice", ["SEAT-1"])
        book(
            client, "bob", ["SEAT-3", "SEAT-2", "SEAT-1"]
        )  # SEAT-1 is sold: SEAT-3 and SEAT-2 are released
        book(client, "carol", ["SEAT-2", "SEAT-3"])  # so she gets them
        client.invoke(
            give_back, user="alice", tickets=["SEAT-1"]
        )  # so that the example can run again
        client.invoke(give_back, user="carol", tickets=["SEAT-2", "SEAT-3"])


if __name__ == "__main__":
    main()
