"""The commands `durable server` and `durable dev`: they run a control plane until it ends."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import signal
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from .app import ControlPlane
from .config import Config, ConfigError
from .dev import DevWorker


def run_server(ready_file: Path | None, **settings: Any) -> None:
    """Runs a control plane with the settings of Config until a signal or a fatal error."""
    config = _config(settings)
    _check_ready_file(ready_file, config)
    _run(_serve(config, ready_file, None))


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
    build_id: str,
    **settings: Any,
) -> None:
    """Runs a control plane and a worker child until a signal or a fatal error of one of them.

    When the HTTP address is taken it continues without HTTP, unless the user gave the address.
    """
    if no_http:
        settings["http"] = ""
    elif settings["http"] and not _has_http():
        click.echo("durable: no HTTP: it needs pip install 'durable-grpc[http]'", err=True)
        settings["http"] = ""
    config = _config(settings, http_optional=not http_given)
    _check_ready_file(ready_file, config)
    options = ["--max-concurrent", str(max_concurrent), "--build-id", build_id]
    options += ["--max-threads", str(max_threads)]
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
    )
    _run(_serve(config, ready_file, worker))


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


async def _serve(config: Config, ready_file: Path | None, worker: DevWorker | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    stop_requested = asyncio.create_task(stop.wait())
    async with AsyncExitStack() as stack:
        # The start may take long, because NATS may be unavailable.
        starting = asyncio.create_task(stack.enter_async_context(ControlPlane(config)))
        await asyncio.wait({starting, stop_requested}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            await asyncio.wait({starting})
            if starting.cancelled():
                return
        plane = starting.result()
        ends: set[asyncio.Future[Any]] = {stop_requested, plane.ended}
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
            if ready_file is not None:
                await asyncio.to_thread(ready_file.unlink, missing_ok=True)
        if running is not None and running.done() and not running.cancelled():
            running.result()
        plane.check_ended()
    stop_requested.cancel()


def _announce(plane: ControlPlane, ready_file: Path | None) -> None:
    click.echo(f"durable: ready on {plane.address}")
    if plane.http_address:
        public = f", {plane.config.public_url} outside" if plane.config.public_url else ""
        click.echo(f"durable: HTTP on http://{plane.http_address}{public}")
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
