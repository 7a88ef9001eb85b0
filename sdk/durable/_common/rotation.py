"""The rotation: which of the addresses of a control plane a connection uses, and the next ones.

Every node of a control plane takes every request, so a connection uses one address until a try there
fails, and then the next one. What it opens for an address (a channel) is made at the first use and
kept, because other calls may still be in flight on it, and a later round comes back to it.

Rules.
- Each connection goes through the addresses in a random order of its own. So clients and workers
  spread over the nodes, and when a node ends, those that used it spread over the others.
- `leave` names the address that failed. Of many calls that fail together at one address, the first
  one moves the connection on, and the others find it moved.
- With a single address nothing ever moves.
- When the files of TLS have changed, the next use of an address opens anew. What was open before
  may have calls in flight; it stays open until the owner closes all, and gRPC lets its connection
  go when it is idle.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from .addresses import Address

T = TypeVar("T")

logger = logging.getLogger("durable.client")


class Rotation(Generic[T]):
    """The addresses of one connection and what is open for each. Thread-safe."""

    def __init__(self, addresses: Sequence[Address], open_one: Callable[[Address], T]) -> None:
        """`open_one` makes what the connection needs of an address, such as a channel."""
        self._addresses: Final = random.sample(addresses, len(addresses))
        self._open: Final = open_one
        self._opened: Final[dict[Address, tuple[T, object]]] = {}
        self._replaced: Final[list[T]] = []
        self._position = 0
        self._lock: Final = threading.Lock()

    def __len__(self) -> int:
        """How many addresses there are."""
        return len(self._addresses)

    @property
    def address(self) -> Address:
        """The address that is used now."""
        return self._addresses[self._position]

    def use(self) -> T:
        """Returns what is open for the address that is used now, opened if need be.

        Raises ValueError if it was never open and a file of TLS cannot be used.
        """
        with self._lock:
            address = self.address
            known = self._opened.get(address)
            state = address.state()
            if known is not None and known[1] == state:
                return known[0]
            try:
                opened = self._open(address)
            except ValueError as error:
                if known is None:
                    raise
                # Said once for each change.
                logger.warning("the certificates in use stay, because %s", error)
                opened = known[0]
            else:
                if known is not None:
                    self._replaced.append(known[0])
            self._opened[address] = opened, state
            return opened

    def leave(self, address: Address) -> None:
        """Moves on to the next address, unless the connection has left `address` already."""
        with self._lock:
            if address == self.address:
                self._position = (self._position + 1) % len(self._addresses)

    def opened(self) -> list[T]:
        """Returns all that is open, for the owner to close."""
        return [it for it, _ in self._opened.values()] + self._replaced
