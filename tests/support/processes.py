"""Processes for tests: started, awaited by a condition, killed with their children at the end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

PATIENCE_SECONDS = 60.0


class Child:
    """One child process with its output in a file."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self.process = process
        self.output = output

    @property
    def pid(self) -> int:
        return self.process.pid

    def text(self) -> str:
        return self.output.read_text()

    def kill(self) -> None:
        """Sends SIGKILL and waits for the end."""
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)

    def terminate(self) -> int:
        """Sends SIGTERM; returns the exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE_SECONDS)

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.pid).children(recursive=True)


def until(condition: Callable[[], object], what: str, child: Child | None = None) -> None:
    """Waits for a condition that depends on another process; fails if `child` ends before."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if child is not None and child.process.poll() is not None:
            raise AssertionError(f"ended while waiting for {what}:\n{child.text()}")
        if time.monotonic() > deadline:
            raise AssertionError(f"no {what} in time" + (child.text() if child else ""))
        time.sleep(0.01)


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def running(
    command: Sequence[str],
    output: Path,
    *,
    environment: dict[str, str] | None = None,
    attended: bool = False,
) -> Iterator[Child]:
    """Runs a command for the length of the block; then kills it and its children.

    `attended` is for one that Ctrl-C ends by default: a shell that runs the tests in the background may
    ignore SIGINT, and children inherit that.
    """
    with output.open("ab") as file:
        process = subprocess.Popen(
            command,
            stdout=file,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
            preexec_fn=_heed_interrupts if attended else None,
        )
    child = Child(process, output)
    try:
        yield child
    finally:
        if process.poll() is None:
            for one in child.descendants():
                one.kill()
            child.kill()


def durable(*arguments: str, module: str = "durable_server") -> list[str]:
    """The `durable` command line, run by this interpreter."""
    return [sys.executable, "-m", module, *arguments]


@contextmanager
def control_plane(
    folder: Path,
    *options: str,
    listen: str = "127.0.0.1:0",
    name: str = "server",
    environment: dict[str, str] | None = None,
    module: str = "durable_server",
) -> Iterator[tuple[Child, str]]:
    """Runs `durable server` on a data dir in `folder`; gives the child and its address."""
    command = durable("-v", "server", "--listen", listen, module=module)
    with _serving(command, folder, options, name=name, environment=environment) as served:
        yield served


@contextmanager
def dev(folder: Path, *arguments: str) -> Iterator[tuple[Child, str]]:
    """Runs `durable dev` on a data dir in `folder`, without HTTP; gives the child and its address."""
    command = durable("dev", "--no-http", "--listen", "127.0.0.1:0")
    with _serving(command, folder, arguments, name="dev") as served:
        yield served


@contextmanager
def _serving(
    command: Sequence[str],
    folder: Path,
    options: Sequence[str],
    *,
    name: str,
    environment: dict[str, str] | None = None,
) -> Iterator[tuple[Child, str]]:
    ready = folder / f"{name}.ready"
    ready.unlink(missing_ok=True)
    where = ("--data-dir", str(folder / "data"), "--ready-file", str(ready))
    output = folder / f"{name}.log"
    with running([*command, *where, *options], output, environment=environment) as child:
        until(ready.exists, "ready file", child)
        yield child, json.loads(ready.read_text())["address"]


def free_port() -> int:
    """Returns a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def nats_of(child: Child) -> psutil.Process:
    """The nats-server child of a control plane."""
    found = [it for it in child.descendants() if "nats-server" in " ".join(it.cmdline())]
    assert len(found) == 1, found
    return found[0]


def interrupt(child: Child) -> int:
    """Sends SIGINT, as Ctrl-C does; returns the exit code."""
    child.process.send_signal(signal.SIGINT)
    return child.process.wait(PATIENCE_SECONDS)
