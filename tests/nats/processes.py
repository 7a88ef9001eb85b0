"""Helpers for real processes: whether one runs, and waiting until it has ended."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import psutil

PATIENCE = 20.0


def runs(pid: int) -> bool:
    """Whether the process lives; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def gone(pid: int) -> None:
    """Returns when the process is gone."""
    async with asyncio.timeout(PATIENCE):
        while runs(pid):  # noqa: ASYNC110 (not our child: there is nothing to wait on)
            await asyncio.sleep(0.01)


PARENT = """
import asyncio, sys
from durable_server.nats.embedded import EmbeddedNats

async def main():
    server = EmbeddedNats(sys.argv[1], watch=sys.argv[2] == "watch")
    await server.start()
    print(server.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def start_parent(folder: Path, mode: str) -> tuple[subprocess.Popen[str], int]:
    """A Python process that runs an embedded server in `folder`; and the server's pid."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(folder), mode], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    return parent, int(parent.stdout.readline())
