"""The worker child of `durable dev`, restarted when code changes.

A child and not a thread: a change is a new process, so no stale module survives it, and a handler
that blocks or crashes takes down the worker and not the control plane. It is started through
`nats.launch`, so that it ends when this process does, however that ends.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from .nats import launch
from .processor.workers import Workers

_STOP_SECONDS = 10.0
"""How long the child may drain before it is killed."""


class WorkerFailedError(Exception):
    """The worker child ended before it served anything."""


class DevWorker:
    """A `durable worker` child process for some modules."""

    def __init__(
        self,
        modules: Sequence[str],
        services: Sequence[str],
        pid_file: Path,
        *,
        max_threads: int,
        reload: bool,
    ) -> None:
        self._pid_file = pid_file
        self._modules = list(modules)
        self._services = list(services)
        self._max_threads = max_threads
        self._reload = reload

    async def registered(self, workers: Workers) -> None:
        """Returns when a worker is connected."""
        while not any(worker.outbound is not None for worker in workers):
            workers.connected.clear()
            await workers.connected.wait()

    async def run(self, address: str) -> None:
        """Keeps the child running until it is cancelled; without reload, until the child ends.

        Raises WorkerFailedError when a child that is not to be reloaded ends with an error.
        """
        changes = self._changes() if self._reload else None
        change = asyncio.create_task(changes.wait()) if changes is not None else None
        try:
            while True:
                child = await self._spawn(address)
                ended = asyncio.create_task(child.wait())
                try:
                    await asyncio.wait(
                        {ended} if change is None else {ended, change},
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                finally:
                    await _stop(child)
                if change is None:
                    if child.returncode:
                        raise WorkerFailedError(f"the worker ended with code {child.returncode}")
                    return
                if not change.done():
                    click.echo("durable: the worker ended; waiting for a change", err=True)
                    await change
                assert changes is not None
                click.echo("durable: code has changed, the worker starts again", err=True)
                change = asyncio.create_task(changes.wait())
        finally:
            if change is not None:
                change.cancel()
            if changes is not None:
                changes.close()

    async def _spawn(self, address: str) -> asyncio.subprocess.Process:
        mode = "exec" if sys.platform == "linux" else "watch"
        command = [sys.executable, "-I", "-S", launch.__file__, mode, str(os.getpid())]
        command += [str(self._pid_file)]
        command += [sys.executable, "-m", "durable_cli", "worker", *self._modules]
        command += ["--address", address, "--max-threads", str(self._max_threads)]
        for service in self._services:
            command += ["--service", service]
        return await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE)

    def _changes(self) -> _Changes:
        return _Changes({_folder(module) for module in self._modules})


class _Changes:
    """Tells when Python files below some folders have changed."""

    def __init__(self, folders: set[Path]) -> None:
        from watchfiles import PythonFilter, awatch

        self._stop = asyncio.Event()
        self._stream = awatch(*folders, watch_filter=PythonFilter(), stop_event=self._stop)

    async def wait(self) -> None:
        await anext(self._stream, None)

    def close(self) -> None:
        self._stop.set()


def _folder(module: str) -> Path:
    """Returns the folder whose changes concern a module."""
    path = Path(module)
    if path.suffix == ".py":
        return path.resolve().parent
    found = importlib.util.find_spec(module)
    if found is None or not found.origin:
        raise click.UsageError(f"no module {module!r}: give an importable name or a .py file")
    return Path(found.origin).resolve().parent


async def _stop(child: asyncio.subprocess.Process) -> None:
    if child.returncode is not None:
        return
    child.terminate()
    try:
        await asyncio.wait_for(child.wait(), _STOP_SECONDS)
    except TimeoutError:
        child.kill()
        await child.wait()
