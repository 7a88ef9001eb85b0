"""Time bounds: how long the worker waits for steps that it can neither use nor stop.

An async step may ignore its cancellation, and a thread cannot be interrupted at all. Three things wait
for such steps, and each wait has a bound.
"""

from __future__ import annotations

from typing import Final

ENDING_SECONDS_MAX: Final = 10.0
"""How long an attempt that has failed waits for its other steps, whose results the next attempt can
use. A step that takes longer runs again in the next attempt: a step that hangs must not delay the
report of the failure for ever."""
UNDO_WAIT_SECONDS_MAX: Final = 60.0
"""How long compensations wait for a sync step without a timeout that the program has discarded."""
CANCEL_SECONDS_MAX: Final = 5.0
"""How long an async step may take to end after its cancellation, to clean up; then it is given up."""
