"""The own-code check: refuses durable operations outside of the workflow's own code.

Operations, the clock and the random numbers belong to the workflow's code: a replay runs that code
again, and nothing else. A step, another thread, or another invocation that used them would do
something that a replay does not repeat. The workflow's code is what runs while its attempt's loop
runs.
"""

from __future__ import annotations

from asyncio.events import _get_running_loop

from .._common.errors import NonDurableAwaitError
from .loop import WorkflowLoop


class OwnCode:
    """Tells the code of one attempt's workflow from all other code."""

    __slots__ = ("_loop", "attempt_done")

    def __init__(self, loop: WorkflowLoop) -> None:
        self._loop = loop
        self.attempt_done = False
        """True when the attempt has ended; only the error's text depends on it."""

    @property
    def runs(self) -> bool:
        """True if the workflow's own code is what runs now, in this thread."""
        return _get_running_loop() is self._loop

    def check(
        self, what: str, hint: str = "call it before, and hand its value to the step"
    ) -> None:
        """Raises NonDurableAwaitError unless the workflow's own code runs."""
        if _get_running_loop() is not self._loop:
            raise self.misuse(what, hint)

    def misuse(self, what: str, hint: str) -> NonDurableAwaitError:
        """Returns the error for other code that uses what belongs to the workflow."""
        if isinstance(_get_running_loop(), WorkflowLoop):
            where = "in the code of another invocation"
        elif self.attempt_done:
            where = "after its attempt had ended"
        else:
            where = "within a step or in another thread"
        return NonDurableAwaitError(
            f"{what} was used outside of the workflow's own code, {where}; {hint}"
        )
