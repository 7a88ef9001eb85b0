"""The records of a system: messages of the stream `DURABLE_CLUSTER`, the last one of each subject.

A record is one message, and the stream keeps the last one of each subject. Every write but a note for
people states which message of its subject it follows, and JetStream refuses it if another one came
between. So of several control planes that write the same record at once, one succeeds, and the others
learn it. An attempt whose outcome is unknown is settled by reading: nobody writes twice by mistake.
"""

from __future__ import annotations

import base64
import json
from typing import NamedTuple

from ..log.jetstream import ACK_TIMEOUT, stream_config
from ..log.stream_creation import create_stream
from ..nats import api
from ..nats.api import ApiError, call_api
from ..nats.connection import Connection

STREAM = "DURABLE_CLUSTER"
SUBJECTS = "durable.cluster.>"
STREAM_BYTES = 1 << 20
"""The size that the stream reserves: many times one record for each member of a large cluster."""


class Record(NamedTuple):
    """A record as it stands in the stream."""

    sequence: int
    """The sequence of its message in the stream; 0 is that of a subject without one."""
    data: bytes


async def read_record(
    connection: Connection, subject: str, timeout_seconds: float = ACK_TIMEOUT
) -> Record | None:
    """Returns the record of a subject; None if there is none. Raises what a call of the API raises."""
    try:
        answer = await call_api(
            connection, f"STREAM.MSG.GET.{STREAM}", {"last_by_subj": subject}, timeout_seconds
        )
    except ApiError as error:
        if error.number in (api.STREAM_NOT_FOUND, api.MESSAGE_NOT_FOUND):
            return None
        raise
    message = answer["message"]
    return Record(int(message["seq"]), base64.b64decode(message.get("data", "")))


async def write_record(
    connection: Connection,
    subject: str,
    data: bytes,
    *,
    expected: int | None,
    timeout_seconds: float = ACK_TIMEOUT,
) -> int:
    """Writes the record of a subject; returns its sequence.

    `expected` is the sequence of the record that it replaces, 0 if there is none yet; None replaces
    whatever is there. Raises what a call of the API raises: ApiError with WRONG_LAST_SEQUENCE when
    another record is there.
    """
    header = f"NATS/1.0\r\nNats-Expected-Stream: {STREAM}\r\n"
    if expected is not None:
        header += f"Nats-Expected-Last-Subject-Sequence: {expected}\r\n"
    message = await connection.call(
        subject.encode(), data, timeout_seconds, f"{header}\r\n".encode()
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


async def create_record_stream(connection: Connection, replicas: int) -> None:
    """Makes the stream of the records if it is missing. Raises as `write_once` does."""
    config = {
        **stream_config(STREAM, SUBJECTS, replicas=replicas, max_bytes=STREAM_BYTES),
        "max_msgs_per_subject": 1,
        "deny_delete": False,
    }
    try:
        await create_stream(connection, config, smallest_bytes=STREAM_BYTES, clustered=replicas > 1)
    except ApiError as error:
        # It exists with other options: another control plane has asked for other replicas, or a
        # newer version has made it.
        if error.number != api.STREAM_NAME_IN_USE:
            raise
