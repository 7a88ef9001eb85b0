"""What both clients can do to invocations that exist, and to states: operations, without I/O.

Rules.
- Each change carries a request id, so that its retry has no second effect (how: `_operations`).
- Each says who asks, `user@host` unless the caller says otherwise: the reason for a paused invocation
  is read by somebody else, later.
- A pause is over when the steps in flight are. The server waits for that, `PAUSE_SECONDS` unless the
  caller says otherwise; the status that is returned tells whether it came to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

from durable_proto.v1 import control_pb2, payload_pb2

from .._common.durations import span
from .._common.values.serde import decode, encode
from .._common.webhooks import Webhook, webhook_of
from .calls import WAIT_SECONDS_MAX, Operation, call, deadline_after, new_request_id
from .options import Unset, default_identity
from .views import state_word

PAUSE_SECONDS: Final = 5.0
"""How long a pause waits for steps in flight: most are shorter, and a person waits no longer."""


class Resolution(NamedTuple):
    """What became of a request to resolve or reject an awakeable."""

    invocation_id: str
    """The invocation that the awakeable belongs to; "" while none has asked for it."""
    repeated: bool
    """Whether it had this same outcome before, so that nothing has changed."""


def pause(
    invocation_id: str, reason: str, identity: str, wait: float | timedelta, timeout: float | None
) -> Operation[str]:
    """Holds an invocation and waits until it is held; returns the status after that."""
    request = control_pb2.PauseRequest(
        invocation_id=invocation_id,
        request_id=new_request_id(),
        reason=reason,
        identity=identity or default_identity(),
    )
    longest = min(span(wait, "timeout").total_seconds(), WAIT_SECONDS_MAX)
    answer = yield from call("Pause", request, deadline_after(timeout), waits=True, longest=longest)
    return state_word(answer.state)


def resume(invocation_id: str, reason: str, identity: str, timeout: float | None) -> Operation[str]:
    """Lets a paused invocation go on, or one that backs off begin now; returns its status."""
    request = control_pb2.ResumeRequest(
        invocation_id=invocation_id,
        request_id=new_request_id(),
        reason=reason,
        identity=identity or default_identity(),
    )
    answer = yield from call("Resume", request, deadline_after(timeout), waits=False)
    return state_word(answer.state)


def cancel(
    invocation_id: str, reason: str, identity: str, force: bool, timeout: float | None
) -> Operation[str]:
    """Asks an invocation to end; returns the status after that."""
    request = control_pb2.CancelRequest(
        invocation_id=invocation_id,
        request_id=new_request_id(),
        reason=reason,
        identity=identity or default_identity(),
        force=force,
    )
    answer = yield from call("Cancel", request, deadline_after(timeout), waits=False)
    return state_word(answer.state)


def restart(
    invocation_id: str,
    from_index: int,
    value: Any,
    reason: str,
    identity: str,
    timeout: float | None,
) -> Operation[str]:
    """Starts an invocation like an old one; returns the new id. `value` is its input, or UNSET."""
    request = control_pb2.RestartRequest(
        invocation_id=invocation_id,
        request_id=new_request_id(),
        from_index=from_index,
        input=None if isinstance(value, Unset) else encode(value),
        reason=reason,
        identity=identity or default_identity(),
    )
    answer = yield from call("Restart", request, deadline_after(timeout), waits=False)
    new_id: str = answer.invocation_id
    return new_id


def purge(invocation_id: str, timeout: float | None) -> Operation[None]:
    """Removes a finished invocation."""
    request = control_pb2.PurgeRequest(invocation_id=invocation_id)
    yield from call("Purge", request, deadline_after(timeout), waits=False)


def signal(invocation_id: str, name: str, value: Any, timeout: float | None) -> Operation[None]:
    """Delivers a named signal with a value."""
    request = control_pb2.SignalRequest(
        invocation_id=invocation_id,
        name=name,
        outcome=payload_pb2.Outcome(value=encode(value)),
        request_id=new_request_id(),
    )
    yield from call("Signal", request, deadline_after(timeout), waits=False)


def promise_id(invocation_id: str, name: str) -> str:
    """Returns the awakeable that a named promise of an invocation is (worker.proto, AWAKEABLE)."""
    return f"{invocation_id}.{name}"


def resolve(awakeable_id: str, value: Any, timeout: float | None) -> Operation[Resolution]:
    """Resolves an awakeable with a value."""
    return _settle(awakeable_id, payload_pb2.Outcome(value=encode(value)), timeout)


def reject(
    awakeable_id: str,
    message: str,
    code: int,
    metadata: Mapping[str, str] | None,
    timeout: float | None,
) -> Operation[Resolution]:
    """Rejects an awakeable with a terminal failure."""
    failure = payload_pb2.Failure(
        type="durable.Rejected", message=message, code=code, metadata=metadata, terminal=True
    )
    return _settle(awakeable_id, payload_pb2.Outcome(failure=failure), timeout)


def _settle(
    awakeable_id: str, outcome: payload_pb2.Outcome, timeout: float | None
) -> Operation[Resolution]:
    request = control_pb2.ResolveAwakeableRequest(
        awakeable_id=awakeable_id, outcome=outcome, request_id=new_request_id()
    )
    answer = yield from call("ResolveAwakeable", request, deadline_after(timeout), waits=False)
    return Resolution(answer.invocation_id, answer.repeated)


def create_webhook(
    request: control_pb2.CreateWebhookRequest, timeout: float | None
) -> Operation[Webhook]:
    """Makes a URL that resolves an awakeable."""
    answer = yield from call("CreateWebhook", request, deadline_after(timeout), waits=False)
    return webhook_of(answer)


def get_state(
    object_name: str, key: str, invocation_id: str, timeout: float | None
) -> Operation[dict[str, Any]]:
    """Returns the state of an object's key or of an invocation, by name."""
    request = control_pb2.GetStateRequest(object=object_name, key=key, invocation_id=invocation_id)
    answer: control_pb2.GetStateResponse = yield from call(
        "GetState", request, deadline_after(timeout), waits=False
    )
    return {name: decode(value) for name, value in sorted(answer.state.items())}


def set_state(
    object_name: str,
    key: str,
    values: Mapping[str, Any],
    clear: Iterable[str],
    clear_all: bool,
    timeout: float | None,
) -> Operation[None]:
    """Changes the state of an object's key. Said twice it is the same, so it needs no request id."""
    if isinstance(clear, str):
        raise TypeError("clear takes several names, not one text: write [name]")
    request = control_pb2.SetStateRequest(
        object=object_name,
        key=key,
        state={name: encode(value) for name, value in values.items()},
        cleared_names=clear,
        clear_all=clear_all,
    )
    yield from call("SetState", request, deadline_after(timeout), waits=False)
