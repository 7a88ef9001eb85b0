"""Starts the servers that an example needs and that do not run yet, and stops them at the end.

    with running("examples.simple.workflows") as address: ...

- The control plane: the one at DURABLE_ADDRESS if that variable is set, else `durable dev` with
  embedded NATS, on a free port and a temporary data dir.
- A worker for the module's workflows. With DURABLE_ADDRESS it is started only if no connected worker
  serves them.
- The services that the workflows call, unless something listens at their address already: HelloService
  at HELLO_SERVICE (default 127.0.0.1:9090), TicketService at TICKET_SERVICE (default 127.0.0.1:9091).

With DURABLE_ADDRESS, the control plane's HTTP address is DURABLE_HTTP (default 127.0.0.1:8080).

Every server that is started is a child of this process and ends with it, even when it is killed.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

import durable

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0

# A child survives its parent by default. On Linux this program asks the kernel for a signal when
# the parent dies, checks that the parent has not died already, and then becomes the real program.
_TIED = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(sys.argv[1]):
        sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


class StartError(Exception):
    """A server that an example needs does not start; the message has the end of its output."""


class Started(NamedTuple):
    """The addresses of a control plane."""

    address: str
    """Its gRPC address."""
    http: str
    """Its HTTP address, or an empty string when it serves no HTTP."""


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
    """Gives the address of a service, and starts it if nothing listens there."""
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

    The workflows call `services`, by default HelloService. `options` go to the control plane if one is
    started here.
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
            say(f"starting a worker for {module}")
            command = durable_command("worker", module, "--address", address, *where)
            child = start(stack, command, scratch / "worker.log")
            wait(lambda: _served(address, module), child, scratch / "worker.log")
            yield Started(address, _http())
            return
        say("starting a control plane with embedded NATS, and a worker")
        ready = scratch / "ready"
        where += ["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", *options]
        where += ["--data-dir", str(scratch / "data")]
        command = durable_command("dev", module, *where, "--no-reload", "--ready-file", str(ready))
        child = start(stack, command, scratch / "dev.log")
        wait(ready.exists, child, scratch / "dev.log")
        words = json.loads(ready.read_text())
        yield Started(str(words["address"]), str(words.get("http") or ""))


def _service(stack: ExitStack, scratch: Path, service: Service) -> str:
    """Returns the address of a service, and starts it if nothing listens there."""
    address = os.environ.get(service.variable, service.default)
    if _answers(address):
        return address
    say(f"starting {service.name} on {address}")
    ready, log = scratch / f"{service.name}.ready", scratch / f"{service.name}.log"
    program = str(ROOT / "examples" / service.program)
    command = [sys.executable, program, "--listen", address, "--ready-file", str(ready)]
    wait(ready.exists, start(stack, command, log), log)
    return address


def _http() -> str:
    """Returns DURABLE_HTTP if a control plane answers there, else an empty string."""
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


def durable_command(*arguments: str) -> list[str]:
    """Returns the `durable` command line, run by this interpreter."""
    return [sys.executable, "-m", "durable_server", *arguments]


def start(
    stack: ExitStack,
    command: Sequence[str],
    log: Path,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Starts a child that ends with this block and with this process.

    `environment` adds to that of this process.
    """
    output = stack.enter_context(log.open("wb"))
    tied = [sys.executable, "-c", _TIED, str(os.getpid()), *command]
    # In its own session, the child does not get the Ctrl-C: this process gets it and stops its
    # children.
    process = subprocess.Popen(
        tied, cwd=ROOT, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
        start_new_session=True, env={**os.environ, **(environment or {})},
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


def wait(ready: Callable[[], bool], child: subprocess.Popen[bytes], log: Path) -> None:
    """Waits until `ready` is true; raises StartError if the child ends or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if child.poll() is not None or time.monotonic() > deadline:
            words = log.read_text(errors="replace")[-2000:]
            raise StartError(f"it does not start; the end of its output:\n{words}")
        time.sleep(0.02)


def say(text: str) -> None:
    """Tells what the example does before it begins."""
    print(f"({text})", file=sys.stderr)
