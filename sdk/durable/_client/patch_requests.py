"""The RPC flow about patches, for both clients."""

from __future__ import annotations

from durable_proto.v1 import control_pb2

from .patch_views import PatchList
from .rpc_flow import RpcFlow, deadline_after, send_rpc


def list_patches(handler: str, timeout: float | None) -> RpcFlow[PatchList]:
    """Returns the patches in journals, of one handler or with an empty name of all."""
    request = control_pb2.ListPatchesRequest(handler=handler)
    response = yield from send_rpc("ListPatches", request, deadline_after(timeout), waits=False)
    return PatchList.of(response)
