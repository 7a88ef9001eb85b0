"""The sessions of workers: the rules from a worker's hello to the end of its stream.

A hello registers the worker's handlers and brings both sides' view of its attempts together: the worker
names the attempts that it still holds, and the log says which ones it owns. After that, its `Attempts`
take what it reports, and the processor sends to it through its `Stream`.

How a session ends decides about the attempts. A worker that has announced that it leaves gives them
back at once. A worker whose connection breaks keeps them for the grace period, so that a short network
failure costs no attempt; after that, other workers get them. A new leader of a partition grants the
same period to the workers that the log names, and to workers that own nothing, because they may run a
version that an invocation waits for.

In a cluster a worker has one connection, to its entry node, and a session on each node that leads a
partition: the entry node relays it to the others (`rpc.relay`). Here a relayed session differs by the
name of the entry node only.

worker.proto specifies the protocol. Nothing here knows messages or connections; `rpc.worker` does.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

from ..access.access import Scope
from ..access.current import current
from ..core.deployments import BUILDS_MAX
from ..core.effects import Complete
from ..core.entry_kinds import KINDS
from ..core.limits import Limits
from ..core.model import Handler, Invocation
from ..core.records import AttemptReleased, DeploymentRegistered, HandlerRegistered
from ..processor.clock import WallClock
from ..processor.demand import Demand
from ..processor.errors import InvalidFieldError, NotPermittedError, SessionReplacedError
from ..processor.loop import Processor
from ..processor.router import Router
from ..processor.shares import Holding
from ..processor.workers import Outbound, Worker, Workers
from .attempts import Attempts
from .foreign import Lookup
from .times import SessionTimes

logger = logging.getLogger("durable.workers")

_WORKER_ID_CHARACTERS = 64
_SERVES = (Scope.WORKER,)
"""What a caller needs for the handlers that it serves."""


class Hello(NamedTuple):
    """How a worker describes itself at the beginning of a session."""

    worker_id: str
    identity: str
    build_id: str
    slot_count: int
    handlers: list[Handler]
    resumed: Mapping[str, int]
    """The attempts that it still holds, by invocation id."""
    session_number: int = 0
    """The number of the session among those of the worker; 0 if it does not count them."""
    entry_node: str = ""
    """The node that the worker has dialled, if that is another one."""
    epochs: Mapping[int, int] | None = None
    """The partitions whose attempts `resumed` tells, each with the epoch in which it is led here; None
    for all. While the hello was on its way, this node may have gained others, and before it did, the
    node that led them may have given attempts to this session by way of the entry node.
    """


class Stream(Outbound, Protocol):
    """The connection of one session, as its rules need it."""

    def welcome(self, epoch: int) -> None:
        """Accepts the worker."""
        ...

    def drain(self, delay_seconds: float = 0.0, *, elsewhere: bool = False) -> None:
        """Asks the worker to reconnect after a delay; `elsewhere` to another node, if it knows one."""
        ...

    def replaced(self) -> None:
        """Notes that a newer session of the same worker has replaced this one."""
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
        self.demand: Demand | None = None
        """What waits here for slots that other nodes have; None without other nodes."""
        self.lookup: Lookup | None = None
        """Finds out whose something is; needed where workers are bound to namespaces."""
        self._router = router
        self._workers = workers
        self._limits = limits
        self._times = times
        self._random = random.Random()
        self._streams: set[Stream] = set()
        self._current: dict[str, Stream] = {}
        """The stream of the newest session of each connected worker."""
        self._away: dict[Worker, asyncio.TimerHandle] = {}
        """The ends of the grace periods of the workers that are away."""
        self._returning: asyncio.TimerHandle | None = None
        self._led: Iterable[Processor] = ()
        self._partitions_changed()
        router.listen(self._partitions_changed)

    @property
    def idle(self) -> bool:
        """Whether everything is written, and nothing waits for a worker that is away."""
        return (
            all(stream.idle for stream in self._streams)
            and not any(worker.outbound is None and worker.owned for worker in self._workers)
            and not any(it.dispatcher.awaits_return for it in self._router.all())
        )

    async def learn(self, name: str) -> None:
        """See `Router.learn`."""
        await self._router.learn(name)

    @property
    def current(self) -> bool:
        """Whether this process may still count as the leader of its partitions; see `Router.holds`."""
        return self._router.holds()

    def entry_nodes(self, here: str) -> Iterable[str]:
        """Returns the node that each connected worker has dialled; `here` is the name of this one."""
        return [it.entry_node or here for it in self._workers if it.outbound is not None]

    def drain(self) -> None:
        """Asks all workers to reconnect, because this control plane stops."""
        for stream in self._streams:
            stream.drain(elsewhere=True)

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

    def check_permitted(self, worker_id: str, handlers: Iterable[str]) -> None:
        """Checks that the current caller may serve what a worker registers, and as this worker.

        Raises NotPermittedError and InvalidFieldError.
        """
        access = current()
        if access.everywhere(_SERVES):
            return
        for name in handlers:
            if not access.may(_SERVES, name):
                raise NotPermittedError(access.name, [it.value for it in _SERVES], name)
        self._check_own(worker_id)

    def _check_own(self, worker_id: str) -> None:
        """Checks that a worker is not one of others, whose attempts the current caller would get.

        Raises InvalidFieldError.
        """
        access, worker = current(), self._workers.get(worker_id)
        if worker is not None and not all(access.may(_SERVES, it) for it in worker.handlers):
            raise InvalidFieldError("worker_id", "is that of another worker; choose another one")

    @property
    def grace_seconds(self) -> float:
        """How long a worker keeps its attempts after its session broke."""
        return self._times.grace

    def keep(self, worker_id: str, seconds: float) -> None:
        """Lets a worker that is away keep its attempts, while its next session is being opened.

        The grace period begins anew after `seconds`.
        """
        worker = self._workers.get(worker_id)
        if worker is not None and worker in self._away:
            self._grant_grace(worker, seconds)

    async def open(self, hello: Hello, stream: Stream) -> Session:
        """Registers a worker's handlers and puts it into service.

        Raises ProcessorEndedError, SessionReplacedError and InvalidFieldError.
        """
        await self.register(hello)
        return self.admit(hello, stream)

    def check_newest(self, hello: Hello) -> None:
        """Raises SessionReplacedError for a hello that a later one of the worker has overtaken.

        It does not name the attempts that the worker has been given since.
        """
        worker = self._workers.get(hello.worker_id)
        if worker is not None and 0 < hello.session_number < worker.session_number:
            raise SessionReplacedError(hello.worker_id)

    async def register(self, hello: Hello) -> None:
        """Registers a worker's handlers in all partitions here. Raises ProcessorEndedError.

        A partition that is gained meanwhile gets them when it needs them, see `Router.handler`.
        """
        self._router.declare(hello.handlers)
        led = self._router.all()
        # Requests ask the first partition for handlers, so what it knows, the others must know.
        for processors in (led[1:], led[:1]):
            await asyncio.gather(
                *(
                    processor.inputs.propose(HandlerRegistered(handler))
                    for processor in processors
                    for handler in hello.handlers
                    if processor.partition.handlers.get(handler.name) != handler
                )
            )
        names = [it.name for it in hello.handlers]
        for processor, record in self._unregistered(hello.build_id, names):
            await processor.inputs.propose(record)

    def _unregistered(
        self, build_id: str, handlers: Iterable[str]
    ) -> Iterator[tuple[Processor, DeploymentRegistered]]:
        """Yields what registers a worker's build, if partition 0 is led here and does not know it."""
        for processor in self._router.all()[:1]:
            partition = processor.partition
            if partition.index or not build_id:
                return
            known = partition.deployments.get(build_id)
            if known is None or not set(handlers).issubset(known.handlers):
                in_use = () if known is not None else self._in_use(partition.deployments)
                yield processor, DeploymentRegistered(build_id, tuple(sorted(handlers)), in_use)

    def _in_use(self, builds: Collection[str]) -> tuple[str, ...]:
        """Returns those of some builds that are not to be forgotten; empty if there is room for more.

        They have workers, or invocations here are pinned to them. While workers may still come back
        after a takeover, nobody can tell, so all of them count.
        """
        if len(builds) < BUILDS_MAX:
            return ()
        if self._workers.returning:
            return tuple(sorted(builds))
        used = {it.build_id for it in self._workers}
        used.update(self._pinned())
        return tuple(sorted(used.intersection(builds)))

    def _register_builds(self, workers: Iterable[Worker]) -> None:
        """Registers the builds of connected workers, if partition 0 has come here since their hello."""
        for worker in workers:
            if worker.outbound is not None:
                for processor, record in self._unregistered(worker.build_id, worker.handlers):
                    processor.inputs.submit(record)

    def admit(self, hello: Hello, stream: Stream) -> Session:
        """Puts a worker into service whose handlers are registered.

        Raises SessionReplacedError and InvalidFieldError.
        """
        # Another one may have come while the handlers were being registered.
        self.check_newest(hello)
        self._check_own(hello.worker_id)
        worker = self._workers.expect(hello.worker_id)
        worker.session_number = hello.session_number
        worker.identity, worker.build_id = hello.identity, hello.build_id
        worker.entry_node = hello.entry_node
        worker.handlers = {it.name: it.version for it in hello.handlers}
        worker.pinned = frozenset(it.name for it in hello.handlers if it.pinned)
        worker.share = Holding(hello.slot_count)
        led = self._router.all()
        stream.welcome(led[0].epoch if led else 0)
        self._take_up(worker, hello, stream)
        if worker in self._away:
            self._away.pop(worker).cancel()
        self._workers.connect(worker, stream, led[0].now_ms() if led else WallClock().now_ms())
        self._register_builds([worker])
        # A handler may have another limit than before.
        self._workers.sharing.changed()
        self._wake()
        if worker.id in self._current:
            self._current[worker.id].replaced()
        self._current[worker.id] = stream
        self._streams.add(stream)
        logger.info(
            "worker %s (%s) serves %s", worker.id, worker.identity, ", ".join(worker.handlers)
        )
        attempts = Attempts(self._router, self._limits, worker, stream, current().namespace)
        return Session(worker, stream, attempts)

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
        del self._current[worker.id]
        self._workers.disconnect(worker)
        led = self._router.all()
        if self.demand is None and all(it.ended.done() for it in led):
            return  # this process stops, while a node leads its partitions again or others
        if left:
            for invocation_id, attempt in worker.owned.items():
                self._submit(AttemptReleased(invocation_id, attempt))
            self._workers.remove(worker)
            self._wake()
            logger.info("worker %s (%s) left", worker.id, worker.identity)
            self._warn_of_builds(worker.build_id)
        else:
            logger.info("worker %s (%s) is away", worker.id, worker.identity)
            self._grant_grace(worker)

    def _take_up(self, worker: Worker, hello: Hello, stream: Stream) -> None:
        """Brings both sides' view of a worker's attempts together.

        An attempt that the worker owns but does not hold any more is released. One that it holds but
        does not own any more is abandoned. For the others everything is sent again that it may have
        missed.
        """
        resumed, epochs = hello.resumed, hello.epochs
        for invocation_id, attempt in worker.owned.items():
            if not self._router.leads(invocation_id):
                continue
            leading = self._router.for_record(invocation_id)
            if epochs is not None and epochs.get(leading.partition.index) != leading.epoch:
                continue  # the entry node asks the worker to reconnect once it has heard who leads
            found = self._committed(invocation_id, attempt)
            # An assignment that is not committed yet is dispatched on this stream when it is.
            if found is not None and resumed.get(invocation_id) != attempt:
                self._submit(AttemptReleased(invocation_id, attempt))
        for invocation_id, attempt in resumed.items():
            if not self._router.leads(invocation_id):
                continue  # its partition has moved, and the worker is told so
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
        for row in self._router.for_record(invocation.id).store.journal(invocation.number):
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
        if not self._router.leads(invocation_id):
            return None
        invocations = self._router.for_record(invocation_id).partition.invocations
        found = invocations.get(invocation_id)
        return found if found is not None and found.attempt == attempt else None

    # Grace

    def _partitions_changed(self) -> None:
        """Grants the grace period after a takeover: this process leads a partition that it did not."""
        led = self._router.all()
        new = {it.partition.index for it in led if it not in self._led}
        self._led = led
        if not new:
            return
        if 0 in new:
            self._register_builds(self._workers)
        for worker in self._workers:
            if worker.outbound is None and not new.isdisjoint(
                map(self._router.partition, worker.owned)
            ):
                self._grant_grace(worker)
        self._workers.returning = True
        if self._returning is not None:
            self._returning.cancel()
        self._returning = asyncio.get_running_loop().call_later(
            self._times.grace, self._all_returned
        )

    def _grant_grace(self, worker: Worker, more_seconds: float = 0.0) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + self._times.grace + more_seconds
        if worker in self._away:
            end = max(end, self._away[worker].when())
            self._away[worker].cancel()
        self._away[worker] = loop.call_at(end, self._grace_over, worker)

    def _grace_over(self, worker: Worker) -> None:
        """Gives a worker's attempts to others, unless it has left."""
        del self._away[worker]
        if self._workers.get(worker.id) is not worker:
            return
        logger.warning("worker %s (%s) is lost", worker.id, worker.identity)
        self._workers.remove(worker)
        self._wake()
        for invocation_id, attempt in worker.owned.items():
            self._submit(AttemptReleased(invocation_id, attempt, True, self._random.random()))
        self._warn_of_builds(worker.build_id)

    def _all_returned(self) -> None:
        self._workers.returning = False
        self._wake()
        self._warn_of_builds()

    def _warn_of_builds(self, build_id: str | None = None) -> None:
        """Warns of invocations that cannot go on because the last worker of their build has gone.

        With a build only of those that are pinned to it.
        """
        if self._workers.returning or build_id == "":
            return  # it is too early to tell, or the worker had no build
        if build_id is not None and self._workers.has_build(build_id):
            return
        for build, count in sorted(self._pinned().items()):
            if build_id in (None, build) and not self._workers.has_build(build):
                logger.warning(
                    "no worker of build %s is connected, and invocations that have not ended are pinned"
                    " to it (%d here): start one, or move them with `durable repin`",
                    build,
                    count,
                )

    def _pinned(self) -> Counter[str]:
        """Counts the invocations here that have not ended, by the build to which they are pinned."""
        counts: Counter[str] = Counter()
        # The store of one that has ended may be closed.
        led = (it for it in self._router.all() if not it.ended.done())
        for processor in led:
            for build, *_, count in processor.store.pinned_counts():
                counts[build] += count
        return counts

    def _submit(self, record: AttemptReleased) -> None:
        if self._router.leads(record.invocation_id):
            self._router.for_record(record.invocation_id).inputs.submit(record)

    def _wake(self) -> None:
        for processor in self._router.all():
            processor.inputs.wake()
