"""The collector: takes audited calls at once, and hands them to a writer in batches.

A call costs its caller one append to a list. A moment after the first one, all that have come are
written as one batch, and so on while calls come. While there are none, nothing runs.

Rules:
- At most WAITING_MAX calls wait, because the memory is bounded. Further ones are lost and counted, and
  as soon as there is room again, a note in their place says how many are missing.
- A write that fails is repeated with pauses, with the same batch, so that nothing is lost by one.
- The log says once that calls cannot be kept, and once that they can again.
- A kill of the process loses what waits: the calls of the last COLLECT_SECONDS, and of one write.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from ..access.audit import Audit, AuditedCall
from ..nats.backoff import Backoff

COLLECT_SECONDS: Final = 0.2
"""How long calls are collected: short beside the second within which they are to be kept."""
BATCH_CALLS: Final = 1000
"""The most calls of one batch."""
WAITING_MAX: Final = 20_000
"""The most calls that wait: about 10 MB."""
LATE_SECONDS: Final = 5.0
"""After so long without an end of a write, calls count as not kept."""
CLOSE_SECONDS: Final = 5.0
"""How long the end waits for the last calls to be written."""
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0

logger = logging.getLogger("durable.audit")


class AuditWriteError(Exception):
    """Calls cannot be written. The message says why."""

    def __init__(self, message: str, written: int = 0) -> None:
        super().__init__(message)
        self.written = written
        """How many calls of the batch are written nevertheless."""


class Batch(NamedTuple):
    """Calls that are written together."""

    id: str
    """A random text, the same in each try."""
    calls: Sequence[AuditedCall]


Write = Callable[[Batch], Awaitable[None]]
"""Writes a batch. Raises AuditWriteError."""


class Collector:
    """Collects calls for one writer. Implements `Audit`."""

    def __init__(self, kind: str, place: str, write: Write) -> None:
        """`kind` is `file`, `stdout` or `nats`; `place` names it in full, for the log."""
        self.kind = kind
        self.place = place
        self.kept = 0
        """How many calls were written."""
        self.lost = 0
        """How many calls were not, and never will be."""
        self._write = write
        self._waiting: list[AuditedCall] = []
        self._missing = 0
        """How many calls are lost of which no note tells yet."""
        self._failure = ""
        self._writing_since = 0.0
        """When the write that is under way began, by the event loop's clock; 0 while there is none."""
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    @property
    def problem(self) -> str:
        """See `Audit.problem`."""
        if self._failure:
            return self._failure
        if len(self._waiting) >= WAITING_MAX:
            return f"{self.place}: {WAITING_MAX} calls wait to be written"
        since = self._writing_since
        if since and asyncio.get_running_loop().time() - since > LATE_SECONDS:
            return f"{self.place}: a write has not ended for {LATE_SECONDS:g} s"
        return ""

    def note(self, call: AuditedCall) -> None:
        """See `Audit.note`."""
        if len(self._waiting) >= WAITING_MAX:
            self.lost += 1
            if not self._missing:
                logger.error(
                    "audit: %s: %d calls wait to be written, further ones are lost",
                    *(self.place, WAITING_MAX),
                )
            self._missing += 1
            return
        if self._missing:
            self._tell_missing()
        self._waiting.append(call)
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Writes what waits, for up to CLOSE_SECONDS."""
        self._closing.set()
        if self._task is None:
            return
        _, late = await asyncio.wait({self._task}, timeout=CLOSE_SECONDS)
        for task in late:
            task.cancel()
            await asyncio.wait({task})
            left = len(self._waiting)
            self.lost += left
            logger.error("audit: %s: the last %d calls are lost", self.place, left)

    async def _run(self) -> None:
        try:
            await self._write_all()
        finally:
            # Not when the task is found to be done, which is a moment later: a call that comes between
            # would wait for the next one.
            self._task = None

    async def _write_all(self) -> None:
        """Writes until nothing waits."""
        backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE, None)
        loop = asyncio.get_running_loop()
        while self._waiting or self._missing:
            if len(self._waiting) < BATCH_CALLS:
                await self._collect()
            if self._missing and len(self._waiting) < WAITING_MAX:
                self._tell_missing()
            batch = Batch(secrets.token_hex(12), self._waiting[:BATCH_CALLS])
            while batch.calls:
                self._writing_since = loop.time()
                written = len(batch.calls)
                try:
                    await self._write(batch)
                except AuditWriteError as error:
                    written = error.written
                    self._fails(str(error))
                except Exception as error:
                    # A defect of ours. It is tried again too, or a strict audit would refuse calls
                    # for ever.
                    written = 0
                    if not self._failure:
                        logger.exception("audit: %s", self.place)
                    self._fails(repr(error))
                else:
                    self._works()
                    backoff.progress()
                finally:
                    self._writing_since = 0.0
                del self._waiting[:written]
                self.kept += written
                batch = batch._replace(calls=batch.calls[written:])
                if batch.calls:
                    await backoff.pause()

    async def _collect(self) -> None:
        """Lets calls come for a moment, unless this is the end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(COLLECT_SECONDS):
                await self._closing.wait()

    def _tell_missing(self) -> None:
        """Adds a note about the calls that are lost."""
        now = time.time_ns() // 1_000_000
        self._waiting.append(
            AuditedCall(
                *(now, "", "none", "", "Audit", "", ""),
                reason=f"{self._missing} calls before this are missing",
                request_id="",
                code="DATA_LOSS",
                error="",
            )
        )
        self._missing = 0

    def _fails(self, problem: str) -> None:
        if not self._failure:
            logger.error(
                "audit: %s: %s; calls wait until they can be written, at most %d",
                *(self.place, problem, WAITING_MAX),
            )
        self._failure = f"{self.place}: {problem}"

    def _works(self) -> None:
        if self._failure:
            logger.warning("audit: %s: calls are written again; %d are lost", self.place, self.lost)
        self._failure = ""


class Audits:
    """Keeps each call in several places. Implements `Audit`."""

    def __init__(self, audits: Sequence[Audit]) -> None:
        self._audits = audits

    @property
    def problem(self) -> str:
        """See `Audit.problem`."""
        return next((it.problem for it in self._audits if it.problem), "")

    def note(self, call: AuditedCall) -> None:
        """See `Audit.note`."""
        for it in self._audits:
            it.note(call)
