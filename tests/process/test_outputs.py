"""A server and a worker whose output cannot be written: a full disk, a closed stream, a closed pipe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import durable as sdk
from tests.support.processes import Child, durable, until

HOWS = ["full", "closed", "left"]

WORKFLOWS = """
import logging, sys
import durable

@durable.workflow
async def talks(ctx: durable.Context) -> str:
    print("from the workflow")
    ctx.logger.warning("a line of the log")
    return await ctx.run("step", step)

def step() -> str:
    for _ in range(1000):
        print("from the step " * 10)
    print("to stderr", file=sys.stderr, flush=True)
    logging.getLogger("mine").warning("from the step")
    return "done"
"""


@contextmanager
def mute(command: list[str], how: str, folder: Path) -> Iterator[Child]:
    """Runs a command that cannot write to stdout and stderr."""
    if how == "closed":
        command = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command]
        process = subprocess.Popen(command)
    elif how == "full":
        with open("/dev/full", "wb") as full:
            process = subprocess.Popen(command, stdout=full, stderr=full)
    else:
        read, write = os.pipe()
        process = subprocess.Popen(command, stdout=write, stderr=write)
        os.close(read)
        os.close(write)
    output = folder / "nothing"
    output.touch()
    try:
        yield Child(process, output)
    finally:
        process.terminate()
        assert process.wait(30) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full and /proc are Linux's")
@pytest.mark.parametrize("how", HOWS)
def test_the_work_goes_on(how: str, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    (tmp_path / "talking.py").write_text(WORKFLOWS)
    server = durable(
        *("-vv", "server", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"),
        *("--data-dir", str(tmp_path / "data"), "--ready-file", str(ready)),
    )
    with mute(server, how, tmp_path) as child:
        until(ready.exists, "ready file", child)
        known = json.loads(ready.read_text())
        if how == "closed":
            # No socket and no file of ours got the number of what was closed.
            for number in (0, 1, 2):
                assert os.readlink(f"/proc/{known['pid']}/fd/{number}") == os.devnull
        worker = durable(
            "-vv", "worker", str(tmp_path / "talking.py"), "--address", known["address"]
        )
        with mute(worker, how, tmp_path), sdk.Client(known["address"], timeout=30) as client:
            until(client.list_workers, "worker", child)
            assert client.invoke("talks").value() == "done"


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
@pytest.mark.parametrize("how", HOWS)
def test_dev_goes_on_with_its_worker(how: str, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    (tmp_path / "talking.py").write_text(WORKFLOWS)
    command = durable(
        *("-vv", "dev", str(tmp_path / "talking.py"), "--listen", "127.0.0.1:0", "--no-http"),
        *("--data-dir", str(tmp_path / "data"), "--ready-file", str(ready)),
    )
    with mute(command, how, tmp_path) as child:
        until(ready.exists, "ready file", child)
        with sdk.Client(json.loads(ready.read_text())["address"], timeout=30) as client:
            assert client.invoke("talks").value() == "done"
