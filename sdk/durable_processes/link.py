"""The link between a supervisor and one of its processes: messages as lines of JSON, both ways.

The supervisor runs the same command line again for each process, with one end of a socket as standard
input and the number of the process in the environment. The other end of the socket ends when its
process does, in whatever way: so the supervisor learns what the process has sent last, and the process
learns that it has no supervisor any more.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

Message: TypeAlias = Mapping[str, Any]
"""What one end sends: a JSON object."""

WORKER: Final = "DURABLE_WORKER_PROCESS"
"""The variable with the number of a worker process; only a supervisor sets it."""
SERVER: Final = "DURABLE_SERVER_PROCESS"
"""The same for a control plane process."""
DRAIN: Final[Message] = {"ask": "drain"}
"""From the supervisor: stop as on a first SIGTERM."""
STOP: Final[Message] = {"ask": "stop"}
"""From the supervisor: stop as on a second SIGTERM, without waiting for anything."""
SERVING: Final[Message] = {"serving": True}
"""From the process: it serves."""
LATE_SECONDS: Final = 10.0
"""How long a process may take to end after its drain, before it is killed."""


def encode(message: Message) -> bytes:
    """Returns a message as it goes over the socket."""
    return json.dumps(message).encode() + b"\n"


class Decoder:
    """Cuts what was received into messages."""

    def __init__(self) -> None:
        self._rest = b""

    def take(self, data: bytes) -> list[Message]:
        """Takes the next bytes; returns the messages that are complete with them."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines]


class Link:
    """A process's end of the link, for one thread that receives and any that send."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def send(self, message: Message) -> None:
        """Sends a message. Does nothing when the supervisor is gone: `received` tells that too."""
        with contextlib.suppress(OSError):
            self._socket.sendall(encode(message))

    def received(self) -> Iterator[Message]:
        """Yields each message when it comes; ends when the supervisor has ended."""
        decoder = Decoder()
        while True:
            try:
                data = self._socket.recv(65536)
            except OSError:
                return
            if not data:
                return
            yield from decoder.take(data)


class Started(NamedTuple):
    """What a supervisor has given to the process that it has started."""

    number: int
    """The number of the process, from 1."""
    link: Link


def take_link(variable: str) -> Started | None:
    """Returns what a supervisor has given to this process; None if none has started it.

    `variable` is the environment variable with the number. Takes it out of the environment and the
    socket out of standard input, so that nothing that this process starts sees them.
    """
    number = os.environ.pop(variable, "")
    if not number:
        return None
    link = socket.socket(fileno=os.dup(0))
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)
    return Started(int(number), Link(link))
