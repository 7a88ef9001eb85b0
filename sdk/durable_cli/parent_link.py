"""The link of a worker process to its parent, the supervisor of `durable worker --processes`.

The parent runs the same command line again for each process, with a socket as standard input and
the number of the process in the environment (`worker_processes`). Over the socket the parent sends
one byte at a time (DRAIN, STOP); the process sends lines of JSON: one when it begins to serve, one
with the error that ends it.

- The parent asks over the socket and not with signals, because service managers send SIGTERM to all
  processes of a service at once (systemd does by default). A forwarded signal would then be the
  second one and cut the drain short. For the same reason a second SIGTERM to this process changes
  nothing.
- The socket ends when the parent does, in whatever way. The process then drains, and kills itself if
  that takes too long. So it cannot outlive its parent for long.
- An error goes to the parent instead of stderr, because all processes meet the same bad module, and
  it should be reported once.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import click

from . import logging_setup
from .errors import USAGE, exit_code, one_line

if TYPE_CHECKING:
    from durable import Worker

logger = logging.getLogger("durable.worker")

ENVIRONMENT: Final = "DURABLE_WORKER_PROCESS"
"""The variable with the number of the process, from 1; only a supervisor sets it."""
DRAIN: Final = b"d"
"""From the parent: stop as on a first SIGTERM."""
STOP: Final = b"s"
"""From the parent: stop as on a second SIGTERM, without waiting for steps."""
LATE_SECONDS: Final = 10.0
"""How long a process may take to end after its drain timeout, before it is killed."""


class ParentLink:
    """The socket to the parent. `number` is the number of this process, from 1."""

    def __init__(self, number: int, link: socket.socket, drain_timeout: timedelta) -> None:
        self.number: Final = number
        self._link = link
        self._kill_after = drain_timeout.total_seconds() + LATE_SECONDS
        self._worker: Worker | None = None
        self._asked = threading.Lock()
        """Held from the first request to stop on."""
        threading.Thread(target=self._listen, name="durable-parent", daemon=True).start()

    @contextlib.contextmanager
    def reporting_errors(self) -> Iterator[None]:
        """Sends an error of the block to the parent, and exits with its code."""
        try:
            yield
        except Exception as error:
            if "--debug" in sys.argv:
                traceback.print_exc()
            usage = isinstance(error, click.UsageError)
            code = USAGE if usage else exit_code(error)
            self._send({"error": one_line(error), "code": code, "usage": usage})
            raise SystemExit(code) from error

    def serve(self, worker: Worker) -> None:
        """Lets the parent, SIGTERM and SIGINT stop a worker; until now they ended the process."""
        self._worker = worker
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._drain(worker))
        self._send({"serving": True})

    def _send(self, message: dict[str, object]) -> None:
        with contextlib.suppress(OSError):  # the parent is gone, and `_listen` sees that too
            self._link.sendall(json.dumps(message).encode() + b"\n")

    def _listen(self) -> None:
        """Obeys the parent, in a thread of its own: user code may block the event loop."""
        while True:
            try:
                asked = self._link.recv(1)
            except OSError:
                asked = b""
            worker = self._worker
            if worker is None:
                os._exit(0)  # nothing runs yet
            self._drain(worker)
            if asked == STOP:
                worker.stop()
            elif asked != DRAIN:
                break
        logger.warning("the parent process has ended; this worker drains and ends too")
        time.sleep(self._kill_after)
        os.kill(os.getpid(), signal.SIGKILL)

    def _drain(self, worker: Worker) -> None:
        if self._asked.acquire(blocking=False):
            worker.stop()


def parent_link(drain_timeout: timedelta) -> ParentLink | None:
    """Returns the link of a process that a supervisor started, None for any other.

    Takes the variable out of the environment and the socket out of standard input, so that neither
    user code nor its subprocesses see them, and adds the number to all further log lines.
    """
    number = os.environ.pop(ENVIRONMENT, "")
    if not number:
        return None
    link = socket.socket(fileno=os.dup(0))
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)
    logging_setup.number_lines(int(number))
    return ParentLink(int(number), link, drain_timeout)
