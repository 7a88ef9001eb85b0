"""Starts what an example needs and what does not run yet, and stops it at the end.

    with running("examples.simple.workflows") as address: ...

- The control plane: the one at DURABLE_ADDRESS if that is set, else `durable dev` with everything
  embedded, on a free port and a data dir that is thrown away.
- A worker for the module's workflows: with DURABLE_ADDRESS only if none is connected for them.
- HelloService, if nothing answers at HELLO_SERVICE (default 127.0.0.1:9090).

Everything that is started is a child of this process and ends with it, however it ends.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import durable

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0

# Ends with its parent on Linux, which the parent's death does not do by itself: asks the kernel for
# a signal, checks that the parent still lives, becomes the real program.
_TIED = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(sys.argv[1]):
        sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


class StartError(Exception):
    """Something that an example needs does not start; the message has its last words."""


@contextmanager
def running(module: str) -> Iterator[str]:
    """Gives the address of a control plane that serves the workflows of `module`."""
    with ExitStack() as stack:
        scratch = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(prefix="durable-", ignore_cleanup_errors=True)
            )
        )
        address = os.environ.get("DURABLE_ADDRESS", "")
        if address and _served(address, module):
            yield address
            return
        service = ["--service", f"HelloService={_hello_service(stack, scratch)}"]
        if address:
            _say(f"starting a worker for {module}")
            command = _durable("worker", module, "--address", address, *service)
            child = _start(stack, command, scratch / "worker.log")
            _wait(lambda: _served(address, module), child, scratch / "worker.log")
        else:
            _say("starting a control plane with embedded NATS, and a worker")
            ready = scratch / "ready"
            where = ["--listen", "127.0.0.1:0", "--data-dir", str(scratch / "data")]
            command = _durable("dev", module, *where, "--no-reload", "--no-http")
            command += ["--ready-file", str(ready)]
            child = _start(stack, [*command, *service], scratch / "dev.log")
            _wait(ready.exists, child, scratch / "dev.log")
            address = str(json.loads(ready.read_text())["address"])
        yield address


def _hello_service(stack: ExitStack, scratch: Path) -> str:
    """Returns the address of HelloService, which is started if nothing answers there."""
    address = os.environ.get("HELLO_SERVICE", "127.0.0.1:9090")
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=2).close()
    except OSError:
        _say(f"starting HelloService on {address}")
    else:
        return address
    ready, log = scratch / "hello", scratch / "hello.log"
    program = str(ROOT / "examples/hello_service.py")
    command = [sys.executable, program, "--listen", address, "--ready-file", str(ready)]
    _wait(ready.exists, _start(stack, command, log), log)
    return address


def _served(address: str, module: str) -> bool:
    """Says whether connected workers serve all workflows of the module."""
    names = {
        it.name for it in vars(importlib.import_module(module)).values()
        if isinstance(it, durable.Workflow)
    }  # fmt: skip
    with durable.Client(address, timeout=10) as client:
        served = {it.name for it in client.list_handlers() if it.worker_count}
    return names <= served


def _durable(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "durable_server", *arguments]


def _start(stack: ExitStack, command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Starts a child that ends with this block, and with this process."""
    output = stack.enter_context(log.open("wb"))
    tied = [sys.executable, "-c", _TIED, str(os.getpid()), *command]
    # A session of its own: Ctrl-C reaches this process only, which then stops its children.
    process = subprocess.Popen(
        tied, cwd=ROOT, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    stack.callback(_stop, process)
    return process


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait(ready: Callable[[], bool], child: subprocess.Popen[bytes], log: Path) -> None:
    """Waits until what a child brings about is there; raises StartError if it can't come."""
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if child.poll() is not None or time.monotonic() > deadline:
            words = log.read_text(errors="replace")[-2000:]
            raise StartError(f"it does not start; its last words were:\n{words}")
        time.sleep(0.02)


def _say(text: str) -> None:
    print(f"({text})", file=sys.stderr)
