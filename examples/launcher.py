"""Starts what an example needs and what does not run yet, and stops it at the end.

    with running("examples.simple.workflows") as address: ...

- The control plane: the one at DURABLE_ADDRESS if that is set, else `durable dev` with everything
  embedded, on a free port and a data dir that is thrown away.
- A worker for the module's workflows: with DURABLE_ADDRESS only if none is connected for them.
- The services that the workflows call, where nothing answers: HelloService at HELLO_SERVICE (default
  127.0.0.1:9090), TicketService at TICKET_SERVICE (default 127.0.0.1:9091).

The HTTP surface of a control plane at DURABLE_ADDRESS is looked for at DURABLE_HTTP (default
127.0.0.1:8080).

Everything that is started is a child of this process and ends with it, however it ends.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

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


class Started(NamedTuple):
    """Where the control plane answers."""

    address: str
    """Its gRPC address."""
    http: str
    """Its HTTP address, or an empty string when it serves none."""


class Service(NamedTuple):
    """A gRPC service of the examples."""

    name: str
    program: str
    variable: str
    default: str


HELLO = Service("HelloService", "hello_service.py", "HELLO_SERVICE", "127.0.0.1:9090")
TICKET = Service("TicketService", "ticket_service.py", "TICKET_SERVICE", "127.0.0.1:9091")


@contextmanager
def service(it: Service) -> Iterator[str]:
    """Gives the address of a service, which is started if nothing answers there."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="durable-")))
        yield _service(stack, scratch, it)


@contextmanager
def running(module: str, *services: Service) -> Iterator[str]:
    """Gives the gRPC address of a control plane that serves the workflows of `module`."""
    with started(module, *services) as it:
        yield it.address


@contextmanager
def started(module: str, *services: Service, options: Sequence[str] = ()) -> Iterator[Started]:
    """Gives the addresses of a control plane that serves the workflows of `module`.

    They call `services`; without any, HelloService. `options` are for a control plane that is started.
    """
    with ExitStack() as stack:
        scratch = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(prefix="durable-", ignore_cleanup_errors=True)
            )
        )
        address = os.environ.get("DURABLE_ADDRESS", "")
        if address and _served(address, module):
            yield Started(address, _http())
            return
        where: list[str] = []
        for service in services or (HELLO,):
            where += ["--service", f"{service.name}={_service(stack, scratch, service)}"]
        if address:
            _say(f"starting a worker for {module}")
            command = _durable("worker", module, "--address", address, *where)
            child = _start(stack, command, scratch / "worker.log")
            _wait(lambda: _served(address, module), child, scratch / "worker.log")
            yield Started(address, _http())
            return
        _say("starting a control plane with embedded NATS, and a worker")
        ready = scratch / "ready"
        where += ["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", *options]
        where += ["--data-dir", str(scratch / "data")]
        command = _durable("dev", module, *where, "--no-reload", "--ready-file", str(ready))
        child = _start(stack, command, scratch / "dev.log")
        _wait(ready.exists, child, scratch / "dev.log")
        words = json.loads(ready.read_text())
        yield Started(str(words["address"]), str(words.get("http") or ""))


def _service(stack: ExitStack, scratch: Path, service: Service) -> str:
    """Returns the address of a service, which is started if nothing answers there."""
    address = os.environ.get(service.variable, service.default)
    if _answers(address):
        return address
    _say(f"starting {service.name} on {address}")
    ready, log = scratch / f"{service.name}.ready", scratch / f"{service.name}.log"
    program = str(ROOT / "examples" / service.program)
    command = [sys.executable, program, "--listen", address, "--ready-file", str(ready)]
    _wait(ready.exists, _start(stack, command, log), log)
    return address


def _http() -> str:
    """Returns the HTTP address of the control plane that runs, if it is one that answers there."""
    address = os.environ.get("DURABLE_HTTP", "127.0.0.1:8080")
    try:
        with urllib.request.urlopen(f"http://{address}/api/workflows/stats", timeout=2) as answer:
            return address if answer.headers.get_content_type() == "application/json" else ""
    except (OSError, HTTPException):
        return ""


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=2).close()
    except OSError:
        return False
    return True


def _served(address: str, module: str) -> bool:
    """Says whether connected workers serve all workflows of the module."""
    names = {it.name for it in durable.load_workflows([module])}
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
