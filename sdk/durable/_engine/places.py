"""Places: lines of the user's program, noted at almost no cost.

The engine notes the line of every operation, and hardly any is ever shown. So a place is a code
object and an offset in it, and the line number is looked up only when it is shown. A place keeps no
frame, because a frame would keep the program's variables alive.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import CodeType, FrameType
from typing import Final, TypeAlias

Place: TypeAlias = tuple[CodeType, int]

LIBRARY_FILES: Final = frozenset(
    str(path)
    for folder in (Path(__file__).parent.parent, Path(asyncio.__file__).parent)
    for path in folder.rglob("*.py")
)
"""The files of the SDK and of asyncio."""


def place_of(frame: FrameType) -> Place | None:
    """Returns the innermost line, from a frame outwards, that is not the SDK's or asyncio's.

    Returns None if there is none below the loop that runs the program: asyncio itself acts then.
    """
    at: FrameType | None = frame
    while at is not None and at.f_code.co_filename in LIBRARY_FILES:
        if at.f_code.co_name == "run_ready":  # of WorkflowLoop
            return None
        at = at.f_back
    return None if at is None else (at.f_code, at.f_lasti)


def line_of(place: Place | None) -> str:
    """Returns a place as `file:line`."""
    if place is None:
        return "an unknown place"
    code, offset = place
    line = next((it for start, end, it in code.co_lines() if start <= offset < end), None)
    return f"{code.co_filename}:{line or code.co_firstlineno}"
