"""The hello of a worker: checks it and translates it for its session."""

from __future__ import annotations

from durable_proto.v1 import worker_pb2

from ..core.limits import Limits
from ..sessions.sessions import Hello, Sessions
from . import convert
from .protocol import PROTOCOL_VERSION
from .refusal import invalid, protocol_violation


def read_hello(message: worker_pb2.Hello, sessions: Sessions, limits: Limits) -> Hello:
    """Returns a hello for its session; raises Refusal or RequestError for one that breaks a rule."""
    if message.protocol_version < 1:
        raise protocol_violation(
            f"protocol version {message.protocol_version} is not supported; "
            f"this control plane speaks {PROTOCOL_VERSION}"
        )
    sessions.check(message.worker_id, message.slot_count, len(message.handlers))
    sessions.check_permitted(message.worker_id, (it.name for it in message.handlers))
    convert.check_text("identity", message.identity, limits.id_bytes, "id_bytes")
    convert.check_text("build_id", message.build_id, limits.id_bytes, "id_bytes")
    handlers = [convert.handler(spec, limits) for spec in message.handlers]
    pinned = next((it.name for it in handlers if it.pinned), None)
    if pinned is not None and not message.build_id:
        raise invalid(
            "build_id",
            f"the handler {pinned!r} is pinned, so the worker must say which build it runs:"
            " set a build id, or let the handler be auto",
        )
    return Hello(
        message.worker_id,
        message.identity,
        message.build_id,
        message.slot_count,
        handlers,
        {it.invocation_id: it.attempt for it in message.resumed},
        message.session_number,
    )
