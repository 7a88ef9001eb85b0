"""The HTTP/1.1 protocol: uvicorn's, with our JSON errors for bytes that are not a request.

uvicorn answers such bytes with a line of plain text. It also logs advice about web sockets for its own
users, and closes a connection without a response when a body ends before its length. The application is
not called in any of these cases, so they are handled here. Only h11 is used: uvicorn would choose an
installed httptools, which is less strict.
"""

from __future__ import annotations

import sys
from http import HTTPStatus

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .errors import malformed

LINGER_SECONDS = 1.0
"""How long a refused client may go on sending before the connection is closed. Closing it at once would
reset it, and the client would lose the refusal."""


class Http1Protocol(H11Protocol):
    """One connection."""

    _refused = False

    def data_received(self, data: bytes) -> None:
        """Parses received bytes; discards them after a refusal."""
        if not self._refused:
            super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """Refuses bytes that h11 rejects; uvicorn calls it while it handles h11's error."""
        error = sys.exception()
        code = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        self._refuse(code, str(error or msg).partition(": bytearray")[0])

    def eof_received(self) -> None:
        """Refuses a body that ended before its length."""
        cycle = self.cycle
        if cycle is not None and cycle.more_body and not cycle.response_complete:
            self._refuse(400, "the body has ended before its length")

    def _should_upgrade(self) -> bool:
        return False

    def _refuse(self, code: int, problem: str) -> None:
        if self._refused:
            return
        self._refused = True
        if self.cycle is not None:
            self.cycle.disconnected = True  # ends a pending read of the body
        response = malformed(code, problem).response()
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
        self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)
