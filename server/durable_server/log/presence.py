"""Whether the log can take anything now: what health checks ask.

An append finds out by itself, and so does nobody else while there is nothing to append. So a connection
that is lost is opened again at once, with growing pauses, and until that succeeds the log counts as
away. It is also what makes the next append quick.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from durable_server.log.interface import LogError
from durable_server.log.slots import Slots, SlotTroubleError
from durable_server.nats.backoff import Backoff

logger = logging.getLogger("durable.log")

_NEWS_AFTER = 5
"""Tries until it is worth a line."""


class Presence:
    """The presence of one log.

    `leading` says whether its leader still uses it, `busy` whether a call is under way that finds out.
    """

    def __init__(
        self,
        slots: Slots,
        pauses: tuple[float, float],
        rng: random.Random,
        leading: Callable[[], bool],
        busy: Callable[[], bool],
    ) -> None:
        self.trouble = ""
        """Why the log takes nothing now; empty when all is well."""
        self.changed: Callable[[], None] = _nothing
        """Called when trouble comes or goes."""
        self._slots = slots
        self._pauses = pauses
        self._rng = rng
        self._leading = leading
        self._busy = busy
        self._task: asyncio.Task[None] | None = None
        slots.on_lost = self._lost

    def bad(self, problem: object) -> None:
        """Something has failed."""
        was, self.trouble = self.trouble, str(problem) or "the log does not answer"
        if not was:
            self.changed()

    def good(self) -> None:
        """Something has succeeded."""
        if self.trouble:
            self.trouble = ""
            self.changed()

    async def close(self) -> None:
        """Looks no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _lost(self, reason: str) -> None:
        if not self._leading():
            return
        self.bad(reason)
        if not self._busy() and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._return(reason), name="durable-log-presence")

    async def _return(self, reason: str) -> None:
        first, longest = self._pauses
        backoff = Backoff(first, longest, None, self._rng)
        while self._leading():
            try:
                await self._slots.bounds(create=False)
            except SlotTroubleError as error:
                self.bad(error)
            except LogError as error:  # the next append says it to whoever must decide
                self.bad(error)
                return
            else:
                if not self._busy():
                    self.good()
                    if backoff.attempts > _NEWS_AFTER:
                        logger.warning("%s: it is back", self._slots.name)
                return
            if backoff.attempts == _NEWS_AFTER:
                logger.warning(
                    "%s: the log is away (%s); nothing is accepted until it is back",
                    *(self._slots.name, reason),
                )
            await backoff.pause()


def _nothing() -> None:
    pass
