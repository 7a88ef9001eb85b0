"""ListPatches, translated: the patches of all partitions, and who may need the code without them.

The answer is made in two rounds, for the reason that `requests.patches` gives. In a cluster each round
asks all nodes, and both parts are ListPatchesResponses: the first has the patches and what applied
them; the second, which gets the merged first one, has only what did not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from durable_proto.v1 import control_pb2

from ..core.limits import Limits
from ..requests.build import Requests
from . import convert

_IDS_MAX = 10
_Response = control_pb2.ListPatchesResponse


class PatchLists:
    """Answers ListPatches for some or all partitions."""

    def __init__(self, requests: Requests) -> None:
        self._patches = requests.patches
        self._reads = requests.reads
        self._limits: Limits = requests.limits

    def check(self, request: control_pb2.ListPatchesRequest) -> None:
        """Refuses a malformed request."""
        convert.check_text("handler", request.handler, self._limits.id_bytes, "id_bytes")

    def all(self, request: control_pb2.ListPatchesRequest) -> _Response:
        """Returns the patches of a system whose partitions are all led here."""
        self.check(request)
        partitions = range(self._reads.partition_count)
        found = merged([self.recorded(partitions, request.handler)])
        add_unapplied(found, [self.unapplied(partitions, found)])
        return found

    def recorded(self, partitions: Collection[int], handler: str) -> _Response:
        """Returns the patches that are in the journals of some partitions."""
        response = _Response()
        for it in self._patches.recorded(partitions, handler):
            response.patches.add(
                handler=it.handler,
                name=it.name,
                build_ids=[it.build_id],
                applied_count=it.applied_count,
                first_time=convert.timestamp(it.first_ms),
                deprecated=it.deprecated,
            )
        return response

    def unapplied(self, partitions: Collection[int], found: _Response) -> _Response:
        """Returns for each patch which invocations of some partitions may need the code without it."""
        response = _Response()
        for it in found.patches:
            total, ids = self._patches.unapplied(partitions, it.handler, it.name, it.build_ids)
            response.patches.add(
                handler=it.handler,
                name=it.name,
                unapplied_count=total,
                unapplied_invocation_ids=ids,
            )
        return response


def merged(parts: Iterable[_Response]) -> _Response:
    """Returns the patches of all parts by handler and name, each once."""
    patches: dict[tuple[str, str], control_pb2.Patch] = {}
    for part in parts:
        for it in part.patches:
            known = patches.setdefault((it.handler, it.name), it)
            if known is it:
                continue
            known.build_ids.extend(it.build_ids)
            known.applied_count += it.applied_count
            known.deprecated |= it.deprecated
            if it.first_time.ToMilliseconds() < known.first_time.ToMilliseconds():
                known.first_time.CopyFrom(it.first_time)
    for it in patches.values():
        it.build_ids[:] = sorted(set(it.build_ids))
    return _Response(patches=[patches[key] for key in sorted(patches)])


def add_unapplied(found: _Response, parts: Iterable[_Response]) -> None:
    """Adds to the merged patches who may need the code without them, as the parts say."""
    patches = {(it.handler, it.name): it for it in found.patches}
    for part in parts:
        for it in part.patches:
            known = patches[it.handler, it.name]
            known.unapplied_count += it.unapplied_count
            known.unapplied_invocation_ids.extend(it.unapplied_invocation_ids)
    for it in patches.values():
        it.unapplied_invocation_ids[:] = sorted(it.unapplied_invocation_ids)[:_IDS_MAX]
