"""The log over NATS JetStream: one stream per partition, one subject, one leader.

Partition p is the stream `DURABLE_P<p>` with the subject `durable.log.<p>`. A frame is a message, a
slot is a stream sequence. What is used of JetStream is its plainest and best-tested part: limits
retention on file storage, and the `Nats-Expected-Last-Sequence` header, which makes the stream
refuse a message that does not follow the one it names. No message ids (the server checks them
before the expectation in a cluster and after it on a single node), no per-subject expectations, no
work queues, no direct reads: a direct read may be answered by a replica that is behind, and after a
lost ack that would look like an append that never landed.

A stream reserves its `max_bytes` when it is made. Where the server has less room than that, it is made
with less.

The connection is our own (`nats.connection`) and has one life. Anything but an ack or a definite
refusal aborts it: timeout, server error, silence. The next call opens a new one, wherever `source`
says that NATS is now, and first makes sure that it is still the same stream: same creation time,
and not shorter than what was acknowledged. `fenced` then looks at the slot in question and decides.

Options whose change would break a promise are checked on an existing stream and refused
(`StreamConfigError`): a log with a message limit or an age would lose its beginning, one with
`discard: old` too.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import random
from collections.abc import Callable
from typing import Any

from durable_server.log.fenced import DEFAULT_BUDGET, FencedLog
from durable_server.log.interface import LogDataLostError, LogError
from durable_server.log.slots import SlotTakenError, SlotTroubleError
from durable_server.log.tail import read_tail
from durable_server.nats import api
from durable_server.nats.api import ApiError, call_api
from durable_server.nats.connection import (
    Connection,
    ConnectionLostError,
    PermissionDeniedError,
)
from durable_server.nats.endpoint import EndpointSource

DEFAULT_STREAM_BYTES = 16 << 30
"""Hard cap of a partition's log. Trimming keeps it far below; at the cap appends fail instead of
dropping frames.
"""
SMALLEST_STREAM_BYTES = 256 << 20
"""The least that a log is made with: some times what is kept between two trims."""
ACK_TIMEOUT = 5.0
"""Seconds to wait for an ack from one server: many times the slowest fsync."""
ACK_TIMEOUT_REPLICATED = 12.0
"""The same in a cluster: an election after a hard failure takes 4-9 s, and waiting beats
guessing.
"""
HEADER_ROOM = 512
"""Bytes of a message that are not the frame: our headers, generously. max_payload counts them
too.
"""


logger = logging.getLogger("durable.log")


class StreamConfigError(LogError):
    """The stream exists with options that would break the log's promises, or cannot be made."""


def stream_config(
    name: str, subject: str, *, replicas: int = 1, max_bytes: int = DEFAULT_STREAM_BYTES
) -> dict[str, Any]:
    """The stream's options, all of them explicit: a default that changes in a later server must not
    change the log.
    """
    return {
        "name": name,
        "subjects": [subject],
        "retention": "limits",
        "storage": "file",
        "discard": "new",
        "max_msgs": -1,
        "max_msgs_per_subject": -1,
        "max_age": 0,
        "max_bytes": max_bytes,
        "max_msg_size": -1,
        "max_consumers": -1,
        "num_replicas": replicas,
        # Nothing is deduplicated by id; the window is as short as the server allows, to keep
        # nothing in memory.
        "duplicate_window": 100_000_000,
        "compression": "none",
        "allow_direct": False,
        "allow_rollup_hdrs": False,
        "deny_delete": True,
        "deny_purge": False,
        "no_ack": False,
    }


_LAWS = (
    "subjects",
    "retention",
    "storage",
    "discard",
    "max_msgs",
    "max_msgs_per_subject",
    "max_age",
)
"""The options that an existing stream must share with ours."""


