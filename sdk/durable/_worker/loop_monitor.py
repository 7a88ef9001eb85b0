"""The loop monitor: a thread that reports code which blocks the worker's event loop, while it blocks.

Workflow code and async steps run on the worker's one event loop. A call that blocks there, such as
`time.sleep` or one of requests, stops every other invocation and the heartbeats too, and after the
session timeout the control plane takes the worker for lost. Code on the loop cannot notice that, so a
thread does: it schedules a callback on the loop, and when the callback has not run for BLOCKED_SECONDS
it reports the line that runs.

The thread looks only while the worker holds attempts. The thread of an idle worker waits on an event;
the first attempt wakes it, or starts it.
"""

from __future__ import annotations

import asyncio
import sys
import sysconfig
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

BLOCKED_SECONDS: Final = 1.0
"""How long a callback may wait for its turn on the loop before that is reported."""
BETWEEN_SECONDS: Final = 0.5
"""How long after one callback the next one is scheduled."""
AGAIN_FACTOR: Final = 10
"""By which factor a block must grow longer to be reported again."""

_PATHS: Final = sysconfig.get_paths()
_OURS: Final = (str(Path(__file__).parent.parent), _PATHS["stdlib"], _PATHS["platstdlib"])
_INSTALLED: Final = (_PATHS["purelib"], _PATHS["platlib"])
_LOOPS: Final = tuple(
    str(Path(asyncio.__file__).parent / it) for it in ("base_events.py", "runners.py")
)
"""The files whose frames are the loop itself. uvloop has no Python frames."""

Report = Callable[[float, str], None]


class LoopMonitor:
    """Watches the event loop that runs in the thread that creates the monitor."""

    def __init__(self, needed: Callable[[], bool], report: Report) -> None:
        """The monitor's thread calls `needed`, whether to look, and `report` with seconds and place."""
        self._loop: Final = asyncio.get_running_loop()
        self._loop_thread: Final = threading.get_ident()
        self._needed: Final = needed
        self._report: Final = report
        self._idle = True
        self._begin: Final = threading.Event()
        self._closed: Final = threading.Event()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Starts to look; the thread stops by itself when it is no longer needed."""
        if not self._idle:
            return
        self._idle = False
        self._begin.set()
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._look, name="durable-loop-monitor", daemon=True
            )
            self._thread.start()

    def close(self) -> None:
        """Ends the thread; does not wait for it."""
        self._closed.set()
        self._begin.set()

    def _look(self) -> None:
        while not self._closed.is_set():
            if self._needed():
                if not self._look_once():
                    return
                self._closed.wait(BETWEEN_SECONDS)
                continue
            self._begin.clear()
            self._idle = True
            # A `wake` before the line above saw a thread that was not idle, and did nothing.
            if self._needed():
                self._idle = False
            else:
                self._begin.wait()

    def _look_once(self) -> bool:
        """Waits for the loop's next turn, and reports a long wait; False if the loop is closed."""
        turned = threading.Event()
        try:
            self._loop.call_soon_threadsafe(turned.set)
        except RuntimeError:
            return False
        waited, limit = 0.0, BLOCKED_SECONDS
        while not (turned.wait(limit - waited) or self._closed.is_set()):
            waited, limit = limit, limit * AGAIN_FACTOR
            frame = sys._current_frames().get(self._loop_thread)
            place = None if frame is None else place_of(frame)
            if place is not None and self._loop.is_running():
                self._report(waited, place)
        return True


def place_of(frame: FrameType) -> str | None:
    """Names the line of the user's program that a frame has come from: `file:line in function`.

    That is the innermost frame outside of libraries. If there is none, it is the innermost frame of an
    installed package, because a deployed program may be one. None when only the loop and the SDK are
    on the stack: then the machine is slow, and no code blocks.
    """
    user, installed = None, None
    at: FrameType | None = frame
    while at is not None and not at.f_code.co_filename.startswith(_LOOPS):
        name = at.f_code.co_filename
        if name.startswith(_INSTALLED):
            installed = installed or at
        elif not name.startswith(_OURS):
            user = at
            break
        at = at.f_back
    found = user or installed
    if found is None:
        return None
    text = f"{found.f_code.co_filename}:{found.f_lineno} in {found.f_code.co_name}"
    if frame is not found:
        text += f" (which is in {frame.f_code.co_filename}:{frame.f_lineno})"
    return text
