"""The topology of a cluster, as the RPCs need it: which nodes live, and which partitions each leads.

It is a hint, and may be old by a moment: whoever acts on it must expect that the node that it names
does not lead the partition any more. Only the log decides who leads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

Listen = Callable[[Callable[[], None]], Callable[[], None]]
"""Takes a function to call at each change of something; returns what ends this."""


class Node(Protocol):
    """A live node, as it describes itself."""

    @property
    def name(self) -> str:
        """Its name, unique in the cluster."""
        ...

    @property
    def address(self) -> str:
        """HOST:PORT where it serves clients and workers."""
        ...

    @property
    def http_address(self) -> str:
        """HOST:PORT where it serves HTTP; empty if it serves none."""
        ...

    @property
    def version(self) -> str:
        """Its version."""
        ...

    @property
    def format_level(self) -> int:
        """The newest format level that it can read."""
        ...

    @property
    def draining(self) -> bool:
        """Whether it gives its partitions away and takes none."""
        ...

    @property
    def stopping(self) -> bool:
        """Whether it does so because it stops."""
        ...

    @property
    def leads(self) -> Mapping[int, tuple[int, int]]:
        """The epoch and the last sequence of the log of each partition that it leads."""
        ...

    @property
    def follows(self) -> Mapping[int, int]:
        """The last sequence that it has applied of each partition that it follows."""
        ...


class Topology(Protocol):
    """The live nodes of a cluster, and who leads what."""

    @property
    def name(self) -> str:
        """The name of this node."""
        ...

    @property
    def live(self) -> Mapping[str, Node]:
        """The live nodes by name, this one included."""
        ...

    def leader(self, partition: int) -> Node | None:
        """Returns the node that leads a partition; None while no live node does."""
        ...

    def listen(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Calls `changed` when nodes come or go, or lead other partitions; returns what ends this."""
        ...


class Changes:
    """Waits for the next change of who leads what, of which it hears from several sides."""

    def __init__(self, *sides: Listen) -> None:
        self._next = asyncio.Event()
        self._ends = [listen(self._changed) for listen in sides]

    async def wait(self, seconds: float) -> None:
        """Returns at the next change, or after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._next.wait()
        except TimeoutError:
            pass

    def close(self) -> None:
        """Wakes all that wait, and hears no more changes."""
        for end in self._ends:
            end()
        self._changed()

    def _changed(self) -> None:
        self._next.set()
        self._next = asyncio.Event()
