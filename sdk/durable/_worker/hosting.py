"""Hosting: the workers that run inside a client's process, for `register` and `serve_handlers`.

A client that serves handlers has a worker beside it, which runs on the client's event loop until the
client is closed. It is the same worker whether the control plane is in this process (local mode) or
behind an address, so handlers that work locally are served in the same way later.

Each call of `serve_handlers` starts one worker for what was registered since the last call, and returns
when the control plane has welcomed it, so that an invocation that follows finds its handler.

A sync client has no event loop, so it gets one in a daemon thread (`LoopThread`) when it needs one.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple, TypedDict, TypeVar

import grpc.aio

from .._common.addresses import Address
from .._common.codecs.interface import Codec
from .._common.rotation import Rotation
from .._definitions.versioning import Versioning
from .._definitions.workflow import Workflow
from .worker import Worker, workflows_by_name

T = TypeVar("T")

logger = logging.getLogger("durable.worker")


class ServeOptions(TypedDict, total=False):
    """The options of a worker in the client's process; see Worker."""

    services: Mapping[str, str] | None
    """Where the gRPC services of durable calls are, by name; `DURABLE_SERVICES` adds to it."""
    max_concurrent: int
    """How many attempts it holds at a time."""
    max_threads: int
    """How many sync steps run at a time."""
    max_stuck_threads: int
    """How many threads with a step that was given up do not count against `max_threads`."""
    thread_wait: float | timedelta | None
    """How long, in seconds or as a timedelta, an attempt waits for a thread before it is given back;
    None for no bound."""
    suspend_after: float | timedelta | None
    """How long, in seconds or as a timedelta, an attempt may only wait; None for no bound."""
    build_id: str | None
    """The build that it runs; `DURABLE_BUILD_ID`, the commit or a hash of the sources by default."""
    versioning: Versioning
    """The policy of the handlers that do not say one."""


class Dial(NamedTuple):
    """How a client, and its workers, reach the control plane and encode values."""

    addresses: Sequence[Address]
    open: Callable[[Address], grpc.aio.Channel]
    codec: Codec | None = None


class HostedWorker(Worker):
    """A worker that reaches the control plane in the same way as its client, with its codec."""

    def __init__(
        self, dial: Dial, workflows: list[Workflow[..., Any] | type], **options: Any
    ) -> None:
        # What is given here for the address, TLS and the token keeps the environment out, and is not
        # used: the client has decided all of them.
        super().__init__(
            "unix:hosted",
            workflows=workflows,
            codec=dial.codec,
            tls=False,
            token=str,
            **options,
        )
        self._rotation = Rotation(dial.addresses, dial.open)


class Hosting:
    """The handlers of one client and the workers that serve them."""

    def __init__(self, dial: Dial) -> None:
        self.dial: Final = dial
        self._names: set[str] = set()
        self._pending: list[Workflow[..., Any] | type] = []
        self._serving: Final[list[tuple[Worker, asyncio.Task[None]]]] = []
        self._joining = 0
        """How many workers wait for the control plane to welcome them."""

    def register(self, workflows: tuple[Workflow[..., Any] | type, ...]) -> None:
        """Adds handlers that the next `serve` serves. Raises TypeError, ValueError."""
        names = set(workflows_by_name(workflows))
        if twice := names & self._names:
            raise ValueError(f"registered already: {', '.join(sorted(twice))}")
        self._names |= names
        self._pending += workflows

    @property
    def quiet(self) -> bool:
        """Whether all workers are connected, run no step and have nothing to send."""
        return not self._joining and all(worker.quiet for worker, _ in self._serving)

    async def serve(self, options: ServeOptions) -> None:
        """Serves what was registered since the last call; returns when the control plane knows it."""
        if not self._pending:
            raise ValueError("there is nothing to serve; call client.register(workflow) before")
        worker = HostedWorker(self.dial, self._pending, **options)
        self._pending = []
        loop = asyncio.get_running_loop()
        self._joining += 1
        task = loop.create_task(worker.run())
        ready = loop.create_task(worker.ready())
        try:
            await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            task.cancel()
            raise
        finally:
            self._joining -= 1
            ready.cancel()
        if task.done():
            await task
        task.add_done_callback(_report)
        self._serving.append((worker, task))

    async def close(self, *, gently: bool) -> None:
        """Ends the workers; `gently` lets them drain first."""
        for worker, task in self._serving:
            if gently:
                worker.stop()
            else:
                task.cancel()
        await asyncio.gather(*(task for _, task in self._serving), return_exceptions=True)
        self._serving.clear()


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("the handlers of this client are no longer served: %s", error)


class LoopThread:
    """An event loop in a daemon thread, for a sync client."""

    def __init__(self) -> None:
        self._loop: Final = asyncio.new_event_loop()
        self._thread: Final = threading.Thread(
            target=self._loop.run_forever, name="durable-client", daemon=True
        )
        self._thread.start()

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine on the loop; blocks the calling thread until it is done.

        Raises RuntimeError in the loop's own thread, which would wait for itself, and when the loop is
        stopped before the coroutine is done.
        """
        if threading.current_thread() is self._thread:
            main.close()
            raise RuntimeError(
                "a sync client that serves handlers cannot be used in their async code, which runs"
                " on its thread; use an AsyncClient, or a sync step"
            )
        future = asyncio.run_coroutine_threadsafe(main, self._loop)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise RuntimeError("this Client was closed meanwhile") from None
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        """Ends the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(_end_others())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


async def _end_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
