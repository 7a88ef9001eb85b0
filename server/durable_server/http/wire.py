"""Where uvicorn's HTTP/1.1 is ours: what is no request at all is refused in the form of all refusals.

uvicorn answers such bytes with a line of plain text. It also advises its own users about web sockets,
and drops a connection without a word when a body ends before its length. The application is not asked
in any of these cases, so that they are dealt with here, and by h11 alone: an installed httptools would
be chosen instead and is less strict.
"""

from __future__ import annotations

import sys
from http import HTTPStatus

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .errors import malformed

LINGER_SECONDS = 1.0
"""How long a refused client may go on sending before the connection is closed under it: a reset would
take the refusal away."""


class Wire(H11Protocol):
    """One connection."""

    _refused = False

    def data_received(self, data: bytes) -> None:
        """Takes what has come; after a refusal it is dropped."""
        if not self._refused:
            super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """Refuses what h11 does not take for a request; called while its error is handled."""
        error = sys.exception()
        code = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        self._refuse(code, str(error or msg).partition(": bytearray")[0])

    def eof_received(self) -> None:
        """Refuses a body that has ended before its length."""
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
            self.cycle.disconnected = True  # for whoever reads the body
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
            self.transport.close()  # an answer is under way, and nothing else can follow it
            return
        self.flow.resume_reading()
        self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)
