"""The parser of the NATS client protocol: bytes as they arrive in, messages and control lines out.

It has no socket and no clock, so a test can cut a stream of bytes wherever it likes. The connection
gives it each chunk that it receives; the parser calls back for each complete message (`MSG`, `HMSG`)
and for each other line. An incomplete message waits, without being scanned again, until all of it
has arrived: a frame of 8 MB comes in more than a hundred chunks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Message(NamedTuple):
    """A message as it arrived."""

    subject: bytes
    reply: bytes
    header: bytes
    """The raw header block, empty when there is none."""
    payload: bytes

    @property
    def status(self) -> int:
        """The status number of a control message (`NATS/1.0 503`), else 0."""
        word = self.header[9:12]
        return int(word) if self.header[8:9] == b" " and word.isdigit() else 0

    @property
    def description(self) -> str:
        """The words behind the status number."""
        return self.header[12 : self.header.find(b"\r\n")].decode(errors="replace").strip()


class Parser:
    """Parses what one connection receives."""

    __slots__ = ("_needed", "_on_control", "_on_message", "_pending", "_pending_size", "stopped")

    def __init__(
        self, on_message: Callable[[int, Message], None], on_control: Callable[[bytes], None]
    ) -> None:
        """`on_message` gets the subscription's id and the message; `on_control` gets a line."""
        self.stopped = False
        """Set by a callback to end the parsing: what follows is dropped."""
        self._on_message = on_message
        self._on_control = on_control
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._needed = 0
        """How many bytes must be pending before it is worth parsing again."""

    def feed(self, data: bytes) -> None:
        """Parses the next chunk."""
        if self._pending:
            self._pending.append(data)
            self._pending_size += len(data)
            if self._pending_size < self._needed:
                return
            data = b"".join(self._pending)
            self._pending = []
        size = len(data)
        at = 0
        while at < size:
            end = data.find(b"\r\n", at)
            if end < 0:
                self._needed = size - at + 1
                break
            first = data[at]
            if first == 77 or first == 72:  # MSG, HMSG
                words = data[at:end].split()
                header_size = int(words[-2]) if first == 72 else 0
                start = end + 2
                stop = start + int(words[-1])
                if size < stop + 2:
                    self._needed = stop + 2 - at
                    break
                header_end = start + header_size
                message = Message(
                    words[1],
                    words[3] if len(words) == (6 if first == 72 else 5) else b"",
                    data[start:header_end],
                    data[header_end:stop],
                )
                at = stop + 2
                self._on_message(int(words[2]), message)
            else:
                self._on_control(data[at:end])
                at = end + 2
            if self.stopped:
                return
        if at < size:
            self._pending = [data[at:]] if at else [data]
            self._pending_size = size - at
