"""Two users with shopping carts, and a ticket whose reservation expires."""

import time

from durable import Client
from examples.launcher import TICKET, running
from examples.ticket_cart.workflows import HOLD_SECONDS, Cart


def add(client: Client, user: str, ticket: str, hold_seconds: float = HOLD_SECONDS) -> None:
    """Puts a ticket in a user's cart."""
    cart = client.options(key=user)
    reserved = cart.invoke(Cart.add, ticket=ticket, hold_seconds=hold_seconds)
    print(f"🎫 {user} adds {ticket}: {'reserved' if reserved else 'not available'}")


def tickets(client: Client, user: str) -> list[str]:
    """Returns what is in a user's cart."""
    return client.options(key=user).invoke(Cart.tickets)


def show(client: Client, user: str) -> None:
    """Prints what is in a user's cart."""
    print(f"🛒 Cart of {user}: {', '.join(tickets(client, user)) or 'empty'}")


def shop(client: Client) -> None:
    """Fills the carts and waits until a ticket expires."""
    add(client, "user-1", "TICKET-001", hold_seconds=3)
    add(client, "user-1", "TICKET-002")
    add(client, "user-2", "TICKET-001")
    show(client, "user-1")
    show(client, "user-2")

    print("⏳ Waiting for TICKET-001 to expire...")
    while "TICKET-001" in tickets(client, "user-1"):
        time.sleep(0.2)
    show(client, "user-1")
    add(client, "user-2", "TICKET-001")


def give_back(client: Client) -> None:
    """Empties the carts, so that the next run begins with free tickets."""
    for user in ("user-1", "user-2"):
        for ticket in tickets(client, user):
            client.options(key=user).invoke(Cart.expire, ticket)


def main() -> None:
    """Runs the example."""
    with running("examples.ticket_cart.workflows", TICKET) as address, Client(address) as client:
        shop(client)
        give_back(client)


if __name__ == "__main__":
    main()
