"""The router: finds the processor of the partition to which an id or a key belongs, and joins them.

Requests of clients, sessions of workers and messages between partitions reach a partition only through
the router, so none of them knows how many there are. `core.ids` says where something lives: an
invocation by the first four digits of its id, an awakeable with the invocation that its id names, or by
a hash of its id, and the state of an object key with the invocations of that key.

The router has the partitions that this process leads. With one process these are all. A node of a
cluster leads some of them, and which ones changes while it runs; for the others there is
NotLeadingError, and who gets it may ask another node.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from ..core import ids
from ..core.levels import FORMAT_LEVEL, needed
from ..core.messages import StartChild
from ..core.model import Handler
from ..core.records import HandlerRegistered, OutboxAcknowledged, Received
from ..core.replies import Reply, Seen
from .checks import HANDLER_NAME
from .errors import NotLeadingError, ProcessorEndedError
from .loop import Processor
from .schema_check import check_received

Remote = Callable[[int, Received], Awaitable[int]]
"""Delivers messages to the leader of a partition in another process; see `outbox.Link`."""
AskHandler = Callable[[str], Awaitable[Handler | None]]
"""Returns a handler that another process knows, by its name."""


class Router:
    """The partitions that this process leads, out of `count` in all."""

    def __init__(self, count: int, processors: Sequence[Processor] = ()) -> None:
        self.count = count
        """The number of partitions of the system, led here or not."""
        self.remote: Remote = _nowhere
        """The way to partitions that are not led here."""
        self.holds: Callable[[], bool] = _always
        """Returns whether this process may still count as the leader of its partitions. If not, another
        one may have taken over without this one knowing, so it must not answer reads.
        """
        self.ask: AskHandler = _nobody
        """Asks the other processes for a handler."""
        self._declared: dict[str, Handler] = {}
        """What workers have declared here, or what other processes have told."""
        self._doubted: dict[Processor, asyncio.Future[Reply]] = {}
        """Those whose log has not shown yet that no other leader was there, with the record of that."""
        self._given: dict[Processor, set[str]] = {}
        """The handlers that each partition led here did not know and has got."""
        self._processors: dict[int, Processor] = {}
        self._all: Sequence[Processor] = ()
        self._listeners: list[Callable[[], None]] = []
        self._problem_listeners: list[Callable[[], None]] = []
        for processor in processors:
            self.add(processor)

    def add(self, processor: Processor) -> None:
        """Adds a partition that this process leads from now on."""
        processor.on_problem_changed = self._problem_changed
        self._processors[processor.partition.index] = processor
        self._given[processor] = set()
        if self.count > 1:
            processor.outbox.connect(self._deliver)
        self._changed()

    def remove(self, processor: Processor) -> None:
        """Removes a partition that this process does not lead any more."""
        self._doubted.pop(processor, None)
        if self._processors.get(processor.partition.index) is processor:
            del self._processors[processor.partition.index], self._given[processor]
            self._changed()

    def doubt(self, processor: Processor) -> None:
        """Answers no reads of a partition until an append has shown that it is still led here.

        Another leader may have been there and may be gone, so that nobody tells of it. Its fence
        refuses the append.
        """
        index = processor.partition.index
        # It changes nothing, because a partition sends no messages to itself.
        shown = self._doubted[processor] = processor.inputs.propose(OutboxAcknowledged(index, 0))

        def done(_: asyncio.Future[Reply]) -> None:
            if self._doubted.get(processor) is not shown:
                return  # there is a newer doubt, or it was removed
            refused = shown.cancelled() or shown.exception() is not None
            if not refused or self._processors.get(index) is not processor:
                del self._doubted[processor]
                self._changed()

        shown.add_done_callback(done)

    def listen(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Calls `changed` whenever a partition was added or removed, or answers reads again; returns
        what ends this.
        """
        self._listeners.append(changed)
        return lambda: self._listeners.remove(changed)

    def for_id(self, invocation_id: str) -> Processor:
        """Returns the processor of an invocation, whether it exists or not. Raises NotLeadingError."""
        return self._find(ids.partition(invocation_id, self.count))

    def for_record(self, invocation_id: str) -> Processor:
        """Returns the processor of an invocation, to propose a record about it.

        Unlike reading by `for_id`, this needs no certainty that this process still leads the partition,
        because the log refuses the records of a leader that was replaced. Raises NotLeadingError.
        """
        number = self.partition(invocation_id)
        processor = self._processors.get(number)
        if processor is None:
            raise NotLeadingError(number)
        return processor

    def leads(self, invocation_id: str) -> bool:
        """Returns whether this process leads the partition of an invocation."""
        return self.partition(invocation_id) in self._processors

    def partition(self, invocation_id: str) -> int:
        """Returns the number of the partition of an invocation, led here or not."""
        return ids.partition(invocation_id, self.count)

    def for_awakeable(self, awakeable_id: str) -> Processor:
        """Returns the processor of an awakeable, whether it exists or not. Raises NotLeadingError."""
        return self._find(ids.awakeable_partition(awakeable_id, self.count))

    def for_object(self, key: str) -> Processor:
        """Returns the processor that keeps the state of objects with this key.

        Raises NotLeadingError.
        """
        return self._find(ids.object_partition(key, self.count))

    def for_builds(self) -> Processor:
        """Returns the processor of partition 0, which knows all about builds and routes.

        Raises NotLeadingError.
        """
        return self._find(0)

    def any(self) -> Processor:
        """Returns a processor to ask for what is the same in all: the handlers, and the time.

        It is the one in which handlers are registered last; see also `handler`. Raises NotLeadingError
        when this process leads none.
        """
        found = next((it for it in self._all if self.answers(it)), None)
        if found is None:
            raise NotLeadingError(-1)
        return found

    def answers(self, processor: Processor) -> bool:
        """Returns whether reads of a partition that is led here may be answered now."""
        return processor not in self._doubted and self.holds()

    # Handlers

    def declare(self, handlers: Iterable[Handler]) -> None:
        """Notes handlers that a worker is about to register, for partitions that come meanwhile."""
        self._declared.update({it.name: it for it in handlers})

    def known(self, name: str) -> Handler | None:
        """Returns a handler that this process knows, whichever partition has it."""
        found = self._declared.get(name)
        if found is None:
            had = (it.partition.handlers.get(name) for it in self._all)
            found = next((it for it in had if it is not None), None)
        return found

    def handler(self, processor: Processor, name: str) -> Handler | None:
        """Returns a handler that a partition knows by the next record; None if none here knows it.

        A partition that had no leader while a worker registered its handlers lacks them. It gets this
        one when it is needed, because the rules would take an invocation of an unknown handler for a
        workflow's, without a lock of its object key.
        """
        found = processor.partition.handlers.get(name)
        if found is None:
            found = self.known(name)
            given = self._given.get(processor)  # None if it has been released meanwhile
            if found is not None and given is not None and name not in given:
                given.add(name)
                processor.inputs.submit(HandlerRegistered(found))
        return found

    async def learn(self, name: str) -> None:
        """Asks the other processes for a handler that this one does not know.

        Not for what is no name of a handler, which may be as long as a request.
        """
        found = await self.ask(name) if HANDLER_NAME.fullmatch(name) else None
        if found is not None:
            self._declared.setdefault(name, found)

    async def find_handler(self, processor: Processor, name: str) -> Handler | None:
        """Returns a handler as `handler` does; None if no process that answers knows it."""
        found = self.handler(processor, name)
        if found is None:
            await self.learn(name)
            found = self.handler(processor, name)
        return found

    def all(self) -> Sequence[Processor]:
        """Returns all processors by their partitions."""
        return self._all

    @property
    def problem(self) -> str:
        """Why nothing can be accepted now, for people; empty when all is well."""
        return next((it.problem for it in self._all if it.problem), "")

    def on_problem_changed(self, changed: Callable[[], None]) -> None:
        """Calls `changed` whenever `problem` may have changed."""
        self._problem_listeners.append(changed)

    async def receive(self, destination: int, received: Received) -> int:
        """Takes messages for a partition that is led here; returns up to which it has seen them.

        Raises ProcessorEndedError when it is not led here; RecordTooLargeError.
        """
        processor = self._processors.get(destination)
        if processor is None:
            raise ProcessorEndedError(f"this process does not lead partition {destination}")
        for message in received.messages:
            if isinstance(message, StartChild):
                # Its sender knows it.
                name = message.handler
                if await self.find_handler(processor, name) is None:
                    raise ProcessorEndedError(f"partition {destination} does not know {name} yet")
        # The sender's log has the level that its messages need, and so has the system, even if this
        # process has not heard of the rise yet.
        if processor.inputs.level < FORMAT_LEVEL:
            processor.allow_level(needed(received))
        reply = await processor.inputs.propose(await check_received(processor, received))
        assert isinstance(reply, Seen)
        return reply.sequence

    def _find(self, partition: int) -> Processor:
        processor = self._processors.get(partition)
        if processor is None or not self.answers(processor):
            raise NotLeadingError(partition)
        return processor

    async def _deliver(self, destination: int, received: Received) -> int:
        if destination in self._processors:
            return await self.receive(destination, received)
        return await self.remote(destination, received)

    def _changed(self) -> None:
        self._all = [it for _, it in sorted(self._processors.items())]
        for listener in (*self._listeners, *self._problem_listeners):
            listener()

    def _problem_changed(self) -> None:
        for listener in self._problem_listeners:
            listener()


async def _nowhere(destination: int, received: Received) -> int:
    raise ProcessorEndedError(f"no process leads partition {destination} now")


async def _nobody(_name: str) -> Handler | None:
    return None


def _always() -> bool:
    return True
