"""Snapshots in the NATS system itself: the stream `DURABLE_SNAPSHOTS`, which all partitions share.

A chunk is a message on `durable.snapshots.<partition>.<snapshot id>.<number>`, the manifest one on
`….manifest`. What is read is the last message of a subject, so a chunk that is published twice, because
its acknowledgement was lost, does no harm. A snapshot is removed by a purge of its subjects.

The connection is one of its own, so that no append of a log waits behind chunks, and only a few chunks
are in flight. After each problem a new connection is opened, and the call is repeated until it succeeds
or nothing has succeeded for a while.

The stream is made after the logs, and reserves much less than they do: a log must never lack room, and
other streams of the account should not either. Its size is a limit nevertheless, because a stream
without one could use up what the logs of the account have reserved. When a snapshot does not fit, the
limit is raised.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import logging
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, TypeVar

from ..log.fenced import FIRST_PAUSE, LONGEST_PAUSE
from ..log.jetstream import ACK_TIMEOUT_REPLICATED, HEADER_BYTES_MAX, stream_config
from ..log.stream_creation import StreamConfigError, create_stream
from ..nats import api
from ..nats.api import INSUFFICIENT_STORAGE, ApiError, answer_of, call_api, error_of
from ..nats.backoff import Backoff
from ..nats.connection import (
    Connection,
    LoginRefusedError,
    PermissionDeniedError,
)
from ..nats.endpoint import EndpointSource
from .manifest import Manifest, SnapshotDamagedError, SnapshotError
from .place import PlaceError, PlaceUnsuitableError

STREAM = "DURABLE_SNAPSHOTS"
SUBJECTS = "durable.snapshots.>"
STREAM_BYTES = 1 << 30
"""What a new stream reserves; halved where there is less room."""
SMALLEST_STREAM_BYTES = 32 << 20
"""The smallest size of a new stream: the snapshots of a small store."""
BUDGET_SECONDS = 60.0
"""How long a call is repeated without progress: as long as a log waits for NATS."""
IN_FLIGHT = 4
"""Chunks that are sent together, 1.5 MiB. The next ones are sent when these are acknowledged, so an
append of a log never waits for more than these in the server.
"""
_PURGE_SECONDS = 30.0
_OVERHEAD = 64 * 1024
"""What a snapshot takes beside its chunks: subjects and the manifest, for each few hundred chunks."""
_HEADER = f"NATS/1.0\r\nNats-Expected-Stream: {STREAM}\r\n\r\n".encode()
_REFUSAL = (
    f"NATS/1.0\r\nNats-Expected-Stream: {STREAM}\r\n"
    f"Nats-Expected-Last-Sequence: {(1 << 63) - 1}\r\n\r\n"
).encode()
"""With this expectation, which cannot hold, a message shows whether the user may publish here."""
_STREAM_FULL = 10077
_PERMISSION = (
    "allow this user to publish to $JS.API.> and durable.snapshots.>, and to subscribe to _INBOX.>"
)

logger = logging.getLogger("durable.snapshots")

T = TypeVar("T")


class NatsPlace:
    """A `Place` in a NATS system. `replicas` applies when the stream is made."""

    name = f"the stream {STREAM} of NATS"

    def __init__(self, source: EndpointSource, *, replicas: int = 1) -> None:
        self._source = source
        self._replicas = replicas
        self._connection: Connection | None = None

    async def prepare(self) -> None:
        """See `Place.prepare`."""

        async def check(connection: Connection) -> None:
            if await _info(connection) is None:
                await self._create(connection)
            await connection.call(_subject(0, "check", "0"), b"", ACK_TIMEOUT_REPLICATED, _REFUSAL)

        await self._repeat("preparing it", check)

    async def put(self, manifest: Manifest, chunks: AsyncIterable[bytes]) -> None:
        """See `Place.put`."""
        await self._remove_leftovers(manifest.partition)
        await self._repeat("making room", lambda it: self._make_room(it, manifest.stored_bytes))
        numbers = itertools.count()
        window: list[tuple[bytes, bytes]] = []
        async for chunk in chunks:
            window.append((_chunk_subject(manifest, next(numbers)), chunk))
            if len(window) == IN_FLIGHT:
                await self._publish(window)
                window = []
        await self._publish(window)
        await self._repeat("writing it", lambda it: _check_chunks(it, manifest))
        await self._publish([(_subject_of(manifest, "manifest"), manifest.to_json())])

    async def manifests(self, partition: int) -> list[Manifest]:
        """See `Place.manifests`."""

        async def read(connection: Connection) -> list[Manifest]:
            subjects = await _subjects(connection, f"durable.snapshots.{partition}.*.manifest")
            messages = await _last_messages(connection, subjects)
            found: list[Manifest] = []
            for subject, data in zip(subjects, messages, strict=True):
                if data is not None:
                    try:
                        found.append(Manifest.from_json(data))
                    except SnapshotDamagedError as error:
                        logger.warning("%s: %s", subject, error)
            return sorted(found, key=lambda it: it.snapshot_id, reverse=True)

        return await self._repeat("reading the manifests", read)

    async def chunks(self, manifest: Manifest) -> AsyncIterator[bytes]:
        """See `Place.chunks`."""
        numbers = range(len(manifest.chunks))
        for first in numbers[::IN_FLIGHT]:
            subjects = [
                _chunk_subject(manifest, it).decode() for it in numbers[first : first + IN_FLIGHT]
            ]
            found = await self._read(subjects)
            for number, chunk in enumerate(found, first):
                if chunk is None:
                    raise SnapshotDamagedError(
                        f"{manifest} is incomplete: chunk {number} of {len(manifest.chunks)} is missing"
                    )
                yield chunk

    async def delete(self, manifest: Manifest) -> None:
        """See `Place.delete`."""

        async def purge(connection: Connection) -> None:
            for part in ("manifest", ">"):
                await _purge(connection, _subject_of(manifest, part).decode())

        await self._repeat(f"removing {manifest}", purge)

    async def close(self) -> None:
        """See `Place.close`."""
        self._drop()

    # ---- the stream

    async def _create(self, connection: Connection) -> None:
        await create_stream(
            connection,
            stream_config(STREAM, SUBJECTS, replicas=self._replicas, max_bytes=STREAM_BYTES),
            smallest_bytes=SMALLEST_STREAM_BYTES,
            clustered=self._replicas > 1,
        )

    async def _make_room(self, connection: Connection, size: int) -> None:
        """Raises the limit of the stream when a snapshot of this size does not fit."""
        info = await _info(connection)
        if info is None:
            await self._create(connection)
            info = await _info(connection)
        assert info is not None
        config, limit = info["config"], int(info["config"]["max_bytes"])
        needed = int(info["state"]["bytes"]) + size + size // 100 + _OVERHEAD
        if limit < 0 or needed <= limit:
            return
        while limit < needed:
            limit *= 2
        try:
            await call_api(
                connection,
                f"STREAM.UPDATE.{STREAM}",
                {**config, "max_bytes": limit},
                ACK_TIMEOUT_REPLICATED,
            )
        except ApiError as error:
            if error.number in INSUFFICIENT_STORAGE:
                raise PlaceError(
                    f"{STREAM} would need {limit >> 20} MiB for another snapshot, and JetStream has no"
                    f" room for it ({error}); raise max_file_store in nats-server.conf or max_file of"
                    " the account, or keep snapshots elsewhere with --snapshots URL"
                ) from error
            raise
        logger.info("%s: raised to %d MiB", STREAM, limit >> 20)

    async def _remove_leftovers(self, partition: int) -> None:
        """Removes what has no manifest: what an interrupted `put` or `delete` has left."""

        async def remove(connection: Connection) -> None:
            subjects = await _subjects(connection, f"durable.snapshots.{partition}.>")
            listed = {it.rpartition(".")[0] for it in subjects if it.endswith(".manifest")}
            for prefix in {it.rpartition(".")[0] for it in subjects} - listed:
                await _purge(connection, f"{prefix}.>")

        await self._repeat("removing leftovers", remove)

    # ---- messages

    async def _publish(self, messages: Iterable[tuple[bytes, bytes]]) -> None:
        """Stores messages, together; they may be stored twice."""
        waiting = list(messages)

        async def send(connection: Connection) -> None:
            largest = max((len(data) for _, data in waiting), default=0)
            if largest > connection.max_payload - HEADER_BYTES_MAX:
                raise PlaceUnsuitableError(
                    f"a message of {largest} bytes is needed for the manifest of so large a store, and"
                    f" this NATS server takes {connection.max_payload}; raise its max_payload, or keep"
                    " snapshots elsewhere with --snapshots URL"
                )
            calls = [
                connection.call(subject, data, ACK_TIMEOUT_REPLICATED, _HEADER)
                for subject, data in waiting
            ]
            for answer in await _all(calls):
                answer_of(answer)

        await self._repeat("writing", send)

    async def _read(self, subjects: list[str]) -> list[bytes | None]:
        return await self._repeat("reading", lambda it: _last_messages(it, subjects))

    # ---- the connection

    async def _repeat(self, doing: str, use: Callable[[Connection], Awaitable[T]]) -> T:
        """Returns what `use` returns, called until it succeeds; it must be repeatable."""
        backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE, BUDGET_SECONDS)
        while True:
            try:
                return await use(await self._open())
            except (StreamConfigError, LoginRefusedError) as error:
                raise PlaceUnsuitableError(str(error)) from error
            except PermissionDeniedError as error:
                raise PlaceUnsuitableError(f"{STREAM}: {error}; {_PERMISSION}") from error
            # ConnectionLostError and TimeoutError are OSErrors.
            except (OSError, ApiError) as error:
                self._drop()
                full = isinstance(error, ApiError) and error.number == _STREAM_FULL
                if full or backoff.spent:
                    raise PlaceError(f"{STREAM}, {doing}: {error or 'no answer'}") from error
            except SnapshotError:
                raise
            except BaseException:
                # Above all a cancellation: a call may be in flight.
                self._drop()
                raise
            await backoff.pause()

    async def _open(self) -> Connection:
        connection = self._connection
        if connection is None or connection.lost is not None:
            connection = await Connection.open(await self._source(), name="durable snapshots")
            self._connection = connection
        return connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.abort()
            self._connection = None


async def _all(calls: list[asyncio.Future[T]]) -> list[T]:
    """Waits for all calls, also when one fails, so that no failure is left unseen."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    for it in results:
        if isinstance(it, BaseException):
            raise it
    return [it for it in results if not isinstance(it, BaseException)]


