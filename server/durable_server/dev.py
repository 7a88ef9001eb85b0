"""The worker child of `durable dev`, which is restarted when code changes.

It is a child process and not a thread: each change gets a new process, so no old module survives, and a
handler that blocks or crashes takes down the worker and not the control plane. It is started through
`nats.launch`, so it ends when this process does, in whatever way.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from importlib.machinery import PathFinder
from pathlib import Path

import click

from .nats import launch
from .processor.workers import Workers

_STOP_SECONDS = 10.0
"""How long the child may take to end after its drain, before it is killed."""


class WorkerFailedError(Exception):
    """The worker child ended before it served anything."""


class DevWorker:
    """A `durable worker` child process for some modules."""

    def __init__(
        self,
        modules: Sequence[str],
        options: Sequence[str],
        pid_file: Path,
        *,
        reload: bool,
        drain_seconds: float,
        token_file: Path | None = None,
    ) -> None:
        """`token_file` has the token that it shows, unless the environment has one."""
        self._pid_file = pid_file
        self._modules = list(modules)
        self._options = list(options)
        self._reload = reload
        self._token_file = token_file
        self._stop_seconds = drain_seconds + _STOP_SECONDS

    async def registered(self, workers: Workers) -> None:
        """Returns when a worker is connected."""
        while not any(worker.outbound is not None for worker in workers):
            workers.connected.clear()
            await workers.connected.wait()

    async def run(self, address: str) -> None:
        """Keeps the child running until cancelled; without reload, until the child ends.

        Raises WorkerFailedError when the child ends with an error and is not reloaded.
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
                    await self._stop(child)
                if change is None:
                    if child.returncode:
                        raise WorkerFailedError(f"the worker ended with code {child.returncode}")
                    return
                if not change.done():
                    how = _exit_reason(child.returncode)
                    click.echo(f"durable: the worker ended{how}; waiting for a change", err=True)
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
        command += [sys.executable, "-m", "durable_cli", "worker"]
        command += ["--address", f"grpc://{address}", *self._options, "--", *self._modules]
        return await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, env={**self._token(), **os.environ}
        )

    def _token(self) -> dict[str, str]:
        """Returns what the environment of the child has in addition."""
        path = self._token_file
        if path is None or "DURABLE_TOKEN" in os.environ or not path.exists():
            return {}
        return {"DURABLE_TOKEN_FILE": str(path.resolve())}

    async def _stop(self, child: asyncio.subprocess.Process) -> None:
        if child.returncode is not None:
            return
        child.terminate()
        try:
            await asyncio.wait_for(child.wait(), self._stop_seconds)
        except TimeoutError:
            child.kill()
            await child.wait()

    def _changes(self) -> _CodeChanges:
        return _CodeChanges({_folder(module) for module in self._modules})


def _exit_reason(code: int | None) -> str:
    """Returns how a child has ended: by a signal, or with a code."""
    if code is not None and code < 0:
        return f" by {signal.Signals(-code).name}"
    return f" with code {code}"


class _CodeChanges:
    """Watches the Python files in some folders for changes."""

    def __init__(self, folders: set[Path]) -> None:
        from watchfiles import PythonFilter, awatch

        self._stop = asyncio.Event()
        self._stream = awatch(*folders, watch_filter=PythonFilter(), stop_event=self._stop)

    async def wait(self) -> None:
        await anext(self._stream, None)

    def close(self) -> None:
        self._stop.set()


def _folder(module: str) -> Path:
    """Returns the folder to watch for changes of a module."""
    path = Path(module)
    if path.suffix == ".py" or os.sep in module:
        if not path.is_file():
            raise click.UsageError(f"no file {module!r}: check the path")
        return path.resolve().parent
    # `importlib.util.find_spec` would import the parent packages into this process.
    places = [os.getcwd(), *sys.path]
    found = None
    inside: list[str] = []
    for part in module.split("."):
        found = PathFinder.find_spec(part, places) if part else None
        inside = places = list((found and found.submodule_search_locations) or ())
    if found is None or not (found.origin or inside):
        raise click.UsageError(
            f"no module {module!r}: give an importable name or a path to a .py file, and start in the"
            " folder that has it"
        )
    return Path(inside[0]).resolve() if inside else Path(found.origin or "").resolve().parent
