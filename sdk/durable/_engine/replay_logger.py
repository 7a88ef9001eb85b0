"""The workflow's logger: names the invocation, and logs nothing that an earlier attempt has logged."""

from __future__ import annotations

import logging
from typing import Any

from .program import Program


class ReplayLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger that is silent while the workflow's code replays, and while it is unwound."""

    def __init__(self, program: Program) -> None:
        super().__init__(logging.getLogger(f"durable.workflow.{program.start.handler}"), {})
        self._program = program

    def isEnabledFor(self, level: int) -> bool:
        """Returns True if a record of this level would be logged now."""
        program = self._program
        # What a step logs is never a repetition.
        if program.code.runs and (program.operations.replaying or program.loop.stopped):
            return False
        return super().isEnabledFor(level)

    def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
        """Adds the invocation, the attempt and the handler to the record."""
        program = self._program
        extra = {
            **(kwargs.get("extra") or {}),
            "invocation_id": program.invocation_id,
            "attempt": program.attempt,
            "handler": program.start.handler,
        }
        return f"[{program.invocation_id[:8]}] {msg}", {**kwargs, "extra": extra}
