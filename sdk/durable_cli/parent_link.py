"""A worker process's end of the link to its supervisor (`worker_processes`).

The process obeys the supervisor, tells when it begins to serve, and with which error it ends.

- The supervisor asks over the link and not with signals, so that a service manager may send SIGTERM to
  all processes at once. A second SIGTERM to this process changes nothing.
- The link ends when the supervisor does, in whatever way. The process then drains, and kills itself if
  that takes too long. So it cannot outlive its parent for long.
- An error goes to the supervisor instead of stderr, because all processes meet the same bad module, and
  it should be reported once.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import click

from durable_processes.link import LATE_SECONDS, SERVING, STOP, WORKER, Link, take_link

from . import logging_setup
from .errors import USAGE, exit_code, one_line

if TYPE_CHECKING:
    from durable import Worker

logger = logging.getLogger("durable.worker")


@contextlib.contextmanager
def reporting_errors(link: Link) -> Iterator[None]:
    """Sends an error of the block to the supervisor, and exits with its code."""
    try:
        yield
    except Exception as error:
        if "--debug" in sys.argv:
            traceback.print_exc()
        usage = isinstance(error, click.UsageError)
        code = USAGE if usage else exit_code(error)
        link.send({"error": one_line(error), "code": code, "usage": usage})
        raise SystemExit(code) from error


class ParentLink:
    """The link to the supervisor. `number` is the number of this process, from 1."""

    def __init__(self, number: int, link: Link, drain_timeout: timedelta) -> None:
        self.number: Final = number
        self.link: Final = link
        self._kill_after = drain_timeout.total_seconds() + LATE_SECONDS
        self._worker: Worker | None = None
        self._asked = threading.Lock()
        """Held from the first request to stop on."""
        threading.Thread(target=self._listen, name="durable-parent", daemon=True).start()

    def serve(self, worker: Worker) -> None:
        """Lets the supervisor, SIGTERM and SIGINT stop a worker; until now they ended the process."""
        self._worker = worker
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._drain(worker))
        self.link.send(SERVING)

    def _listen(self) -> None:
        """Obeys the supervisor, in a thread of its own: user code may block the event loop."""
        for message in self.link.received():
            worker = self._serving()
            self._drain(worker)
            if message == STOP:
                worker.stop()
        self._drain(self._serving())
        logger.warning("the parent process has ended; this worker drains and ends too")
        time.sleep(self._kill_after)
        os.kill(os.getpid(), signal.SIGKILL)

    def _serving(self) -> Worker:
        """Returns the worker; ends this process if there is none yet, because nothing runs."""
        if self._worker is None:
            os._exit(0)
        return self._worker

    def _drain(self, worker: Worker) -> None:
        if self._asked.acquire(blocking=False):
            worker.stop()


def parent_link(drain_timeout: timedelta) -> ParentLink | None:
    """Returns the link of a process that a supervisor started, None for any other.

    Adds the number to all further log lines.
    """
    started = take_link(WORKER)
    if started is None:
        return None
    logging_setup.number_lines(started.number)
    return ParentLink(started.number, started.link, drain_timeout)
