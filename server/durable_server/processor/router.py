"""The router: finds the processor of the partition to which an id or a key belongs.

Requests of clients and sessions of workers reach a partition only through the router, so neither knows
how many there are. There is one partition today. The first four digits of an invocation id decide its
partition (`core.ids`); an awakeable lives with the invocation that its id names, and the state of an
object key with the invocations of that key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .loop import Processor


class Router:
    """The partitions that this process leads."""

    def __init__(self, processor: Processor) -> None:
        self._processor = processor

    def for_id(self, invocation_id: str) -> Processor:
        """Returns the processor of an invocation, whether it exists or not."""
        return self._processor

    def for_awakeable(self, awakeable_id: str) -> Processor:
        """Returns the processor of an awakeable, whether it exists or not."""
        return self._processor

    def for_object(self, key: str) -> Processor:
        """Returns the processor that keeps the state of objects with this key."""
        return self._processor

    def any(self) -> Processor:
        """Returns a processor to ask for what is the same in all: the handlers, and the time."""
        return self._processor

    def all(self) -> Sequence[Processor]:
        """Returns all processors."""
        return (self._processor,)

    @property
    def problem(self) -> str:
        """Why nothing can be accepted now, for people; empty when all is well."""
        return next((it.problem for it in self.all() if it.problem), "")

    def on_problem_changed(self, changed: Callable[[], None]) -> None:
        """Calls `changed` whenever `problem` may have changed."""
        for processor in self.all():
            processor.on_problem_changed = changed
