"""The HTTP/1.1 protocol: uvicorn's, with our JSON errors for bytes that are not a request.

uvicorn answers such bytes with a line of plain text. It also logs advice about web sockets for its own
users, and closes a connection without a response when a body ends before its length. The application is
not called in any of these cases, so they are handled here. Only h11 is used: uvicorn would choose an
installed httptools, which is less strict.

uvicorn also waits for ever for a client that is slow, and serves any number of them. Here:
- A connection over the limit is answered with 503 and closed.
- The head of a request must arrive within HEAD_SECONDS, also if there is only silence.
- A client must take what waits for it at SLOWEST bytes a second at least, or its connection is closed.
- A connection that uvicorn closes is closed LINGER_SECONDS later at the latest, whether the client has
  taken the response or not.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Callable
from http import HTTPStatus

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .errors import HttpError, malformed, slow_head, too_many_connections

HEAD_SECONDS = 20.0
"""How long the first line and the headers of a request may take."""
SLOWEST = 4 * 1024
"""How many bytes of a response a client must take in a second."""
TAKE_SECONDS = 20.0
"""How often that is checked. It is shorter than what gRPC grants (`rpc.unread`): this surface is one
client there for all of its own.
"""
LINGER_SECONDS = 1.0
"""How long a refused client may go on sending before the connection is closed. Closing it at once would
reset it, and the client would lose the refusal."""


class Http1Protocol(H11Protocol):
    """One connection."""

    on_connected: Callable[[], None] | None = None
    """Called when the connection begins, after the handshake of TLS."""
    _refused = False
    _head_timer: asyncio.TimerHandle | None = None
    _take_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Takes a connection, or refuses it as one too many.

        Keeps the client's certificate, which TLS has verified, for the application.
        """
        if self.on_connected is not None:
            self.on_connected()
        # uvicorn would parse each request first, and answer it with plain text.
        limit, self.limit_concurrency = self.limit_concurrency, None
        super().connection_made(transport)
        if limit is not None and len(self.connections) > limit:
            self._refuse(too_many_connections(limit))
        else:
            self._await_head()
        tls = transport.get_extra_info("ssl_object")
        certificate = None if tls is None else tls.getpeercert(binary_form=True)
        if certificate:
            pem = ssl.DER_cert_to_PEM_cert(certificate).encode()
            self.app_state = {**self.app_state, "certificate": pem}

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the timers."""
        super().connection_lost(exc)
        self._end_head_timer()
        self._end_take_timer()

    def data_received(self, data: bytes) -> None:
        """Parses received bytes; discards them after a refusal."""
        if not self._refused:
            super().data_received(data)
            self._await_head()

    def on_response_complete(self) -> None:
        """Takes the next request, of which a part may have come already."""
        super().on_response_complete()
        self._await_head()
        if self.transport.is_closing() and self.transport.get_write_buffer_size():
            self.loop.call_later(TAKE_SECONDS, self.transport.abort)

    def _await_head(self) -> None:
        """Begins or ends the time for the head of a request, by what has come."""
        idle = self.conn.their_state is h11.IDLE
        if not idle:
            self._end_head_timer()
        elif self._head_timer is None and self.timeout_keep_alive_task is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_missing)

    def _end_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_missing(self) -> None:
        if self.conn.trailing_data[0]:
            self._refuse(slow_head(HEAD_SECONDS))
        else:
            self.transport.close()  # a response to nothing could be taken for that to a later request

    def pause_writing(self) -> None:
        """Begins to watch how fast the client takes the response."""
        super().pause_writing()
        self._watch_taking()

    def resume_writing(self) -> None:
        """Ends that."""
        super().resume_writing()
        self._end_take_timer()

    def _watch_taking(self) -> None:
        waiting = self.transport.get_write_buffer_size()
        self._take_timer = self.loop.call_later(TAKE_SECONDS, self._check_taking, waiting)

    def _check_taking(self, before: int) -> None:
        if before - self.transport.get_write_buffer_size() < SLOWEST * TAKE_SECONDS:
            self.transport.abort()
        else:
            self._watch_taking()

    def _end_take_timer(self) -> None:
        if self._take_timer is not None:
            self._take_timer.cancel()
            self._take_timer = None

    def timeout_keep_alive_handler(self) -> None:
        """Closes a connection on which no further request has come."""
        super().timeout_keep_alive_handler()
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def send_400_response(self, msg: str) -> None:
        """Refuses bytes that h11 rejects; uvicorn calls it while it handles h11's error."""
        error = sys.exception()
        code = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        self._refuse(malformed(code, str(error or msg).partition(": bytearray")[0]))

    def eof_received(self) -> None:
        """Refuses a body that ended before its length."""
        cycle = self.cycle
        if cycle is not None and cycle.more_body and not cycle.response_complete:
            self._refuse(malformed(400, "the body has ended before its length"))

    def _should_upgrade(self) -> bool:
        return False

    def _refuse(self, error: HttpError) -> None:
        if self._refused:
            return
        self._refused = True
        self._end_head_timer()
        if self.cycle is not None:
            self.cycle.disconnected = True  # ends a pending read of the body
        code, response = error.code, error.response()
        try:
            events = (
                h11.Response(
                    status_code=code, headers=response.raw_headers, reason=HTTPStatus(code).phrase
                ),
                h11.Data(data=bytes(response.body)),
                h11.EndOfMessage(),
            )
            self.transport.write(b"".join(self.conn.send(it) or b"" for it in events))
        except h11.LocalProtocolError:
            self.transport.close()  # a response has begun, and nothing else can follow it
            return
        self.flow.resume_reading()
        if self.transport.can_write_eof():  # not with TLS
            self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)
