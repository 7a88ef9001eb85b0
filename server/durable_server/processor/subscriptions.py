"""Those who wait for an invocation: followers for its rest, watchers for any change.

A follower's future is resolved once, when the invocation comes to rest; a watcher's event is set at
each change, and the watcher reads what is committed then. Both cost nothing for invocations that
nobody waits for: one look into a dict at a change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..core.model import Invocation
from ..core.replies import Created, Reply


class ProcessorEndedError(Exception):
    """The processor can't answer any more: the control plane stops."""


class Waiting:
    """Everybody who waits in one partition."""

    def __init__(self) -> None:
        self.count = 0
        """How many futures are not done."""
        self._followers: dict[str, list[asyncio.Future[Reply]]] = {}
        self._watchers: dict[str, list[asyncio.Event]] = {}

    def future(self) -> asyncio.Future[Reply]:
        """Makes a future that counts as waiting until it is done."""
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.count += 1
        future.add_done_callback(self._done)
        return future

    def _done(self, _future: asyncio.Future[Reply]) -> None:
        self.count -= 1

    def follow(self, invocation_id: str, future: asyncio.Future[Reply]) -> None:
        """Resolves the future when the invocation comes to rest."""
        self._followers.setdefault(invocation_id, []).append(future)

    def unfollow(self, invocation_id: str, future: asyncio.Future[Reply]) -> None:
        """Gives a future up."""
        future.cancel()
        followers = self._followers.get(invocation_id)
        if followers is not None and future in followers:
            followers.remove(future)
            if not followers:
                del self._followers[invocation_id]

    @property
    def followed(self) -> int:
        """How many futures wait for an invocation's rest."""
        return sum(not it.done() for group in self._followers.values() for it in group)

    def rest(self, invocation: Invocation) -> None:
        """The invocation has come to rest."""
        followers = self._followers.pop(invocation.id, None)
        if followers is not None:
            reply = Created(invocation)
            for future in followers:
                if not future.done():
                    future.set_result(reply)

    def watch(self, invocation_id: str, changed: asyncio.Event) -> Callable[[], None]:
        """Sets `changed` whenever the invocation changes; returns the function that ends it."""
        watchers = self._watchers.setdefault(invocation_id, [])
        watchers.append(changed)

        def end() -> None:
            watchers.remove(changed)
            if not watchers and self._watchers.get(invocation_id) is watchers:
                del self._watchers[invocation_id]

        return end

    def changed(self, invocation_id: str) -> None:
        """The invocation, or its journal, has changed."""
        if self._watchers:
            for event in self._watchers.get(invocation_id, ()):
                event.set()

    def end(self) -> None:
        """Nobody will be answered any more."""
        for followers in self._followers.values():
            for future in followers:
                refuse(future)
        self._followers.clear()
        for watchers in self._watchers.values():
            for event in watchers:
                event.set()


def refuse(future: asyncio.Future[Reply]) -> None:
    """Answers a future with ProcessorEndedError."""
    if not future.done():
        future.set_exception(ProcessorEndedError("the control plane has stopped"))
        # Marks it as seen: whoever has given up does not ask any more.
        future.exception()
