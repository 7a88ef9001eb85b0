"""The worker: connects to a control plane, runs workflows for it, and drains when it is stopped.

The worker keeps one session open (`session`). The attempts that it holds survive the session
(`attempt_runner`). This module does the rest: it connects, serves the session, reconnects as the same
worker with backoff and jitter when the session ends, and drains when somebody stops it.

Draining. `stop` (or SIGTERM, SIGINT) sends Draining, so that no new work comes, and attempts that only
wait are suspended. Steps that run may end within `drain_timeout`, and no other step begins: an attempt
that needs one is released when its steps that run are journaled. At the end the worker releases all
other attempts and half-closes the stream, so that the control plane gives the work to other workers at
once. A second signal skips the wait. Heartbeats go on throughout.

Errors. A lost connection is never fatal: the worker reconnects when the control plane is back. A Hello
that the control plane refuses as wrong (INVALID_ARGUMENT and the like) is fatal, because it would be
refused again. So is one with a token that is not valid: a token that was replaced was read before.

Several addresses. The worker has its session at one of them and goes to the next one when the session
ends or cannot be opened. A node that asks it to reconnect (Drain) says whether to go elsewhere; if not,
that node goes on and is tried again first. Only the delay after a round over all addresses grows.
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
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

import grpc

from durable_proto.v1 import worker_pb2

from .._common.addresses import Address, parse_addresses
from .._common.codecs.interface import Codec, check_codec
from .._common.durations import limit, span, wait_seconds
from .._common.rotation import Rotation
from .._common.transport import backoff_seconds, open_async_channel
from .._common.webhooks import CONTROL_SERVICE
from .._definitions.call_checks import hidden_workflow, hidden_workflow_text
from .._definitions.objects import handlers_of
from .._definitions.versioning import Versioning, check_versioning
from .._definitions.workflow import Workflow
from .._engine.steps import Environment
from .._tracing.find import find_tracing
from .attempt_runner import AttemptRunner, RunnerLimits
from .build_id import default_build_id
from .service_channels import ServiceChannels
from .session import End, Session
from .statistics import Counters, Traffic, WorkerStatistics

PROTOCOL_VERSION: Final = 1
BUILD_ID_VARIABLE: Final = "DURABLE_BUILD_ID"
"""The environment variable with the build id of a worker that is not given one."""
MAX_CONCURRENT_DEFAULT: Final = 1_000
"""Attempts at a time. They cost memory and little else; steps that block are bounded by threads."""
MAX_THREADS_DEFAULT: Final = 64
"""Sync steps at a time: they mostly wait for the network, so more than cores."""
MAX_THREADS: Final = 10_000
"""More than a process can have on most systems."""
MAX_STUCK_THREADS_DEFAULT: Final = 64
"""Stuck threads that are replaced. Limited because each keeps memory, and often a connection."""
THREAD_WAIT_SECONDS_DEFAULT: Final = 300.0
"""How long a step waits for a thread before its attempt is given back: another worker may have a free
thread, and a replay costs little."""
SUSPEND_SECONDS_DEFAULT: Final = 5.0
DRAIN_SECONDS_DEFAULT: Final = 30.0
CLOSE_SECONDS_MAX: Final = 5.0
"""How long the control plane may take to close the stream after the worker's half-close."""
RECONNECT_SECONDS_MAX: Final = 1.0
"""The longest delay between two tries to connect during the grace period, while the control plane
keeps the worker's attempts for it."""
RECONNECT_SECONDS_PATIENT: Final = 2.0
"""The longest delay between two tries to connect after the grace period. It is shorter than that
period, which a new leader grants again to the workers of the one before.
"""

logger = logging.getLogger("durable.worker")

_FATAL: Final = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
    }
)
"""A Hello that is refused with one of these codes would be refused again."""
_FATAL_AT_FIRST: Final = _FATAL | {
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.UNIMPLEMENTED,
}
"""The fatal codes before the first welcome. Later, the two additional ones may come from a control
plane that is being restarted or replaced."""


