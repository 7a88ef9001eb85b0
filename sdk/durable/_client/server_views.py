"""Views of the control plane: pages of invocations, counts, handlers, workers, the server.

A list or a count of a cluster lacks what is in a partition that no node leads at the time; the view
names such partitions.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from durable_proto.v1 import control_pb2, invocation_pb2

from .invocation_views import Invocation
from .json_form import time_field, time_text
from .status import status_word

_HANDLER_KINDS: Final[dict[int, str]] = {
    value.number: value.name.removeprefix("HANDLER_KIND_").lower()
    for value in invocation_pb2.HandlerKind.DESCRIPTOR.values
}


@dataclass(frozen=True, slots=True)
class InvocationPage:
    """A page of invocations."""

    invocations: list[Invocation]
    """The invocations, without input and journal."""
    next_page_token: str
    """The `page_token` of the next page; empty on the last page."""
    missing_partitions: tuple[int, ...] = ()
    """Partitions whose invocations are missing, because no node leads them now."""

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, for JSON."""
        return {
            "invocations": [it.to_dict(brief=True) for it in self.invocations],
            "next_page_token": self.next_page_token,
            "missing_partitions": list(self.missing_partitions),
        }


@dataclass(frozen=True, slots=True)
class Handler:
    """A handler that a worker has registered."""

    name: str
    """The registered name."""
    kind: str
    """The kind: "workflow", "object_exclusive" or "object_shared"."""
    version: str
    """The version that the last worker registered."""
    description: str
    """What it does, for people."""
    versioning: str
    """Which workers go on with an invocation that has a journal: "auto" for any, "pinned" for those of
    the build that began it."""
    worker_count: int
    """How many connected workers serve it."""
    pending_count: int
    """How many of its invocations wait for a worker."""
    running_count: int
    """How many of its invocations run."""

    @classmethod
    def of(cls, message: invocation_pb2.HandlerInfo) -> Handler:
        """Returns the view of a message."""
        spec = message.spec
        return cls(
            name=spec.name,
            kind=_HANDLER_KINDS.get(spec.kind) or f"kind_{spec.kind}",
            version=spec.version,
            description=spec.description,
            versioning="pinned" if spec.versioning == invocation_pb2.VERSIONING_PINNED else "auto",
            worker_count=message.worker_count,
            pending_count=message.pending_count,
            running_count=message.running_count,
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, for JSON."""
        return asdict(self)


class HandlerList(list[Handler]):
    """The handlers by name."""

    missing_partitions: tuple[int, ...] = ()
    """Partitions whose invocations are not counted, because no node leads them now."""


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts over all invocations that are kept."""

    total: int
    """All invocations."""
    by_status: dict[str, int]
    """The count by status; statuses without an invocation are left out."""
    by_handler: dict[str, dict[str, int]]
    """The count by handler and status."""
    worker_count: int
    """How many workers are connected."""
    missing_partitions: tuple[int, ...] = ()
    """Partitions whose invocations are not counted, because no node leads them now."""

    @classmethod
    def of(cls, message: control_pb2.GetStatsResponse) -> Stats:
        """Returns the view of a message."""
        by_status: dict[str, int] = {}
        by_handler: dict[str, dict[str, int]] = {}
        for item in message.counts:
            word = status_word(item.state)
            by_status[word] = by_status.get(word, 0) + item.count
            by_handler.setdefault(item.handler, {})[word] = item.count
        return cls(
            message.total_count,
            by_status,
            by_handler,
            message.worker_count,
            tuple(message.missing_partitions),
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, for JSON."""
        return {**asdict(self), "missing_partitions": list(self.missing_partitions)}


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker that is connected."""

    worker_id: str
    """Its id, which it chooses anew at each start of its process."""
    identity: str
    """The name that it gives itself, for people."""
    build_id: str
    """The build of the code that it runs."""
    handlers: tuple[str, ...]
    """The handlers that it serves."""
    slot_count: int
    """How many invocations it runs at most."""
    running_count: int
    """How many it runs."""
    connect_time: datetime | None
    """When it connected."""
    draining: bool
    """Whether it is draining, and takes no new work."""

    @classmethod
    def of(cls, message: control_pb2.WorkerInfo) -> WorkerInfo:
        """Returns the view of a message."""
        return cls(
            worker_id=message.worker_id,
            identity=message.identity,
            build_id=message.build_id,
            handlers=tuple(message.handlers),
            slot_count=message.slot_count,
            running_count=message.running_count,
            connect_time=time_field(message, "connect_time"),
            draining=message.draining,
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, for JSON."""
        return {**asdict(self), "connect_time": time_text(self.connect_time)}


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """The control plane."""

    version: str
    """Its version."""
    protocol_version_min: int
    """The oldest worker protocol that it speaks."""
    protocol_version_max: int
    """The newest worker protocol that it speaks."""
    limits: dict[str, int]
    """Its limits by name."""
    epoch: int
    """Its epoch as the leader of partition 0."""
    start_time: datetime | None
    """When it became the leader of partition 0."""
    append_count: int
    """How many batches it has appended since then."""
    time: datetime | None
    """What its clock showed; None from an older version."""
    partition_count: int
    """How many partitions the system has."""

    @classmethod
    def of(cls, message: control_pb2.GetServerInfoResponse) -> ServerInfo:
        """Returns the view of a message."""
        return cls(
            version=message.version,
            protocol_version_min=message.protocol_version_min,
            protocol_version_max=message.protocol_version_max,
            limits=dict(sorted(message.limits.items())),
            epoch=message.epoch,
            start_time=time_field(message, "start_time"),
            append_count=message.append_count,
            time=time_field(message, "time"),
            # Versions that do not tell the number have one partition.
            partition_count=message.partition_count or 1,
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, for JSON."""
        times = {"start_time": time_text(self.start_time), "time": time_text(self.time)}
        return {**asdict(self), **times}
