"""The subscriptions of a partition: who waits for an invocation to settle, and who watches it change.

An invocation is settled when it is final or paused, see `core.states`. A waiter's future is resolved
once, when that happens. A watcher's event is set at each change; the watcher then reads the committed
state. Neither costs anything for an invocation without subscribers but one look into a dict at each
change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..core.model import Invocation
from ..core.replies import Created, Reply
from ..futures import fail
from .errors import ProcessorEndedError


class Subscriptions:
    """All waiters and watchers of one partition."""

    def __init__(self) -> None:
        self.pending_count = 0
        """How many futures are not done: those of proposals and those of waiters."""
        self._waiters: dict[str, list[asyncio.Future[Reply]]] = {}
        self.watchers: dict[str, list[asyncio.Event]] = {}
        """The events of the watchers, by invocation id."""
        self._ended = False

    def future(self) -> asyncio.Future[Reply]:
        """Makes a future that is counted until it is done."""
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.pending_count += 1
        future.add_done_callback(self._done)
        return future

    def _done(self, _future: asyncio.Future[Reply]) -> None:
        self.pending_count -= 1

    def wait(self, invocation_id: str, future: asyncio.Future[Reply]) -> None:
        """Resolves the future when the invocation settles; refuses it once nothing changes any more."""
        if self._ended:
            refuse(future)
            return
        self._waiters.setdefault(invocation_id, []).append(future)

    def cancel(self, invocation_id: str, future: asyncio.Future[Reply]) -> None:
        """Cancels a future, and its wait for the invocation if there is one."""
        future.cancel()
        waiters = self._waiters.get(invocation_id)
        if waiters is not None and future in waiters:
            waiters.remove(future)
            if not waiters:
                del self._waiters[invocation_id]

    @property
    def waiter_count(self) -> int:
        """How many futures wait for an invocation to settle."""
        return sum(not it.done() for waiters in self._waiters.values() for it in waiters)

    def settled(self, invocation: Invocation) -> None:
        """Resolves the futures of those that wait for the invocation."""
        waiters = self._waiters.pop(invocation.id, None)
        if waiters is not None:
            reply = Created(invocation)
            for future in waiters:
                if not future.done():
                    future.set_result(reply)

    def watch(self, invocation_id: str, changed: asyncio.Event) -> Callable[[], None]:
        """Sets `changed` whenever the invocation changes; returns the function that ends this.

        Sets it at once when nothing changes any more.
        """
        if self._ended:
            changed.set()
        watchers = self.watchers.setdefault(invocation_id, [])
        watchers.append(changed)

        def end() -> None:
            watchers.remove(changed)
            if not watchers and self.watchers.get(invocation_id) is watchers:
                del self.watchers[invocation_id]

        return end

    def changed(self, invocation_id: str) -> None:
        """Wakes the watchers of an invocation: it, or its journal, has changed."""
        if self.watchers:
            for event in self.watchers.get(invocation_id, ()):
                event.set()

    def end(self) -> None:
        """Refuses all waiters and wakes all watchers, because nothing will change any more."""
        self._ended = True
        for waiters in self._waiters.values():
            for future in waiters:
                refuse(future)
        self._waiters.clear()
        for watchers in self.watchers.values():
            for event in watchers:
                event.set()


def refuse(future: asyncio.Future[Reply]) -> None:
    """Answers a future with ProcessorEndedError."""
    fail(future, ProcessorEndedError("the control plane has stopped"))
