"""Debugging of a replay: stops at the handler's first line, and where the program cannot go on.

The program runs in this thread, on a loop that runs only what is ready, so a debugger waits for its
person as in any script. That loop shows frames of the engine and of asyncio between the program's; a
post-mortem shows the program's alone.
"""

from __future__ import annotations

import pdb
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import unwrap
from types import CodeType, TracebackType
from typing import Any

from . import output


@contextmanager
def stopping_at(function: Callable[..., Any]) -> Iterator[None]:
    """Enters the debugger at the first line of a function's body, the first time that it runs."""
    code = unwrap(function).__code__
    debugger = pdb.Pdb()
    problem = debugger.set_break(code.co_filename, _first_line(code), temporary=True)
    if problem:
        raise OSError(problem)
    debugger.reset()
    debugger.botframe = sys._getframe()  # or it would stop at once, in a frame of ours
    debugger.set_continue()
    before = sys.gettrace()
    sys.settrace(debugger.trace_dispatch)
    try:
        yield
    finally:
        sys.settrace(before)
        debugger.clear_all_breaks()


def post_mortem(error: BaseException, traceback: TracebackType | None) -> None:
    """Lets a person look at the program's frames where it cannot go on."""
    sys.settrace(None)
    output.note(output.clean(f"{type(error).__name__}: {error}"))
    if traceback is None:
        return
    debugger = pdb.Pdb()
    debugger.reset()
    debugger.interaction(None, traceback)


def _first_line(code: CodeType) -> int:
    """Returns the first line of a function's body: the first with an instruction of its own."""
    lines = (line for _, _, line in code.co_lines() if line)
    return next((line for line in lines if line > code.co_firstlineno), code.co_firstlineno)
