"""The log reader: reads a partition's log without taking part in it, for `durable log`.

It never writes: no fence, no consumer, no trim. Frames are requested one by one, several at a time.
The embedded server of a running control plane is used with the read-only login. Where no control
plane runs, a server is started on the data dir for the time of the reading, under the same lock, so a
control plane that is started meanwhile reports who holds it.

The log's own rule (`log.frame`) decides which frames count. It is applied from a little before the
first frame that is shown, or from the beginning of the log; frames that do not count are shown as
dead. A frame that is damaged, or newer than this program, is shown as that, and the reading
continues.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

from .cluster.metadata import read
from .core import ids
from .log import batch, frame
from .log.interface import LogError, Position
from .log.jetstream import stream_name
from .log.stream_reader import SHORT_RANGE, read_range
from .nats.api import STREAM_NOT_FOUND, ApiError, call_api
from .nats.binary import NatsBinaryError
from .nats.connection import Connection, ConnectionLostError
from .nats.datadir import DataDir, DataDirBusyError, DataDirError
from .nats.embedded import EmbeddedNats, reader_endpoint
from .nats.endpoint import Endpoint, NatsTls, external_source

ANSWER_SECONDS: Final = 5.0
"""Seconds to wait for one answer."""
_POLL: Final = 0.2
"""Seconds between two checks for new frames."""
_CONTEXT_FRAMES: Final = 32
"""Frames that are read before the first one, to decide whether that one counts."""


class LogReadError(Exception):
    """The log cannot be read. The message is one line: what is wrong and what to do."""


class Bounds(NamedTuple):
    """The sequences of the first and the last frame; the last is 0 for an empty log."""

    first: int
    last: int


class ReadFrame(NamedTuple):
    """One frame of the log."""

    sequence: int
    position: Position | None
    """Its position; None when it is damaged."""
    size: int
    """Its size in bytes."""
    batch: batch.Batch | None
    problem: str
    """Why it does not count or cannot be read; empty for one that counts."""


class LogReader:
    """Reads one partition's log; made by `open_log`."""

    def __init__(self, connection: Connection, partition: int, count: int) -> None:
        self.partition = partition
        self.count = count
        """How many partitions the system has."""
        self._connection = connection
        self._stream = stream_name(partition)

    async def bounds(self) -> Bounds:
        """Returns the present bounds of the log; raises LogReadError."""
        try:
            info = await call_api(
                self._connection, f"STREAM.INFO.{self._stream}", {}, ANSWER_SECONDS
            )
        except (ApiError, TimeoutError, ConnectionLostError) as error:
            if isinstance(error, ApiError) and error.number == STREAM_NOT_FOUND:
                raise LogReadError(f"there is no log {self._stream} here yet") from error
            raise LogReadError(f"reading the log: {error}") from error
        state = info["state"]
        return Bounds(int(state["first_seq"]), int(state["last_seq"]))

    async def read(
        self, first: int, last: int, *, follow: bool = False
    ) -> AsyncIterator[ReadFrame]:
        """Yields the frames `first` to `last`; a `last` of 0 is the present end of the log.

        With `follow` it also yields new frames as they come. Trimmed frames are left out. Raises
        LogReadError.
        """
        bounds = await self.bounds()
        chain: frame.Chain | None = None
        at = max(first - _CONTEXT_FRAMES, bounds.first)
        while True:
            end = min(last or bounds.last, bounds.last)
            while at <= end:
                for sequence, data in await self._fetch(at, min(at + SHORT_RANGE - 1, end)):
                    chain, read = _classify(chain, sequence, data)
                    if sequence >= first:
                        yield read
                at = min(at + SHORT_RANGE, end + 1)
            if not follow or (last and at > last):
                return
            await asyncio.sleep(_POLL)
            bounds = await self.bounds()
            at = max(at, bounds.first)

    async def _fetch(self, first: int, last: int) -> list[tuple[int, bytes]]:
        found: list[tuple[int, bytes]] = []

        async def take(sequence: int, data: bytes) -> None:
            found.append((sequence, data))

        try:
            await read_range(
                self._connection,
                self._stream,
                *(first, last),
                take,
                ANSWER_SECONDS,
            )
        except (ApiError, TimeoutError, ConnectionLostError) as error:
            raise LogReadError(f"reading the log at {first}: {error}") from error
        return found


