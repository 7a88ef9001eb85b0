"""The extent of partitions' logs: which sequences they hold, read without leading them.

A control plane needs it before it opens its stores: a store that is behind the beginning of the log
cannot be brought up to date from it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import NamedTuple

from ..nats.api import STREAM_NOT_FOUND, ApiError, call_api
from ..nats.connection import Connection
from ..nats.endpoint import Endpoint, EndpointSource
from .jetstream import ACK_TIMEOUT, stream_name
from .preflight import with_connection


class Extent(NamedTuple):
    """What a log holds."""

    first: int
    """The first sequence; last+1 when the log is empty."""
    last: int
    """The last sequence, trimmed or not; 0 when nothing was ever written."""
    size: int
    """In bytes."""

    def bytes_after(self, sequence: int) -> int:
        """Returns about how many bytes come after a sequence, as if all frames had the same size."""
        count = self.last - self.first + 1
        return self.size * min(max(self.last - sequence, 0), count) // count if count else 0


async def read_extents(source: EndpointSource, partitions: Iterable[int]) -> list[Extent]:
    """Returns the extents of these partitions' logs; that of a missing log is empty.

    Raises what `preflight.with_connection` raises.
    """
    wanted = list(partitions)

    async def read(connection: Connection, _endpoint: Endpoint) -> list[Extent]:
        return list(await asyncio.gather(*(_read(connection, it) for it in wanted)))

    return await with_connection(source, "durable log extents", read)


async def _read(connection: Connection, partition: int) -> Extent:
    try:
        info = await call_api(connection, f"STREAM.INFO.{stream_name(partition)}", {}, ACK_TIMEOUT)
    except ApiError as error:
        if error.number == STREAM_NOT_FOUND:
            return Extent(1, 0, 0)
        raise
    state = info["state"]
    last = int(state["last_seq"])
    first = int(state["first_seq"]) if state["messages"] else last + 1
    return Extent(first, last, int(state["bytes"]))
