"""A control plane in memory, inside the program that uses it: the server half of local mode.

    memory log ─► store in memory ─► processor ─► the servicers, called directly

The same parts as in `app`, but for the log and what is around the servicers: nothing listens, nothing
is written, and all is gone with the object. The SDK finds this module by its name, because it must not
depend on the control plane; what it uses is `LocalPlane` and nothing more.

Times. A session here cannot break, but a debugger can hold the whole event loop for an hour: silence
is therefore no sign of death, and a worker that has gone will not come back.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from durable_proto.v1 import control_pb2, worker_pb2

from .core.limits import Limits
from .log.memory import MemoryLog
from .processor.loop import Processor
from .rpc.control import ControlService
from .rpc.stream import SessionTimes
from .rpc.worker import WorkerService
from .store.sqlite import SqliteStore

TIMES = SessionTimes(heartbeat=5.0, timeout=24 * 3600.0, grace=0.02)

_CONTROL = control_pb2.DESCRIPTOR.services_by_name["DurableControl"].full_name
_WORKER = worker_pb2.DESCRIPTOR.services_by_name["DurableWorker"].full_name


class LocalPlane:
    """One control plane on the event loop that starts it."""

    def __init__(self) -> None:
        self.services: Mapping[str, Any] = {}
        """The servicers by the full names of their services, once started."""
        self._stack = AsyncExitStack()
        self._processor: Processor | None = None

    async def start(self) -> None:
        """Starts it; an error stops what was started."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        stack = self._stack
        log = MemoryLog()
        stack.push_async_callback(log.close)
        store = SqliteStore(":memory:")
        stack.callback(store.close)
        processor = Processor(log, store, Limits(), _wall_clock_ms)
        self._processor = processor
        stack.push_async_callback(processor.stop)
        await processor.start(f"local:{os.getpid()}")
        self.services = {
            _CONTROL: ControlService(processor, None),
            _WORKER: WorkerService(processor, TIMES),
        }

    async def halt(self) -> None:
        """Lets nothing move any more; whoever waits for something gets an error."""
        if self._processor is not None:
            await self._processor.stop()

    async def stop(self) -> None:
        """Stops it. By then no session may be open; one that ends after `halt` is no lost worker."""
        await self._stack.aclose()


def _wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000