class Worker:
    """Runs workflows for a control plane.

    Arguments: `address` as for Client; of several addresses it is connected to one at a time.
    `workflows` are what it serves. `services` says where the gRPC services of durable calls are, by
    name; the environment's `DURABLE_SERVICES` adds to it. `max_concurrent` is its number of slots: how
    many attempts it holds at a time. `max_threads` bounds the sync steps that run at a time. A sync
    step that was given up keeps its thread until it returns; up to `max_stuck_threads` of those do not
    count (0: `max_threads` is strict). A step that has waited for a thread for `thread_wait` (seconds
    or a timedelta; None: for ever) has not begun, and its attempt is given back. `identity` is its name
    for people (host and process id by default). `build_id` names the code that it runs; by default the
    environment's `DURABLE_BUILD_ID`, else the commit of the git checkout or a hash of the sources.
    `versioning` says which workers go on with an invocation that has a journal, for handlers that do
    not say it: "auto" for any, "pinned" for those of the build that began it. `suspend_after` is
    how long (seconds or a timedelta) an attempt may only wait before it is suspended until what it
    waits for happens: 0 for at once, None for as long as there is room; when every slot is taken, those
    that have waited longest are suspended at once. `drain_timeout` is how long running steps may take
    to end when the worker stops; no other step begins then. `codec`, `tls`, `insecure` and `token` are
    as for Client; the token is read again before each session.

    Raises ValueError for a bad address, for no workflows, for two of the same name, and for a limit
    that is out of its range.
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
        build_id: str | None = None,
        versioning: Versioning = "auto",
        suspend_after: float | timedelta | None = SUSPEND_SECONDS_DEFAULT,
        drain_timeout: float | timedelta = DRAIN_SECONDS_DEFAULT,
        codec: Codec | None = None,
        tls: bool | grpc.ChannelCredentials | None = None,
        insecure: bool = False,
        token: str | Callable[[], str] | None = None,
    ) -> None:
        self._rotation = Rotation(
            parse_addresses(address, tls=tls, insecure=insecure, token=token), open_async_channel
        )
        self._workflows: Final = workflows_by_name(workflows)
        self._services: Final = ServiceChannels(services)
        if not 1 <= max_concurrent <= 100_000:
            raise ValueError(f"max_concurrent must be from 1 to 100000, not {max_concurrent}")
        if not 1 <= max_threads <= MAX_THREADS:
            raise ValueError(f"max_threads must be from 1 to {MAX_THREADS}, not {max_threads}")
        if not 0 <= max_stuck_threads <= MAX_THREADS:
            raise ValueError(
                f"max_stuck_threads must be from 0 to {MAX_THREADS}, not {max_stuck_threads}"
            )
        self._limits: Final = RunnerLimits(
            slot_count=max_concurrent,
            threads=max_threads,
            stuck_threads=max_stuck_threads,
            thread_wait=(
                math.inf
                if thread_wait is None
                else limit(thread_wait, "thread_wait").total_seconds()
            ),
            suspend_after=wait_seconds(suspend_after, "suspend_after"),
        )
        self._drain_timeout: Final = span(drain_timeout, "drain_timeout").total_seconds()
        self._codec: Final = check_codec(codec)
        if not isinstance(build_id, str | None):
            raise TypeError(f"build_id is {build_id!r}, and must be a text")
        # Spaces around it are never meant: a file that the variable was read from ends in a newline.
        self._build_id = (build_id or os.environ.get(BUILD_ID_VARIABLE, "")).strip()
        check_versioning(versioning, "a worker")
        self._versioning: Final[Versioning] = versioning
        self.worker_id: Final = uuid.uuid4().hex
        """The id under which the control plane knows this worker; new for each Worker."""
        self.identity: Final = identity or f"{socket.gethostname()}:{os.getpid()}"
        """Its name for people."""
        self._runner: AttemptRunner | None = None
        self._session: Session | None = None
        self._sessions = 0
        self._traffic: Final = Traffic()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False
        self._stopping_now = False
        self._drain: asyncio.Task[None] | None = None
        self._drained = False
        self._wake: Final = asyncio.Event()
        """Set to end the wait before the next try to connect."""
        self._ready: Final = asyncio.Event()

    async def run(self, *, signals: bool = False) -> None:
        """Works until it is stopped; may be called once.

        `signals` makes SIGTERM and SIGINT stop it (`run_worker` does so). Raises RpcError when the
        control plane refuses the worker for good. If it is cancelled, the worker does not drain, and
        the control plane gives its work to other workers after the grace period.
        """
        if self._loop is not None:
            raise RuntimeError("a Worker runs once; make another one")
        self._loop = asyncio.get_running_loop()
        if self._stopping:
            return
        rotation = self._rotation
        rotation.use()

        def channel_to(service: str) -> grpc.aio.Channel:
            if service == CONTROL_SERVICE:
                return rotation.use()
            return self._services.channel(service)

        tracing = find_tracing(lambda: self._build_id)
        environment = Environment(channel_to)
        if tracing is not None:
            environment = environment._replace(calling=tracing.outgoing_headers)
        runner = AttemptRunner(self._workflows, environment, tracing, self._limits)
        self._runner = runner
        with self._signals() if signals else contextlib.nullcontext():
            try:
                await self._serve(runner)
            finally:
                if self._drain is not None:
                    self._drain.cancel()
                await runner.close()
                for channel in rotation.opened():
                    await channel.close()
                await self._services.close()

    def stop(self) -> None:
        """Stops the worker: it drains, then `run` returns. A second call skips the wait for attempts.

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
        runner, session = self._runner, self._session
        if runner is None or session is None or session.welcome is None:
            return False
        return runner.quiet

    def statistics(self) -> WorkerStatistics:
        """Returns what the worker is doing and has done. May be called from any thread."""
        runner, session = self._runner, self._session
        counters = runner.counters if runner is not None else Counters()
        return WorkerStatistics(
            connected=session is not None and session.welcome is not None,
            draining=self._stopping,
            attempts_running=len(runner) if runner is not None else 0,
            steps_running=runner.step_count if runner is not None else 0,
            steps_waiting=runner.steps_waiting if runner is not None else 0,
            threads_stuck=runner.threads_stuck if runner is not None else 0,
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

    # Sessions

    async def _serve(self, runner: AttemptRunner) -> None:
        """Runs one session after the other until the worker is stopped. Raises RpcError as `run`."""
        assert self._loop is not None
        tries = hellos = 0
        since = lost = self._loop.time()
        grace = 0.0
        if not self._build_id:
            # In a thread, because it reads files and asks git.
            served = self._workflows.values()
            self._build_id = await asyncio.to_thread(default_build_id, served)
        while not self._drained:
            hellos += 1
            hello = self._hello(runner.resume(since), hellos)
            address = self._rotation.address
            if address.token is not None:
                address.token.refresh()
            session = self._session = Session(
                runner,
                self._rotation.use(),
                address,
                hello,
                self._welcomed,
                self._traffic,
                self._codec,
            )
            end = await session.run()
            self._session = None
            if end.finished:
                return
            if session.welcome is not None:
                tries = 0
                lost = self._loop.time()
                grace = session.welcome.reconnect_grace.ToTimedelta().total_seconds()
                since = session.received_at - session.timeout_seconds
            elif end.error is not None and end.error.code in (
                _FATAL if self._sessions else _FATAL_AT_FIRST
            ):
                raise end.error
            if self._stopping_now or (self._stopping and not len(runner)):
                return
            if end.delay is None or end.elsewhere:
                self._rotation.leave(address)
            # During the grace period it reconnects quickly, to keep its attempts.
            in_grace = self._loop.time() - lost < grace or not self._sessions
            delay = backoff_seconds(
                tries,
                addresses=len(self._rotation),
                longest=RECONNECT_SECONDS_MAX if in_grace else RECONNECT_SECONDS_PATIENT,
            )
            delay += end.delay or 0.0
            tries += 1
            self._log_end(address, end, tries, delay)
            await self._wait_to_reconnect(delay)

    async def _wait_to_reconnect(self, seconds: float) -> None:
        """Waits before the next try to connect; returns early when the worker has drained."""
        self._wake.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)

    def _hello(self, resumed: list[worker_pb2.OwnedAttempt], number: int) -> worker_pb2.Hello:
        return worker_pb2.Hello(
            protocol_version=PROTOCOL_VERSION,
            worker_id=self.worker_id,
            identity=self.identity,
            build_id=self._build_id,
            handlers=[it.spec(self._versioning) for it in self._workflows.values()],
            slot_count=self._limits.slot_count,
            resumed=resumed,
            session_number=number,
        )

    def _welcomed(self) -> None:
        assert self._runner is not None
        self._sessions += 1
        self._ready.set()
        logger.info(
            "worker %s of build %s serves %s at %s",
            self.identity,
            self._build_id,
            ", ".join(self._workflows),
            self._rotation.address.target,
        )
        if self._stopping:
            self._runner.drain()

    def _log_end(self, address: Address, end: End, tries: int, delay: float) -> None:
        why = end.error or end.reason
        # The first failure is worth a warning, and every twentieth after it. That the control plane has
        # asked for it, as it does when partitions move to other nodes, is none.
        level = logging.WARNING if tries == 1 or tries % 20 == 0 else logging.DEBUG
        if end.delay is not None and level == logging.WARNING:
            level = logging.INFO
        following = self._rotation.address
        where = "again" if following == address else f"to {following.target}"
        logger.log(
            level,
            "the session at %s ended: %s; connecting %s in %.1f s",
            address.target,
            why,
            where,
            delay,
        )

    # Stopping

    def _stop(self) -> None:
        assert self._loop is not None
        if self._stopping:
            self._stopping_now = True
            if self._drain is not None and not self._drained:
                self._drain.cancel()
                self._drain = self._loop.create_task(self._drain_and_close(0.0))
        else:
            self._stopping = True
            self._drain = self._loop.create_task(self._drain_and_close(self._drain_timeout))

    async def _drain_and_close(self, seconds: float) -> None:
        """Drains: lets attempts end, releases those that do not in time, and half-closes the stream."""
        runner = self._runner
        assert runner is not None
        loop = asyncio.get_running_loop()
        loop.call_soon(runner.drain)
        logger.info("draining %d attempts", len(runner))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await runner.empty()
        if len(runner):
            logger.warning("giving back %d attempts that did not end in time", len(runner))
        loop.call_soon(runner.release_all)
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
        await asyncio.sleep(CLOSE_SECONDS_MAX)
        session.end(End(reason="the control plane did not close the stream"))

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Makes SIGTERM and SIGINT stop the worker, where the platform supports that."""
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
    """Returns all handlers of workflows and object classes, by name.

    Raises TypeError for what is neither and for a handler with a type hint that cannot be resolved,
    ValueError for no handler at all and for two of the same name.
    """
    workflows: list[Workflow[..., Any]] = []
    for it in given:
        if isinstance(it, Workflow):
            workflows.append(it)
        elif handlers := handlers_of(it):
            workflows += handlers
        elif hidden := hidden_workflow(it):
            raise TypeError(hidden_workflow_text(it, hidden))
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


def run_worker(worker: Worker, *, signals: bool = True) -> None:
    """Runs a worker to its end on an event loop of its own; SIGTERM and SIGINT drain it.

    Without `signals` only `worker.stop()` does. Uses uvloop where it is installed. Raises RpcError
    when the control plane refuses the worker.
    """
    main = worker.run(signals=signals)
    try:
        import uvloop
    except ImportError:
        asyncio.run(main)
    else:
        uvloop.run(main)
