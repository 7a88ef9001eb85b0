"""A NATS connection that never sends anything twice on its own.

General NATS clients hide a lost connection: they reconnect without telling the caller and send again
what was buffered. For a fenced log this is the one thing that must not happen, because an append from
before the loss could arrive behind one from after it. So this connection is opened, used, and at the
first problem lost for good: every pending call fails at once, nothing is buffered, and `abort` discards
what the kernel has not sent yet. The owner opens a new connection and finds out what happened.

It is also fast. An append costs one `write` and one future, which the parser resolves directly, without
a task or a queue between. Every record passes through here, so this is worth ~200 lines instead of a
client library.

All answers come to one wildcard subscription (`_INBOX.<random>.<n>`, sid 1), so a call needs no
subscription of its own. `subscribe`, with a sid of its own, is for JetStream pulls, whose messages
carry their own subject instead of the inbox, and for subjects on which others publish.

A stream of several servers loses what is asked while its leader changes, and never answers it. So a
caller for whom that is safe may have a request sent again (`again_seconds`), on the same connection
and with the same bytes. The first answer to any of them counts.

Only the parts of the protocol that this project uses are here: user/password or token login, TLS,
headers as raw bytes, PING.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import secrets
import ssl
from collections.abc import Callable
from typing import Any, NamedTuple, cast

from .endpoint import Endpoint
from .parser import Message, Parser

PING_INTERVAL = 5.0
"""Seconds between our PINGs. A dead peer is noticed within two of them; the usual default of 120 s is
too slow here.
"""
_CALLS = 1


class ConnectionLostError(ConnectionError):
    """The connection is lost; what was in flight may or may not have arrived."""


class LoginRefusedError(ConnectionLostError):
    """The server refused the credentials."""


class PermissionDeniedError(ConnectionLostError):
    """The server does not allow this user a subject that was published or subscribed to."""


class _Again(NamedTuple):
    """A request that is sent again while it has no answer."""

    data: bytes
    seconds: float
    """How long to wait for an answer before it is sent again."""
    until: float
    """When the caller stops waiting, by the event loop's clock."""


