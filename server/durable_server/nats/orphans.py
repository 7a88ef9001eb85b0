"""Orphans: ends a nats-server that an earlier, crashed run left running on the store.

A pid alone proves nothing, because pids are reused. But the server's command line has the absolute path
of our configuration file, so a process that runs with that path is the server. The caller holds the
lock of the data directory, so no other control plane owns it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from pathlib import Path

TERM_SECONDS = 10.0
"""Time for an orphan to write its state and end, before SIGKILL."""


async def end_orphan(pid_file: Path, config: Path) -> int | None:
    """Ends the process in `pid_file` if it runs with `config`.

    Returns its pid when it has ended; None if there was none.
    """
    pid = read_pid(pid_file)
    if pid is None or not runs_with(pid, config):
        return None
    for number, timeout_seconds in ((signal.SIGTERM, TERM_SECONDS), (signal.SIGKILL, TERM_SECONDS)):
        try:
            os.kill(pid, number)
            os.kill(pid, signal.SIGCONT)  # a stopped process acts on SIGTERM when it goes on
        except ProcessLookupError:
            break
        deadline = asyncio.get_running_loop().time() + timeout_seconds
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
    """Returns the pid in a pid file; None when there is none."""
    try:
        return int(pid_file.read_text())
    except (FileNotFoundError, ValueError):
        return None


def runs_with(pid: int, config: Path) -> bool:
    """Returns whether the process runs with `config` on its command line; a zombie has none."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/cmdline").exists():
            return False
        command = subprocess.run(
            ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, check=False
        ).stdout
    return os.fsencode(config) in command
