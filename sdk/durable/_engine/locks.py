"""Patches for asyncio's locks, events, conditions, semaphores, barriers and queues: each gets an owner.

An object that was made elsewhere (at the top of a module, in another invocation) would be shared by
invocations that run independently. What one of them does would depend on what the others do at that
time, so a replay would differ. And an object that a workflow makes and a step uses is not used in a
replay, because the step does not run again. Asyncio notices only some of these mistakes, and only
when a task has to wait.

So each object keeps the workflow loop whose code made it, and works on that loop only; a workflow can
wait only for its own objects. The objects of ordinary loops work as before. The patches are installed
when a process runs its first workflow.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from asyncio.events import _get_running_loop
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from .._common.errors import NonDurableAwaitError
from .loop import WorkflowLoop

_WAITS: Final[dict[type, tuple[str, ...]]] = {
    asyncio.Lock: ("acquire",),
    asyncio.Event: ("wait",),
    asyncio.Condition: ("wait", "notify"),  # `notify` needs the condition's lock
    asyncio.Semaphore: ("acquire",),
    asyncio.Queue: ("get", "put", "get_nowait", "join"),
    asyncio.Barrier: ("wait",),
}
"""Methods whose result depends on what other code does."""
_WAKES: Final[dict[type, tuple[str, ...]]] = {
    asyncio.Lock: ("release",),
    asyncio.Event: ("set", "clear"),
    asyncio.Semaphore: ("release",),
    asyncio.Queue: ("put_nowait",),
}
"""Methods that other code depends on. A workflow may call them on one that was made elsewhere, as it
may append to a list."""
_OWNER: Final = "_durable_loop"
"""The attribute with the workflow's loop whose code has made it; others do not have the attribute."""

_installed: list[bool] = []


def install() -> None:
    """Installs the patches, unless they are installed already."""
    if not _installed:
        _installed.append(True)
        for kind, names in _WAITS.items():
            _patch(kind, "__init__", _made)
            for name in names:
                _patch(kind, name, _used)
        for kind, names in _WAKES.items():
            for name in names:
                _patch(kind, name, partial(_used, may_be_shared=True))


def _patch(kind: Any, name: str, around: Callable[[Any, str], Any]) -> None:
    original = getattr(kind, name)
    setattr(kind, name, functools.wraps(original)(around(original, name)))


def _made(original: Any, name: str) -> Any:
    def made(self: Any, *args: Any, **kwargs: Any) -> None:
        loop = _get_running_loop()
        if isinstance(loop, WorkflowLoop):
            setattr(self, _OWNER, loop)
        original(self, *args, **kwargs)

    return made


def _used(original: Any, name: str, *, may_be_shared: bool = False) -> Any:
    def check(self: Any) -> None:
        loop = _get_running_loop()
        owner = self.__dict__.get(_OWNER)
        if owner is loop:
            return
        if owner is not None or (isinstance(loop, WorkflowLoop) and not may_be_shared):
            raise _misuse(f"asyncio.{type(self).__name__}.{name}", owner, loop)

    def used(self: Any, *args: Any, **kwargs: Any) -> Any:
        check(self)
        return original(self, *args, **kwargs)

    async def awaited(self: Any, *args: Any, **kwargs: Any) -> Any:
        check(self)
        return await original(self, *args, **kwargs)

    return awaited if inspect.iscoroutinefunction(original) else used


def _misuse(what: str, owner: Any, loop: Any) -> NonDurableAwaitError:
    if isinstance(loop, WorkflowLoop):
        where = "outside of any workflow" if owner is None else "in another invocation"
        return NonDurableAwaitError(
            f"a workflow used {what} of one that was made {where}, so that invocations would share"
            " it; make it within the workflow, or use a virtual object (@durable.object), whose"
            " handlers have their turns, for what invocations share"
        )
    return NonDurableAwaitError(
        f"{what} of one that a workflow has made was used outside of that workflow's code, within a"
        " step or in another thread; a replay would not repeat that: use it in the workflow, before or"
        " after the step"
    )
