"""The stub of a client: the RPCs of DurableControl and of DurableAccess on one channel.

An RPC flow names an RPC, and no two of the services have the same name.
"""

from __future__ import annotations

from typing import Any, TypeVar

from durable_proto.v1.access_pb2_grpc import DurableAccessStub

S = TypeVar("S")


def with_access(stub: S, channel: Any) -> S:
    """Adds the RPCs of DurableAccess to a stub of DurableControl; returns it."""
    vars(stub).update(vars(DurableAccessStub(channel)))
    return stub
