"""The log over NATS JetStream: one stream per partition, one subject, one leader.

Partition p is the stream `DURABLE_P<p>` with the subject `durable.log.<p>`. A frame is a message. Of
JetStream only the simplest and best tested parts are used: limits retention on file storage, and the
`Nats-Expected-Last-Sequence` header, with which the stream refuses a message that does not follow the
named one. Not used: message ids (a cluster checks them before the expectation, a single node after it),
per-subject expectations, work queues, and direct reads (a replica that is behind may answer these, and
after a lost ack that would look like an append that never landed).

A server that loses the leadership of a replicated stream leaves unanswered what was sent to it, whether
it landed or not. So after a second without an ack the same frame is sent again on the same connection,
and again, as long as an election may take. All of them carry the same expectation, so at most one
lands; if one is refused because another has landed, `fenced` reads it and finds its own bytes.

The connection is ours (`nats.connection`) and is never reconnected. Anything but an ack or a definite
refusal aborts it: a timeout, a server error, silence. The next call opens a new one, wherever `source`
says that NATS is now, and first checks that the stream is still the same: same creation time, and not
shorter than what was acknowledged. `fenced` then reads the sequence in question and decides.

Options whose change would break a guarantee are checked on an existing stream, and a stream with wrong
ones is refused (`StreamConfigError`): a log with a message limit, a maximum age or `discard: old` would
lose its beginning.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

from ..nats import api
from ..nats.api import ApiError, call_api
from ..nats.connection import Connection, ConnectionLostError
from ..nats.endpoint import EndpointSource
from .fenced import DEFAULT_BUDGET, FencedLog
from .interface import LogDataLostError
from .stream import DeliverMessage, StreamUnavailableError, WrongLastSequenceError
from .stream_creation import CREATE_TIMEOUT, StreamConfigError, create_stream
from .stream_reader import read_range

DEFAULT_STREAM_BYTES = 16 << 30
"""The maximum size of a partition's log. Trimming keeps the log far below it; at the maximum, appends
fail and no frame is dropped.
"""
SMALLEST_STREAM_BYTES = 256 << 20
"""The smallest size of a new log: a few times what is kept between two trims."""
ACK_TIMEOUT = 5.0
"""Seconds to wait for an ack from one server: many times the slowest fsync."""
ACK_TIMEOUT_REPLICATED = 12.0
"""The same in a cluster, where an election after a hard failure takes 4-9 s. Waiting for its end is
better than an unknown outcome.
"""
APPEND_AGAIN = 1.0
"""Seconds without an ack after which an append to a replicated log is sent again: longer than nearly
every fsync, and short beside an election.
"""
READ_AGAIN = 0.5
"""The same for a read of a replicated log."""
HEADER_BYTES_MAX = 512
"""An upper bound for our headers, which `max_payload` includes."""


def log_bytes(partitions: int) -> int:
    """Returns the maximum size of each log of a system: all together have as much as one alone."""
    return max(DEFAULT_STREAM_BYTES // partitions, SMALLEST_STREAM_BYTES)


def stream_config(
    name: str, subject: str, *, replicas: int = 1, max_bytes: int = DEFAULT_STREAM_BYTES
) -> dict[str, Any]:
    """Returns the stream's options.

    All of them are explicit, so that a default that changes in a later server does not change the log.
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
        # Nothing is deduplicated by id, so the window is the shortest that the server allows: it
        # would keep ids in memory.
        "duplicate_window": 100_000_000,
        "compression": "none",
        "allow_direct": False,
        "allow_rollup_hdrs": False,
        "deny_delete": True,
        "deny_purge": False,
        "no_ack": False,
    }


_REQUIRED_OPTIONS = (
    "subjects",
    "retention",
    "storage",
    "discard",
    "max_msgs",
    "max_msgs_per_subject",
    "max_age",
)
"""The options that an existing stream must share with ours."""


