"""A partition's log, read without taking part in it: what `durable log` shows.

It never writes: no fence, no consumer, nothing trimmed. Frames are asked for one by one, some at once.
An embedded server of a control plane that runs is asked with the login that can only look. Where
nothing runs, a server is started on the data dir for the time of the reading, under the same lock, so
that a control plane that is started meanwhile is told who holds it.

Which frames count is decided by the log's own rule (`log.frame`), from a little before the first one
that is shown, or from where the log begins; the others are shown as dead. A frame that is damaged or
newer than this program is shown as that, and the reading goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

from .log import batch, frame
from .log.interface import LogError, Position
from .log.jetstream import stream_name
from .log.stream_reader import SHORT_RANGE, read_range
from .nats.api import STREAM_NOT_FOUND, ApiError, call_api
from .nats.binary import NatsBinaryError
from .nats.connection import Connection, ConnectionLostError
from .nats.datadir import DataDir, DataDirBusyError, DataDirError
from .nats.embedded import EmbeddedNats, reader_endpoint
from .nats.endpoint import Endpoint, parse_urls

PATIENCE: Final = 5.0
"""Seconds for one answer."""
_POLL: Final = 0.2
"""Seconds between two looks for what is new."""
_BEFORE: Final = 32
"""Frames before the first one, from which it is known whether that counts."""


class LogReadError(Exception):
    """The log cannot be read. One line: what is wrong and what to do."""


class Bounds(NamedTuple):
    """The sequences of the first and the last frame that is kept; the last is 0 for an empty log."""

    first: int
    last: int


class Seen(NamedTuple):
    """One frame."""

    sequence: int
    position: Position | None
    """Which frame it is; None when it is damaged."""
    size: int
    """Bytes."""
    batch: batch.Batch | None
    trouble: str
    """Why it does not count or cannot be read; empty for one that counts."""


class Reader:
    """Reads one partition's log; made by `opened`."""

    def __init__(self, connection: Connection, stream: str) -> None:
        self._connection = connection
        self._stream = stream

    async def bounds(self) -> Bounds:
        """Returns what is kept now; raises LogReadError."""
        try:
            info = await call_api(self._connection, f"STREAM.INFO.{self._stream}", {}, PATIENCE)
        except (ApiError, TimeoutError, ConnectionLostError) as error:
            if isinstance(error, ApiError) and error.number == STREAM_NOT_FOUND:
                raise LogReadError(f"there is no log {self._stream} here yet") from error
            raise LogReadError(f"reading the log: {error}") from error
        state = info["state"]
        return Bounds(int(state["first_seq"]), int(state["last_seq"]))

    async def read(self, first: int, last: int, *, follow: bool = False) -> AsyncIterator[Seen]:
        """Yields the frames `first` to `last`, 0 for what is the last one now; then those to come.

        What was trimmed is left out. Raises LogReadError.
        """
        bounds = await self.bounds()
        chain: frame.Chain | None = None
        at = max(first - _BEFORE, bounds.first)
        while True:
            end = min(last or bounds.last, bounds.last)
            while at <= end:
                for sequence, data in await self._some(at, min(at + SHORT_RANGE - 1, end)):
                    chain, seen = _judged(chain, sequence, data)
                    if sequence >= first:
                        yield seen
                at = min(at + SHORT_RANGE, end + 1)
            if not follow or (last and at > last):
                return
            await asyncio.sleep(_POLL)
            bounds = await self.bounds()
            at = max(at, bounds.first)

    async def _some(self, first: int, last: int) -> list[tuple[int, bytes]]:
        found: list[tuple[int, bytes]] = []
        try:
            await read_range(
                self._connection,
                self._stream,
                *(first, last),
                lambda sequence, data: found.append((sequence, data)),
                PATIENCE,
            )
        except (ApiError, TimeoutError, ConnectionLostError) as error:
            raise LogReadError(f"reading the log at {first}: {error}") from error
        return found


def _judged(
    chain: frame.Chain | None, sequence: int, data: bytes
) -> tuple[frame.Chain | None, Seen]:
    """Returns what a slot holds, by the rule that decides which frames count."""
    try:
        found = frame.decode(data)
    except LogError as error:
        return chain, Seen(sequence, None, len(data), None, f"damaged: {error}")
    if chain is None:
        chain = frame.Chain(found.prev_epoch, found.prev_number)
    position = Position(sequence, found.epoch, found.number)
    if not chain.admit(found):
        return chain, Seen(sequence, position, len(data), None, "dead: another leader was here")
    try:
        decoded = batch.decode(found.body)
    except batch.UndecodableBatchError as error:
        return chain, Seen(sequence, position, len(data), None, str(error))
    return chain, Seen(sequence, position, len(data), decoded, "")


@asynccontextmanager
async def opened(
    data_dir: Path, nats_url: str = "", *, follow: bool = False
) -> AsyncIterator[Reader]:
    """Opens the log of a data dir, or of a NATS system; raises LogReadError."""
    if nats_url:
        try:
            endpoint = parse_urls(nats_url)
        except ValueError as error:
            raise LogReadError(str(error)) from error
        async with _connected(endpoint) as reader:
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
        async with _connected(endpoint) as reader:
            yield reader
        return
    except DataDirError as error:
        raise LogReadError(str(error)) from error
    with data:
        if follow:
            raise LogReadError(f"nothing runs on {data_dir}, so there is nothing to follow")
        server = EmbeddedNats(nats)
        try:
            await server.start()
            async with _connected(reader_endpoint(server.folder)) as reader:
                yield reader
        except (OSError, NatsBinaryError) as error:
            raise LogReadError(str(error)) from error
        finally:
            await server.stop()


@asynccontextmanager
async def _connected(endpoint: Endpoint) -> AsyncIterator[Reader]:
    try:
        connection = await Connection.open(endpoint, name="durable log", timeout_seconds=PATIENCE)
    except ConnectionLostError as error:
        raise LogReadError(str(error)) from error
    try:
        yield Reader(connection, stream_name(0))
    finally:
        connection.abort()
