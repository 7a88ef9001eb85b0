"""Ends a nats-server that an earlier, crashed run left behind on our store.

A pid alone proves nothing, numbers come again. But the server's command line names our
configuration file by its absolute path, and whoever runs with that path is ours. The caller holds
the data directory's lock, so no living owner exists.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from pathlib import Path

TERM_SECONDS = 10.0
"""Time for a stale server to write its state and go, before SIGKILL."""


async def end_stale(pid_file: Path, config: Path) -> int | None:
    """Ends the process in `pid_file` if it runs with `config`; returns its pid if there was one,
    when it is gone.
    """
    pid = read_pid(pid_file)
    if pid is None or not runs_with(pid, config):
        return None
    for number, patience in ((signal.SIGTERM, TERM_SECONDS), (signal.SIGKILL, TERM_SECONDS)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            break
        deadline = asyncio.get_running_loop().time() + patience
        while asyncio.get_running_loop().time() < deadline:
            if not runs_with(pid, config):
                return pid
            await asyncio.sleep(0.02)
    if runs_with(pid, config):
        raise ConnectionError(
            f"an earlier nats-server (process {pid}) still runs on this data directory and cannot"
            " be ended; kill it"
        )
    return pid


def read_pid(pid_file: Path) -> int | None:
    """The number in a pid file; None when there is none."""
    try:
        return int(pid_file.read_text())
    except (FileNotFoundError, ValueError):
        return None


def runs_with(pid: int, config: Path) -> bool:
    """Whether the process lives and has `config` on its command line. A zombie has no command
    line.
    """
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/cmdline").exists():
            return False
        command = subprocess.run(
            ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, check=False
        ).stdout
    return os.fsencode(config) in command
