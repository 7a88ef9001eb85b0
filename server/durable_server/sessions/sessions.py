"""The sessions of workers: the rules from a worker's hello to the end of its stream.

A hello registers the worker's handlers and brings both sides' view of its attempts together: the worker
names the attempts that it still holds, and the log says which ones it owns. After that, its `Attempts`
take what it reports, and the processor sends to it through its `Stream`.

How a session ends decides about the attempts. A worker that has announced that it leaves gives them
back at once. A worker whose connection breaks keeps them for the grace period, so that a short network
failure costs no attempt; after that, other workers get them. A new leader grants the same period to the
workers that the log names, and to workers that own nothing, because they may run a version that an
invocation waits for.

worker.proto specifies the protocol. Nothing here knows messages or connections; `rpc.worker` does.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from ..core.effects import Complete
from ..core.entry_kinds import KINDS
from ..core.limits import Limits
from ..core.model import Handler, Invocation
from ..core.records import AttemptReleased, HandlerRegistered
from ..processor.errors import InvalidFieldError
from ..processor.router import Router
from ..processor.shares import Holding
from ..processor.workers import Outbound, Worker, Workers
from .attempts import Attempts
from .times import SessionTimes

logger = logging.getLogger("durable.workers")

_WORKER_ID_CHARACTERS = 64


class Hello(NamedTuple):
    """How a worker describes itself at the beginning of a session."""

    worker_id: str
    identity: str
    build_id: str
    slot_count: int
    handlers: list[Handler]
    resumed: Mapping[str, int]
    """The attempts that it still holds, by invocation id."""


class Stream(Outbound, Protocol):
    """The connection of one session, as its rules need it."""

    def welcome(self, epoch: int) -> None:
        """Accepts the worker."""
        ...

    def drain(self) -> None:
        """Asks the worker to reconnect, because this control plane stops."""
        ...

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be written."""
        ...


class Session(NamedTuple):
    """One open session."""

    worker: Worker
    stream: Stream
    attempts: Attempts


