"""The proposals of clients: admits a request, proposes its record, and waits for the reply.

Admission bounds how many requests wait at once, with an error that names the limit, because gRPC itself
would drop what it cannot hold without a trace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from ..core.limits import Limits
from ..core.model import Invocation
from ..core.records import Record
from ..core.replies import Created, Reply
from ..core.states import SETTLED
from ..processor.errors import LimitReachedError, ProcessorEndedError
from ..processor.loop import Processor
from ..processor.router import Router


class Proposals:
    """Proposes records for clients, and waits for them."""

    def __init__(self, router: Router, limits: Limits) -> None:
        self._router = router
        self._limits = limits

    def admit(self) -> None:
        """Raises LimitReachedError when too many requests wait, and ProcessorEndedError at the end."""
        waiting = 0
        for processor in self._router.all():
            if processor.ended.done():
                raise ProcessorEndedError("the control plane is stopping")
            waiting += processor.subscriptions.pending_count
        limit = self._limits.admission
        if waiting >= limit:
            raise LimitReachedError("admission", limit, "that many requests are waiting already")

    async def propose(self, processor: Processor, record: Record) -> Reply:
        """Admits a request and returns the reply to its record, which comes after the commit.

        Raises RecordTooLargeError.
        """
        self.admit()
        return await self._reply(processor, processor.inputs.propose(record), "", 0.0)

    async def propose_and_wait(
        self, processor: Processor, record: Record, invocation_id: str, wait: float
    ) -> Reply:
        """Proposes the record of an admitted request that creates an invocation.

        The reply comes when the invocation settles, or is None when it has not within `wait` seconds.
        """
        settle_by = asyncio.get_running_loop().time() + wait if wait > 0 else 0.0
        future = processor.inputs.propose(record, settle_by=settle_by)
        return await self._reply(processor, future, invocation_id, wait)

    async def settled(self, found: Invocation, wait: float) -> Invocation | None:
        """Returns the invocation once it is settled; None when it has not within `wait` seconds."""
        if found.state in SETTLED:
            return found
        processor = self._router.for_id(found.id)
        reply = await self._reply(processor, processor.when_settled(found.id), found.id, wait)
        return reply.invocation if isinstance(reply, Created) else None

    def watch(self, invocation_id: str, changed: asyncio.Event) -> Watched:
        """Sets `changed` whenever the invocation changes, until this is ended."""
        processor = self._router.for_id(invocation_id)
        return Watched(processor, processor.subscriptions.watch(invocation_id, changed))

    async def _reply(
        self, processor: Processor, future: asyncio.Future[Reply], invocation_id: str, wait: float
    ) -> Reply:
        """Awaits a reply; with a wait, None when it has not come within so many seconds.

        Without a wait the reply comes with the next commit, and is awaited for as long as that takes.
        That is also so when the time is up before the invocation is committed, because then nothing is
        known about it. The timer is a plain handle: `asyncio.wait_for` costs several times as much.
        """
        handle = None
        if wait > 0:
            handle = asyncio.get_running_loop().call_later(
                wait, _expire, processor, future, invocation_id
            )
        try:
            return await future
        finally:
            if handle is not None:
                handle.cancel()
            if future.cancelled() or not future.done() or handle is not None:
                processor.subscriptions.cancel(invocation_id, future)


class Watched(NamedTuple):
    """A subscription to the changes of an invocation."""

    processor: Processor
    """The processor that tells of them."""
    end: Callable[[], None]
    """Ends the subscription."""

    def check(self) -> None:
        """Raises ProcessorEndedError when no more changes will be told.

        To be called after each wait: by then this process may lead the partition anew, with another
        processor, so that the invocation is found and yet nothing tells of it.
        """
        if self.processor.ended.done():
            raise ProcessorEndedError("the leader of the invocation has ended")


def _expire(processor: Processor, future: asyncio.Future[Reply], invocation_id: str) -> None:
    if not future.done() and processor.find(invocation_id) is not None:
        future.set_result(None)
