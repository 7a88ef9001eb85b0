"""The supervisor of `durable worker --processes N`: N processes that each run one worker.

One Python process uses one core for workflow code. Each of the N processes is a new interpreter with
the command line of this one, and connects to the control plane as a worker of its own. This process
imports no module of the user and connects to nothing; `parent_link` is the other end.

- The first SIGTERM or SIGINT lets all drain, the second makes them stop at once. A process that does
  not end in time is killed.
- A process that ends by itself is started again, at once or with a growing delay, with one line in
  the log.
- It gives up when no process works: if one reports why it cannot (a module that does not load, a
  control plane that refuses it), at once with that error and its exit code; otherwise when one has
  ended early `EARLY_MAX` times in a row. While some process works, it does not give up: a bad
  deployment must not end workers that serve.
- If it is killed, the sockets end and the processes drain and end too.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

import click

from .errors import CommandError
from .parent_link import DRAIN, ENVIRONMENT, LATE_SECONDS, STOP

logger = logging.getLogger("durable.processes")

EARLY_MAX: Final = 4
"""How often in a row a process may end early while no process works."""
_STEADY_SECONDS: Final = 10.0
"""A process that has served for so long works; one that ends sooner has ended early."""
_DELAY_SECONDS: Final = 0.5
_DELAY_SECONDS_MAX: Final = 30.0
"""The delay before a process is started again doubles from the first to the second of these."""


def run_processes(count: int, drain_timeout: timedelta) -> None:
    """Runs this process's command line in `count` processes until they are stopped.

    Raises CommandError or click.UsageError when it gives up, with the exit code of the process that
    could not start.
    """
    if sys.platform == "win32":
        raise click.UsageError("--processes needs Linux or macOS: start several workers instead")
    asyncio.run(_Supervisor(count, drain_timeout.total_seconds()).run())


class _End(NamedTuple):
    """How a process has ended."""

    how: str
    served: float
    """For how many seconds it has served."""
    error: Mapping[str, Any] | None
    """What it has reported, if anything."""


class _Process:
    """One process, from its start to its end."""

    def __init__(self, child: asyncio.subprocess.Process, link: socket.socket) -> None:
        self.child = child
        self.serving_since: float | None = None
        self.error: Mapping[str, Any] | None = None
        self._link = link
        self._received = b""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(link, self._read)

    def ask(self, word: bytes) -> None:
        with contextlib.suppress(OSError):  # it has ended
            self._link.send(word)

    def served(self) -> float:
        """Returns for how many seconds it has served."""
        return 0.0 if self.serving_since is None else self._loop.time() - self.serving_since

    def close(self) -> None:
        """Reads what it has sent last, and closes the socket."""
        self._read()
        self._loop.remove_reader(self._link)
        self._link.close()

    def _read(self) -> None:
        try:
            while data := self._link.recv(65536):
                self._received += data
        except BlockingIOError:
            pass
        except OSError:
            self._loop.remove_reader(self._link)
        else:  # the other end is closed
            self._loop.remove_reader(self._link)
        *lines, self._received = self._received.split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "error" in message:
                self.error = message
            else:
                self.serving_since = self._loop.time()


class _Supervisor:
    """Starts the processes, starts them again, and stops them."""

    def __init__(self, count: int, drain_seconds: float) -> None:
        self._count = count
        self._drain_seconds = drain_seconds
        self._processes: dict[int, _Process] = {}
        """Those that run, by number."""
        self._stops = 0
        """How often it was asked to stop."""
        self._stopping = asyncio.Event()
        self._killed = 0
        self._problem: click.ClickException | None = None

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        async with asyncio.TaskGroup() as group:
            for process in range(1, self._count + 1):
                group.create_task(self._keep(process))
        if self._problem is not None:
            raise self._problem
        if self._killed:
            raise CommandError(
                f"{self._killed} of {self._count} worker processes did not end in time and were"
                " killed; give their steps longer with --drain-timeout"
            )

    async def _keep(self, number: int) -> None:
        """Runs process `number`, again and again until it is to stop."""
        tries = 0
        while True:
            end = await self._run_once(number)
            if self._stopping.is_set():
                return
            tries = 1 if end.served >= _STEADY_SECONDS else tries + 1
            if end.served < _STEADY_SECONDS and not self._some_work():
                self._problem = self._give_up(number, end, tries)
                if self._problem is not None:
                    self._stop()
                    return
            delay = min(_DELAY_SECONDS * 2 ** min(tries - 1, 10), _DELAY_SECONDS_MAX)
            logger.warning(
                "worker process %d %s; it starts again in %.1f s", number, end.how, delay
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)
                return

    async def _run_once(self, number: int) -> _End:
        """Runs process `number` to its end."""
        ours, theirs = socket.socketpair()
        try:
            child = await asyncio.create_subprocess_exec(
                # The command line of this process, with the interpreter's options.
                sys.executable,
                *sys.orig_argv[1:],
                stdin=theirs.fileno(),
                env={**os.environ, ENVIRONMENT: str(number)},
                # Ctrl-C at the terminal reaches only this process.
                process_group=0,
            )
        except OSError as error:
            ours.close()
            return _End(f"could not be started: {error}", 0.0, None)
        finally:
            theirs.close()
        ours.setblocking(False)
        process = self._processes[number] = _Process(child, ours)
        if self._stops:
            process.ask(DRAIN if self._stops == 1 else STOP)
        try:
            code = await child.wait()
        finally:
            del self._processes[number]
            process.close()
        how = f"(pid {child.pid}) ended {_reason(code)}"
        if process.error is not None:
            how += f": {process.error['error']}"
        return _End(how, process.served(), process.error)

    def _some_work(self) -> bool:
        return any(it.served() >= _STEADY_SECONDS for it in self._processes.values())

    def _give_up(self, number: int, end: _End, tries: int) -> click.ClickException | None:
        """Returns the error to end with after an early end while no process works; None to go on."""
        if end.error is not None and end.error["usage"]:
            return click.UsageError(end.error["error"])
        if end.error is not None:
            return CommandError(end.error["error"], end.error["code"])
        if tries < EARLY_MAX:
            return None
        return CommandError(
            f"worker process {number} {end.how}, {tries} times in a row before it had served for"
            f" {_STEADY_SECONDS:.0f} s, and no other one serves: try with --processes 1"
        )

    def _stop(self) -> None:
        self._stops += 1
        self._stopping.set()
        drains = self._stops == 1
        for process in self._processes.values():
            process.ask(DRAIN if drains else STOP)
        patience = LATE_SECONDS + (self._drain_seconds if drains else 0.0)
        asyncio.get_running_loop().call_later(patience, self._kill)

    def _kill(self) -> None:
        for number, process in self._processes.items():
            logger.warning("worker process %d does not end and is killed", number)
            self._killed += 1
            process.child.kill()


def _reason(code: int) -> str:
    """Returns how a process has ended: by a signal, or with a code."""
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
