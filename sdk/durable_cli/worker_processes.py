"""`durable worker --processes N`: N processes that each run one worker, under a supervisor.

One Python process uses one core for workflow code. Each of the N processes connects to the control
plane as a worker of its own. This process imports no module of the user and connects to nothing;
`parent_link` is the other end. How processes are started again and when that ends: see
`durable_processes.supervisor`. The first SIGTERM or SIGINT lets all drain, the second makes them stop
at once. If this process is killed, the others drain and end too.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from datetime import timedelta

import click

from durable_processes.link import WORKER
from durable_processes.supervisor import ProcessFailedError, Supervisor

from .errors import CommandError


def run_processes(count: int, drain_timeout: timedelta) -> None:
    """Runs this process's command line in `count` processes until they are stopped.

    Raises CommandError or click.UsageError when it gives up, with the exit code of the process that
    could not start.
    """
    if sys.platform == "win32":
        raise click.UsageError("--processes needs Linux or macOS: start several workers instead")
    try:
        asyncio.run(_run(count, drain_timeout.total_seconds()))
    except ProcessFailedError as error:
        if error.usage:
            raise click.UsageError(str(error)) from error
        raise CommandError(str(error), error.code) from error


async def _run(count: int, drain_seconds: float) -> None:
    supervisor = Supervisor(
        count, name="worker process", variable=WORKER, drain_seconds=drain_seconds
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, supervisor.stop)
    await supervisor.run()
    if supervisor.killed:
        raise CommandError(
            f"{supervisor.killed} of {count} worker processes did not end in time and were"
            " killed; give their steps longer with --drain-timeout"
        )