def _classify(
    chain: frame.Chain | None, sequence: int, data: bytes
) -> tuple[frame.Chain | None, ReadFrame]:
    """Returns the chain with the frame, and the frame with whether it counts."""
    try:
        found = frame.decode(data)
    except LogError as error:
        return chain, ReadFrame(sequence, None, len(data), None, f"damaged: {error}")
    if chain is None:
        chain = frame.Chain(found.prev_epoch, found.prev_number)
    position = Position(sequence, found.epoch, found.number)
    if not chain.admit(found):
        return chain, ReadFrame(
            sequence, position, len(data), None, "dead: another leader was here"
        )
    try:
        decoded = batch.decode(found.body)
    except batch.UndecodableBatchError as error:
        return chain, ReadFrame(sequence, position, len(data), None, str(error))
    return chain, ReadFrame(sequence, position, len(data), decoded, "")


@asynccontextmanager
async def open_log(
    data_dir: Path,
    nats_url: str = "",
    *,
    partition: int | None = None,
    invocation_id: str = "",
    follow: bool = False,
) -> AsyncIterator[LogReader]:
    """Opens the log of a partition of a data dir, or of a NATS system; raises LogReadError.

    Without `partition` it is that of the invocation, or partition 0.
    """

    def connected(endpoint: Endpoint) -> AbstractAsyncContextManager[LogReader]:
        return _connected(endpoint, partition, invocation_id)

    if nats_url:
        try:
            endpoint = await external_source(nats_url, NatsTls.from_environment())()
        except ValueError as error:
            raise LogReadError(str(error)) from error
        async with connected(endpoint) as reader:
            yield reader
        return
    if not (data_dir / "FORMAT").is_file():
        raise LogReadError(
            f"there is no data directory at {data_dir}; name it with --data-dir, or with --nats the "
            "NATS system that holds the log"
        )
    nats = data_dir / "nats"
    if not (nats / "jetstream").is_dir():
        raise LogReadError(f"there is no log in {data_dir}; is it in a NATS system? See --nats")
    try:
        data = DataDir(data_dir)
    except DataDirBusyError:
        try:
            endpoint = reader_endpoint(nats)
        except ConnectionError as error:
            raise LogReadError(f"{error}; if the log is in a NATS system, see --nats") from error
        async with connected(endpoint) as reader:
            yield reader
        return
    except DataDirError as error:
        raise LogReadError(str(error)) from error
    with data:
        if follow:
            raise LogReadError(f"nothing runs on {data_dir}, so there is nothing to follow")
        server = EmbeddedNats(nats)
        try:
            data.keep_nats_mode(None)
            await server.start()
            async with connected(reader_endpoint(server.folder)) as reader:
                yield reader
        except (DataDirError, OSError, NatsBinaryError) as error:
            raise LogReadError(str(error)) from error
        finally:
            await server.stop()


@asynccontextmanager
async def _connected(
    endpoint: Endpoint, partition: int | None, invocation_id: str
) -> AsyncIterator[LogReader]:
    try:
        connection = await Connection.open(
            endpoint, name="durable log", timeout_seconds=ANSWER_SECONDS
        )
    except ConnectionLostError as error:
        raise LogReadError(str(error)) from error
    try:
        try:
            metadata = await read(connection)
        except (LogError, ApiError, TimeoutError, ConnectionLostError) as error:
            raise LogReadError(f"reading the number of partitions: {error}") from error
        # Versions before the record had one partition.
        count = 1 if metadata is None else metadata.partitions
        if partition is None:
            partition = ids.partition(invocation_id, count)
        elif partition >= count:
            has = "1 partition, 0" if count == 1 else f"{count} partitions, 0 to {count - 1}"
            raise LogReadError(f"--partition {partition}: this system has {has}")
        yield LogReader(connection, partition, count)
    finally:
        connection.abort()
