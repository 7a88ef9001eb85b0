"""Reads which records the logs of a system hold, also those of versions that this code cannot read."""

from __future__ import annotations

import msgspec

from durable_server.log import frame
from durable_server.log.extent import read_extents
from durable_server.log.jetstream import stream_name
from durable_server.log.stream_reader import read_range
from durable_server.nats.connection import Connection
from durable_server.nats.endpoint import fixed, parse_urls

_decode = msgspec.msgpack.Decoder(tuple[int, list[tuple[int, msgspec.Raw]]]).decode


async def record_numbers(nats_port: int, partitions: int) -> list[list[int]]:
    """Returns the numbers of the records in each log, in their order."""
    endpoint = parse_urls(f"nats://127.0.0.1:{nats_port}")
    extents = await read_extents(fixed(endpoint), range(partitions))
    connection = await Connection.open(endpoint, name="test")
    found: list[list[int]] = []
    try:
        for partition, extent in enumerate(extents):
            numbers: list[int] = []

            async def deliver(_sequence: int, data: bytes, numbers: list[int] = numbers) -> None:
                numbers += [number for number, _ in _decode(frame.decode(data).body)[1]]

            await read_range(
                connection, stream_name(partition), extent.first, extent.last, deliver, 10.0
            )
            assert numbers
            found.append(numbers)
    finally:
        connection.abort()
    return found
