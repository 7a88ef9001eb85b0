"""The audit in NATS: the stream `DURABLE_AUDIT`, which all nodes of a system write to and read.

A batch of calls is a message on `durable.audit.calls` (`packing`). The stream removes what is older
than it should be, and the oldest when it is full. JetStream lets nobody delete or purge messages of it;
who may administer JetStream can delete the whole stream.

A batch whose acknowledgement is lost is sent again with the same message id, and the stream keeps it
once. The order of the messages is that in which they have arrived, so the calls of two nodes may be
interleaved in another order than they were made, by about the time for which calls are collected.

The list is read backwards, a few messages at a time. A page costs a bounded number of messages and
calls, whatever the conditions are; if few calls match, a page may have none and yet say that there are
more.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from datetime import datetime
from typing import Any, Final

from ..access.audit import AuditedCall, AuditPage, AuditPlace, AuditQuery, AuditUnavailableError
from ..log.interface import LogError
from ..log.jetstream import ACK_TIMEOUT, ACK_TIMEOUT_REPLICATED, READ_AGAIN, stream_config
from ..log.preflight import with_connection
from ..log.stream_creation import StreamConfigError, create_stream
from ..nats import api
from ..nats.api import ApiError, answer_of, call_api
from ..nats.connection import Connection, PermissionDeniedError
from ..nats.endpoint import Endpoint, EndpointSource
from .collector import AuditWriteError, Batch
from .lines import DamagedLineError
from .packing import packed, unpacked

STREAM: Final = "DURABLE_AUDIT"
SUBJECTS: Final = "durable.audit.>"
_SUBJECT: Final = b"durable.audit.calls"
STREAM_BYTES: Final = 1 << 30
"""What a new stream reserves; halved where there is less room."""
SMALLEST_STREAM_BYTES: Final = 16 << 20
DAY_SECONDS: Final = 24 * 3600
_DUPLICATE_SECONDS: Final = 600
"""For how long the stream knows the ids of messages. A message whose acknowledgement was lost with NATS
is sent again when NATS is back: after a longer absence it may be there twice.
"""
_WINDOWS: Final = (2, 8, 32)
"""How many messages are read together, at first and later."""
MESSAGES_MAX: Final = 512
"""The most messages that one page reads."""
CALLS_MAX: Final = 20_000
"""The most calls that one page looks at, about: a few dozen milliseconds."""
_CLOCKS_MS: Final = 60_000
"""How far the clocks of a node and of a NATS server may be apart."""
_ALL: Final = 1 << 31
"""The number of a place that is behind all calls of its message."""
_HEADER: Final = f"NATS/1.0\r\nNats-Expected-Stream: {STREAM}\r\nNats-Msg-Id: %b\r\n\r\n".encode()
_REFUSAL: Final = (
    f"NATS/1.0\r\nNats-Expected-Stream: {STREAM}\r\n"
    f"Nats-Expected-Last-Sequence: {(1 << 63) - 1}\r\n\r\n"
).encode()
"""With this expectation, which cannot hold, a message shows whether the user may publish here."""

logger = logging.getLogger("durable.audit")


class AuditStreamError(LogError):
    """The stream of the audit cannot be used. The message says why and what to do."""


class AuditStream:
    """Writes and reads the calls of a system. Implements `AuditReader`.

    `replicas` applies when the stream is made, `days` always: that many days calls are kept.
    """

    def __init__(self, source: EndpointSource, *, replicas: int, days: int) -> None:
        self._source = source
        self._replicas = replicas
        self._again = READ_AGAIN if replicas > 1 else 0.0
        self._timeout = ACK_TIMEOUT if replicas == 1 else ACK_TIMEOUT_REPLICATED
        self._days = days
        self._connection: Connection | None = None
        self._opening = asyncio.Lock()

    async def prepare(self) -> None:
        """Makes the stream if it is missing. Waits for NATS as long as a log does.

        Raises AuditStreamError, and what `with_connection` raises.
        """

        async def make(connection: Connection, _endpoint: Endpoint) -> None:
            try:
                await self._make(connection)
                await connection.call(_SUBJECT, b"", self._timeout, _REFUSAL)
            except StreamConfigError as error:
                raise AuditStreamError(
                    f"the audit cannot be kept in NATS: {error}; or start without it:"
                    " --no-audit-log"
                ) from error
            except PermissionDeniedError as error:
                raise AuditStreamError(
                    f"the audit cannot be kept in NATS ({error}): allow this user to publish to"
                    f" $JS.API.> and {SUBJECTS}, and to subscribe to _INBOX.>; or start without it:"
                    " --no-audit-log"
                ) from error

        await with_connection(self._source, "durable audit", make)

    async def _make(self, connection: Connection) -> None:
        age = self._days * DAY_SECONDS * 1_000_000_000
        config = {
            **stream_config(STREAM, SUBJECTS, replicas=self._replicas, max_bytes=STREAM_BYTES),
            "discard": "old",
            "max_age": age,
            "deny_purge": True,
            "duplicate_window": _DUPLICATE_SECONDS * 1_000_000_000,
        }
        try:
            info = await call_api(connection, f"STREAM.INFO.{STREAM}", {}, self._timeout)
        except ApiError as error:
            if error.number != api.STREAM_NOT_FOUND:
                raise
            info = await create_stream(
                connection,
                config,
                smallest_bytes=SMALLEST_STREAM_BYTES,
                clustered=self._replicas > 1,
            )
        actual = info["config"]
        if actual.get("max_age", 0) != age:
            changed = {**actual, "max_age": age}
            await call_api(connection, f"STREAM.UPDATE.{STREAM}", changed, self._timeout)

    async def write(self, batch: Batch) -> None:
        """Writes calls. Raises AuditWriteError."""
        messages = await asyncio.to_thread(lambda: list(packed(batch.calls)))
        try:
            connection = await self._open()
        except OSError as error:
            raise AuditWriteError(str(error) or "NATS is not there") from error
        try:
            for number, message in enumerate(messages):
                header = _HEADER % f"{batch.id}.{number}".encode()
                answer_of(await connection.call(_SUBJECT, message, self._timeout, header))
        except (OSError, ApiError) as error:
            self._drop(connection)
            raise AuditWriteError(str(error) or "no answer") from error
        except asyncio.CancelledError:
            self._drop(connection)
            raise

    async def page(self, query: AuditQuery, before: AuditPlace | None, size: int) -> AuditPage:
        """See `AuditReader.page`."""
        try:
            return await self._page(await self._open(), query, before, size)
        except (OSError, ApiError) as error:
            raise AuditUnavailableError(
                f"the audit cannot be read: {error or 'no answer'}"
            ) from error

    async def close(self) -> None:
        """Closes the connection."""
        if self._connection is not None:
            self._drop(self._connection)

    # ---- reading

    async def _page(
        self, connection: Connection, query: AuditQuery, before: AuditPlace | None, size: int
    ) -> AuditPage:
        info = await self._ask(connection, "STREAM.INFO", {})
        # A new stream begins at 0, and its first message is 1.
        first, last = max(1, int(info["state"]["first_seq"])), int(info["state"]["last_seq"])
        sequence, number = last, None
        if before is not None and before.sequence <= last:
            sequence, number = before
        found: list[AuditedCall] = []
        messages = calls = 0
        windows = iter(_WINDOWS)
        window = 0
        while sequence >= first and messages < MESSAGES_MAX and calls < CALLS_MAX:
            window = next(windows, window)
            lowest = max(first, sequence - window + 1)
            read = await asyncio.gather(
                *(self._read(connection, it) for it in range(sequence, lowest - 1, -1))
            )
            for it in read:
                if it is not None:
                    time_ms, kept = it
                    if time_ms < query.time_min_ms - _CLOCKS_MS:
                        # All calls of a message were made before it was written.
                        return AuditPage(found, None)
                    number = len(kept) if number is None else min(number, len(kept))
                    calls += number
                    while number:
                        number -= 1
                        if query.matches(kept[number]):
                            found.append(kept[number])
                            if len(found) == size:
                                return AuditPage(found, AuditPlace(sequence, number))
                sequence, number = sequence - 1, None
            messages += window
        more = sequence >= first
        return AuditPage(found, AuditPlace(sequence, _ALL) if more else None)

    async def _read(
        self, connection: Connection, sequence: int
    ) -> tuple[int, list[AuditedCall]] | None:
        """Returns when a message was written, in ms, and its calls; None if there is none any more."""
        try:
            answer = await self._ask(connection, "STREAM.MSG.GET", {"seq": sequence})
        except ApiError as error:
            if error.number == api.MESSAGE_NOT_FOUND:
                return None
            raise
        message = answer["message"]
        time_ms = int(datetime.fromisoformat(message["time"]).timestamp() * 1000)
        try:
            return time_ms, unpacked(base64.b64decode(message.get("data", "")))
        except DamagedLineError as error:
            logger.warning("message %d of %s cannot be read: %s", sequence, STREAM, error)
            note = AuditedCall(
                *(time_ms, "", "none", "", "Audit", f"message {sequence} of {STREAM}", ""),
                reason="this message cannot be read",
                request_id="",
                code="DATA_LOSS",
                error="",
            )
            return time_ms, [note]

    async def _ask(self, connection: Connection, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        return await call_api(
            connection, f"{verb}.{STREAM}", body, ACK_TIMEOUT, again_seconds=self._again
        )

    # ---- the connection

    async def _open(self) -> Connection:
        async with self._opening:
            connection = self._connection
            if connection is None or connection.lost is not None:
                connection = await Connection.open(await self._source(), name="durable audit")
                self._connection = connection
            return connection

    def _drop(self, connection: Connection) -> None:
        connection.abort()
        if self._connection is connection:
            self._connection = None
