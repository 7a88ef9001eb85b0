"""`durable worker --metrics`: the worker's metrics for Prometheus, on a port of their own.

A worker has no HTTP server otherwise. The thread is separate because user code may block the
worker's event loop, and that is when metrics are needed. Access is restricted as for the control
plane's HTTP: no page of another origin, and on loopback only a loopback name as `Host`.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final

import click
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from .errors import CommandError

if TYPE_CHECKING:
    from durable import Worker

_OUTCOMES: Final = (
    "finished",
    "failed",
    "held",
    "suspended",
    "paused",
    "abandoned",
    "released",
)
_PORT_MAX: Final = 65535
_IDLE_SECONDS: Final = 10.0
"""How long a connection may be idle."""


class _Series(Collector):
    """The metrics of a worker."""

    def __init__(self, worker: Worker, slots: int) -> None:
        self._worker = worker
        self._slots = slots

    def collect(self) -> Iterator[Metric]:
        now = self._worker.statistics()
        for name, text, value in (
            ("connected", "1 while a session with the control plane is open.", now.connected),
            ("slots", "Attempts that it holds at most.", self._slots),
            ("slots_used", "Attempts that it holds.", now.attempts_running),
            ("steps_running", "Steps that run.", now.steps_running),
            ("steps_waiting", "Sync steps that wait for a thread.", now.steps_waiting),
            ("threads_stuck", "Threads with a step that was given up.", now.threads_stuck),
        ):
            yield GaugeMetricFamily(f"durable_worker_{name}", text, value=value)
        yield CounterMetricFamily(
            "durable_worker_sessions", "Sessions that were opened.", value=now.sessions
        )
        yield CounterMetricFamily(
            "durable_worker_attempts_started", "Attempts begun.", value=now.attempts_started
        )
        ended = CounterMetricFamily(
            "durable_worker_attempts_ended", "Attempts that it let go of.", labels=["outcome"]
        )
        for outcome in _OUTCOMES:
            ended.add_metric([outcome], getattr(now, f"attempts_{outcome}"))
        yield ended
        steps = CounterMetricFamily(
            "durable_worker_steps", "Steps and calls that ended.", labels=["outcome"]
        )
        steps.add_metric(["ok"], now.steps_run - now.steps_failed)
        steps.add_metric(["error"], now.steps_failed)
        yield steps
        yield CounterMetricFamily(
            "durable_worker_step_seconds",
            "Time that ended steps and calls took, all together.",
            value=now.step_seconds,
        )


@contextmanager
def serving(
    worker: Worker, slots: int, address: str, *, process: int, insecure: bool
) -> Iterator[str]:
    """Serves `/metrics` during the block; yields the address with the actual port.

    `process` is the number of this process among several of one command, from 1. The first uses the
    port of `address`, the second the next one, and so on; with port 0 each has a free one.

    Raises click.UsageError for a malformed address and for a port that is too high, CommandError for
    an address that is in use or not safe.
    """
    host, separator, port = address.rpartition(":")
    host = host.strip("[]")
    if not separator or not host or not _is_port(port):
        raise click.UsageError(f"--metrics {address!r} is not HOST:PORT, as in 127.0.0.1:9100")
    used = int(port) + process - 1 if int(port) else 0
    if used > _PORT_MAX:
        raise click.UsageError(
            f"--metrics {address} leaves no port for process {process}, because each process takes"
            f" the next one and the last is {_PORT_MAX}: give a lower port, or 0 for free ones"
        )
    loopback = _is_loopback(host)
    if not (loopback or insecure):
        raise CommandError(
            f"--metrics {address} can be reached from other machines and has no TLS; use a loopback"
            " address, or add --insecure if the network is yours"
        )
    registry = CollectorRegistry()
    registry.register(_Series(worker, slots))
    ProcessCollector(registry=registry)

    class Handler(BaseHTTPRequestHandler):
        timeout = _IDLE_SECONDS

        def do_GET(self) -> None:
            problem = self._problem()
            if problem:
                self.send_error(*problem)
                return
            encode, content_type = choose_encoder(self.headers.get("accept", ""))
            body = encode(registry)
            self.send_response(200)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _problem(self) -> tuple[int, str] | None:
            asked = self.headers.get("host", "")
            origin = self.headers.get("origin", f"http://{asked}")
            foreign = self.headers.get("sec-fetch-site") in ("cross-site", "same-site")
            if foreign or origin.partition("://")[2] != asked:
                return 403, "web pages of another origin are not served"
            name, _, number = asked.rpartition(":")
            if loopback and not _is_loopback((name if number.isdecimal() else asked).strip("[]")):
                return 403, "a proxy must send a loopback name as Host"
            if self.path.partition("?")[0] != "/metrics":
                return 404, "there is only /metrics"
            return None

        def log_message(self, format: str, *args: object) -> None:
            """Logs nothing about scrapes."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    try:
        server = Server((host, used), Handler)
    except OSError as error:
        raise CommandError(
            f"cannot serve metrics on {address.rpartition(':')[0]}:{used}: it is taken by another"
            " process or is not an address of this machine; choose another with --metrics HOST:PORT"
        ) from error
    thread = threading.Thread(target=server.serve_forever, name="durable-metrics", daemon=True)
    thread.start()
    try:
        yield f"{address.rpartition(':')[0]}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= _PORT_MAX


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