async def _info(connection: Connection) -> dict[str, Any] | None:
    """Returns the stream's configuration and state; None when there is no such stream."""
    try:
        return await call_api(connection, f"STREAM.INFO.{STREAM}", {}, ACK_TIMEOUT_REPLICATED)
    except ApiError as error:
        if error.number == api.STREAM_NOT_FOUND:
            return None
        raise


async def _subjects(connection: Connection, pattern: str) -> list[str]:
    """Returns the subjects of the messages that match, in order."""
    subjects: set[str] = set()
    while True:
        try:
            info = await call_api(
                connection,
                f"STREAM.INFO.{STREAM}",
                {"subjects_filter": pattern, "offset": len(subjects)},
                ACK_TIMEOUT_REPLICATED,
            )
        except ApiError as error:
            if error.number == api.STREAM_NOT_FOUND:
                return []
            raise
        found = info["state"].get("subjects") or {}
        subjects.update(found)
        if not found or len(subjects) >= int(info.get("total", 0)):
            return sorted(subjects)


async def _last_messages(connection: Connection, subjects: list[str]) -> list[bytes | None]:
    """Returns the last message of each subject, None for those that have none. Reads of the leader."""
    verb = f"$JS.API.STREAM.MSG.GET.{STREAM}".encode()
    calls = [
        connection.call(verb, json.dumps({"last_by_subj": it}).encode(), ACK_TIMEOUT_REPLICATED)
        for it in subjects
    ]
    found: list[bytes | None] = []
    for message in await _all(calls):
        if not message.payload:
            raise ApiError(message.status, message.description or "JetStream does not answer")
        answer = json.loads(message.payload)
        if "error" not in answer:
            found.append(base64.b64decode(answer["message"].get("data", "")))
            continue
        error = error_of(answer)
        if error.number not in (api.MESSAGE_NOT_FOUND, api.STREAM_NOT_FOUND):
            raise error
        found.append(None)
    return found


async def _check_chunks(connection: Connection, manifest: Manifest) -> None:
    """Raises PlaceError when chunks are missing: another process has taken them for leftovers."""
    found = await _subjects(connection, _subject_of(manifest, "*").decode())
    if len(found) != len(manifest.chunks):
        raise PlaceError(
            f"{manifest} was not written: another control plane has removed chunks of it meanwhile"
        )


async def _purge(connection: Connection, pattern: str) -> None:
    try:
        await call_api(connection, f"STREAM.PURGE.{STREAM}", {"filter": pattern}, _PURGE_SECONDS)
    except ApiError as error:
        if error.number != api.STREAM_NOT_FOUND:
            raise


def _chunk_subject(manifest: Manifest, number: int) -> bytes:
    return _subject_of(manifest, f"{number}")


def _subject_of(manifest: Manifest, part: str) -> bytes:
    return _subject(manifest.partition, manifest.snapshot_id, part)


def _subject(partition: int, snapshot_id: str, part: str) -> bytes:
    return f"durable.snapshots.{partition}.{snapshot_id}.{part}".encode()
