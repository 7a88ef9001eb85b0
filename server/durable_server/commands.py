"""The commands `durable server` and `durable dev`: they run a control plane until it ends.

They import the control plane when they run it: the parent of several processes does without it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

from durable_processes.link import Started

from .config import Config, ConfigError
from .open_files import raise_limit

if TYPE_CHECKING:
    from .dev import DevWorker

P = TypeVar("P")

_DEV_BUILD = "dev"
"""The build of the worker of `durable dev`, if it is given none: the same after each change of code, so
that pinned invocations go on with the code as it is now, as nobody runs the code before."""


def run_server(ready_file: Path | None, started: Started | None, **settings: Any) -> None:
    """Runs a control plane with the settings of Config until a signal or a fatal error.

    `started` is given to one of several processes; with `processes` this one is their parent.
    """
    config = _config(settings)
    raise_limit()
    if started is not None:
        _run(_serve_process(config, started))
        return
    _check_ready_file(ready_file, config)
    if config.processes > 1:
        # Not by uvloop, which cannot start a process in a group of its own. This process does little.
        asyncio.run(_serve_processes(config, ready_file))
    else:
        _run(_serve_alone(config, ready_file, None))


def run_dev(
    modules: Sequence[str],
    services: Sequence[str],
    no_reload: bool,
    ready_file: Path | None,
    no_http: bool,
    http_given: bool,
    max_concurrent: int,
    max_threads: int,
    drain_timeout: timedelta,
    suspend_after: timedelta | None,
    codec: str,
    build_id: str,
    versioning: str,
    **settings: Any,
) -> None:
    """Runs a control plane and a worker child until a signal or a fatal error of one of them.

    When the HTTP address is taken it continues without HTTP, unless the user gave the address.
    """
    from .dev import DevWorker

    if no_http:
        settings["http"] = ""
    elif settings["http"] and not _has_http():
        click.echo("durable: no HTTP: it needs pip install 'durable-grpc[http]'", err=True)
        settings["http"] = ""
    config = _config(settings, http_optional=not http_given)
    raise_limit()
    _check_ready_file(ready_file, config)
    options = ["--max-concurrent", str(max_concurrent)]
    options += ["--build-id", build_id or _DEV_BUILD, "--versioning", versioning]
    options += ["--max-threads", str(max_threads), "--codec", codec]
    options += ["--drain-timeout", _duration(drain_timeout)]
    options += ["--suspend-after", "never" if suspend_after is None else _duration(suspend_after)]
    for service in services:
        options += ["--service", service]
    worker = DevWorker(
        modules,
        options,
        config.data_dir / "worker.pid",
        reload=not no_reload,
        drain_seconds=drain_timeout.total_seconds(),
        token_file=config.first_token_file if config.authenticates else None,
    )
    _run(_serve_alone(config, ready_file, worker))


def _duration(length: timedelta) -> str:
    return f"{length.total_seconds():f}s"


def _config(settings: Mapping[str, Any], *, http_optional: bool = False) -> Config:
    # Removed from the environment, so that child processes do not inherit it: the embedded NATS server
    # and the worker, which runs user code.
    key = os.environ.pop("DURABLE_WEBHOOK_KEY", "")
    secret = os.environ.pop("DURABLE_CLUSTER_SECRET", "")
    config = Config(
        **settings,
        http_optional=http_optional,
        webhook_key=key,
        cluster_secret=secret if settings.get("peers") else "",
    )
    try:
        config.check()
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    return config


def _check_ready_file(ready_file: Path | None, config: Config) -> None:
    """Refuses a path that cannot be written, before the control plane starts."""
    if ready_file is None:
        return
    folder = ready_file.absolute().parent
    # The data dir is created at the start if it is missing.
    if folder != config.data_dir.absolute() and not os.access(folder, os.W_OK):
        raise click.UsageError(
            f"--ready-file {str(ready_file)!r}: its folder is not there, or cannot be written to"
        )


def _has_http() -> bool:
    needed = ("starlette", "uvicorn", "prometheus_client")
    return all(importlib.util.find_spec(name) is not None for name in needed)


def _run(main: Coroutine[Any, Any, None]) -> None:
    try:
        import uvloop
    except ImportError:
        asyncio.run(main)
    else:
        uvloop.run(main)


async def _serve_alone(config: Config, ready_file: Path | None, worker: DevWorker | None) -> None:
    """Runs a control plane, and a worker beside it."""
    from .app import ControlPlane

    control_plane = ControlPlane(config)
    stop = _stop_at_signals(control_plane.hurry)
    _reopen_at_hangup(config, control_plane.reopen_files)
    async with _starting(control_plane, {stop}) as plane:
        if plane is None:
            return
        ends: set[asyncio.Future[Any]] = {stop, plane.ended}
        running: asyncio.Task[None] | None = None
        try:
            if worker is not None:
                running = asyncio.create_task(worker.run(plane.address))
                registered = asyncio.create_task(worker.registered(plane.router.any().workers))
                await asyncio.wait(
                    {registered, running, *ends}, return_when=asyncio.FIRST_COMPLETED
                )
                registered.cancel()
                ends.add(running)
            if not any(end.done() for end in ends):
                _announce(plane, ready_file)
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if running is not None and not running.done():
                running.cancel()
                await asyncio.wait({running})
            await _withdraw(ready_file)
        if running is not None and running.done() and not running.cancelled():
            running.result()
        plane.check_ended()


async def _serve_processes(config: Config, ready_file: Path | None) -> None:
    """Runs several control plane processes."""
    from .processes import Processes

    stop = _stop_at_signals()
    # The processes notice by themselves that the file was moved.
    _reopen_at_hangup(config, lambda: None)
    async with _starting(Processes(config), {stop}) as processes:
        if processes is None:
            return
        try:
            _announce(processes, ready_file)
            await asyncio.wait({stop, processes.ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _withdraw(ready_file)
        processes.check_ended()


async def _serve_process(config: Config, started: Started) -> None:
    """Runs one of several control plane processes."""
    from .app import ControlPlane
    from .process_link import ProcessLink

    parent = ProcessLink(started)
    control_plane = ControlPlane(parent.settings(config), parent)
    stops: set[asyncio.Future[Any]] = {
        _stop_at_signals(control_plane.hurry),
        asyncio.ensure_future(parent.stopping.wait()),
    }
    _reopen_at_hangup(config, control_plane.reopen_files)
    async with _starting(control_plane, stops) as plane:
        if plane is None:
            return
        parent.serving()
        await asyncio.wait({*stops, plane.ended}, return_when=asyncio.FIRST_COMPLETED)
        plane.check_ended()


def _stop_at_signals(again: Callable[[], None] | None = None) -> asyncio.Future[None]:
    """Returns what is done when this process is asked to stop; calls `again` at each later signal."""
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[None] = loop.create_future()

    def ask() -> None:
        if not stop.done():
            stop.set_result(None)
        elif again is not None:
            again()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ask)
    return stop


def _reopen_at_hangup(config: Config, reopen: Callable[[], None]) -> None:
    """Calls `reopen` at each SIGHUP, if an audit is kept in a file; else SIGHUP ends the process."""
    if config.audit_file is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reopen)


@asynccontextmanager
async def _starting(
    system: AbstractAsyncContextManager[P], stops: set[asyncio.Future[Any]]
) -> AsyncIterator[P | None]:
    """Enters a control plane; gives None when it was asked to stop before that was done.

    The start may take long, because NATS may be unavailable.
    """
    async with AsyncExitStack() as stack:
        starting = asyncio.create_task(stack.enter_async_context(system))
        await asyncio.wait({starting, *stops}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            await asyncio.wait({starting})
        yield None if starting.cancelled() else starting.result()


async def _withdraw(ready_file: Path | None) -> None:
    if ready_file is not None:
        await asyncio.to_thread(ready_file.unlink, missing_ok=True)


class _Served(Protocol):
    """What serves, and can be announced."""

    @property
    def config(self) -> Config: ...

    @property
    def address(self) -> str: ...

    @property
    def http_address(self) -> str: ...


def _announce(plane: _Served, ready_file: Path | None) -> None:
    click.echo(f"durable: ready on {plane.address}")
    if plane.http_address:
        public = f", {plane.config.public_url} outside" if plane.config.public_url else ""
        scheme = "http" if plane.config.tls is None else "https"
        click.echo(f"durable: HTTP on {scheme}://{plane.http_address}{public}")
    elif plane.config.http:
        click.echo(
            f"durable: no HTTP: {plane.config.http} is taken by another process; "
            "choose another with --http HOST:PORT",
            err=True,
        )
    if ready_file is not None:
        scratch = ready_file.with_name(f"{ready_file.name}.{os.getpid()}")
        known = {"address": plane.address, "http": plane.http_address, "pid": os.getpid()}
        scratch.write_text(json.dumps(known))
        scratch.replace(ready_file)