class JetStreamClient:
    """A client of one stream. Implements `stream.StreamClient`."""

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
        # A read can be repeated at any time, so it need not wait for the end of an election.
        self._read_timeout = min(self._timeout, ACK_TIMEOUT)
        self._append_again, self._read_again = _agains(self.stale_reads)
        self._header = (
            b"NATS/1.0\r\nNats-Expected-Stream: %b\r\nNats-Expected-Last-Sequence: %%d\r\n\r\n"
            % name.encode()
        )
        self._connection: Connection | None = None
        self._opening = asyncio.Lock()
        self._created = ""
        self._max_payload = 0
        """The server's max_payload at the start; it must not become smaller while this is in use."""
        self._highest_known = 0
        """The highest sequence that the stream is known to have had."""

    # ---- the hot path

    async def publish(self, data: bytes, expected: int) -> None:
        """See `StreamClient.publish`."""
        connection = self._connection
        if connection is None or connection.lost is not None:
            connection = await self._open()
        try:
            message = await connection.call(
                self._subject,
                data,
                self._timeout,
                self._header % expected,
                again_seconds=self._append_again,
            )
        except (ConnectionLostError, TimeoutError) as error:
            self._drop(connection, error)
            raise StreamUnavailableError(f"append not acknowledged: {error}") from error
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
                    self._highest_known = expected + 1
                    return
                # Should be impossible, because the server has checked the expectation.
                problem = ApiError(0, f"ack names sequence {ack['seq']} instead of {expected + 1}")
            else:
                problem = api.error_of(ack)
                if problem.number == api.WRONG_LAST_SEQUENCE:
                    raise WrongLastSequenceError(problem.description)
        self._drop(connection, problem)
        raise StreamUnavailableError(f"append refused: {problem}") from problem

    # ---- the rest of `StreamClient`

    async def bounds(self, create: bool) -> tuple[int, int]:
        """See `StreamClient.bounds`."""
        connection = await self._open()
        try:
            info = await self._ask(connection, "STREAM.INFO", {})
        except (ConnectionLostError, TimeoutError, ApiError) as error:
            if not (isinstance(error, ApiError) and error.number == api.STREAM_NOT_FOUND):
                raise self._unavailable(connection, "reading the stream's state", error) from error
            if not create or self._created:
                return 1, 0
            info = await self._create(connection)
        self._check_config(info["config"])
        self._check_same_stream(info)
        self._created = info["created"]
        return self._record_state(info)

    async def fetch(self, sequence: int) -> bytes | None:
        """See `StreamClient.fetch`. A leader read: it sees every acknowledged append."""
        connection = await self._open()
        try:
            answer = await self._ask(connection, "STREAM.MSG.GET", {"seq": sequence})
        except (ConnectionLostError, TimeoutError, ApiError) as error:
            if isinstance(error, ApiError) and error.number == api.MESSAGE_NOT_FOUND:
                return None
            raise self._unavailable(connection, f"reading sequence {sequence}", error) from error
        return base64.b64decode(answer["message"].get("data", ""))

    async def read(self, first: int, last: int, deliver: DeliverMessage) -> None:
        """See `StreamClient.read`."""
        connection = await self._open()
        try:
            await read_range(
                *(connection, self.name, first, last, deliver),
                *(self._read_timeout, self._read_again),
            )
        except (ConnectionLostError, TimeoutError, ApiError) as error:
            raise self._unavailable(connection, f"reading {first} to {last}", error) from error
        self._highest_known = max(self._highest_known, last)

    async def purge(self, below: int) -> None:
        """See `StreamClient.purge`.

        Only by sequence: that removes whole blocks and leaves the numbering unchanged.
        """
        connection = await self._open()
        try:
            await call_api(
                connection, f"STREAM.PURGE.{self.name}", {"seq": below}, max(self._timeout, 30.0)
            )
        except (ConnectionLostError, TimeoutError, ApiError) as error:
            # The connection is kept, because an append may be in flight on it.
            raise StreamUnavailableError(f"purge: {error}") from error

    async def close(self) -> None:
        """See `StreamClient.close`."""
        if self._connection is not None:
            self._connection.on_lost = _nothing
            self._connection.abort()
            self._connection = None
        self._created = ""
        self._highest_known = 0

    # ---- connection

    async def _open(self) -> Connection:
        """Returns the open connection, or a new one after checking that the stream is the same."""
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
                raise StreamUnavailableError(str(error) or "NATS is not there") from error
            if connection.max_payload < self._max_payload:
                # Batches of the allowed size would not fit.
                connection.abort()
                raise StreamUnavailableError(
                    f"this NATS server takes messages of at most {connection.max_payload} bytes, and"
                    f" it was {self._max_payload} at the start; give max_payload the same value"
                    " everywhere, or start again to go on with less"
                )
            self._max_payload = connection.max_payload
            self.max_frame = connection.max_payload - HEADER_BYTES_MAX
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
            info = await self._ask(connection, "STREAM.INFO", {})
        except (ConnectionLostError, TimeoutError, ApiError) as error:
            if isinstance(error, ApiError) and error.number == api.STREAM_NOT_FOUND:
                raise LogDataLostError(
                    f"{self.name}: the stream is gone, with sequences up to {self._highest_known};"
                    " restore it from a backup"
                ) from error
            raise StreamUnavailableError(f"reading the stream's state: {error}") from error
        self._check_same_stream(info)
        last = int(info["state"]["last_seq"])
        if last < self._highest_known:
            text = (
                f"{self.name}: the log ends at sequence {last}, but {self._highest_known} was seen"
            )
            if self.stale_reads:
                raise StreamUnavailableError(text)
            raise LogDataLostError(f"{text}; restore it from a backup")

    def _check_same_stream(self, info: dict[str, Any]) -> None:
        if self._created and info["created"] != self._created:
            raise LogDataLostError(
                f"{self.name}: the stream was deleted and made again at {info['created']}; the one"
                f" in use was of {self._created} and had sequences up to {self._highest_known};"
                " restore it from a backup"
            )

    def _ask(
        self, connection: Connection, verb: str, body: dict[str, Any]
    ) -> Awaitable[dict[str, Any]]:
        """Calls a reading verb of the API for this stream."""
        return call_api(
            connection,
            f"{verb}.{self.name}",
            body,
            self._read_timeout,
            again_seconds=self._read_again,
        )

    def _drop(self, connection: Connection, reason: object) -> None:
        connection.abort(f"given up: {reason}")
        if self._connection is connection:
            self._connection = None

    def _unavailable(
        self, connection: Connection, doing: str, error: Exception
    ) -> StreamUnavailableError:
        self._drop(connection, error)
        return StreamUnavailableError(f"{doing}: {error}")

    # ---- the stream

    async def _create(self, connection: Connection) -> dict[str, Any]:
        try:
            return await create_stream(
                connection,
                self._config,
                smallest_bytes=SMALLEST_STREAM_BYTES,
                clustered=self.stale_reads,
                timeout_seconds=max(self._timeout, CREATE_TIMEOUT),
            )
        except (ConnectionLostError, TimeoutError, ApiError) as error:
            raise self._unavailable(connection, "creating the stream", error) from error

    def _check_config(self, actual: dict[str, Any]) -> None:
        wrong = {
            key: actual.get(key)
            for key in _REQUIRED_OPTIONS
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
        self._append_again, self._read_again = _agains(self.stale_reads)

    def _record_state(self, info: dict[str, Any]) -> tuple[int, int]:
        state = info["state"]
        last = int(state["last_seq"])
        if not state["messages"]:
            return last + 1, last
        self._highest_known = max(self._highest_known, last)
        return int(state["first_seq"]), last


def _agains(replicated: bool) -> tuple[float, float]:
    """Returns after how many seconds an append and a read are sent again; 0 for never.

    A single server answers, or its connection is lost.
    """
    return (APPEND_AGAIN, READ_AGAIN) if replicated else (0.0, 0.0)


def _nothing(_reason: str) -> None:
    pass


def log_subject(partition: int | str) -> str:
    """Returns the subject of a partition's log; with `*` it matches those of all."""
    return f"durable.log.{partition}"


def stream_name(partition: int) -> str:
    """Returns the name of the stream that is a partition's log."""
    return f"DURABLE_P{partition}"


class JetStreamLog(FencedLog):
    """The `Log` of one partition on JetStream.

    `source` is called before every connection. `replicas` (1, 3 or 5) and `max_bytes` apply when the
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
        stream = JetStreamClient(
            source,
            stream_name(partition),
            log_subject(partition),
            replicas=replicas,
            max_bytes=max_bytes,
            ack_timeout=ack_timeout,
        )
        super().__init__(stream, budget=budget, rng=rng)
