"""The parts: what this node answers to other nodes about the partitions that it leads.

Another node asks for a part to make an answer for the whole system (`gathering`). It says which
partitions it wants. The answer says for which of them it is: some may have a new leader by then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from durable_proto.node_v1 import parts_pb2
from durable_proto.v1 import control_pb2, invocation_pb2

from ..peers.interface import Answer, PeerRefusedError
from ..requests.page_merge import Place
from ..requests.reads import Reads
from . import convert
from .deployments import Builds
from .listing import Listing
from .patches import PatchLists
from .refusal import answerable

Method = Callable[[parts_pb2.PartRequest], parts_pb2.PartResponse]


class Parts:
    """Answers about the partitions that this node leads."""

    def __init__(self, reads: Reads, listing: Listing, builds: Builds, patches: PatchLists) -> None:
        self._reads = reads
        self._listing = listing
        self._builds = builds
        self._patches = patches
        self.methods: Mapping[str, Method] = {
            "QueryPart": self.query,
            "GetStatsPart": self.stats,
            "ListHandlersPart": self.handlers,
            "GetServerInfoPart": self.server,
            "AwakeablesPart": self.awakeables,
            "ListDeploymentsPart": self.deployments,
            "ListPatchesPart": self.patches,
            "UnappliedPatchesPart": self.unapplied_patches,
        }

    def calls(self) -> Mapping[str, Answer]:
        """Returns the methods that other nodes call, by name."""

        async def workers(_: bytes) -> bytes:
            return self.workers().SerializeToString()

        return {
            "ListWorkersPart": workers,
            **{name: _answer(method) for name, method in self.methods.items()},
        }

    def query(self, request: parts_pb2.PartRequest) -> parts_pb2.PartResponse:
        """Returns a page of invocations, with their places."""
        response = parts_pb2.PartResponse(partitions=self._reads.led(request.partitions))
        if response.partitions:
            asked = control_pb2.QueryRequest.FromString(request.request)
            asked.ClearField("page_token")
            after = None
            if request.HasField("after"):
                after = Place(request.after.time_ms, request.after.partition, request.after.number)
            query = self._listing.parse_query(asked)._replace(after=after)
            page = self._listing.found(query, response.partitions)
            response.response = self._listing.page(
                query, page.invocations, None
            ).SerializeToString()
            response.places.extend(map(place_message, page.places))
            response.more = page.end is not None
        return response

    def stats(self, request: parts_pb2.PartRequest) -> parts_pb2.PartResponse:
        """Returns the counts of invocations."""
        led = self._reads.led(request.partitions)
        return parts_pb2.PartResponse(
            partitions=led, response=self._listing.stats(led).SerializeToString()
        )

    def handlers(self, request: parts_pb2.PartRequest) -> parts_pb2.PartResponse:
        """Returns a page of handlers, with the counts of their invocations."""
        response = parts_pb2.PartResponse(partitions=self._reads.led(request.partitions))
        if response.partitions:
            asked = control_pb2.ListHandlersRequest.FromString(request.request)
            size = self._reads.page_size(asked.page_size)
            found, response.more = self._listing.found_handlers(
                request.after_name, size, response.partitions
            )
            response.response = control_pb2.ListHandlersResponse(handlers=found).SerializeToString()
        return response

    def server(self, request: parts_pb2.PartRequest) -> parts_pb2.PartResponse:
        """Returns what GetServerInfo tells of the leader."""
        response = parts_pb2.PartResponse(partitions=self._reads.led(request.partitions))
        if response.partitions:
            response.response = self.leader().SerializeToString()
        return response

    def leader(self) -> control_pb2.GetServerInfoResponse:
        """Returns what GetServerInfo tells of the leader, and of the appends of this process."""
        server = self._reads.server()
        return control_pb2.GetServerInfoResponse(
            epoch=server.epoch,
            start_time=convert.timestamp(server.started_ms),
            append_count=server.append_count,
            time=convert.timestamp(server.now_ms),
        )

    def awakeables(self, request: parts_pb2.PartRequest) -> parts_pb2.PartResponse:
        """Returns the awakeables of the invocation whose id is the request."""
        led = self._reads.led(request.partitions)
        found = self._reads.awakeables(request.request.decode(errors="replace"), led)
        message = invocation_pb2.Invocation(awakeables=map(convert.awakeable, found))
        return parts_pb2.PartResponse(partitions=led, response=message.SerializeToString())

    def deployments(self, request: parts_pb2.PartRequest) -> parts_pb2.PartResponse:
        """Returns what the partitions know of builds."""
        led = self._reads.led(request.partitions)
        return parts_pb2.PartResponse(
            partitions=led, response=self._builds.part(led).SerializeToString()
        )

    def patches(self, request: parts_pb2.PartRequest) -> parts_pb2.PartResponse:
        """Returns the patches that are in journals."""
        led = self._reads.led(request.partitions)
        asked = control_pb2.ListPatchesRequest.FromString(request.request)
        found = self._patches.recorded(led, asked.handler)
        return parts_pb2.PartResponse(partitions=led, response=found.SerializeToString())

    def unapplied_patches(self, request: parts_pb2.PartRequest) -> parts_pb2.PartResponse:
        """Returns which invocations may need the code without the patches that the request lists."""
        led = self._reads.led(request.partitions)
        asked = control_pb2.ListPatchesResponse.FromString(request.request)
        found = self._patches.unapplied(led, asked)
        return parts_pb2.PartResponse(partitions=led, response=found.SerializeToString())

    def workers(self) -> parts_pb2.WorkersPart:
        """Returns the workers that have a session with this node."""
        return parts_pb2.WorkersPart(
            response=self._listing.workers().SerializeToString(),
            relayed_ids=self._reads.relayed_workers(),
        )


def place_message(place: Place) -> parts_pb2.Place:
    """Returns a place as a message."""
    return parts_pb2.Place(time_ms=place.ms, partition=place.partition, number=place.number)


def _answer(method: Method) -> Answer:
    """Returns a method with bytes for its messages; what it raises becomes a refusal."""

    async def answer(body: bytes) -> bytes:
        try:
            return method(parts_pb2.PartRequest.FromString(body)).SerializeToString()
        except Exception as error:
            raise PeerRefusedError(answerable(error).status().SerializeToString()) from error

    return answer
