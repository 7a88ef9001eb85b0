"""The metadata record of a system: its id, its number of partitions and its format level.

It is the record `durable.cluster.metadata` (see `records`). It is JSON, so that an operator can read
it, and a later version can add fields.

The record is written before the first log is created, and then only changed when the format level rises
(see `raising`). It is first published with the expectation that its subject has no message. So if
several control planes start at once, one of them writes the record, and all use what it has written.
An attempt whose outcome is unknown is repeated from the reading on, so a lost answer does no harm.

Versions before the record had only logs. Such a system gets a record with as many partitions as it has
logs.

While `durable restore` makes a system in NATS, there is a record of that beside it (see
`restored_system`), and nobody else writes the metadata.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import asdict, dataclass
from typing import Any

from .. import __version__
from ..core.levels import FORMAT_LEVEL
from ..log.interface import LogError
from ..log.jetstream import ACK_TIMEOUT, log_subject, stream_name
from ..log.preflight import with_connection
from ..nats import api
from ..nats.api import ApiError, call_api
from ..nats.connection import Connection
from ..nats.endpoint import Endpoint, EndpointSource
from .identity import Identity
from .records import STREAM, read_record, write_once, write_record

PARTITIONS_MAX = 256
"""The most partitions of a system. Each has a stream, a store and a loop, which cost memory."""
METADATA_SUBJECT = "durable.cluster.metadata"
RESTORE_SUBJECT = "durable.cluster.restore"
"""The record of a restore: there before its first log, and to stay, as a note of where it came from."""
_LOG = re.compile(r"DURABLE_P([0-9]+)")


class MetadataError(LogError):
    """This control plane cannot be part of the system. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is the same for all control planes of a system, for as long as it exists."""

    id: str
    """The system's id, random, of 32 hexadecimal characters."""
    partitions: int
    """How many partitions it has, 1 to PARTITIONS_MAX."""
    format_level: int
    """Which kinds of records and messages its logs may hold: see `core.levels`. It may rise."""
    level_version: str = ""
    """The version that has raised it to that, or has made the system; empty if that is not known."""


async def load_or_create(
    source: EndpointSource,
    *,
    partitions: int = 0,
    default: int = 1,
    replicas: int = 1,
    known: Identity | None = None,
    level_hold: int = 0,
) -> Metadata:
    """Returns the metadata of the system in this NATS system; writes it if the system is new.

    `partitions` is the number that the operator has asked for; 0 takes that of the system, or
    `default` for a new one. `replicas` applies to a new one. `known` is the system of the stores in
    the data dir, if there are any. `level_hold` is the highest format level that the operator agrees
    to; 0 is the newest one. Waits for NATS as long as a log does. Raises MetadataError when the system
    has another number of partitions or a higher format level than the operator agrees to, is not the
    known one or lacks logs of it, or was written by a newer version; StreamConfigError,
    NatsUnsuitableError and LogUnavailableError as a log does.
    """

    async def use(connection: Connection, _endpoint: Endpoint) -> Metadata:
        found = await read(connection)
        if found is None:
            await _check_no_restore(connection)
            level = level_hold or FORMAT_LEVEL
            await _write(connection, partitions, default, replicas, known, level)
            found = await read(connection)
            if found is None:
                # A replicated server answers this for a moment after it has refused the record in
                # favour of another one that is not applied yet.
                raise ApiError(api.MESSAGE_NOT_FOUND, "the metadata cannot be read yet")
        if known is not None and found.id != known.id:
            raise MetadataError(
                f"the stores in the data directory are of system {known.id}, and this NATS system is"
                f" that of {found.id}; name the right one with --nats, or give another --data-dir"
            )
        _check_partitions(partitions, found.partitions)
        if 0 < level_hold < found.format_level:
            raise MetadataError(
                f"--format-level {level_hold}: this system has format level {found.format_level},"
                " and the level never falls; leave --format-level out"
            )
        if known is not None:
            # They all existed when the identity was written.
            logs = await log_numbers(connection)
            _check_logs(known, len(logs & set(range(known.partitions))))
        return found

    return await with_connection(source, "durable metadata", use)


async def read(
    connection: Connection,
    timeout_seconds: float = ACK_TIMEOUT,
    *,
    again_seconds: float = 0.0,
) -> Metadata | None:
    """Returns the record, or None if there is none yet; `again_seconds` as for `Connection.call`.

    Raises MetadataError, ApiError, TimeoutError, ConnectionLostError.
    """
    record = await read_record(
        connection, METADATA_SUBJECT, timeout_seconds, again_seconds=again_seconds
    )
    return None if record is None else _decode(record.data)


