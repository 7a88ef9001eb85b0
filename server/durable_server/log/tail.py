"""Reading a stretch of a stream, fast and in bounded memory.

A short stretch is a handful of leader reads, all sent at once: one round trip. A long one goes
through a pull consumer that lives as long as the reading: plain bytes instead of base64 in JSON, a
thousand messages per request, and never more than two requests' worth of bytes in memory. The next
request is sent before the last one's messages are delivered, so the server reads while we apply.

The consumer exists in memory on one server. That server may be a replica that is behind; it then
waits until it has the messages, because each request asks for exactly those that are known to
exist.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import secrets
from collections.abc import Callable

from durable_server.nats import api
from durable_server.nats.api import ApiError, call_api
from durable_server.nats.connection import Connection, ConnectionLostError, Message

SHORT = 32
"""Slots up to which leader reads are used."""
PULL_MESSAGES = 1000
PULL_BYTES = 16 << 20
"""Messages and bytes of one request; the bytes are raised to two of the largest messages when those
are larger.
"""
PULL_TIMEOUT = 30.0
"""Seconds for one request: 16 MB from a slow disk."""


async def read_tail(
    connection: Connection,
    stream: str,
    first: int,
    last: int,
    deliver: Callable[[int, bytes], None],
    patience: float,
) -> None:
    """Delivers sequences `first` to `last` in order, as far as they exist: the caller checks that
    none is missing.

    Raises ApiError, TimeoutError, ConnectionLostError, and whatever `deliver` raises.
    """
    if last - first < SHORT:
        await _read_short(connection, stream, first, last, deliver, patience)
    else:
        await _read_long(connection, stream, first, last, deliver, patience)


async def _read_short(
    connection: Connection,
    stream: str,
    first: int,
    last: int,
    deliver: Callable[[int, bytes], None],
    patience: float,
) -> None:
    subject = f"$JS.API.STREAM.MSG.GET.{stream}".encode()
    answers = [
        connection.call(subject, b'{"seq":%d}' % sequence, patience)
        for sequence in range(first, last + 1)
    ]
    for sequence, future in enumerate(answers, first):
        message = await future
        if not message.payload:
            raise ApiError(message.status, message.description)
        answer = json.loads(message.payload)
        if "error" in answer:
            error = api.error_of(answer)
            if error.number != api.MESSAGE_NOT_FOUND:
                raise error
        else:
            deliver(sequence, base64.b64decode(answer["message"].get("data", "")))


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
            # $JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>…, or the longer form with domain
            # and account in front
            words = message.reply.split(b".")
            sequence = int(words[5] if len(words) == 9 else words[7])
            self.messages.append((sequence, message.payload))
            if len(self.messages) < self.wanted:
                return
        if not self.done.done():
            self.done.set_result(None)


async def _read_long(
    connection: Connection,
    stream: str,
    first: int,
    last: int,
    deliver: Callable[[int, bytes], None],
    patience: float,
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
        patience,
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
            async with asyncio.timeout(PULL_TIMEOUT):
                await current.done
            finished = current
            if finished.messages:
                first = finished.messages[-1][0] + 1
            elif finished.status:
                raise ApiError(finished.status, finished.description)
            if first <= last:
                current = pull(last - first + 1)
            for sequence, data in finished.messages:
                deliver(sequence, data)
            if first > last:
                return
    finally:
        connection.unsubscribe(sid)
        # The server would remove an idle one by itself; this only is tidier.
        with contextlib.suppress(ApiError, TimeoutError, ConnectionLostError):
            await call_api(connection, f"CONSUMER.DELETE.{stream}.{consumer}", {}, patience)
