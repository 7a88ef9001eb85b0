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

from collections.abc import Awaitable, Callable, Sequence

from ..core import ids
from ..core.messages import StartChild
from ..core.model import Handler
from ..core.records import HandlerRegistered, Received
from ..core.replies import Seen
from .errors import NotLeadingError, ProcessorEndedError
from .loop import Processor

Remote = Callable[[int, Received], Awaitable[int]]
"""Delivers messages to the leader of a partition in another process; see `outbox.Link`."""


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
        if self.count > 1:
            processor.outbox.connect(self._deliver)
        self._changed()

    def remove(self, processor: Processor) -> None:
        """Removes a partition that this process does not lead any more."""
        if self._processors.get(processor.partition.index) is processor:
            del self._processors[processor.partition.index]
            self._changed()

    def listen(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Calls `changed` whenever a partition was added or removed; returns what ends this."""
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

    def any(self) -> Processor:
        """Returns a processor to ask for what is the same in all: the handlers, and the time.

        It is the one in which handlers are registered last; see also `handler`. Raises NotLeadingError
        when this process leads none.
        """
        if not (self._all and self.holds()):
            raise NotLeadingError(-1)
        return self._all[0]

    def handler(self, processor: Processor, name: str) -> Handler | None:
        """Returns a handler that a partition knows by the next record; None if none here knows it.

        A partition that had no leader while a worker registered its handlers lacks them until the
        worker connects again. It gets this one from another partition, because the rules would take an
        invocation of an unknown handler for a workflow's, without a lock of its object key.
        """
        found = processor.partition.handlers.get(name)
        if found is None:
            known = (it.partition.handlers.get(name) for it in self._all)
            found = next((it for it in known if it is not None), None)
            if found is not None:
                processor.inputs.submit(HandlerRegistered(found))
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
                self.handler(processor, message.handler)
        reply = await processor.inputs.propose(received)
        assert isinstance(reply, Seen)
        return reply.sequence

    def _find(self, partition: int) -> Processor:
        processor = self._processors.get(partition)
        if processor is None or not self.holds():
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


def _always() -> bool:
    return True
