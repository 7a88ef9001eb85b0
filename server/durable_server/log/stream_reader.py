"""Reads a range of a JetStream stream, fast and in bounded memory.

A short range is leader reads, of which a few are under way at a time. A long range goes through a pull
consumer that exists only during the read. It delivers plain bytes instead of base64 in JSON, a thousand
messages per request, and never more than the bytes of two requests are in memory. The next request is
sent before the messages of the last one are delivered, so the server reads while we apply.

The consumer is kept in the memory of one server. That server may be a replica that is behind; it then
waits until it has the messages, because each request names exactly those that are known to exist. It
may also be one that has just died: the others may not know yet, and give the consumer to it. So what a
follower lacks, of a log of several servers, counts as a short range, and a consumer that is silent is
given up.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import secrets
from collections import deque

from ..nats import api
from ..nats.api import ApiError, call_api, delivery_of
from ..nats.connection import Connection, ConnectionLostError
from ..nats.parser import Message
from .stream import DeliverMessage

SHORT_RANGE = 32
"""The longest range, in messages, that is read with leader reads."""
SHORT_RANGE_REPLICATED = 2000
"""The same for a log of several servers: as much as a follower lacks that is about to lead."""
LEADER_READS = 32
"""How many leader reads are under way at a time."""
PULL_MESSAGES = 1000
PULL_BYTES = 16 << 20
"""The messages and bytes of one request. The bytes are raised to two messages of the largest size
where that is more.
"""
PULL_TIMEOUT = 30.0
"""Seconds for one request: enough for 16 MB from a slow disk."""
SILENCE_SECONDS = 5.0
"""How long a consumer may send nothing."""


async def read_range(
    connection: Connection,
    stream: str,
    first: int,
    last: int,
    deliver: DeliverMessage,
    timeout_seconds: float,
    again_seconds: float = 0.0,
) -> None:
    """Delivers the messages `first` to `last` in order, as far as they exist.

    The caller checks that none is missing. `again_seconds` as for `Connection.call`. Raises ApiError,
    TimeoutError, ConnectionLostError, and what `deliver` raises.
    """
    if last - first < (SHORT_RANGE_REPLICATED if again_seconds else SHORT_RANGE):
        await _read_short(connection, stream, first, last, deliver, timeout_seconds, again_seconds)
    else:
        await _read_long(connection, stream, first, last, deliver, timeout_seconds)


async def _read_short(
    connection: Connection,
    stream: str,
    first: int,
    last: int,
    deliver: DeliverMessage,
    timeout_seconds: float,
    again_seconds: float,
) -> None:
    subject = f"$JS.API.STREAM.MSG.GET.{stream}".encode()
    answers: deque[asyncio.Future[Message]] = deque()
    asked = first
    for sequence in range(first, last + 1):
        while asked <= last and len(answers) < LEADER_READS:
            answers.append(
                connection.call(
                    subject, b'{"seq":%d}' % asked, timeout_seconds, again_seconds=again_seconds
                )
            )
            asked += 1
        message = await answers.popleft()
        if not message.payload:
            raise ApiError(message.status, message.description)
        answer = json.loads(message.payload)
        if "error" in answer:
            error = api.error_of(answer)
            if error.number != api.MESSAGE_NOT_FOUND:
                raise error
        else:
            await deliver(sequence, base64.b64decode(answer["message"].get("data", "")))


class _Pull:
    """The messages of one request."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.messages: list[tuple[int, bytes]] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.status = 0
        self.description = ""

    def take(self, message: Message) -> None:
        if message.status:
            self.status, self.description = message.status, message.description
        else:
            self.messages.append((int(delivery_of(message.reply)[0]), message.payload))
            if len(self.messages) < self.wanted:
                return
        if not self.done.done():
            self.done.set_result(None)

    async def finish(self) -> None:
        """Returns when the request is answered. Raises TimeoutError when nothing comes any more."""
        async with asyncio.timeout(PULL_TIMEOUT):
            while not self.done.done():
                before = len(self.messages)
                await asyncio.wait({self.done}, timeout=SILENCE_SECONDS)
                if not self.done.done() and len(self.messages) == before:
                    raise TimeoutError(f"no message within {SILENCE_SECONDS:g} s")


async def _read_long(
    connection: Connection,
    stream: str,
    first: int,
    last: int,
    deliver: DeliverMessage,
    timeout_seconds: float,
) -> None:
    consumer = f"recovery-{secrets.token_hex(6)}"
    config = {
        "name": consumer,
        "deliver_policy": "by_start_sequence",
        "opt_start_seq": first,
        "ack_policy": "none",
        "replay_policy": "instant",
        "num_replicas": 1,
        "mem_storage": True,
        "inactive_threshold": int(2 * PULL_TIMEOUT * 1e9),
    }
    await call_api(
        connection,
        f"CONSUMER.CREATE.{stream}.{consumer}",
        {"stream_name": stream, "config": config},
        timeout_seconds,
    )
    current = _Pull(0)

    def route(message: Message) -> None:
        current.take(message)

    sid, inbox = connection.subscribe(route)
    subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}".encode()

    def pull(left: int) -> _Pull:
        request = {
            "batch": min(PULL_MESSAGES, left),
            "max_bytes": max(PULL_BYTES, 2 * connection.max_payload),
            "expires": int(PULL_TIMEOUT * 1e9),
        }
        connection.publish(subject, json.dumps(request).encode(), inbox)
        return _Pull(request["batch"])

    try:
        current = pull(last - first + 1)
        while True:
            await current.finish()
            finished = current
            if finished.messages:
                first = finished.messages[-1][0] + 1
            elif finished.status:
                raise ApiError(finished.status, finished.description)
            if first <= last:
                current = pull(last - first + 1)
            for sequence, data in finished.messages:
                await deliver(sequence, data)
            if first > last:
                return
    finally:
        connection.unsubscribe(sid)
        # Without this the server would remove the consumer after a while. Nobody waits for the answer,
        # because the server may be the reason why the read has ended.
        with contextlib.suppress(ConnectionLostError):
            connection.call(
                f"$JS.API.CONSUMER.DELETE.{stream}.{consumer}".encode(), b"", timeout_seconds
            )
