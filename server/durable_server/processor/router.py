"""The router: finds the processor of the partition to which an id or a key belongs, and joins them.

Requests of clients, sessions of workers and messages between partitions reach a partition only through
the router, so none of them knows how many there are. `core.ids` says where something lives: an
invocation by the first four digits of its id, an awakeable with the invocation that its id names, or by
a hash of its id, and the state of an object key with the invocations of that key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from ..core import ids
from ..core.records import Received
from ..core.replies import Seen
from .loop import Processor


class Router:
    """The partitions of this process, which are all there are."""

    def __init__(self, processors: Sequence[Processor]) -> None:
        """Takes the processors in the order of their partitions."""
        self.count = len(processors)
        """The number of partitions."""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when a partition cannot go on; holds its error."""
        self._processors = processors
        for processor in processors:
            processor.ended.add_done_callback(self._partition_ended)
            if self.count > 1:
                processor.outbox.connect(self._deliver)

    def for_id(self, invocation_id: str) -> Processor:
        """Returns the processor of an invocation, whether it exists or not."""
        return self._processors[ids.partition(invocation_id, self.count)]

    def for_awakeable(self, awakeable_id: str) -> Processor:
        """Returns the processor of an awakeable, whether it exists or not."""
        return self._processors[ids.awakeable_partition(awakeable_id, self.count)]

    def for_object(self, key: str) -> Processor:
        """Returns the processor that keeps the state of objects with this key."""
        return self._processors[ids.object_partition(key, self.count)]

    def any(self) -> Processor:
        """Returns a processor to ask for what is the same in all: the handlers, and the time.

        It is the one in which handlers are registered last, so what it knows, all know.
        """
        return self._processors[0]

    def all(self) -> Sequence[Processor]:
        """Returns all processors."""
        return self._processors

    @property
    def problem(self) -> str:
        """Why nothing can be accepted now, for people; empty when all is well."""
        return next((it.problem for it in self.all() if it.problem), "")

    def on_problem_changed(self, changed: Callable[[], None]) -> None:
        """Calls `changed` whenever `problem` may have changed."""
        for processor in self.all():
            processor.on_problem_changed = changed

    async def _deliver(self, destination: int, received: Received) -> int:
        reply = await self._processors[destination].inputs.propose(received)
        assert isinstance(reply, Seen)
        return reply.sequence

    def _partition_ended(self, ended: asyncio.Future[None]) -> None:
        if self.ended.done():
            return
        error = ended.exception()
        if error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)
            # Marks the exception as retrieved, because the reason may stay unread.
            self.ended.exception()
