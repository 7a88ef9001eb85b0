"""Patches for what asyncio and Python do without asking the loop, installed when the SDK is imported.

Two make a replay repeat what depends on addresses:
- `asyncio.as_completed` puts raw coroutines into a set, whose order follows their addresses, before
  it makes tasks of them. It is wrapped to make the tasks first, in the given order.
- The future of `asyncio.gather` is hashed by its address. It gets a number when its hash is first
  used, which is when it is put into a set.

Two refuse a second event loop within a workflow, with an error that names the way out:
- `asyncio.run` and `asyncio.Runner`, whose own error says only that a loop runs already.

Two find what a program has not awaited:
- Nothing reports a gather that was never awaited. The loop gets each gather, and each notes
  whether anything waits for it.
- Python's warning of a coroutine that was never awaited does not name the workflow. The loop
  gets it too, except when the garbage collector finds the coroutine, which may be another
  workflow's.

All patches act only while a workflow's loop runs; otherwise asyncio works as before.
"""

from __future__ import annotations

import asyncio
import asyncio.tasks
import functools
import gc
import warnings
from asyncio import events
from collections import OrderedDict
from typing import Any

from .._common.errors import NonDurableAwaitError
from .loop import WorkflowLoop

_as_completed: Any = asyncio.as_completed


def _ordered_as_completed(fs: Any, **more: Any) -> Any:
    loop = events._get_running_loop()
    if isinstance(loop, WorkflowLoop) and not asyncio.isfuture(fs) and not asyncio.iscoroutine(fs):
        if isinstance(fs, set | frozenset) and any(not asyncio.isfuture(it) for it in fs):
            raise NonDurableAwaitError(
                "asyncio.as_completed was given a set of coroutines, whose order a replay could not"
                " repeat; give it a list"
            )
        fs = [asyncio.ensure_future(it) for it in dict.fromkeys(fs)]
    return _as_completed(fs, **more)


_ordered_as_completed.__doc__ = _as_completed.__doc__


def _gathering_hash(self: Any) -> int:
    number = getattr(self, "_durable_number", None)
    if number is None:
        loop = self.get_loop()
        number = loop.next_number() if isinstance(loop, WorkflowLoop) else object.__hash__(self)
        self._durable_number = number
    return int(number)


def _refusing(original: Any, name: str) -> Any:
    @functools.wraps(original)
    def refuse(*args: Any, **kwargs: Any) -> Any:
        if isinstance(events._get_running_loop(), WorkflowLoop):
            for it in args:
                if asyncio.iscoroutine(it):
                    it.close()  # otherwise Python would warn that it was never awaited
            raise NonDurableAwaitError(
                f"a workflow called {name}, and its code runs on an event loop already; write `await`"
                " in front of the coroutine, or wrap the call in ctx.run if it reaches outside"
            )
        return original(*args, **kwargs)

    return refuse


_gather: Any = asyncio.gather


def _noted_gather(*args: Any, **kwargs: Any) -> Any:
    future = _gather(*args, **kwargs)
    loop = events._get_running_loop()
    if isinstance(loop, WorkflowLoop):
        loop.gathered(future)
    return future


_noted_gather.__doc__ = _gather.__doc__
_add_done_callback: Any = asyncio.Future.add_done_callback


def _gathering_add_done_callback(self: Any, *args: Any, **kwargs: Any) -> None:
    self.durable_awaited = True
    _add_done_callback(self, *args, **kwargs)


_warn_unawaited: Any = getattr(warnings, "_warn_unawaited_coroutine", None)


_collections: OrderedDict[str, None] = OrderedDict(start=None, stop=None)
"""The beginning and the end of a run of the garbage collector, the latest one last.

The collector calls the method `move_to_end`, which is no Python code. In Python code that the collector
calls, Python would raise KeyboardInterrupt for a Ctrl-C that comes at this moment, and lose it.
"""


def _noted_unawaited(coroutine: Any) -> None:
    loop = events._get_running_loop()
    if isinstance(loop, WorkflowLoop) and list(_collections)[-1] == "stop":
        loop.never_awaited(coroutine)
    _warn_unawaited(coroutine)


def install() -> None:
    """Installs the patches; called once, by this module."""
    asyncio.as_completed = asyncio.tasks.as_completed = _ordered_as_completed
    gathering = getattr(asyncio.tasks, "_GatheringFuture", None)
    if gathering is not None:
        gathering.__hash__ = _gathering_hash
        gathering.add_done_callback = _gathering_add_done_callback
    asyncio.gather = asyncio.tasks.gather = _noted_gather
    asyncio.run = _refusing(asyncio.run, "asyncio.run")
    runner: Any = asyncio.Runner
    runner.__init__ = _refusing(runner.__init__, "asyncio.Runner")
    if _warn_unawaited is not None:
        # Called with what happens, "start" or "stop", and with facts about it, which are true.
        note: Any = _collections.move_to_end
        gc.callbacks.append(note)
        warnings.__dict__["_warn_unawaited_coroutine"] = _noted_unawaited


install()
