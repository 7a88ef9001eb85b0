"""A restored system in NATS: logs that begin where the stores of a backup end, and the metadata record.

    record of the restore ─► each log, empty, with its first sequence ─► metadata record

A log that begins at the sequence after a store's position is, to that store, a log that was trimmed up
to there (`log.fenced`): the next leader puts its fence at this sequence. The metadata comes last, and
until then no control plane starts here, because there is the record of a restore and no metadata. So an
interrupted restore is repeated as a whole: its logs are empty, and are deleted and made again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..log.jetstream import (
    ACK_TIMEOUT,
    SMALLEST_STREAM_BYTES,
    log_bytes,
    log_subject,
    stream_config,
    stream_name,
)
from ..log.preflight import with_connection
from ..log.stream_creation import create_stream
from ..nats.api import call_api
from ..nats.connection import Connection
from ..nats.endpoint import Endpoint, EndpointSource
from .metadata import (
    METADATA_SUBJECT,
    RESTORE_SUBJECT,
    Metadata,
    MetadataError,
    create,
    log_numbers,
    read,
)
from .records import STREAM, create_record_stream, read_record, write_record


async def check_free(source: EndpointSource, own_id: str) -> bool:
    """Checks that a system can be restored into this NATS system.

    Returns whether the system of this id is complete there already. Raises MetadataError when there is
    another one, and what `with_connection` raises.
    """

    async def use(connection: Connection, _endpoint: Endpoint) -> bool:
        found = await _check_free(connection, own_id)
        return found is not None and found.id == own_id

    return await with_connection(source, "durable restore", use)


async def make_restored_system(
    source: EndpointSource,
    metadata: Metadata,
    sequences: Sequence[int],
    *,
    origin: dict[str, str],
    replicas: int,
) -> None:
    """Makes the logs of partitions 0, 1, ... to go on after these sequences, and the metadata record.

    `origin` says for people which backup it was. May be called again after an error. Raises as
    `check_free` does, and StreamConfigError.
    """

    async def use(connection: Connection, _endpoint: Endpoint) -> None:
        found = await _check_free(connection, metadata.id)
        if found is not None and found.id == metadata.id:
            return  # written by a try whose answer was lost
        await create_record_stream(connection, replicas)
        note = json.dumps({**origin, "id": metadata.id}).encode()
        await write_record(connection, RESTORE_SUBJECT, note, expected=None)
        if found is not None:
            # A system that never had a log; its record would stand in the way.
            await call_api(
                connection, f"STREAM.PURGE.{STREAM}", {"filter": METADATA_SUBJECT}, ACK_TIMEOUT
            )
        for number in await log_numbers(connection):
            await call_api(connection, f"STREAM.DELETE.{stream_name(number)}", {}, ACK_TIMEOUT)
        for partition, sequence in enumerate(sequences):
            await create_stream(
                connection,
                {
                    **stream_config(
                        stream_name(partition),
                        log_subject(partition),
                        replicas=replicas,
                        max_bytes=log_bytes(metadata.partitions),
                    ),
                    "first_seq": sequence + 1,
                },
                smallest_bytes=SMALLEST_STREAM_BYTES,
                clustered=replicas > 1,
            )
        await create(connection, metadata, replicas)
        await _check_free(connection, metadata.id)

    await with_connection(source, "durable restore", use)


async def _check_free(connection: Connection, own_id: str) -> Metadata | None:
    """Returns the metadata that is there: of the own system, or of one that never had a log."""
    found = await read(connection)
    if found is not None and found.id == own_id:
        return found
    restore = await read_record(connection, RESTORE_SUBJECT)
    # A restore that has ended is a system, though its logs may still be empty.
    ended = found is not None and restore is not None and json.loads(restore.data)["id"] == found.id
    for number in sorted(await log_numbers(connection)):
        info = await call_api(connection, f"STREAM.INFO.{stream_name(number)}", {}, ACK_TIMEOUT)
        if restore is None or ended or info["state"]["messages"]:
            what = f"system {found.id}" if found is not None else f"the log {stream_name(number)}"
            raise MetadataError(
                f"this NATS system holds {what}, and a restore needs one that is empty: give another"
                " --nats, or another account of it"
            )
    return found
