"""The log's availability: whether it can accept an append now, as health checks report it.

An append detects a lost connection, but a log without appends would not. So a lost connection is opened
again at once, with growing pauses between the tries, and the log counts as unavailable until a try
succeeds. The open connection also makes the next append fast.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from ..nats.backoff import Backoff
from .interface import LogError
from .stream import StreamClient, StreamUnavailableError

logger = logging.getLogger("durable.log")

_NEWS_AFTER = 5
"""Failed tries before a warning is logged."""


class Availability:
    """The availability of one log.

    `leading` returns whether a leader still uses the log, `busy` whether an append or takeover is in
    flight, which will report its own outcome.
    """

    def __init__(
        self,
        stream: StreamClient,
        pauses: tuple[float, float],
        rng: random.Random,
        leading: Callable[[], bool],
        busy: Callable[[], bool],
    ) -> None:
        self.problem = ""
        """Why the log cannot accept an append now; empty while it can."""
        self.changed: Callable[[], None] = _nothing
        """Called when `problem` becomes set or empty."""
        self._stream = stream
        self._pauses = pauses
        self._rng = rng
        self._leading = leading
        self._busy = busy
        self._task: asyncio.Task[None] | None = None
        stream.on_lost = self._lost

    def failed(self, problem: object) -> None:
        """Notes that an operation has failed."""
        was, self.problem = self.problem, str(problem) or "the log does not answer"
        if not was:
            self.changed()

    def succeeded(self) -> None:
        """Notes that an operation has succeeded."""
        if self.problem:
            self.problem = ""
            self.changed()

    async def close(self) -> None:
        """Stops the reconnecting."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _lost(self, reason: str) -> None:
        if not self._leading():
            return
        self.failed(reason)
        if not self._busy() and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(
                self._reconnect(reason), name="durable-log-availability"
            )

    async def _reconnect(self, reason: str) -> None:
        first, longest = self._pauses
        backoff = Backoff(first, longest, None, self._rng)
        while self._leading():
            try:
                await self._stream.bounds(create=False)
            except StreamUnavailableError as error:
                self.failed(error)
            except LogError as error:  # the next append raises it
                self.failed(error)
                return
            else:
                if not self._busy():
                    self.succeeded()
                    if backoff.attempts > _NEWS_AFTER:
                        logger.warning("%s: it is back", self._stream.name)
                return
            if backoff.attempts == _NEWS_AFTER:
                logger.warning(
                    "%s: the log is away (%s); nothing is accepted until it is back",
                    *(self._stream.name, reason),
                )
            await backoff.pause()


def _nothing() -> None:
    pass
