"""The RPC flows that change an invocation, an awakeable or an object's state, for both clients.

Rules.
- Each request has a request id, so that the server answers a retry with the first response and
  the change happens once. Purge, CreateWebhook and RevokeWebhook have none, because
  to repeat one changes nothing more.
- Pause, resume, cancel and restart name who asks, `user@host` unless the caller says otherwise: the
  person who later looks at a paused invocation wants to know whom to ask.
- A pause is complete when the steps in flight have ended. The server waits for that, PAUSE_SECONDS
  unless the caller says otherwise, and the returned status tells whether it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

from durable_proto.v1 import control_pb2, payload_pb2

from .._common.durations import span
from .._common.values.serde import decode, encode
from .._common.webhooks import Webhook, webhook_of
from .cluster_views import ClusterNode
from .options import Unset, default_identity
from .rpc_flow import WAIT_SECONDS_MAX, RpcFlow, deadline_after, new_request_id, send_rpc
from .status import status_word

PAUSE_SECONDS: Final = 5.0
"""How long a pause waits for steps in flight: most are shorter, and a person waits no longer."""


EDITED: Final = "durable.Edited"
"""The type of a failure that a person has given to a step of a restarted invocation."""


class Resolution(NamedTuple):
    """The response to resolving or rejecting an awakeable."""

    invocation_id: str
    """The invocation that the awakeable belongs to; "" while no invocation has created it."""
    repeated: bool
    """Whether it had this same outcome already, so that nothing has changed."""


class Revocation(NamedTuple):
    """The response to revoking a webhook, or all webhooks of an awakeable."""

    awakeable_id: str
    """The awakeable."""
    invocation_id: str
    """The invocation that it belongs to; "" while no invocation has created it."""
    resolved: bool
    """Whether it had an outcome already, perhaps through the webhook."""


def pause(
    invocation_id: str, reason: str, identity: str, wait: float | timedelta, timeout: float | None
) -> RpcFlow[str]:
    """Pauses an invocation and waits for its steps in flight; returns the status after that."""
    request = control_pb2.PauseRequest(
        invocation_id=invocation_id,
        request_id=new_request_id(),
        reason=reason,
        identity=identity or default_identity(),
    )
    longest = min(span(wait, "timeout").total_seconds(), WAIT_SECONDS_MAX)
    response = yield from send_rpc(
        "Pause", request, deadline_after(timeout), waits=True, longest=longest
    )
    return status_word(response.state)


def resume(invocation_id: str, reason: str, identity: str, timeout: float | None) -> RpcFlow[str]:
    """Resumes a paused invocation, or starts a delayed retry now; returns the status after that."""
    request = control_pb2.ResumeRequest(
        invocation_id=invocation_id,
        request_id=new_request_id(),
        reason=reason,
        identity=identity or default_identity(),
    )
    response = yield from send_rpc("Resume", request, deadline_after(timeout), waits=False)
    return status_word(response.state)


def cancel(
    invocation_id: str, reason: str, identity: str, force: bool, timeout: float | None
) -> RpcFlow[str]:
    """Requests cancellation; returns the status after that."""
    request = control_pb2.CancelRequest(
        invocation_id=invocation_id,
        request_id=new_request_id(),
        reason=reason,
        identity=identity or default_identity(),
        force=force,
    )
    response = yield from send_rpc("Cancel", request, deadline_after(timeout), waits=False)
    return status_word(response.state)


def restart(
    invocation_id: str,
    from_index: int,
    value: Any,
    outcomes: Mapping[int, Any] | None,
    failures: Mapping[int, str] | None,
    while_running: bool,
    reason: str,
    identity: str,
    timeout: float | None,
) -> RpcFlow[str]:
    """Starts a copy of an invocation; returns the new id. `value` is its input, or UNSET."""
    edited: dict[int, payload_pb2.Outcome] = {}
    for index, outcome in (outcomes or {}).items():
        edited[index] = payload_pb2.Outcome(value=encode(outcome))
    for index, message in (failures or {}).items():
        if index in edited:
            raise ValueError(f"outcomes and failures both have the step {index}: give one of them")
        failure = payload_pb2.Failure(type=EDITED, message=message, terminal=True)
        edited[index] = payload_pb2.Outcome(failure=failure)
    request = control_pb2.RestartRequest(
        invocation_id=invocation_id,
        request_id=new_request_id(),
        from_index=from_index,
        input=None if isinstance(value, Unset) else encode(value),
        outcomes=edited,
        while_running=while_running,
        reason=reason,
        identity=identity or default_identity(),
    )
    response = yield from send_rpc("Restart", request, deadline_after(timeout), waits=False)
    new_id: str = response.invocation_id
    return new_id


def purge(invocation_id: str, timeout: float | None) -> RpcFlow[None]:
    """Removes a finished invocation."""
    request = control_pb2.PurgeRequest(invocation_id=invocation_id)
    yield from send_rpc("Purge", request, deadline_after(timeout), waits=False)


def signal(invocation_id: str, name: str, value: Any, timeout: float | None) -> RpcFlow[None]:
    """Delivers a named signal with a value."""
    request = control_pb2.SignalRequest(
        invocation_id=invocation_id,
        name=name,
        outcome=payload_pb2.Outcome(value=encode(value)),
        request_id=new_request_id(),
    )
    yield from send_rpc("Signal", request, deadline_after(timeout), waits=False)


def promise_id(invocation_id: str, name: str) -> str:
    """Returns the awakeable id of a named promise (see AWAKEABLE in worker.proto)."""
    return f"{invocation_id}.{name}"


def resolve(awakeable_id: str, value: Any, timeout: float | None) -> RpcFlow[Resolution]:
    """Resolves an awakeable with a value."""
    return _resolve(awakeable_id, payload_pb2.Outcome(value=encode(value)), timeout)


def reject(
    awakeable_id: str,
    message: str,
    code: int,
    metadata: Mapping[str, str] | None,
    timeout: float | None,
) -> RpcFlow[Resolution]:
    """Rejects an awakeable with a terminal failure."""
    failure = payload_pb2.Failure(
        type="durable.Rejected", message=message, code=code, metadata=metadata, terminal=True
    )
    return _resolve(awakeable_id, payload_pb2.Outcome(failure=failure), timeout)


def _resolve(
    awakeable_id: str, outcome: payload_pb2.Outcome, timeout: float | None
) -> RpcFlow[Resolution]:
    request = control_pb2.ResolveAwakeableRequest(
        awakeable_id=awakeable_id, outcome=outcome, request_id=new_request_id()
    )
    response = yield from send_rpc(
        "ResolveAwakeable", request, deadline_after(timeout), waits=False
    )
    return Resolution(response.invocation_id, response.repeated)


def create_webhook(
    request: control_pb2.CreateWebhookRequest, timeout: float | None
) -> RpcFlow[Webhook]:
    """Makes a URL that resolves an awakeable."""
    response = yield from send_rpc("CreateWebhook", request, deadline_after(timeout), waits=False)
    return webhook_of(response)


def revoke_webhook(webhook: str, timeout: float | None) -> RpcFlow[Revocation]:
    """Revokes a webhook."""
    return _revoke(control_pb2.RevokeWebhookRequest(webhook=webhook), timeout)


def revoke_webhooks(awakeable_id: str, timeout: float | None) -> RpcFlow[Revocation]:
    """Revokes all webhooks of an awakeable."""
    return _revoke(control_pb2.RevokeWebhookRequest(awakeable_id=awakeable_id), timeout)


def _revoke(
    request: control_pb2.RevokeWebhookRequest, timeout: float | None
) -> RpcFlow[Revocation]:
    response: control_pb2.RevokeWebhookResponse = yield from send_rpc(
        "RevokeWebhook", request, deadline_after(timeout), waits=False
    )
    return Revocation(response.awakeable_id, response.invocation_id, response.resolved)


def get_state(
    object_name: str, key: str, invocation_id: str, timeout: float | None
) -> RpcFlow[dict[str, Any]]:
    """Returns the state of an object's key or of an invocation, by name."""
    request = control_pb2.GetStateRequest(object=object_name, key=key, invocation_id=invocation_id)
    response: control_pb2.GetStateResponse = yield from send_rpc(
        "GetState", request, deadline_after(timeout), waits=False
    )
    return {name: decode(value) for name, value in sorted(response.state.items())}


def set_state(
    object_name: str,
    key: str,
    values: Mapping[str, Any],
    clear: Iterable[str],
    clear_all: bool,
    timeout: float | None,
) -> RpcFlow[None]:
    """Changes the state of an object's key."""
    if isinstance(clear, str):
        raise TypeError("clear takes several names, not one text: write [name]")
    request = control_pb2.SetStateRequest(
        object=object_name,
        key=key,
        state={name: encode(value) for name, value in values.items()},
        cleared_names=clear,
        clear_all=clear_all,
        request_id=new_request_id(),
    )
    yield from send_rpc("SetState", request, deadline_after(timeout), waits=False)


def drain_node(
    node: str, undo: bool, wait: float | timedelta, timeout: float | None
) -> RpcFlow[ClusterNode]:
    """Makes a node lead nothing, or its share again; returns it as it is then."""
    request = control_pb2.DrainNodeRequest(node=node, undo=undo)
    longest = min(span(wait, "wait").total_seconds(), WAIT_SECONDS_MAX)
    response = yield from send_rpc(
        "DrainNode", request, deadline_after(timeout), waits=True, longest=longest
    )
    return ClusterNode.of(response.node)
