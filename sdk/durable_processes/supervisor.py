"""The supervisor of N processes that each run the command line of this one.

Each process is a new interpreter with the arguments of this one, and a link to it (`link`).

- `stop` asks all to drain, a second one makes them stop at once. A process that does not end in time
  is killed.
- A process that ends by itself is started again, at once or with a growing delay, with one line in
  the log.
- It gives up when no process works: if one reports why it cannot (a module that does not load, a
  store that is damaged), at once with that error and its exit code; otherwise when one has ended early
  `EARLY_MAX` times in a row. While some process works, it does not give up: what is wrong with one
  must not end the others, which serve.
- If this process is killed, the links end, and each process ends when it sees that.
- It asks over the links and not with signals, because service managers send SIGTERM to all processes
  of a service at once (systemd does by default). A forwarded signal would then be the second one, and
  cut the drain short.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from .link import DRAIN, LATE_SECONDS, STOP, Decoder, Message, encode

logger = logging.getLogger("durable.processes")

EARLY_MAX: Final = 4
"""How often in a row a process may end early while no process works."""
_STEADY_SECONDS: Final = 10.0
"""A process that has served for so long works; one that ends sooner has ended early."""
_DELAY_SECONDS: Final = 0.5
_DELAY_SECONDS_MAX: Final = 30.0
"""The delay before a process is started again doubles from the first to the second of these."""


class ProcessFailedError(Exception):
    """No process works. The message says why, as the process that failed has reported it."""

    def __init__(self, message: str, code: int, *, usage: bool) -> None:
        super().__init__(message)
        self.code = code
        """The exit code of that process."""
        self.usage = usage
        """Whether the command was used wrongly."""


class _End(NamedTuple):
    """How a process has ended."""

    how: str
    served: float
    """For how many seconds it has served."""
    error: Message | None
    """What it has reported, if anything."""


class Process:
    """One process, from its start to its end."""

    def __init__(
        self,
        number: int,
        child: asyncio.subprocess.Process,
        link: socket.socket,
        received: Callable[[Process, Message], None],
    ) -> None:
        self.number: Final = number
        """Its number, from 1; the process that replaces it has the same."""
        self.child = child
        self.serving_since: float | None = None
        self.error: Message | None = None
        self._link = link
        self._received = received
        self._decoder = Decoder()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(link, self._read)

    def send(self, message: Message) -> None:
        """Sends a message, unless the process has ended."""
        with contextlib.suppress(OSError):
            self._link.send(encode(message))

    def served(self) -> float:
        """Returns for how many seconds it has served."""
        return 0.0 if self.serving_since is None else self._loop.time() - self.serving_since

    def close(self) -> None:
        """Reads what it has sent last, and closes the socket."""
        self._read()
        self._loop.remove_reader(self._link)
        self._link.close()

    def _read(self) -> None:
        data = b""
        try:
            while chunk := self._link.recv(65536):
                data += chunk
        except BlockingIOError:
            pass
        except OSError:
            self._loop.remove_reader(self._link)
        else:  # the other end is closed
            self._loop.remove_reader(self._link)
        for message in self._decoder.take(data):
            if "error" in message:
                self.error = message
            elif "serving" in message:
                self.serving_since = self._loop.time()
                self._received(self, message)
            else:
                self._received(self, message)


class Supervisor:
    """Starts the processes, starts them again, and stops them."""

    def __init__(self, count: int, *, name: str, variable: str, drain_seconds: float) -> None:
        """`name` is what a process is called in messages, `variable` the environment variable with its
        number. After `drain_seconds` and LATE_SECONDS a process that was asked to stop is killed.
        """
        self.killed = 0
        """How many were killed because they did not end in time."""
        self.started: Callable[[Process], None] = _nothing
        """Called when a process has started, before it is asked anything."""
        self.received: Callable[[Process, Message], None] = _nothing
        """Called with each message of a process, also when it serves."""
        self.ended: Callable[[int], Awaitable[None]] | None = None
        """Called when a process has ended that was not asked to, before it is started again."""
        self._count = count
        self._name = name
        self._variable = variable
        self._drain_seconds = drain_seconds
        self._processes: dict[int, Process] = {}
        """Those that run, by number."""
        self._stops = 0
        """How often it was asked to stop."""
        self._stopping = asyncio.Event()
        self._problem: ProcessFailedError | None = None

    @property
    def stopping(self) -> bool:
        """Whether the processes are to end."""
        return self._stopping.is_set()

    async def run(self) -> None:
        """Runs the processes until they were stopped. Raises ProcessFailedError when it gives up."""
        async with asyncio.TaskGroup() as group:
            for number in range(1, self._count + 1):
                group.create_task(self._keep(number))
        if self._problem is not None:
            raise self._problem

    def stop(self) -> None:
        """Asks the processes to drain and end; the second time, to end at once."""
        self._stops += 1
        self._stopping.set()
        for process in self._processes.values():
            self._ask(process)
        patience = LATE_SECONDS + (self._drain_seconds if self._stops == 1 else 0.0)
        asyncio.get_running_loop().call_later(patience, self._kill)

    async def _keep(self, number: int) -> None:
        """Runs process `number`, again and again until it is to stop."""
        tries = 0
        while not self.stopping:
            end = await self._run_once(number)
            if self.stopping:
                return
            tries = 1 if end.served >= _STEADY_SECONDS else tries + 1
            if end.served < _STEADY_SECONDS and not self._some_work():
                self._problem = self._give_up(number, end, tries)
                if self._problem is not None:
                    self.stop()
                    return
            delay = min(_DELAY_SECONDS * 2 ** min(tries - 1, 10), _DELAY_SECONDS_MAX)
            logger.warning(
                "%s %d %s; it starts again in %.1f s", self._name, number, end.how, delay
            )
            if self.ended is not None:
                await self.ended(number)
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
                env={**os.environ, self._variable: str(number)},
                # Ctrl-C at the terminal reaches only this process.
                process_group=0,
            )
        except OSError as error:
            ours.close()
            return _End(f"could not be started: {error}", 0.0, None)
        finally:
            theirs.close()
        ours.setblocking(False)
        process = self._processes[number] = Process(number, child, ours, self._take)
        self.started(process)
        if self._stops:
            self._ask(process)
        try:
            code = await child.wait()
        finally:
            del self._processes[number]
            process.close()
        how = f"(pid {child.pid}) ended {_reason(code)}"
        if process.error is not None:
            how += f": {process.error['error']}"
        return _End(how, process.served(), process.error)

    def _take(self, process: Process, message: Message) -> None:
        self.received(process, message)

    def _ask(self, process: Process) -> None:
        process.send(DRAIN if self._stops == 1 else STOP)

    def _some_work(self) -> bool:
        return any(it.served() >= _STEADY_SECONDS for it in self._processes.values())

    def _give_up(self, number: int, end: _End, tries: int) -> ProcessFailedError | None:
        """Returns the error to end with after an early end while no process works; None to go on."""
        if end.error is not None:
            return ProcessFailedError(
                end.error["error"], end.error["code"], usage=end.error["usage"]
            )
        if tries < EARLY_MAX:
            return None
        return ProcessFailedError(
            f"{self._name} {number} {end.how}, {tries} times in a row before it had served for"
            f" {_STEADY_SECONDS:.0f} s, and no other one serves: try with --processes 1",
            1,
            usage=False,
        )

    def _kill(self) -> None:
        for number, process in self._processes.items():
            logger.warning("%s %d does not end and is killed", self._name, number)
            self.killed += 1
            process.child.kill()


def _nothing(*_: object) -> None:
    pass


def _reason(code: int) -> str:
    """Returns how a process has ended: by a signal, or with a code."""
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
