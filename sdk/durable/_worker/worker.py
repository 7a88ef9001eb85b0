"""The worker: runs workflows for a control plane, for as long as it is wanted.

Theory. The worker dials the control plane and keeps one session open (`_session`); what it holds lies
on the desk (`_executor`) and survives the session. This room is the life around them: connect, run
the session, and when it ends for another reason than ours connect again, with backoff and jitter,
as the same worker; and on a wish to stop, drain.

Draining. `stop` (or SIGTERM, SIGINT) says Draining, so that no new work comes; attempts that only
wait are suspended. Steps that run may end within `drain_timeout`, and no other step begins: an attempt
that needs one is given back when those of it that run are in the log. What is left at the end is
given back too, the stream is half-closed, and the control plane hands the work to others at once. A
second signal skips the waiting. Heartbeats go on throughout.

Errors. A lost connection is never fatal: the worker comes back when the control plane does. A hello
that is refused as wrong (INVALID_ARGUMENT and the like) is: it would be refused again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import signal
import socket
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

import grpc

from durable_proto.v1 import worker_pb2

from .._common.durations import limit, span, wait_seconds
from .._common.transport import backoff_seconds, open_async_channel, parse_address
from .._common.webhooks import CONTROL_SERVICE
from .._definitions.mistakes import hidden_workflow, hiding
from .._definitions.objects import handlers_of
from .._definitions.workflow import Workflow
from .._engine.steps import Environment
from .._tracing.tracing import find_tracing
from .attempt_runner import Desk
from .services import Services
from .session import End, Session
from .statistics import Counters, Traffic, WorkerStatistics

PROTOCOL_VERSION: Final = 1
MAX_CONCURRENT_DEFAULT: Final = 1_000
"""Attempts at a time. They cost memory and little else; steps that block are bounded by threads."""
MAX_THREADS_DEFAULT: Final = 64
"""Sync steps at a time: they mostly wait for the network, so more than cores."""
MAX_THREADS: Final = 10_000
"""More than a process can have on most systems."""
MAX_STUCK_THREADS_DEFAULT: Final = 64
"""Threads with a step that was given up which are replaced: each keeps memory, often a connection."""
THREAD_WAIT_SECONDS_DEFAULT: Final = 300.0
"""How long a step waits for a thread: another worker may have some, and a replay costs little."""
SUSPEND_SECONDS_DEFAULT: Final = 5.0
DRAIN_SECONDS_DEFAULT: Final = 30.0
FAREWELL_SECONDS_MAX: Final = 5.0
"""How long the control plane may take to answer our half-close."""
RECONNECT_SECONDS_MAX: Final = 1.0
"""The longest delay between two tries while the control plane still keeps our work for us."""
RECONNECT_SECONDS_PATIENT: Final = 5.0
"""The longest delay after that."""

logger = logging.getLogger("durable.worker")

_FATAL: Final = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
    }
)
"""A hello that is refused with one of these will be refused again."""
_FATAL_AT_FIRST: Final = _FATAL | {
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.UNIMPLEMENTED,
}
"""At the first session these say the same; later they may be what a restart looks like."""


class Worker:
    """Runs workflows for a control plane.

    Arguments: `address` as for Client. `workflows` are what it serves. `services` says where the
    gRPC services of durable calls are, by name; the environment's `DURABLE_SERVICES` adds to it.
    `max_concurrent` bounds the attempts it holds, `max_threads` the sync steps that run at a time.
    A sync step that was given up keeps its thread until it returns; up to `max_stuck_threads` of
    those do not count (0: `max_threads` is strict). A step that has waited for a thread for
    `thread_wait` (seconds or a timedelta; None: for ever) has not begun, and its attempt is given back.
    `identity` is its name for people (host and process id by default), `build_id` the build that it
    runs. `suspend_after` is how long (seconds or a timedelta) an attempt may only wait before it is
    given back until what it waits for happens: 0 for at once, None for as long as there is room; when
    every slot is taken, those that have waited longest are given back at once. `drain_timeout` is how
    long steps that run may take to end when the worker stops; no other step begins then. `tls` and
    `insecure` as for Client.

    Raises ValueError for a bad address, for no workflows, for two of the same name, and for a limit
    out of its range.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        workflows: Iterable[Workflow[..., Any] | type],
        services: Mapping[str, str] | None = None,
        max_concurrent: int = MAX_CONCURRENT_DEFAULT,
        max_threads: int = MAX_THREADS_DEFAULT,
        max_stuck_threads: int = MAX_STUCK_THREADS_DEFAULT,
        thread_wait: float | timedelta | None = THREAD_WAIT_SECONDS_DEFAULT,
        identity: str | None = None,
        build_id: str = "",
        suspend_after: float | timedelta | None = SUSPEND_SECONDS_DEFAULT,
        drain_timeout: float | timedelta = DRAIN_SECONDS_DEFAULT,
        tls: bool | grpc.ChannelCredentials | None = None,
        insecure: bool = False,
    ) -> None:
        self._address = parse_address(address, tls=tls, insecure=insecure)
        self._workflows: Final = workflows_by_name(workflows)
        self._services: Final = Services(services)
        if not 1 <= max_concurrent <= 100_000:
            raise ValueError(f"max_concurrent must be from 1 to 100000, not {max_concurrent}")
        if not 1 <= max_threads <= MAX_THREADS:
            raise ValueError(f"max_threads must be from 1 to {MAX_THREADS}, not {max_threads}")
        if not 0 <= max_stuck_threads <= MAX_THREADS:
            raise ValueError(
                f"max_stuck_threads must be from 0 to {MAX_THREADS}, not {max_stuck_threads}"
            )
        self._max_concurrent: Final = max_concurrent
        self._max_threads: Final = max_threads
        self._max_stuck_threads: Final = max_stuck_threads
        self._thread_wait: Final = (
            math.inf if thread_wait is None else limit(thread_wait, "thread_wait").total_seconds()
        )
        self._suspend_after: Final = wait_seconds(suspend_after, "suspend_after")
        self._drain_timeout: Final = span(drain_timeout, "drain_timeout").total_seconds()
        self._build_id: Final = build_id
        self.worker_id: Final = uuid.uuid4().hex
        """The id under which the control plane knows this worker; new for each Worker."""
        self.identity: Final = identity or f"{socket.gethostname()}:{os.getpid()}"
        """What it calls itself, for a person."""
        self._desk: Desk | None = None
        self._session: Session | None = None
        self._sessions = 0
        self._traffic: Final = Traffic()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False
        self._hurried = False
        self._drain: asyncio.Task[None] | None = None
        self._drained = False
        self._wake: Final = asyncio.Event()
        self._ready: Final = asyncio.Event()

    async def run(self, *, signals: bool = False) -> None:
        """Works until it is stopped; once only.

        `signals` makes SIGTERM and SIGINT stop it (`run_worker` does so). Raises RpcError when the
        control plane refuses the worker for good. Cancelling it leaves without a drain: the control
        plane gives the work to others after its grace period.
        """
        if self._loop is not None:
            raise RuntimeError("a Worker runs once; make another one")
        self._loop = asyncio.get_running_loop()
        if self._stopping:
            return
        channel = self._open_channel()

        def channel_to(service: str) -> grpc.aio.Channel:
            return channel if service == CONTROL_SERVICE else self._services.channel(service)

        tracing = find_tracing()
        environment = Environment(channel_to)
        if tracing is not None:
            environment = environment._replace(calling=tracing.calling)
        desk = self._desk = Desk(
            self._workflows,
            environment,
            tracing,
            suspend_after=self._suspend_after,
            size=self._max_concurrent,
            threads=self._max_threads,
            stuck_threads=self._max_stuck_threads,
            thread_wait=self._thread_wait,
        )
        with self._signals() if signals else contextlib.nullcontext():
            try:
                await self._serve(desk, channel)
            finally:
                if self._drain is not None:
                    self._drain.cancel()
                await desk.close()
                await channel.close()
                await self._services.close()

    def stop(self) -> None:
        """Stops the worker: it drains, then `run` returns. Again: it does not wait for attempts.

        May be called from any thread and at any time.
        """
        loop = self._loop
        if loop is None:
            self._stopping = True
        else:
            with contextlib.suppress(RuntimeError):  # the loop is closed: it has stopped
                loop.call_soon_threadsafe(self._stop)

    async def ready(self) -> None:
        """Returns when a control plane has welcomed the worker for the first time."""
        await self._ready.wait()

    @property
    def quiet(self) -> bool:
        """Whether it is connected, no step runs, and nothing waits to be sent."""
        desk, session = self._desk, self._session
        if desk is None or session is None or session.welcome is None:
            return False
        return desk.quiet

    def statistics(self) -> WorkerStatistics:
        """Returns what the worker is doing and has done. May be called from any thread."""
        desk, session = self._desk, self._session
        counters = desk.counters if desk is not None else Counters()
        return WorkerStatistics(
            connected=session is not None and session.welcome is not None,
            draining=self._stopping,
            attempts_running=len(desk) if desk is not None else 0,
            steps_running=desk.step_count if desk is not None else 0,
            steps_waiting=desk.steps_waiting if desk is not None else 0,
            threads_stuck=desk.threads_stuck if desk is not None else 0,
            attempts_started=counters.started,
            attempts_finished=counters.finished,
            attempts_failed=counters.attempts_failed,
            attempts_held=counters.held,
            attempts_suspended=counters.suspended,
            attempts_paused=counters.paused,
            attempts_abandoned=counters.abandoned,
            attempts_released=counters.released,
            steps_run=counters.steps_run,
            steps_failed=counters.steps_failed,
            step_seconds=counters.step_seconds,
            sessions=self._sessions,
            frames_sent=self._traffic.frames_sent,
            frames_received=self._traffic.frames_received,
            messages_sent=self._traffic.messages_sent,
            messages_received=self._traffic.messages_received,
        )

    # The life of the worker

    def _open_channel(self) -> grpc.aio.Channel:
        return open_async_channel(self._address)

    async def _serve(self, desk: Desk, channel: grpc.aio.Channel) -> None:
        """Runs sessions until the worker is done; raises RpcError when it is refused for good."""
        assert self._loop is not None
        attempt = 0
        since = lost = self._loop.time()
        grace = 0.0
        while not self._drained:
            hello = self._hello(desk.resume(since))
            session = self._session = Session(
                desk, channel, self._address.target, hello, self._welcomed, self._traffic
            )
            end = await session.run()
            self._session = None
            if end.finished:
                return
            if session.welcome is not None:
                attempt = 0
                lost = self._loop.time()
                grace = session.welcome.reconnect_grace.ToTimedelta().total_seconds()
                since = session.heard - session.timeout_seconds
            elif end.error is not None and end.error.code in (
                _FATAL if self._sessions else _FATAL_AT_FIRST
            ):
                raise end.error
            if self._hurried or (self._stopping and not len(desk)):
                return
            # Quick while the control plane keeps our work, then patient.
            hurry = self._loop.time() - lost < grace or not self._sessions
            delay = backoff_seconds(
                attempt, longest=RECONNECT_SECONDS_MAX if hurry else RECONNECT_SECONDS_PATIENT
            )
            delay += end.delay or 0.0
            attempt += 1
            self._log_end(end, attempt, delay)
            await self._pause(delay)

    async def _pause(self, seconds: float) -> None:
        """Waits before the next try to connect, unless the worker is stopped meanwhile."""
        self._wake.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)

    def _hello(self, resumed: list[worker_pb2.OwnedAttempt]) -> worker_pb2.Hello:
        return worker_pb2.Hello(
            protocol_version=PROTOCOL_VERSION,
            worker_id=self.worker_id,
            identity=self.identity,
            build_id=self._build_id,
            handlers=[workflow.spec() for workflow in self._workflows.values()],
            slot_count=self._max_concurrent,
            resumed=resumed,
        )

    def _welcomed(self) -> None:
        assert self._desk is not None
        self._sessions += 1
        self._ready.set()
        logger.info(
            "worker %s serves %s at %s",
            self.identity,
            ", ".join(self._workflows),
            self._address.target,
        )
        if self._stopping:
            self._desk.drain()

    def _log_end(self, end: End, attempt: int, delay: float) -> None:
        why = end.error or end.reason
        # The first end of a session is news; that it is still so, once in a while.
        level = logging.WARNING if attempt == 1 or attempt % 20 == 0 else logging.DEBUG
        logger.log(level, "the session ended: %s; connecting again in %.1f s", why, delay)

    # Stopping

    def _stop(self) -> None:
        assert self._loop is not None
        if self._stopping:
            self._hurried = True
            if self._drain is not None and not self._drained:
                self._drain.cancel()
                self._drain = self._loop.create_task(self._leave(0.0))
        else:
            self._stopping = True
            self._drain = self._loop.create_task(self._leave(self._drain_timeout))

    async def _leave(self, seconds: float) -> None:
        """Drains: lets attempts end, gives back the rest, half-closes."""
        desk = self._desk
        assert desk is not None
        loop = asyncio.get_running_loop()
        loop.call_soon(desk.drain)
        logger.info("draining %d attempts", len(desk))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await desk.empty()
        if len(desk):
            logger.warning("giving back %d attempts that did not end in time", len(desk))
        loop.call_soon(desk.release_all)
        await asyncio.sleep(0)
        self._drained = True
        self._wake.set()
        session = self._session
        if session is None:
            return
        if session.welcome is None:
            session.end(End(reason="the worker stops"))
            return
        session.finish()
        await asyncio.sleep(FAREWELL_SECONDS_MAX)
        session.end(End(reason="the control plane did not close the stream"))

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Makes SIGTERM and SIGINT stop the worker, where this is possible."""
        assert self._loop is not None
        installed: list[signal.Signals] = []
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                with contextlib.suppress(NotImplementedError):  # Windows
                    self._loop.add_signal_handler(number, self._stop)
                    installed.append(number)
        try:
            yield
        finally:
            for number in installed:
                self._loop.remove_signal_handler(number)


def workflows_by_name(given: Iterable[Workflow[..., Any] | type]) -> dict[str, Workflow[..., Any]]:
    """Returns all handlers by name.

    Raises TypeError for what is no handler and for one with a type that cannot be read, ValueError
    for none and for two of a name.
    """
    workflows: list[Workflow[..., Any]] = []
    for it in given:
        if isinstance(it, Workflow):
            workflows.append(it)
        elif handlers := handlers_of(it):
            workflows += handlers
        elif hidden := hidden_workflow(it):
            raise TypeError(hiding(it, hidden))
        else:
            raise TypeError(
                f"{it!r} is no workflow; decorate it with @durable.workflow, or a class with"
                " @durable.object"
            )
    found: dict[str, Workflow[..., Any]] = {}
    for workflow in workflows:
        workflow.check()
        if found.setdefault(workflow.name, workflow) is not workflow:
            raise ValueError(
                f"two workflows are named {workflow.name!r}; choose another name with"
                " @durable.workflow(name=...)"
            )
    if not found:
        raise ValueError("a worker needs at least one workflow")
    return found


def run_worker(worker: Worker) -> None:
    """Runs a worker to its end on an event loop of its own; SIGTERM and SIGINT drain it.

    Uses uvloop where it is installed. Raises RpcError when the control plane refuses the worker.
    """
    main = worker.run(signals=True)
    try:
        import uvloop
    except ImportError:
        asyncio.run(main)
    else:
        uvloop.run(main)
