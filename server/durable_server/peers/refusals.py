"""The refusals that links make themselves, in the form in which a client would get them.

Like each error of the API they are a google.rpc.Status with one ErrorInfo (errors.proto), because a
node that forwards a client's request passes the refusal on to the client.
"""

from __future__ import annotations

from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from durable_proto.v1 import errors_pb2

from .interface import PeerRefusedError


def too_many_calls(node: str, limit: int) -> PeerRefusedError:
    """Returns the refusal of a call that would be one too many at a node."""
    return _refused(
        code_pb2.RESOURCE_EXHAUSTED,
        errors_pb2.ERROR_REASON_LIMIT_REACHED,
        f"{limit} calls to node {node} are open, which is the limit open_calls; retry with backoff",
        limit="open_calls",
        value=str(limit),
    )


def unknown_method(method: str) -> PeerRefusedError:
    """Returns the refusal of a method that this node does not have."""
    return _refused(
        code_pb2.UNIMPLEMENTED,
        errors_pb2.ERROR_REASON_UNIMPLEMENTED,
        f"this node has no method {method}; its version is probably older",
        operation=method,
    )


def unreadable(method: str) -> PeerRefusedError:
    """Returns the refusal of a call whose body is not what the method takes."""
    return _refused(
        code_pb2.INVALID_ARGUMENT,
        errors_pb2.ERROR_REASON_INVALID_FIELD,
        f"the body of a call of {method} cannot be read; the versions of the nodes may not fit",
        field="body",
        problem="it cannot be read",
    )


def defect(incident: str) -> PeerRefusedError:
    """Returns the refusal for a method that failed in a way that it must not."""
    return _refused(
        code_pb2.INTERNAL,
        errors_pb2.ERROR_REASON_INTERNAL,
        f"internal error; the log of the control plane has details under incident {incident}",
        incident=incident,
    )


def _refused(
    code: int, reason: errors_pb2.ErrorReason, message: str, **metadata: str
) -> PeerRefusedError:
    info = error_details_pb2.ErrorInfo(
        reason=errors_pb2.ErrorReason.Name(reason).removeprefix("ERROR_REASON_"),
        domain="durable.v1",
        metadata=metadata,
    )
    detail = any_pb2.Any()
    detail.Pack(info)
    status = status_pb2.Status(code=code, message=message, details=[detail])
    return PeerRefusedError(status.SerializeToString())
