"""DurableWorker: the sessions of workers, from hello to the end of the stream.

A session begins with a hello, which registers handlers and brings both sides' view of the worker's
work together; then its `Stream` does the talking. How a session ends decides what becomes of the
work: a worker that leaves gives it back, one that is away keeps it for the grace period. The head of
worker.proto is the specification.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import cast

import grpc

from durable_proto.v1 import worker_pb2, worker_pb2_grpc

from ..core.effects import Complete
from ..core.entry_kinds import KINDS
from ..core.records import (
    AttemptReleased,
    HandlerRegistered,
)
from ..processor.loop import Processor
from ..processor.subscriptions import ProcessorEndedError
from ..processor.workers import Worker
from . import convert
from .refusal import Refusal, abort, invalid, protocol_violation, unavailable
from .session_reader import Inbound
from .session_writer import PROTOCOL_VERSION, Context, SessionTimes, Stream

logger = logging.getLogger("durable.workers")


class WorkerService(worker_pb2_grpc.DurableWorkerServicer):
    """The servicer of DurableWorker over one processor."""

    def __init__(self, processor: Processor, times: SessionTimes) -> None:
        self._processor = processor
        self._times = times
        self._streams: set[Stream] = set()
        for worker in processor.workers:
            # Owners from before this leader: they come back, or their work goes to others.
            self._grant_grace(worker)
        # So do workers that own nothing: they may run a version that an invocation waits for.
        processor.workers.returning = True
        asyncio.get_running_loop().call_later(times.grace, self._all_returned)

    def _all_returned(self) -> None:
        self._processor.workers.returning = False
        self._processor.wake()

    @property
    def quiet(self) -> bool:
        """Whether all that was to be said is written, and nothing waits for a worker that is away."""
        return (
            all(stream.quiet for stream in self._streams)
            and not any(
                worker.outbound is None and worker.owned for worker in self._processor.workers
            )
            and not self._processor.holds_back
        )

    def drain(self) -> None:
        """Asks all workers to reconnect: this control plane stops."""
        for stream in self._streams:
            stream.drain()

    # The stubs only know servicers that yield; grpc.aio also takes a coroutine that writes.
    async def Session(  # type: ignore[override]
        self, request_iterator: AsyncIterator[worker_pb2.SessionRequest], context: Context
    ) -> None:
        """Serves one session; see worker.proto."""
        stream = Stream(self._processor, self._times)
        task = asyncio.current_task()
        assert task is not None
        # First and awaited: it would go with the first message, and if that write is cut off by the
        # session's end, the library sends it again with the status, which fails: the peer never
        # hears of the end.
        await context.send_initial_metadata(())
        writer = asyncio.create_task(stream.write(context))
        beat = _Beat(stream, self._times, task.cancel)
        clean = False
        try:
            try:
                async with asyncio.timeout(self._times.timeout):
                    first = await context.read()
            except TimeoutError:
                seconds = self._times.timeout
                raise unavailable("silent", f"no hello came within {seconds:g} s") from None
            if first is grpc.aio.EOF:
                return
            rest = await self._hello(stream, self._sized(first))
            beat.begin()
            self._streams.add(stream)
            assert stream.worker is not None
            inbound = Inbound(self._processor, stream.worker, stream.abandon)
            inbound.receive(rest)
            while (read := await context.read()) is not grpc.aio.EOF:
                frame = self._sized(read)
                stream.heard = True
                inbound.receive(frame)
            # A broken connection may look like a half-close; a worker that leaves has said so.
            clean = stream.worker.draining
        except Refusal as error:
            await abort(context, error)
        except asyncio.CancelledError:
            if not beat.gave_up:
                raise
            task.uncancel()
            seconds = self._times.timeout
            await abort(context, unavailable("silent", f"nothing was heard for {seconds:g} s"))
        finally:
            beat.end()
            writer.cancel()
            self._streams.discard(stream)
            self._leave(stream, clean)

    def _sized(self, read: object) -> worker_pb2.SessionRequest:
        """Returns a frame that was read; raises Refusal for one over the limit."""
        frame = cast("worker_pb2.SessionRequest", read)
        limit = self._processor.limits.frame_bytes
        if (size := frame.ByteSize()) > limit:
            problem = f"a frame of {size} bytes is over the limit frame_bytes ({limit})"
            raise protocol_violation(f"{problem}; split it")
        return frame

    async def _hello(
        self, stream: Stream, frame: worker_pb2.SessionRequest
    ) -> worker_pb2.SessionRequest:
        """Puts the worker into service; returns what came with its hello."""
        processor = self._processor
        limits = processor.limits
        if not frame.messages or frame.messages[0].WhichOneof("message") != "hello":
            raise protocol_violation("the first message of a session must be a hello")
        hello = frame.messages[0].hello
        if hello.protocol_version < 1:
            raise protocol_violation(
                f"protocol version {hello.protocol_version} is not supported; "
                f"this control plane speaks {PROTOCOL_VERSION}"
            )
        if not 1 <= len(hello.worker_id) <= 64:
            size = f"{len(hello.worker_id)} characters"
            raise invalid("worker_id", "must have 1 to 64 characters", value=size)
        if not 1 <= hello.slot_count <= limits.slots:
            problem = f"must be from 1 to {limits.slots}"
            raise invalid("slot_count", problem, value=hello.slot_count, limit=limits.slots)
        if len(hello.handlers) > limits.handlers:
            count = len(hello.handlers)
            raise invalid(
                "handlers", f"{count} are more than the limit", value=count, limit=limits.handlers
            )
        convert.check_text("identity", hello.identity, limits.id_bytes, "id_bytes")
        convert.check_text("build_id", hello.build_id, limits.id_bytes, "id_bytes")
        handlers = [convert.handler(spec, limits) for spec in hello.handlers]
        known = processor.partition.handlers
        try:
            await asyncio.gather(
                *(
                    processor.propose(HandlerRegistered(it))
                    for it in handlers
                    if known.get(it.name) != it
                )
            )
        except ProcessorEndedError as error:
            raise unavailable("ended", "the control plane has stopped") from error
        worker = processor.workers.expect(hello.worker_id)
        worker.identity, worker.build_id = hello.identity, hello.build_id
        worker.handlers = {it.name: it.version for it in handlers}
        worker.slots = hello.slot_count
        stream.worker = worker
        stream.welcome()
        self._take_up(stream, worker, hello)
        processor.workers.connect(worker, stream, processor.now_ms())
        processor.wake()
        logger.info(
            "worker %s (%s) serves %s", worker.id, worker.identity, ", ".join(worker.handlers)
        )
        del frame.messages[0]
        return frame

    def _take_up(self, stream: Stream, worker: Worker, hello: worker_pb2.Hello) -> None:
        """Brings both sides' view of the worker's work together after a reconnect."""
        processor = self._processor
        resumed = {it.invocation_id: it.attempt for it in hello.resumed}
        for invocation_id, attempt in worker.owned.items():
            # What is assigned but not committed yet is dispatched on this stream when it is.
            found = processor.partition.invocations.get(invocation_id)
            committed = found is not None and found.attempt == attempt
            if committed and resumed.get(invocation_id) != attempt:
                processor.submit(AttemptReleased(invocation_id, attempt))
        for invocation_id, attempt in resumed.items():
            if worker.owned.get(invocation_id) != attempt:
                stream.abandon(invocation_id, attempt, "it was given to another worker")
                continue
            found = processor.partition.invocations.get(invocation_id)
            if found is None or found.attempt != attempt:
                continue
            if found.cancel_number:
                stream.request_cancel(found)
            if found.pause_ms:
                stream.request_pause(invocation_id, attempt)
            for row in processor.store.journal(found.number):
                by_worker = KINDS[row.kind].by_worker
                if not by_worker and row.completion > 0 and row.outcome is not None:
                    stream.complete(
                        Complete(
                            worker.id,
                            invocation_id,
                            attempt,
                            row.entry_index,
                            row.outcome,
                            row.completion,
                            row.completed_ms,
                        )
                    )

    def _leave(self, stream: Stream, clean: bool) -> None:
        worker = stream.worker
        if worker is None or worker.outbound is not stream:
            return
        processor = self._processor
        processor.workers.disconnect(worker)
        if processor.ended.done():
            return
        if clean:
            for invocation_id, attempt in worker.owned.items():
                processor.submit(AttemptReleased(invocation_id, attempt))
            processor.workers.remove(worker)
            processor.wake()
            logger.info("worker %s (%s) left", worker.id, worker.identity)
        else:
            logger.info("worker %s (%s) is away", worker.id, worker.identity)
            self._grant_grace(worker)

    def _grant_grace(self, worker: Worker) -> None:
        def over() -> None:
            if worker.outbound is None and processor.workers.get(worker.id) is worker:
                logger.warning("worker %s (%s) is lost", worker.id, worker.identity)
                processor.lose(worker)

        processor = self._processor
        asyncio.get_running_loop().call_later(self._times.grace, over)


class _Beat:
    """Sends signs of life, and ends a session that gives none."""

    def __init__(self, stream: Stream, times: SessionTimes, give_up: Callable[[], object]) -> None:
        self._stream = stream
        self._times = times
        self._give_up = give_up
        self._silent = 0.0
        self.gave_up = False
        self._handle: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        self._handle = asyncio.get_running_loop().call_later(self._times.heartbeat, self._beat)

    def end(self) -> None:
        if self._handle is not None:
            self._handle.cancel()

    def _beat(self) -> None:
        stream = self._stream
        self._silent = 0.0 if stream.heard else self._silent + self._times.heartbeat
        stream.heard = False
        if self._silent >= self._times.timeout:
            self.gave_up = True
            self._give_up()
            return
        stream.heartbeat()
        self.begin()
