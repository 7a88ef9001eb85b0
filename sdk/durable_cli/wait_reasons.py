"""The reason why an invocation has not ended, as far as the control plane knows it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from .journal_lines import tries
from .times import relative

if TYPE_CHECKING:
    import durable
    from durable_proto.v1 import invocation_pb2, payload_pb2

_SYSTEM: Final = "durable"
"""The identity of pauses by the control plane itself; the failure says why."""
_SHOWN: Final = 3
"""How many pending entries are named; the others are counted."""
_MESSAGE: Final = 300
"""How many characters of a failure's message are shown, so that an error is one line."""


def reason(client: durable.Client, found: durable.Invocation) -> str:
    """Returns why it has not ended, on one line; may query which handlers are served."""
    status = found.status
    if status == "scheduled":
        return f"it starts {_when(found.wake_time)}"
    if status == "pending":
        return _why_pending(client, found)
    if status == "backing_off":
        return (
            f"it fails and is tried again{_because(found.failure)}; attempt {found.attempt + 1} begins"
            f" {_when(found.wake_time)}, with `durable resume {found.invocation_id}` now"
        )
    if status == "paused":
        if found.pause is not None and found.pause.identity == _SYSTEM and found.failure:
            return f"it is held{_because(found.failure)}"
        return f"it is paused{paused_by(found)}{_because(found.failure)}"
    waits = [_entry(it) for it in found.journal if not it.completed]
    if status == "suspended" or waits:
        return f"it waits for {_list(waits)}"
    failing = [_failing(it) for it in found.message.failing_steps]
    return f"worker {found.worker_id} runs it" + (f", where {_list(failing)}" if failing else "")


def is_stuck(client: durable.Client, found: durable.Invocation) -> bool:
    """Returns whether it may never end unless somebody does something."""
    if found.status == "pending":
        return bool(found.waiting_for_build) or not _served(client, found.handler)
    return found.status in ("backing_off", "paused")


def paused_by(found: durable.Invocation) -> str:
    """Returns who paused an invocation and why, as the end of a sentence; "" if unknown."""
    held = found.pause
    if held is None:
        return ""
    by = f" by {held.identity}" if held.identity else ""
    return f"{by}: {held.reason}" if held.reason else by


def missing_build(found: durable.Invocation) -> str:
    """Returns for which build it waits, as the end of a sentence; "" if for none."""
    if not found.waiting_for_build:
        return ""
    return f"waits for build {found.waiting_for_build}, which has no worker"


def repin_hint(found: durable.Invocation) -> str:
    """Returns the command that lets workers of another build go on with it."""
    if found.pinned:
        return f"`durable repin {found.invocation_id} --to BUILD --module MODULE`"
    return f"promote another build for {found.handler}: `durable promote BUILD`"


def _why_pending(client: durable.Client, found: durable.Invocation) -> str:
    if missing := missing_build(found):
        return f"it {missing} for {found.handler}: start one, or {repin_hint(found)}"
    if not _served(client, found.handler):
        return f"no worker serves {found.handler}; start one: durable worker MODULE"
    if found.key:
        return f"it waits for its turn on the key {found.key!r}, or for a worker with room"
    return f"it waits for a worker with room, of those that serve {found.handler}"


def _served(client: durable.Client, handler: str) -> bool:
    return any(it.worker_count for it in client.list_handlers() if it.name == handler)


def _entry(entry: durable.JournalEntry) -> str:
    name = entry.name
    if entry.kind == "SLEEP":
        return f"a timer, due {_when(entry.due_time)}"
    if entry.kind == "AWAKEABLE":
        return f"the awakeable {name} (`durable resolve {name} VALUE` gives it one)"
    if entry.kind == "SIGNAL":
        return f"the signal {name!r}"
    if entry.kind == "INVOKE":
        return f"the invocation {entry.target_invocation_id} of {name}"
    if entry.kind == "ATTACH":
        return f"the invocation {name}"
    return f"step {entry.step_number}, {entry.step_type}"


def _failing(step: invocation_pb2.FailingStep) -> str:
    failed = tries(step.failed_try_count)
    return f"{failed} of step {step.index}, {step.name}, failed{_because(step.last_failure)}"


def _list(words: list[str]) -> str:
    shown = words[:_SHOWN]
    if len(words) > _SHOWN:
        shown.append(f"{len(words) - _SHOWN} more")
    return " and ".join(shown) or "something outside"


def _because(failure: payload_pb2.Failure | None) -> str:
    if failure is None:
        return ""
    message = failure.message
    message = message if len(message) <= _MESSAGE else f"{message[:_MESSAGE]}…"
    return f": {failure.type}: {message}"


def _when(time: datetime | None) -> str:
    return relative(time, datetime.now(UTC)) or "later"
