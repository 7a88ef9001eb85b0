"""The outbox of a store, as a list."""

from __future__ import annotations

from durable_server.core.messages import OutboxMessage
from durable_server.store.interface import Store


def outbox(store: Store) -> list[OutboxMessage]:
    """Returns all messages that are not confirmed, by destination and number."""
    return [
        message
        for destination, numbers in sorted(store.recover().outbox.items())
        for message in store.outbox(destination, numbers.start, 1 << 40)
    ]