class Connection(asyncio.Protocol):
    """Use `Connection.open`. Bound to the event loop that opened it; not thread-safe."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = Parser(self._dispatch, self._control)
        self._calls: dict[int, tuple[asyncio.Future[Message], asyncio.TimerHandle]] = {}
        self._count = 0
        self._handlers: dict[int, Callable[[Message], None]] = {}
        self._sids = _CALLS
        self._inbox = f"_INBOX.{secrets.token_hex(8)}.".encode()
        self._own_inboxes = f"_INBOX.{secrets.token_hex(8)}.".encode()
        self._info: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self._pong: asyncio.Future[None] = self._loop.create_future()
        self._silent_pings = 0
        self._pinger: asyncio.TimerHandle | None = None
        self.on_lost: Callable[[str], None] = _nothing
        """Called once, with the reason, when the connection is lost."""
        self.lost: ConnectionLostError | None = None
        """Why the connection was lost; None while it is open."""
        self.max_payload = 0
        """The largest size of header and payload together that the server accepts."""
        self.server_version = ""
        self.server_id = ""
        """The server's id, by which the system account addresses it."""

    # ---- open and close

    @classmethod
    async def open(
        cls, endpoint: Endpoint, *, name: str, timeout_seconds: float = 5.0
    ) -> Connection:
        """Connects to one of the servers, in random order, and logs in.

        Raises ConnectionLostError when none answers within `timeout_seconds` seconds each,
        LoginRefusedError or PermissionDeniedError when one refuses.
        """
        servers = list(endpoint.servers)
        random.shuffle(servers)
        problem: Exception | None = None
        for host, port in servers:
            try:
                async with asyncio.timeout(timeout_seconds):
                    return await cls._open_one(endpoint, host, port, name)
            except (LoginRefusedError, PermissionDeniedError):
                raise
            except (
                OSError
            ) as error:  # TimeoutError, ConnectionLostError and ssl.SSLError are OSErrors
                problem = error
        where = ", ".join(f"{host}:{port}" for host, port in servers)
        what = str(problem) or f"no answer within {timeout_seconds:g} s"
        raise ConnectionLostError(f"cannot connect to NATS at {where}: {what}") from problem

    @classmethod
    async def _open_one(cls, endpoint: Endpoint, host: str, port: int, name: str) -> Connection:
        loop = asyncio.get_running_loop()
        transport, self = await loop.create_connection(cls, host, port)
        try:
            info = await self._info
            if endpoint.tls is not None or info.get("tls_required"):
                context = endpoint.tls or ssl.create_default_context()
                upgraded = await loop.start_tls(transport, self, context, server_hostname=host)
                if upgraded is None:
                    raise ConnectionLostError("the connection closed during the TLS handshake")
                self._transport = upgraded
            self._login(endpoint, name)
            await self._pong
        except BaseException:
            self.abort()
            raise
        self.max_payload = int(info["max_payload"])
        self.server_version = str(info.get("version", ""))
        self.server_id = str(info.get("server_id", ""))
        self._pinger = loop.call_later(PING_INTERVAL, self._ping)
        return self

    def _login(self, endpoint: Endpoint, name: str) -> None:
        options: dict[str, Any] = {
            "verbose": False,
            "pedantic": False,
            "lang": "python-durable",
            "version": "1",
            "protocol": 1,
            "name": name,
            "echo": False,
            "headers": True,
            "no_responders": True,
        }
        if endpoint.user is not None:
            options["user"], options["pass"] = endpoint.user, endpoint.password
        elif endpoint.token is not None:
            options["auth_token"] = endpoint.token
        self._write(
            b"CONNECT %b\r\nSUB %b* %d\r\nPING\r\n"
            % (json.dumps(options).encode(), self._inbox, _CALLS)
        )

    def abort(self, reason: str = "closed by us") -> None:
        """Ends the connection now: unsent bytes are discarded and all pending calls fail.

        May be called more than once.
        """
        self._lose(ConnectionLostError(reason))

    def _lose(self, error: ConnectionLostError) -> None:
        if self.lost is not None:
            return
        self.lost = error
        self._parser.stopped = True
        if self._pinger is not None:
            self._pinger.cancel()
        if self._transport is not None:
            self._transport.abort()
        calls, self._calls = self._calls, {}
        waiting: list[asyncio.Future[Any]] = [self._info, self._pong]
        for future, timer in calls.values():
            timer.cancel()
            waiting.append(future)
        for future in waiting:
            if not future.done():
                future.set_exception(type(error)(*error.args))
                # Marks it as retrieved: the caller may have given up the call.
                future.exception()
        handlers, self._handlers = self._handlers, {}
        gone = Message(b"", b"", b"NATS/1.0 499 Connection Lost\r\n", b"")
        for handler in handlers.values():
            handler(gone)
        self.on_lost(str(error))

    # ---- sending

    def _write(self, data: bytes) -> None:
        if self.lost is not None or self._transport is None:
            raise ConnectionLostError(*(self.lost.args if self.lost else ("not connected",)))
        self._transport.write(data)

    def call(
        self,
        subject: bytes,
        payload: bytes,
        timeout_seconds: float,
        header: bytes = b"",
        *,
        again_seconds: float = 0.0,
    ) -> asyncio.Future[Message]:
        """Publishes a request and returns the future of the first answer.

        `header` is a whole header block as it goes on the wire. The future fails with TimeoutError
        after `timeout_seconds` seconds and with ConnectionLostError when the connection ends. An answer
        with a status (503: no responders) is a result. If none has come after `again_seconds` seconds
        (0: never), the same request is sent again, and then each time after as long.
        """
        self._count = number = self._count + 1
        if header:
            data = b"HPUB %b %b%d %d %d\r\n%b%b\r\n" % (
                subject,
                self._inbox,
                number,
                len(header),
                len(header) + len(payload),
                header,
                payload,
            )
        else:
            data = b"PUB %b %b%d %d\r\n%b\r\n" % (
                subject,
                self._inbox,
                number,
                len(payload),
                payload,
            )
        self._write(data)
        future: asyncio.Future[Message] = self._loop.create_future()
        if 0.0 < again_seconds < timeout_seconds:
            again = _Again(data, again_seconds, self._loop.time() + timeout_seconds)
            timer = self._loop.call_later(
                again_seconds, self._ask_again, number, timeout_seconds, again
            )
        else:
            timer = self._loop.call_later(timeout_seconds, self._expire, number, timeout_seconds)
        self._calls[number] = future, timer
        return future

    def subscribe(
        self, handler: Callable[[Message], None], subject: bytes = b""
    ) -> tuple[int, bytes]:
        """Subscribes to a subject, by default to a new inbox; returns the sid and the subject.

        When the connection is lost the handler gets a message with status 499.
        """
        self._sids = sid = self._sids + 1
        subject = subject or b"%b%d" % (self._own_inboxes, sid)
        self._write(b"SUB %b %d\r\n" % (subject, sid))
        self._handlers[sid] = handler
        return sid, subject

    def unsubscribe(self, sid: int) -> None:
        """Ends a subscription; does nothing on a lost connection."""
        if self._handlers.pop(sid, None) is not None and self.lost is None:
            self._write(b"UNSUB %d\r\n" % sid)

    def publish(self, subject: bytes, payload: bytes, reply: bytes) -> None:
        """Publishes with a reply subject that the caller chooses."""
        self._write(b"PUB %b %b %d\r\n%b\r\n" % (subject, reply, len(payload), payload))

    def _ask_again(self, number: int, timeout_seconds: float, again: _Again) -> None:
        future, _ = self._calls[number]
        if future.done():  # the caller has given it up
            del self._calls[number]
            return
        self._write(again.data)
        left = again.until - self._loop.time()
        if left > again.seconds:
            timer = self._loop.call_later(
                again.seconds, self._ask_again, number, timeout_seconds, again
            )
        else:
            timer = self._loop.call_later(left, self._expire, number, timeout_seconds)
        self._calls[number] = future, timer

    def _expire(self, number: int, timeout_seconds: float) -> None:
        entry = self._calls.pop(number, None)
        if entry is not None and not entry[0].done():
            entry[0].set_exception(TimeoutError(f"no answer within {timeout_seconds:g} s"))
            # Marks it as retrieved: the caller may have given up the call.
            entry[0].exception()

    def _ping(self) -> None:
        if self._silent_pings >= 2:
            self._lose(ConnectionLostError(f"no sign of life for {2 * PING_INTERVAL:g} s"))
            return
        self._silent_pings += 1
        with contextlib.suppress(ConnectionLostError):
            self._write(b"PING\r\n")
            self._pinger = self._loop.call_later(PING_INTERVAL, self._ping)

    # ---- receiving (asyncio.Protocol)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's callback."""
        # A cast, not a check: uvloop's transports do not derive from asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio's callback."""
        # A server that ends with our bytes still unread resets the connection instead of closing it.
        why = f": {exc}" if exc else ""
        self._lose(ConnectionLostError(f"the server closed the connection{why}"))

    def data_received(self, data: bytes) -> None:
        """Asyncio's callback."""
        self._parser.feed(data)

    def _dispatch(self, sid: int, message: Message) -> None:
        self._silent_pings = 0
        if sid == _CALLS:
            entry = self._calls.pop(int(message.subject[len(self._inbox) :]), None)
            if entry is not None:
                future, timer = entry
                timer.cancel()
                if not future.done():
                    future.set_result(message)
        else:
            handler = self._handlers.get(sid)
            if handler is not None:
                handler(message)

    def _control(self, line: bytes) -> None:
        if line.startswith(b"PING"):
            self._silent_pings = 0
            with contextlib.suppress(ConnectionLostError):
                self._write(b"PONG\r\n")
        elif line.startswith(b"PONG"):
            self._silent_pings = 0
            if not self._pong.done():
                self._pong.set_result(None)
        elif line.startswith(b"INFO "):
            info = json.loads(line[5:])
            if not self._info.done():
                self._info.set_result(info)
            else:  # the server's configuration was reloaded
                self.max_payload = int(info.get("max_payload", self.max_payload))
        elif line.startswith(b"-ERR"):
            text = line[4:].decode(errors="replace").strip(" '")
            refused = "authorization" in text.lower() or "authentication" in text.lower()
            denied = "permissions violation" in text.lower()
            kind = (
                LoginRefusedError
                if refused
                else PermissionDeniedError
                if denied
                else ConnectionLostError
            )
            self._lose(kind(f"the NATS server said: {text}"))


def _nothing(_reason: str) -> None:
    pass