class JetStreamSlots:
    """The slots of one stream. Implements `slots.Slots`."""

    def __init__(
        self,
        source: EndpointSource,
        name: str,
        subject: str,
        *,
        replicas: int,
        max_bytes: int,
        ack_timeout: float | None,
    ) -> None:
        self.name = name
        self.max_frame = 0
        self.stale_reads = replicas > 1
        self.on_lost: Callable[[str], None] = _nothing
        self._source = source
        self._subject = subject.encode()
        self._config = stream_config(name, subject, replicas=replicas, max_bytes=max_bytes)
        self._timeout = ack_timeout or (ACK_TIMEOUT if replicas == 1 else ACK_TIMEOUT_REPLICATED)
        # Reading is repeated at will, so there is no reason to wait out an election for it.
        self._read_timeout = min(self._timeout, ACK_TIMEOUT)
        self._header = (
            b"NATS/1.0\r\nNats-Expected-Stream: %b\r\nNats-Expected-Last-Sequence: %%d\r\n\r\n"
            % name.encode()
        )
        self._connection: Connection | None = None
        self._opening = asyncio.Lock()
        self._created = ""
        self._max_payload = 0
        """What the server's max_payload was: it must not become less while this is in use."""
        self._known = 0
        """The highest sequence that the stream is known to have had."""

    # ---- the hot path

    async def publish(self, data: bytes, expected: int) -> None:
        """See `Slots.publish`."""
        connection = self._connection
        if connection is None or connection.lost is not None:
            connection = await self._open()
        try:
            message = await connection.call(
                self._subject, data, self._timeout, self._header % expected
            )
        except (ConnectionLostError, TimeoutError) as error:
            self._drop(connection, error)
            raise SlotTroubleError(f"append not acknowledged: {error}") from error
        except asyncio.CancelledError:
            self._drop(connection, "the append was cancelled")
            raise
        payload = message.payload
        if not payload:
            problem = ApiError(message.status, message.description or "an empty ack")
        else:
            ack = json.loads(payload)
            if "error" not in ack:
                if ack["seq"] == expected + 1:
                    self._known = expected + 1
                    return
                # Cannot be: the expectation was checked by the server.
                problem = ApiError(0, f"ack names sequence {ack['seq']} instead of {expected + 1}")
            else:
                problem = api.error_of(ack)
                if problem.number == api.WRONG_LAST_SEQUENCE:
                    raise SlotTakenError(problem.description)
        self._drop(connection, problem)
        raise SlotTroubleError(f"append refused: {problem}") from problem

    # ---- the rest of `Slots`

    async def bounds(self, create: bool) -> tuple[int, int]:
        """See `Slots.bounds`."""
        connection = await self._open()
        try:
            info = await call_api(connection, f"STREAM.INFO.{self.name}", {}, self._read_timeout)
        except (ConnectionLostError, TimeoutError, ApiError) as error:
            if not (isinstance(error, ApiError) and error.number == api.STREAM_NOT_FOUND):
                raise self._trouble(connection, "reading the stream's state", error) from error
            if not create or self._created:
                return 1, 0
            info = await self._create(connection)
        self._check_config(info["config"])
        self._check_incarnation(info)
        self._created = info["created"]
        return self._note(info)

    async def fetch(self, sequence: int) -> bytes | None:
        """See `Slots.fetch`. A leader read: it sees every acknowledged append."""
        connection = await self._open()
        try:
            answer = await call_api(
                connection, f"STREAM.MSG.GET.{self.name}", {"seq": sequence}, self._read_timeout
            )
        except (ConnectionLostError, TimeoutError, ApiError) as error:
            if isinstance(error, ApiError) and error.number == api.MESSAGE_NOT_FOUND:
                return None
            raise self._trouble(connection, f"reading sequence {sequence}", error) from error
        return base64.b64decode(answer["message"].get("data", ""))

    async def read(self, first: int, last: int, deliver: Callable[[int, bytes], None]) -> None:
        """See `Slots.read`."""
        connection = await self._open()
        try:
            await read_tail(connection, self.name, first, last, deliver, self._read_timeout)
        except (ConnectionLostError, TimeoutError, ApiError) as error:
            raise self._trouble(connection, f"reading {first} to {last}", error) from error
        self._known = max(self._known, last)

    async def purge(self, below: int) -> None:
        """See `Slots.purge`. By sequence only: it drops whole blocks, and the numbering goes on."""
        connection = await self._open()
        try:
            await call_api(
                connection, f"STREAM.PURGE.{self.name}", {"seq": below}, max(self._timeout, 30.0)
            )
        except (ConnectionLostError, TimeoutError, ApiError) as error:
            # Not worth the connection: an append may be under way on it.
            raise SlotTroubleError(f"purge: {error}") from error

    async def close(self) -> None:
        """See `Slots.close`."""
        if self._connection is not None:
            self._connection.on_lost = _nothing
            self._connection.abort()
            self._connection = None
        self._created = ""
        self._known = 0

    # ---- connection

    async def _open(self) -> Connection:
        """The living connection, or a new one to a stream that is proved to be the same."""
        async with self._opening:
            connection = self._connection
            if connection is not None and connection.lost is None:
                return connection
            self._connection = None
            try:
                async with asyncio.timeout(self._timeout):
                    endpoint = await self._source()
                connection = await Connection.open(endpoint, name=f"durable log {self.name}")
            except OSError as error:
                raise SlotTroubleError(str(error) or "NATS is not there") from error
            if connection.max_payload < self._max_payload:
                # It could not take what the batches are allowed to have.
                connection.abort()
                raise SlotTroubleError(
                    f"this NATS server takes messages of at most {connection.max_payload} bytes, and"
                    f" it was {self._max_payload} at the start; give max_payload the same value"
                    " everywhere, or start again to go on with less"
                )
            self._max_payload = connection.max_payload
            self.max_frame = connection.max_payload - HEADER_ROOM
            if self._created:
                try:
                    await self._check_after_opening(connection)
                except BaseException:
                    connection.abort()
                    raise
            connection.on_lost = self.on_lost
            self._connection = connection
            return connection

    async def _check_after_opening(self, connection: Connection) -> None:
        try:
            info = await call_api(connection, f"STREAM.INFO.{self.name}", {}, self._read_timeout)
        except (ConnectionLostError, TimeoutError, ApiError) as error:
            if isinstance(error, ApiError) and error.number == api.STREAM_NOT_FOUND:
                raise LogDataLostError(
                    f"{self.name}: the stream is gone, with sequences up to {self._known};"
                    " restore it from a backup"
                ) from error
            raise SlotTroubleError(f"reading the stream's state: {error}") from error
        self._check_incarnation(info)
        last = int(info["state"]["last_seq"])
        if last < self._known:
            text = f"{self.name}: the log ends at sequence {last}, but {self._known} was seen"
            if self.stale_reads:
                raise SlotTroubleError(text)
            raise LogDataLostError(f"{text}; restore it from a backup")

    def _check_incarnation(self, info: dict[str, Any]) -> None:
        if self._created and info["created"] != self._created:
            raise LogDataLostError(
                f"{self.name}: the stream was deleted and made again at {info['created']}; the one"
                f" in use was of {self._created} and had sequences up to {self._known}; restore it"
                " from a backup"
            )

    def _drop(self, connection: Connection, reason: object) -> None:
        connection.abort(f"given up: {reason}")
        if self._connection is connection:
            self._connection = None

    def _trouble(self, connection: Connection, doing: str, error: Exception) -> SlotTroubleError:
        self._drop(connection, error)
        return SlotTroubleError(f"{doing}: {error}")

    # ---- the stream

    async def _create(self, connection: Connection) -> dict[str, Any]:
        size: int = self._config["max_bytes"]
        while True:
            try:
                return await call_api(
                    connection,
                    f"STREAM.CREATE.{self.name}",
                    {**self._config, "max_bytes": size},
                    max(self._timeout, 30.0),
                )
            except PermissionDeniedError as error:
                raise StreamConfigError(
                    f"{self.name}: the stream cannot be made ({error}); allow this user to publish to"
                    " $JS.API.>"
                ) from error
            except (ConnectionLostError, TimeoutError, ApiError) as error:
                number = error.number if isinstance(error, ApiError) else 0
                if number in api.NO_ROOM and size // 2 >= SMALLEST_STREAM_BYTES:
                    logger.warning(
                        "%s: JetStream has no room to reserve %d MiB, trying with half of it",
                        *(self.name, size >> 20),
                    )
                    size //= 2
                elif number in api.NO_ROOM and not self.stale_reads:
                    raise StreamConfigError(
                        f"{self.name}: JetStream has no room for a log of {size >> 20} MiB ({error});"
                        " raise max_file_store in nats-server.conf or max_file of the account, or free"
                        " some of its disk"
                    ) from error
                elif number in api.REFUSED:
                    raise StreamConfigError(
                        f"{self.name}: JetStream does not make the stream"
                        f" ({error}): {api.REFUSED[number]}"
                    ) from error
                else:
                    raise self._trouble(connection, "creating the stream", error) from error

    def _check_config(self, actual: dict[str, Any]) -> None:
        wrong = {
            key: actual.get(key)
            for key in _LAWS
            if actual.get(key, 0 if key == "max_age" else None) != self._config[key]
        }
        for key in ("mirror", "sources", "sealed", "republish", "allow_rollup_hdrs", "no_ack"):
            if actual.get(key):
                wrong[key] = actual[key]
        if actual.get("persist_mode") == "async":
            wrong["persist_mode"] = "async"
        if wrong:
            found = ", ".join(f"{key}={json.dumps(value)}" for key, value in wrong.items())
            raise StreamConfigError(
                f"{self.name}: the stream has options under which a log loses frames ({found});"
                " change it back, or use"
                " another NATS account"
            )
        self.stale_reads = int(actual.get("num_replicas", 1)) > 1

    def _note(self, info: dict[str, Any]) -> tuple[int, int]:
        state = info["state"]
        last = int(state["last_seq"])
        if not state["messages"]:
            return last + 1, last
        self._known = max(self._known, last)
        return int(state["first_seq"]), last


def _nothing(_reason: str) -> None:
    pass


def log_subject(partition: int) -> str:
    """The subject that a partition's log is published to."""
    return f"durable.log.{partition}"


def stream_name(partition: int) -> str:
    """The stream that is a partition's log."""
    return f"DURABLE_P{partition}"


class JetStreamLog(FencedLog):
    """The `Log` of one partition on JetStream.

    `source` is asked before every connection. `replicas` (1, 3 or 5) and `max_bytes` apply when the
    stream is created. `ack_timeout` defaults to 5 s, 12 s with replicas; `budget` is the time in
    seconds without progress after which LogUnavailableError is raised.
    """

    def __init__(
        self,
        source: EndpointSource,
        partition: int = 0,
        *,
        replicas: int = 1,
        max_bytes: int = DEFAULT_STREAM_BYTES,
        ack_timeout: float | None = None,
        budget: float = DEFAULT_BUDGET,
        rng: random.Random | None = None,
    ) -> None:
        slots = JetStreamSlots(
            source,
            stream_name(partition),
            log_subject(partition),
            replicas=replicas,
            max_bytes=max_bytes,
            ack_timeout=ack_timeout,
        )
        super().__init__(slots, budget=budget, rng=rng)
