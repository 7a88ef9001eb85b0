"""Calls that choose the partition in which something lives, of a control plane with three."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from durable_proto.v1 import control_pb2, control_pb2_grpc
from durable_server.core import ids

if TYPE_CHECKING:
    from typing import TypeAlias

    Control: TypeAlias = control_pb2_grpc.DurableControlAsyncStub

PARTITIONS = 3
KEYS: Sequence[str] = [
    next(key for key in map(str, range(1000)) if ids.object_partition(key, PARTITIONS) == index)
    for index in range(PARTITIONS)
]
"""An object key or partition key for each partition."""
DOORS: Sequence[str] = [
    next(
        name
        for name in (f"door {number}" for number in range(1000))
        if ids.awakeable_partition(name, PARTITIONS) == index
    )
    for index in range(PARTITIONS)
]
"""An awakeable id of the user's own choice for each partition."""


async def invoke_in(control: Control, partition: int, handler: str = "three") -> str:
    """Starts an invocation in a partition; returns its id."""
    request = control_pb2.InvokeRequest(handler=handler, partition_key=KEYS[partition])
    invocation_id = (await control.Invoke(request)).invocation_id
    assert ids.partition(invocation_id, PARTITIONS) == partition
    return invocation_id
