"""Gathering: asks the leaders of all partitions, and makes one answer of theirs.

Each node answers for the partitions that it leads (`parts`). A partition that has no leader now is
waited for, but not for long: what remains without an answer is named in the answer and not left out in
silence.

The merges are functions without I/O. A list is merged by the places of its items: each part is in order
and is the beginning of what its partitions have, so the merge ends where the first part ends of which
more would follow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from durable_proto.node_v1 import parts_pb2
from durable_proto.v1 import control_pb2, invocation_pb2

from ..peers.interface import PeerRefusedError, Peers, PeerUnavailableError
from ..requests.page_merge import Part, Place, joined
from . import patches
from .deployments import merged
from .listing import Listing
from .parts import Parts, place_message
from .refusal import Refusal
from .topology import Changes, Topology

SEARCH_SECONDS: Final = 2.0
"""How long a partition without a leader is waited for."""
_ANSWER_SECONDS: Final = 10.0
"""How long an answer of a node is waited for."""
_PAUSE: Final = 0.2
"""The time between two tries when the topology does not change."""


class Gathering:
    """Answers the reads of clients that concern all partitions of a cluster."""

    def __init__(
        self,
        topology: Topology,
        peers: Peers,
        changes: Changes,
        parts: Parts,
        listing: Listing,
        partition_count: int,
        *,
        search_seconds: float,
    ) -> None:
        self._topology = topology
        self._peers = peers
        self._changes = changes
        self._parts = parts
        self._listing = listing
        self._all = range(partition_count)
        self._search_seconds = search_seconds

    async def query(self, request: control_pb2.QueryRequest) -> control_pb2.QueryResponse:
        """Returns a page of invocations."""
        query = self._listing.parse_query(request)
        asked = parts_pb2.PartRequest(request=request.SerializeToString())
        if query.after is not None:
            asked.after.CopyFrom(place_message(query.after))
        found, missing = await self._ask("QueryPart", asked, query.partitions)
        page = joined([_query_part(it) for it in found], query.order, query.size)
        response = self._listing.page(query, page.items, page.end)
        response.missing_partitions.extend(missing)
        return response

    async def stats(self) -> control_pb2.GetStatsResponse:
        """Returns the counts of invocations by handler and state."""
        (found, missing), workers = await asyncio.gather(
            self._ask("GetStatsPart", parts_pb2.PartRequest(), self._all), self.workers()
        )
        response = sum_of_counts(
            control_pb2.GetStatsResponse.FromString(it.response) for it in found
        )
        response.worker_count = len(workers.workers)
        response.missing_partitions.extend(missing)
        return response

    async def handlers(
        self, request: control_pb2.ListHandlersRequest
    ) -> control_pb2.ListHandlersResponse:
        """Returns a page of handlers by name."""
        after, size = self._listing.parse_handlers(request)
        asked = parts_pb2.PartRequest(request=request.SerializeToString(), after_name=after)
        (found, missing), workers = await asyncio.gather(
            self._ask("ListHandlersPart", asked, self._all), self.workers()
        )
        parts = [
            (control_pb2.ListHandlersResponse.FromString(it.response).handlers, it.more)
            for it in found
        ]
        handlers, more = union_of_handlers(parts, size)
        for handler in handlers:
            name = handler.spec.name
            handler.worker_count = sum(name in it.handlers for it in workers.workers)
        response = self._listing.handlers_page(handlers, more=more)
        response.missing_partitions.extend(missing)
        return response

    async def workers(self) -> control_pb2.ListWorkersResponse:
        """Returns the connected workers by connect time."""
        names = [it for it in self._topology.live if it != self._topology.name]
        calls = [self._call(it, "ListWorkersPart", b"") for it in names]
        answers = await asyncio.gather(*calls)
        parts = {self._topology.name: self._parts.workers()}
        for name, answer in zip(names, answers, strict=True):
            if answer is not None:
                parts[name] = parts_pb2.WorkersPart.FromString(answer)
        return all_workers(parts)

    async def deployments(self) -> control_pb2.ListDeploymentsResponse:
        """Returns the builds and routes."""
        (found, missing), workers = await asyncio.gather(
            self._ask("ListDeploymentsPart", parts_pb2.PartRequest(), self._all), self.workers()
        )
        parts = [control_pb2.ListDeploymentsResponse.FromString(it.response) for it in found]
        return merged(parts, workers, missing)

    async def patches(
        self, request: control_pb2.ListPatchesRequest
    ) -> control_pb2.ListPatchesResponse:
        """Returns the patches in journals."""
        asked = parts_pb2.PartRequest(request=request.SerializeToString())
        parts, missing = await self._ask("ListPatchesPart", asked, self._all)
        response = patches.merged(_patches_part(it) for it in parts)
        if response.patches:
            asked = parts_pb2.PartRequest(request=response.SerializeToString())
            parts, others = await self._ask("UnappliedPatchesPart", asked, self._all)
            patches.add_unapplied(response, map(_patches_part, parts))
            missing = sorted({*missing, *others})
        response.missing_partitions.extend(missing)
        return response

    async def server(self, response: control_pb2.GetServerInfoResponse) -> None:
        """Fills in the facts about the leaders: epoch and times of partition 0, appends of all.

        What has no leader now is left out: nobody should wait to learn the version.
        """
        found, _ = await self._ask(
            "GetServerInfoPart", parts_pb2.PartRequest(), self._all, search_seconds=0.0
        )
        for part in found:
            info = control_pb2.GetServerInfoResponse.FromString(part.response)
            response.append_count += info.append_count
            if 0 in part.partitions or not response.HasField("time"):
                response.time.CopyFrom(info.time)
            if 0 in part.partitions:
                response.epoch = info.epoch
                response.start_time.CopyFrom(info.start_time)

    async def awakeables(
        self, response: control_pb2.GetInvocationResponse, partitions: Collection[int]
    ) -> None:
        """Adds to an invocation its awakeables in some other partitions.

        They are those with an id of the user's own choice.
        """
        found = response.invocation
        asked = parts_pb2.PartRequest(request=found.invocation_id.encode())
        answers, missing = await self._ask("AwakeablesPart", asked, partitions)
        for part in answers:
            found.awakeables.extend(invocation_pb2.Invocation.FromString(part.response).awakeables)
        found.awakeables.sort(key=lambda it: (it.create_time.ToMilliseconds(), it.awakeable_id))
        response.missing_partitions.extend(missing)

    # Asking

    async def _ask(
        self,
        method: str,
        request: parts_pb2.PartRequest,
        partitions: Collection[int],
        search_seconds: float | None = None,
    ) -> tuple[list[parts_pb2.PartResponse], list[int]]:
        """Asks the leaders of partitions; returns their answers, and the partitions without one.

        For those without one, a leader is searched for so many seconds. What has another leader than
        the one that was asked is asked for again, however long that one took.
        """
        missing = set(partitions)
        found: list[parts_pb2.PartResponse] = []
        seconds = self._search_seconds if search_seconds is None else search_seconds
        end = asyncio.get_running_loop().time() + seconds
        while True:
            asked = {it: leader for it in sorted(missing) if (leader := self._leader(it))}
            by_node: dict[str, list[int]] = {}
            for partition, leader in asked.items():
                by_node.setdefault(leader, []).append(partition)
            for answer in await asyncio.gather(
                *(self._ask_node(method, request, *it) for it in by_node.items())
            ):
                if answer is not None and missing.intersection(answer.partitions):
                    found.append(answer)
                    missing.difference_update(answer.partitions)
            left = end - asyncio.get_running_loop().time()
            if not missing:
                return found, []
            # A node that hangs has used up the time, and others lead its partitions now.
            if any(self._leader(it) not in (None, asked.get(it)) for it in missing):
                continue
            if left <= 0:
                return found, sorted(missing)
            await self._changes.wait(min(_PAUSE, left))

    def _leader(self, partition: int) -> str | None:
        """Returns the name of the node that leads a partition."""
        leader = self._topology.leader(partition)
        return None if leader is None else leader.name

    async def _ask_node(
        self, method: str, request: parts_pb2.PartRequest, node: str, partitions: list[int]
    ) -> parts_pb2.PartResponse | None:
        """Asks one node about some partitions; None when it does not answer."""
        asked = parts_pb2.PartRequest()
        asked.CopyFrom(request)
        asked.partitions.extend(partitions)
        if node == self._topology.name:
            return self._parts.methods[method](asked)
        data = await self._call(node, method, asked.SerializeToString())
        return None if data is None else parts_pb2.PartResponse.FromString(data)

    async def _call(self, node: str, method: str, body: bytes) -> bytes | None:
        try:
            return await self._peers.call(node, method, body, _ANSWER_SECONDS)
        except PeerUnavailableError:
            return None
        except PeerRefusedError as error:
            raise Refusal.of_status(error.status) from None


# Merging


def _query_part(part: parts_pb2.PartResponse) -> Part[invocation_pb2.Invocation]:
    listed = control_pb2.QueryResponse.FromString(part.response).invocations
    places = [Place(it.time_ms, it.partition, it.number) for it in part.places]
    sizes = [it.outcome.ByteSize() + it.last_failure.ByteSize() for it in listed]
    return Part(list(zip(places, sizes, listed, strict=True)), part.more)


def _patches_part(part: parts_pb2.PartResponse) -> control_pb2.ListPatchesResponse:
    return control_pb2.ListPatchesResponse.FromString(part.response)


def sum_of_counts(
    parts: Iterable[control_pb2.GetStatsResponse],
) -> control_pb2.GetStatsResponse:
    """Returns the sums of the counts of some parts, by handler and state."""
    sums: dict[tuple[str, Any], int] = {}
    for it in chain.from_iterable(part.counts for part in parts):
        sums[it.handler, it.state] = sums.get((it.handler, it.state), 0) + it.count
    response = control_pb2.GetStatsResponse(total_count=sum(sums.values()))
    for (handler, state), count in sorted(sums.items()):
        response.counts.add(handler=handler, state=state, count=count)
    return response


def union_of_handlers(
    parts: Sequence[tuple[Sequence[invocation_pb2.HandlerInfo], bool]], size: int
) -> tuple[list[invocation_pb2.HandlerInfo], bool]:
    """Returns up to `size` handlers of some parts by name, and whether more follow.

    A part is a list of handlers by name, and whether more follow in it. The counts of one handler in
    several parts are added.
    """
    # Beyond the last name of a part that goes on, its counts are not known.
    bound = min((handlers[-1].spec.name for handlers, more in parts if more), default=None)
    found: dict[str, invocation_pb2.HandlerInfo] = {}
    for it in chain.from_iterable(handlers for handlers, _ in parts):
        known = found.setdefault(it.spec.name, it)
        if known is not it:
            known.pending_count += it.pending_count
            known.running_count += it.running_count
            if it.create_time.ToMilliseconds() < known.create_time.ToMilliseconds():
                known.create_time.CopyFrom(it.create_time)
    names = sorted(it for it in found if bound is None or it <= bound)
    more = bound is not None or len(names) > size
    return [found[it] for it in names[:size]], more


def all_workers(
    parts: Mapping[str, parts_pb2.WorkersPart],
) -> control_pb2.ListWorkersResponse:
    """Returns the workers of all nodes, whose answers are by name, by connect time, each once.

    A worker is described by the node that it has dialled. By way of that one it has sessions with other
    nodes as well, each of which has a share of its slots and holds attempts in them.
    """
    found: dict[str, control_pb2.WorkerInfo] = {}
    sums: dict[str, tuple[int, int]] = {}
    for node, part in parts.items():
        relayed = set(part.relayed_ids)
        for it in control_pb2.ListWorkersResponse.FromString(part.response).workers:
            slots, running = sums.get(it.worker_id, (0, 0))
            sums[it.worker_id] = slots + it.slot_count, running + it.running_count
            if it.worker_id not in relayed:
                it.node = node
                found[it.worker_id] = it
    for worker_id, it in found.items():
        it.slot_count, it.running_count = sums[worker_id]
    workers = sorted(found.values(), key=lambda it: it.connect_time.ToMilliseconds())
    return control_pb2.ListWorkersResponse(workers=workers)
