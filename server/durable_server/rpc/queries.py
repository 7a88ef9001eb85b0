"""What the methods of DurableControl share: finding an invocation, waiting for it, being admitted."""

from __future__ import annotations

import asyncio

import grpc
from google.protobuf.duration_pb2 import Duration

from durable_proto.v1 import errors_pb2

from ..core import ids
from ..core.model import EntryRow, Invocation
from ..core.records import Record
from ..core.replies import Created, Reply
from ..core.states import SETTLED
from ..processor.loop import Processor
from ..processor.subscriptions import ProcessorEndedError
from . import convert
from .refusal import Refusal, invalid, invocation_not_found, limit_reached, unavailable

_JOURNAL_SLACK_BYTES = 16 * 1024 * 1024
"""What a journal may be over its limit and still be told in one message, of at most 64 MiB."""


class Asking:
    """Waits at one processor."""

    def __init__(self, processor: Processor) -> None:
        self._processor = processor

    def admit(self) -> None:
        """Raises Refusal when no more requests can wait."""
        processor = self._processor
        if processor.ended.done():
            raise unavailable("ended", "the control plane is stopping")
        if processor.waiting.count >= self._processor.limits.admission:
            raise limit_reached(
                "admission",
                self._processor.limits.admission,
                "that many requests are waiting already",
            )

    async def propose(self, record: Record) -> Reply:
        """Proposes a record and returns its reply, which comes after the commit.

        Raises RecordTooLargeError.
        """
        self.admit()
        return await self.within(self._processor.propose(record), "", 0)

    def find(self, invocation_id: str) -> Invocation:
        """Returns an invocation; raises Refusal for an id that is none, or is not known."""
        if not invocation_id:
            raise invalid("invocation_id", "is empty")
        if not ids.PATTERN.fullmatch(invocation_id):
            raise invalid(
                "invocation_id",
                "is not an invocation id: 32 lower-case hexadecimal characters",
                value=f"{len(invocation_id)} characters",
            )
        found = self._processor.find(invocation_id)
        if found is None:
            raise invocation_not_found(invocation_id)
        return found

    def journal(self, found: Invocation) -> list[EntryRow]:
        """Returns a journal that is to be in one message; raises Refusal for one too large for it.

        It may be larger than its limit by what came from outside meanwhile.
        """
        rows = self._processor.store.journal(found.number)
        size, limit = sum(row.size for row in rows), self._processor.limits.journal_bytes
        if size > limit + _JOURNAL_SLACK_BYTES:
            raise Refusal(
                grpc.StatusCode.FAILED_PRECONDITION,
                errors_pb2.ERROR_REASON_LIMIT_REACHED,
                f"the journal has {size} bytes, more than the limit journal_bytes ({limit}) and too"
                " many for one message; watch the invocation instead, which tells it in parts",
                limit="journal_bytes",
                value=limit,
            )
        return rows

    def wait(self, timeout: Duration) -> float:
        """Returns how many seconds a request may wait."""
        limit = float(self._processor.limits.wait_seconds)
        if timeout.seconds >= limit:
            return limit
        return convert.from_duration("wait_timeout", timeout) / 1000

    async def rest(self, found: Invocation, wait: float) -> Invocation:
        """Returns the invocation at rest, or as it is when the time is up."""
        if found.state in SETTLED:
            return found
        future = self._processor.follow(found.id)
        reply = await self.within(future, found.id, wait)
        return reply.invocation if isinstance(reply, Created) else self.find(found.id)

    async def within(self, future: asyncio.Future[Reply], invocation_id: str, wait: float) -> Reply:
        """Awaits a reply for at most `wait` seconds; None when the time is up.

        Without a wait the reply comes with the next commit, and is waited for as long as that takes.
        So it is when the time is up before the invocation is committed: then nothing is known yet.
        The timer is a plain handle: `asyncio.wait_for` costs several times as much per request.
        """
        handle = None
        if wait > 0:
            handle = asyncio.get_running_loop().call_later(
                wait, self._expire, future, invocation_id
            )
        try:
            return await future
        except ProcessorEndedError as error:
            raise unavailable("ended", "the control plane has stopped") from error
        finally:
            if handle is not None:
                handle.cancel()
            if future.cancelled() or not future.done() or handle is not None:
                self._processor.waiting.unfollow(invocation_id, future)

    def _expire(self, future: asyncio.Future[Reply], invocation_id: str) -> None:
        if not future.done() and self._processor.find(invocation_id) is not None:
            future.set_result(None)
