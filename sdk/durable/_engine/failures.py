"""Failures: turns exceptions into `durable.v1.Failure`, the form in which they are journaled.

The stack trace has only the user's frames, because those of the engine and of asyncio say nothing
about the program. The limits are those of payload.proto; a text that is cut ends with a note.

A user's exception may be broken: a field of an odd type, a constructor that does not call its
base's, a `__str__` that raises. A failure is made of it anyway, because an error of the SDK here
would hide it.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from durable_proto.v1 import payload_pb2

from .._common.errors import (
    DeterminismError,
    NonDurableAwaitError,
    StepFailedError,
    TerminalError,
    text_of,
)
from .._definitions.retry import awaits_another_loop, terminal_part

_TYPE_BYTES = 256
_MESSAGE_BYTES = 8 * 1024
_TRACE_BYTES = 32 * 1024
_CAUSES = 8
_SUMMARY_CHARS = 500
_OURS = (str(Path(__file__).parent.parent) + os.sep, str(Path(asyncio.__file__).parent) + os.sep)


def internal_failure(error: Exception) -> payload_pb2.Failure:
    """Returns the failure for an exception of the SDK itself, which is a defect."""
    return payload_pb2.Failure(
        type="durable.InternalError",
        message=_cut(f"{type(error).__name__}: {text_of(error)}", _MESSAGE_BYTES),
        stack_trace=_shortened("".join(traceback.format_exception(error))),
    )


def to_failure(
    error: BaseException, *, terminal: bool = False, depth: int = _CAUSES
) -> payload_pb2.Failure:
    """Returns the failure for an exception, with its causes down to a depth."""
    try:
        return _to_failure(error, terminal, depth)
    except Exception as broken:  # noqa: BLE001  # a user's class may raise anything
        kind = type(error)
        return payload_pb2.Failure(
            type=_cut(f"{kind.__module__}.{kind.__qualname__}", _TYPE_BYTES),
            message=_cut(
                f"{text_of(error)} (what else it says cannot be read: {type(broken).__name__}:"
                f" {text_of(broken)})",
                _MESSAGE_BYTES,
            ),
            terminal=terminal,
        )


def _to_failure(error: BaseException, terminal: bool, depth: int) -> payload_pb2.Failure:
    if awaits_another_loop(error):
        outside = NonDurableAwaitError(_other_loop(text_of(error)))
        outside.__traceback__ = error.__traceback__
        error = outside
    failure = payload_pb2.Failure(
        type=_cut(_type(error), _TYPE_BYTES),
        message=_cut(text_of(error), _MESSAGE_BYTES),
        stack_trace=_trace(error),
        terminal=terminal,
    )
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if isinstance(error, BaseExceptionGroup):
        # The group's own text says little, so the cause is the exception in it that counts.
        cause = terminal_part(error) or error.exceptions[0]
        parts = "; ".join(f"{_type(it)}: {text_of(it)}" for it in error.exceptions)
        failure.message = _cut(f"{error.message}: {parts}", _MESSAGE_BYTES)
    noted = terminal_part(error)
    if noted is not None:
        _note_facts(noted, failure)
    if isinstance(error, StepFailedError):
        # The type and the message are the step's own, because a person looks for those.
        failure.message = _cut(text_of(error), _MESSAGE_BYTES)
        kind = getattr(error, "type", "")
        # Except for this type: it would say that this invocation was cancelled.
        if isinstance(kind, str) and kind and kind != "durable.Cancelled":
            failure.type = _cut(kind, _TYPE_BYTES)
        own = getattr(error, "failure", None)
        if cause is None and depth > 1 and isinstance(own, payload_pb2.Failure):
            # It names the line in the step, which the program's own stack trace does not have.
            failure.cause.CopyFrom(own)
            failure.cause.ClearField("cause")
    if cause is not None and depth > 1:
        failure.cause.CopyFrom(to_failure(cause, depth=depth - 1))
    return failure


def _note_facts(error: TerminalError, failure: payload_pb2.Failure) -> None:
    """Copies the code and the metadata, as far as they have the right types."""
    code: Any = getattr(error, "code", 0)
    if isinstance(code, int) and -(2**31) <= code < 2**31:
        failure.code = int(code)
    metadata: Any = getattr(error, "metadata", None)
    if isinstance(metadata, Mapping):
        for name, value in list(metadata.items())[:16]:
            failure.metadata[_cut(text_of(name), 256)] = _cut(text_of(value), 256)


def _other_loop(text: str) -> str:
    """Returns a text that says what to do about asyncio's error of a different event loop."""
    future = re.search(r"got Future (<DurableFuture [^>]*>)", text)
    if future:
        return (
            f"a step awaited {future[1]}, which only its workflow can; await it in the workflow, and"
            " hand its value to the step"
        )
    return (
        "a workflow awaited something of another event loop, which a replay could not repeat;"
        " wrap it in ctx.run, whose result is journaled"
    )


def summary(failure: payload_pb2.Failure) -> str:
    """Returns a failure on one line: its type, its message, and the user's line that raised it."""
    text = " ".join(f"{failure.type}: {failure.message}".split())
    lines = [line.strip() for line in failure.stack_trace.splitlines()]
    place = next((line for line in reversed(lines) if line.startswith("File ")), "")
    return f"{text[:_SUMMARY_CHARS]} ({place})" if place else text[:_SUMMARY_CHARS]


def describe_location() -> str:
    """Names the user's line that is running: `file:line`."""
    frame = sys._getframe(1)
    while frame is not None:
        if not frame.f_code.co_filename.startswith(_OURS):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        if frame.f_back is None:
            break
        frame = frame.f_back
    return "an unknown place"


def is_users(file: str) -> bool:
    """Returns True if a file is neither the SDK's nor asyncio's."""
    return not file.startswith(_OURS)


def waiting_frames(main: asyncio.Task[Any] | None) -> list[FrameType]:
    """Returns the frames of the user's code in which a suspended handler waits, outermost first."""
    frames: list[FrameType] = []
    awaited: Any = None if main is None else main.get_coro()
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None)  # None if the coroutine has ended
        if frame is not None and is_users(frame.f_code.co_filename):
            frames.append(frame)
        awaited = getattr(awaited, "cr_await", None)
    return frames


def _type(error: BaseException) -> str:
    kind = type(error)
    if isinstance(error, DeterminismError | NonDurableAwaitError):
        return f"durable.{kind.__name__}"
    if kind.__module__ == "builtins":
        return kind.__qualname__
    if kind.__module__.startswith("durable."):
        return f"durable.{kind.__qualname__}"
    return f"{kind.__module__}.{kind.__qualname__}"


def _cut(text: str, limit: int) -> str:
    data = text.encode(errors="replace")
    if len(data) <= limit:
        return data.decode()
    note = f" ... ({len(data)} bytes, cut)"
    return data[: limit - len(note)].decode(errors="ignore") + note


def _trace(error: BaseException) -> str:
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(_OURS)
    ]
    return _shortened("".join(traceback.format_list(frames)))


def _shortened(text: str) -> str:
    if len(text) <= _TRACE_BYTES:
        return text
    half = _TRACE_BYTES // 2 - 32
    return f"{text[:half]}\n  ... cut ...\n{text[-half:]}"
