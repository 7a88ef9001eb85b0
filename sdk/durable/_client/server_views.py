"""What a client gets to see of the whole: pages, counts, handlers, workers, the server."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from durable_proto.v1 import control_pb2, invocation_pb2

from .invocation_views import Invocation
from .json_form import moment, time_text
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
    """What to pass as `page_token` for the next page; empty at the end."""

    def to_dict(self) -> dict[str, Any]:
        """Returns it as plain data."""
        return {
            "invocations": [it.to_dict(brief=True) for it in self.invocations],
            "next_page_token": self.next_page_token,
        }


@dataclass(frozen=True, slots=True)
class Handler:
    """A handler that some worker has registered."""

    name: str
    """The registered name."""
    kind: str
    """What it is: "workflow", "object_exclusive" or "object_shared"."""
    version: str
    """The version that the last worker declared."""
    description: str
    """What it does, for a person."""
    worker_count: int
    """How many connected workers serve it."""
    pending_count: int
    """How many of its invocations wait for a worker now."""
    running_count: int
    """How many run now."""

    @classmethod
    def of(cls, message: invocation_pb2.HandlerInfo) -> Handler:
        """Makes the view of a message."""
        spec = message.spec
        return cls(
            name=spec.name,
            kind=_HANDLER_KINDS.get(spec.kind) or f"kind_{spec.kind}",
            version=spec.version,
            description=spec.description,
            worker_count=message.worker_count,
            pending_count=message.pending_count,
            running_count=message.running_count,
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns it as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts over all invocations that are kept."""

    total: int
    """All invocations."""
    by_status: dict[str, int]
    """How many are in each status that occurs."""
    by_handler: dict[str, dict[str, int]]
    """The same, for each handler."""
    worker_count: int
    """How many workers are connected."""

    @classmethod
    def of(cls, message: control_pb2.GetStatsResponse) -> Stats:
        """Makes the view of a message."""
        by_status: dict[str, int] = {}
        by_handler: dict[str, dict[str, int]] = {}
        for item in message.counts:
            word = status_word(item.state)
            by_status[word] = by_status.get(word, 0) + item.count
            by_handler.setdefault(item.handler, {})[word] = item.count
        return cls(message.total_count, by_status, by_handler, message.worker_count)

    def to_dict(self) -> dict[str, Any]:
        """Returns it as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker that is connected."""

    worker_id: str
    """The id that it gave itself; new for each process start."""
    identity: str
    """What it calls itself, for a person."""
    build_id: str
    """The build that it runs."""
    handlers: tuple[str, ...]
    """The handlers that it serves."""
    slot_count: int
    """How many invocations it holds at most."""
    running_count: int
    """How many it holds now."""
    connect_time: datetime | None
    """Since when it is connected."""
    draining: bool
    """Whether it takes no new work."""

    @classmethod
    def of(cls, message: control_pb2.WorkerInfo) -> WorkerInfo:
        """Makes the view of a message."""
        return cls(
            worker_id=message.worker_id,
            identity=message.identity,
            build_id=message.build_id,
            handlers=tuple(message.handlers),
            slot_count=message.slot_count,
            running_count=message.running_count,
            connect_time=moment(message, "connect_time"),
            draining=message.draining,
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns it as plain data."""
        return {**asdict(self), "connect_time": time_text(self.connect_time)}


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What the control plane is."""

    version: str
    """Its version."""
    protocol_version_min: int
    """The oldest worker protocol that it speaks."""
    protocol_version_max: int
    """The newest worker protocol that it speaks."""
    limits: dict[str, int]
    """Its limits by name."""
    epoch: int
    """Its epoch as the leader of its log."""
    start_time: datetime | None
    """When it began to lead."""
    append_count: int
    """How many batches it has appended since then."""
    time: datetime | None
    """What its clock showed; None from one that does not say."""

    @classmethod
    def of(cls, message: control_pb2.GetServerInfoResponse) -> ServerInfo:
        """Makes the view of a message."""
        return cls(
            version=message.version,
            protocol_version_min=message.protocol_version_min,
            protocol_version_max=message.protocol_version_max,
            limits=dict(sorted(message.limits.items())),
            epoch=message.epoch,
            start_time=moment(message, "start_time"),
            append_count=message.append_count,
            time=moment(message, "time"),
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns it as plain data."""
        times = {"start_time": time_text(self.start_time), "time": time_text(self.time)}
        return {**asdict(self), **times}