async def _check_no_restore(connection: Connection) -> None:
    if await read_record(connection, RESTORE_SUBJECT) is not None:
        raise MetadataError(
            "a restore into this NATS system has begun and not ended; let it end, or run `durable"
            " restore` again"
        )


async def _write(
    connection: Connection,
    partitions: int,
    default: int,
    replicas: int,
    known: Identity | None,
    level: int,
) -> None:
    """Writes the record, unless another control plane has done so."""
    logs = await _count_logs(connection)
    if known is not None:
        _check_logs(known, logs)
    if logs:
        _check_partitions(partitions, logs)
    system_id = new_system_id() if known is None else known.id
    count = logs or partitions or default
    await create(connection, Metadata(system_id, count, level, __version__), replicas)


async def write_level(connection: Connection, level: int, version: str, expected_last: int) -> None:
    """Changes the format level in the record, if the stream of the records has this last sequence.

    `version` is the one that does it. Other fields of the record stay, also those of later versions.
    Raises what a call of the API raises: ApiError with WRONG_LAST_SEQUENCE if anything was written
    since.
    """
    record = await read_record(connection, METADATA_SUBJECT)
    assert record is not None, "a system that runs has its metadata"
    fields = {**json.loads(record.data), "format_level": level, "level_version": version}
    body = json.dumps(fields).encode()
    await write_record(
        connection, METADATA_SUBJECT, body, expected=record.sequence, expected_last=expected_last
    )


def new_system_id() -> str:
    """Returns a new, random id for a system."""
    return secrets.token_hex(16)


async def create(connection: Connection, metadata: Metadata, replicas: int) -> None:
    """Writes the record, unless there is one; makes the stream of it if that is missing.

    Raises what a call of the API raises, and StreamConfigError.
    """
    body = json.dumps(asdict(metadata)).encode()
    await write_once(connection, METADATA_SUBJECT, body, replicas)


async def log_numbers(connection: Connection) -> set[int]:
    """Returns the partitions that have a log. Raises what a call of the API raises."""
    answer = await call_api(connection, "STREAM.NAMES", {"subject": log_subject("*")}, ACK_TIMEOUT)
    matches = (_LOG.fullmatch(name) for name in answer.get("streams") or ())
    return {int(it[1]) for it in matches if it is not None}


async def _count_logs(connection: Connection) -> int:
    """Returns how many logs there are; raises MetadataError when one between them is missing."""
    numbers = await log_numbers(connection)
    for number in range(len(numbers)):
        if number not in numbers:
            raise MetadataError(
                f"the log {stream_name(number)} is missing, and there is a log"
                f" {stream_name(max(numbers))}; restore all of them from a backup"
            )
    return len(numbers)


def _check_logs(known: Identity, logs: int) -> None:
    if logs != known.partitions:
        raise MetadataError(
            f"the stores in the data directory are of system {known.id}, and this NATS system has"
            f" {logs or 'none'} of its {known.partitions} log{'s' * (known.partitions > 1)}: name the"
            " right one with --nats. If the logs are lost, go on from the stores: `durable backup DIR`,"
            " then `durable restore DIR` into a new --data-dir"
        )


def _check_partitions(asked: int, actual: int) -> None:
    if asked not in (0, actual):
        raise MetadataError(
            f"--partitions {asked}: this system has {actual} partition{'s' * (actual > 1)}, and the"
            " number cannot be changed; leave --partitions out, or make a new system in another"
            " --data-dir, or with --nats in another NATS account"
        )


def _decode(data: bytes) -> Metadata:
    try:
        record: dict[str, Any] = json.loads(data)
        level, version = int(record["format_level"]), str(record.get("level_version", ""))
        if level > FORMAT_LEVEL:
            raiser = f"version {version}" if version else "the version that has raised it"
            raise MetadataError(
                f"this system has format level {level}, and this version ({__version__}) reads up to"
                f" {FORMAT_LEVEL}; start {raiser}, or a newer one"
            )
        metadata = Metadata(str(record["id"]), int(record["partitions"]), level, version)
    except (ValueError, KeyError, TypeError) as error:
        raise MetadataError(
            f"the record {METADATA_SUBJECT} of the stream {STREAM} is damaged ({error!r}):"
            f" {data[:100]!r}; restore it from a backup"
        ) from error
    if not 1 <= metadata.partitions <= PARTITIONS_MAX:
        raise MetadataError(
            f"this system has {metadata.partitions} partitions, and this version takes"
            f" {PARTITIONS_MAX} at most; start the version that has made it"
        )
    return metadata
