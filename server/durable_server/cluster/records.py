"""The records of a system: messages of a stream that keeps the last one of each subject.

Those of the system as a whole and of its members are in `DURABLE_CLUSTER`; other parts have streams
of their own (`RecordStream`). Every write but a note for people states which message of its subject it
follows, and JetStream refuses it if another one came between. So of several control planes that write
the same record at once, one succeeds, and the others learn it. An attempt whose outcome is unknown is
settled by reading: nobody writes twice by mistake.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from ..log.jetstream import ACK_TIMEOUT, stream_config
from ..log.stream_creation import create_stream
from ..nats import api
from ..nats.api import ApiError, call_api
from ..nats.connection import Connection

STREAM = "DURABLE_CLUSTER"
SUBJECTS = "durable.cluster.>"
MEMBER_PREFIX = "durable.cluster.members."
MEMBER_SUBJECTS = f"{MEMBER_PREFIX}*"
STREAM_BYTES = 1 << 20
"""The size that the stream reserves: many times one record for each member of a large cluster."""


class RecordStream(NamedTuple):
    """A stream that keeps the last message of each subject."""

    name: str
    subjects: str
    max_bytes: int
    """The size that it reserves."""
    smallest_bytes: int
    """The least, where there is less space."""


CLUSTER = RecordStream(STREAM, SUBJECTS, STREAM_BYTES, STREAM_BYTES)


class Record(NamedTuple):
    """A record as it stands in the stream."""

    sequence: int
    """The sequence of its message in the stream; 0 is that of a subject without one."""
    data: bytes
    time_ms: int = 0
    """When the NATS server has taken it, by that server's clock; in milliseconds since 1970."""


class Standing(NamedTuple):
    """The records of all members that there have been, as they stand in the stream."""

    records: Mapping[str, Record]
    """By subject."""
    last_sequence: int
    """The last sequence of the stream before they were read: of all records, not only these."""
    time_ms: int
    """What the clock of the NATS server showed then; 0 if it does not say."""


async def read_standing(
    connection: Connection,
    timeout_seconds: float = ACK_TIMEOUT,
    *,
    again_seconds: float = 0.0,
) -> Standing:
    """Returns the records of all members. Raises what a call of the API raises.

    `again_seconds` as for `Connection.call`.
    """
    answer = await call_api(
        connection,
        f"STREAM.INFO.{STREAM}",
        {"subjects_filter": MEMBER_SUBJECTS},
        timeout_seconds,
        again_seconds=again_seconds,
    )
    subjects = list(answer["state"].get("subjects") or ())
    records = await asyncio.gather(
        *(
            read_record(connection, it, timeout_seconds, again_seconds=again_seconds)
            for it in subjects
        )
    )
    return Standing(
        {it: record for it, record in zip(subjects, records, strict=True) if record is not None},
        int(answer["state"]["last_seq"]),
        _time_ms(answer.get("ts", "")),
    )


async def read_record(
    connection: Connection,
    subject: str,
    timeout_seconds: float = ACK_TIMEOUT,
    *,
    again_seconds: float = 0.0,
    stream: str = STREAM,
) -> Record | None:
    """Returns the record of a subject; None if there is none. Raises what a call of the API raises.

    `again_seconds` as for `Connection.call`.
    """
    try:
        answer = await call_api(
            connection,
            f"STREAM.MSG.GET.{stream}",
            {"last_by_subj": subject},
            timeout_seconds,
            again_seconds=again_seconds,
        )
    except ApiError as error:
        if error.number in (api.STREAM_NOT_FOUND, api.MESSAGE_NOT_FOUND):
            return None
        raise
    message = answer["message"]
    return Record(
        int(message["seq"]),
        base64.b64decode(message.get("data", "")),
        _time_ms(message.get("time", "")),
    )


async def write_record(
    connection: Connection,
    subject: str,
    data: bytes,
    *,
    expected: int | None,
    expected_last: int | None = None,
    timeout_seconds: float = ACK_TIMEOUT,
    again_seconds: float = 0.0,
    stream: str = STREAM,
) -> int:
    """Writes the record of a subject; returns its sequence.

    `expected` is the sequence of the record that it replaces, 0 if there is none yet; None replaces
    whatever is there. `expected_last` is the last sequence of the whole stream, if that must not have
    changed. Raises what a call of the API raises: ApiError with WRONG_LAST_SEQUENCE when another record
    is there, which may be this one if it was sent again (`again_seconds`, as for `Connection.call`).
    """
    header = f"NATS/1.0\r\nNats-Expected-Stream: {stream}\r\n"
    if expected is not None:
        header += f"Nats-Expected-Last-Subject-Sequence: {expected}\r\n"
    if expected_last is not None:
        header += f"Nats-Expected-Last-Sequence: {expected_last}\r\n"
    message = await connection.call(
        subject.encode(),
        data,
        timeout_seconds,
        f"{header}\r\n".encode(),
        again_seconds=again_seconds,
    )
    if not message.payload:
        raise ApiError(message.status, message.description or "JetStream does not answer")
    answer = json.loads(message.payload)
    if "error" in answer:
        raise api.error_of(answer)
    return int(answer["seq"])


async def write_once(connection: Connection, subject: str, data: bytes, replicas: int) -> None:
    """Writes the record of a subject, unless there is one; makes the stream if that is missing.

    Raises what a call of the API raises, and StreamConfigError.
    """
    await create_record_stream(connection, replicas)
    try:
        await write_record(connection, subject, data, expected=0)
    except ApiError as error:
        if error.number != api.WRONG_LAST_SEQUENCE:
            raise


async def create_record_stream(
    connection: Connection, replicas: int, stream: RecordStream = CLUSTER
) -> None:
    """Makes a stream of records if it is missing. Raises as `write_once` does."""
    config = {
        **stream_config(
            stream.name, stream.subjects, replicas=replicas, max_bytes=stream.max_bytes
        ),
        "max_msgs_per_subject": 1,
        "deny_delete": False,
    }
    try:
        await create_stream(
            connection,
            config,
            smallest_bytes=stream.smallest_bytes,
            clustered=replicas > 1,
        )
    except ApiError as error:
        # It exists with other options: another control plane has asked for other replicas, or a
        # newer version has made it.
        if error.number != api.STREAM_NAME_IN_USE:
            raise


def _time_ms(text: str) -> int:
    """Returns a time of the server in milliseconds since 1970; 0 for none."""
    return int(datetime.fromisoformat(text).timestamp() * 1000) if text else 0
