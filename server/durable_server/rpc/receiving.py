"""The receiving of requests: each must arrive soon, and only so many may be arriving for long.

A request has at most MESSAGE_BYTES, and all of it that has arrived is held by gRPC until the last byte
has. So a client that sends many requests almost to their end would cost any amount of memory. Before
a request is read, gRPC takes no more than 64 KiB of it.

Rules:
- A request that is not there after REQUEST_SECONDS is refused.
- Requests that have been arriving for more than SLOW_SECONDS are slow. Of more than `slow_requests` the
  oldest are refused, with an error that names the limit. Requests that come at once are never refused.

Time is counted in ticks of the event loop. After a moment in which the process was busy, what has
arrived meanwhile is read before it counts as slow. There are no ticks while nothing is received.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeAlias, TypeVar

import grpc
from google.protobuf.message import DecodeError

from ..processor.errors import LimitReachedError
from .refusal import answerable, unavailable

REQUEST_SECONDS: Final = 30
"""How long a request may take to arrive."""
SLOW_SECONDS: Final = 2
"""How long it may take before it counts as slow."""
_TICK_SECONDS: Final = 1.0

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
Parse: TypeAlias = Callable[[bytes], Any]
R = TypeVar("R")


class _Reading:
    """One request that is being received."""

    __slots__ = ("began", "error", "task")

    def __init__(self, began: int) -> None:
        self.began = began
        self.error: Exception | None = None
        task = asyncio.current_task()
        assert task is not None
        self.task = task

    def end(self, error: Exception) -> None:
        self.error = error
        self.task.cancel()


class Receiving:
    """Receives the requests of one gRPC server."""

    def __init__(self, slow_requests: int) -> None:
        self._limit = slow_requests
        self._readings: dict[_Reading, None] = {}
        """The oldest first."""
        self._now = 0
        """The number of the present tick."""
        self._timer: asyncio.TimerHandle | None = None

    async def receive(self, context: Context, parse: Parse) -> Any:
        """Returns the next message of a client, or grpc.aio.EOF. `parse` makes it of bytes.

        Raises Refusal and LimitReachedError.
        """
        reading = _Reading(self._now)
        self._readings[reading] = None
        if self._timer is None:
            self._start_timer()
        try:
            data = await context.read()
        except asyncio.CancelledError:
            if reading.error is None:
                raise
            reading.task.uncancel()
            raise reading.error from None
        finally:
            del self._readings[reading]
        return data if data is grpc.aio.EOF else parsed(parse, data)

    def _start_timer(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if not self._readings:
            return
        self._now += 1
        slow = [it for it in self._readings if self._now - it.began > SLOW_SECONDS]
        excess = len(slow) - self._limit
        for number, reading in enumerate(slow):
            if self._now - reading.began > REQUEST_SECONDS:
                text = f"the request has not arrived within {REQUEST_SECONDS} s"
                reading.end(unavailable("receiving", text))
            elif number < excess:
                reading.end(
                    LimitReachedError(
                        "slow_requests", self._limit, "that many requests arrive slowly already"
                    )
                )
        self._start_timer()


def parsed(parse: Callable[[bytes], R], data: bytes) -> R:
    """Returns the message that some bytes are; raises Refusal for bytes that are none."""
    try:
        return parse(data)
    except DecodeError as error:
        raise answerable(error) from None