class Sessions:
    """All sessions of one control plane."""

    def __init__(
        self, router: Router, workers: Workers, limits: Limits, times: SessionTimes
    ) -> None:
        self._router = router
        self._workers = workers
        self._limits = limits
        self._times = times
        self._random = random.Random()
        self._streams: set[Stream] = set()
        for worker in workers:
            self._grant_grace(worker)
        workers.returning = True
        asyncio.get_running_loop().call_later(times.grace, self._all_returned)

    @property
    def idle(self) -> bool:
        """Whether everything is written, and nothing waits for a worker that is away."""
        return (
            all(stream.idle for stream in self._streams)
            and not any(worker.outbound is None and worker.owned for worker in self._workers)
            and not any(it.dispatcher.awaits_version for it in self._router.all())
        )

    def drain(self) -> None:
        """Asks all workers to reconnect, because this control plane stops."""
        for stream in self._streams:
            stream.drain()

    def check(self, worker_id: str, slot_count: int, handler_count: int) -> None:
        """Checks a hello before its handlers are looked at; raises InvalidFieldError."""
        limits = self._limits
        if not 1 <= len(worker_id) <= _WORKER_ID_CHARACTERS:
            problem = f"must have 1 to {_WORKER_ID_CHARACTERS} characters"
            raise InvalidFieldError("worker_id", problem, value=f"{len(worker_id)} characters")
        if not 1 <= slot_count <= limits.slots:
            problem = f"must be from 1 to {limits.slots}"
            raise InvalidFieldError("slot_count", problem, value=slot_count, limit=limits.slots)
        if handler_count > limits.handlers:
            problem = f"{handler_count} are more than the limit"
            raise InvalidFieldError("handlers", problem, value=handler_count, limit=limits.handlers)

    async def open(self, hello: Hello, stream: Stream) -> Session:
        """Puts a worker into service. Raises ProcessorEndedError."""
        first, *others = self._router.all()
        # Requests ask the first partition for handlers, so what it knows, the others must know.
        for processors in (others, [first]):
            await asyncio.gather(
                *(
                    processor.inputs.propose(HandlerRegistered(handler))
                    for processor in processors
                    for handler in hello.handlers
                    if processor.partition.handlers.get(handler.name) != handler
                )
            )
        worker = self._workers.expect(hello.worker_id)
        worker.identity, worker.build_id = hello.identity, hello.build_id
        worker.handlers = {it.name: it.version for it in hello.handlers}
        worker.share = Holding(hello.slot_count)
        stream.welcome(self._router.any().epoch)
        self._take_up(worker, hello.resumed, stream)
        self._workers.connect(worker, stream, self._router.any().now_ms())
        # A handler may have another limit than before.
        self._workers.sharing.changed()
        self._wake()
        self._streams.add(stream)
        logger.info(
            "worker %s (%s) serves %s", worker.id, worker.identity, ", ".join(worker.handlers)
        )
        return Session(worker, stream, Attempts(self._router, self._limits, worker, stream))

    def draining(self, session: Session) -> None:
        """Notes that a worker takes no new attempts and will leave when it has none."""
        session.worker.draining = True
        # An invocation that waits for this worker's version may go to another worker now.
        self._wake()

    def close(self, session: Session, *, left: bool) -> None:
        """Ends a session; `left` says that the worker has announced it and closed the stream."""
        worker, stream = session.worker, session.stream
        self._streams.discard(stream)
        if worker.outbound is not stream:
            return  # a newer session of the same worker has replaced this one
        self._workers.disconnect(worker)
        if self._router.any().ended.done():
            return
        if left:
            for invocation_id, attempt in worker.owned.items():
                self._submit(AttemptReleased(invocation_id, attempt))
            self._workers.remove(worker)
            self._wake()
            logger.info("worker %s (%s) left", worker.id, worker.identity)
        else:
            logger.info("worker %s (%s) is away", worker.id, worker.identity)
            self._grant_grace(worker)

    def _take_up(self, worker: Worker, resumed: Mapping[str, int], stream: Stream) -> None:
        """Brings both sides' view of a worker's attempts together.

        An attempt that the worker owns but does not hold any more is released. One that it holds but
        does not own any more is abandoned. For the others everything is sent again that it may have
        missed.
        """
        for invocation_id, attempt in worker.owned.items():
            found = self._committed(invocation_id, attempt)
            # An assignment that is not committed yet is dispatched on this stream when it is.
            if found is not None and resumed.get(invocation_id) != attempt:
                self._submit(AttemptReleased(invocation_id, attempt))
        for invocation_id, attempt in resumed.items():
            if worker.owned.get(invocation_id) != attempt:
                stream.abandon(invocation_id, attempt, "it was given to another worker")
                continue
            found = self._committed(invocation_id, attempt)
            if found is not None:
                self._resend(worker, found, stream)

    def _resend(self, worker: Worker, invocation: Invocation, stream: Stream) -> None:
        """Sends everything about an attempt that its worker may have missed."""
        if invocation.cancel_number:
            stream.request_cancel(invocation)
        if invocation.pause_ms:
            stream.request_pause(invocation.id, invocation.attempt)
        for row in self._router.for_id(invocation.id).store.journal(invocation.number):
            by_worker = KINDS[row.kind].by_worker
            if not by_worker and row.completion > 0 and row.outcome is not None:
                stream.complete(
                    Complete(
                        worker.id,
                        invocation.id,
                        invocation.attempt,
                        row.entry_index,
                        row.outcome,
                        row.completion,
                        row.completed_ms,
                    )
                )

    def _committed(self, invocation_id: str, attempt: int) -> Invocation | None:
        """Returns an invocation if this attempt of it has begun and is its latest."""
        found = self._router.for_id(invocation_id).partition.invocations.get(invocation_id)
        return found if found is not None and found.attempt == attempt else None

    def _grant_grace(self, worker: Worker) -> None:
        asyncio.get_running_loop().call_later(self._times.grace, self._grace_over, worker)

    def _grace_over(self, worker: Worker) -> None:
        """Gives a worker's attempts to others, unless it has come back or was lost before."""
        if worker.outbound is not None or self._workers.get(worker.id) is not worker:
            return
        logger.warning("worker %s (%s) is lost", worker.id, worker.identity)
        self._workers.remove(worker)
        self._wake()
        for invocation_id, attempt in worker.owned.items():
            self._submit(AttemptReleased(invocation_id, attempt, True, self._random.random()))

    def _all_returned(self) -> None:
        self._workers.returning = False
        self._wake()

    def _submit(self, record: AttemptReleased) -> None:
        self._router.for_id(record.invocation_id).inputs.submit(record)

    def _wake(self) -> None:
        for processor in self._router.all():
            processor.inputs.wake()
