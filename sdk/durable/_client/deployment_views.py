"""Views of deployments: the builds of code that workers run, and which of them gets new invocations."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from durable_proto.v1 import control_pb2

from .json_form import time_field, time_text


@dataclass(frozen=True, slots=True)
class Deployment:
    """A build of code, with the handlers that its workers serve."""

    build_id: str
    """The build."""
    handlers: tuple[str, ...]
    """The handlers that its workers serve, by name."""
    create_time: datetime | None
    """When a worker of it registered first; None if that is not known any more."""
    worker_count: int
    """How many of its workers are connected."""
    draining: bool
    """Whether it was asked to get no new invocations."""
    pinned_count: int
    """How many invocations that have not ended are pinned to it."""
    waiting_count: int
    """How many invocations are ready and wait for one of its workers: pinned to it, or because it is
    the current build of their handler."""
    running_count: int
    """How many attempts its workers run now."""
    drained: bool
    """Whether its workers can be stopped: it gets no new invocations, and nothing needs it."""

    @classmethod
    def of(cls, message: control_pb2.Deployment) -> Deployment:
        """Returns the view of a message."""
        return cls(
            build_id=message.build_id,
            handlers=tuple(message.handlers),
            create_time=time_field(message, "create_time"),
            worker_count=message.worker_count,
            draining=message.draining,
            pinned_count=message.pinned_count,
            waiting_count=message.waiting_count,
            running_count=message.running_count,
            drained=message.drained,
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, for JSON."""
        times = {"create_time": time_text(self.create_time)}
        return {**asdict(self), "handlers": list(self.handlers), **times}


@dataclass(frozen=True, slots=True)
class Route:
    """Which build gets the new invocations of a handler."""

    handler: str
    """The handler."""
    build_id: str
    """The current build; empty if the promotions of the handler are forgotten."""
    ramping_build_id: str
    """The build that is being ramped up, or ""."""
    ramping_percent: int
    """The share of new invocations that go to that one, 1 to 99; 0 without one."""
    previous_build_id: str
    """The build that was current before, or ""."""
    update_time: datetime | None
    """When this was changed last."""
    identity: str
    """Who changed it, as the caller gave it."""
    reason: str
    """Why, for people."""

    @classmethod
    def of(cls, message: control_pb2.Route) -> Route:
        """Returns the view of a message."""
        return cls(
            handler=message.handler,
            build_id=message.build_id,
            ramping_build_id=message.ramping_build_id,
            ramping_percent=message.ramping_percent,
            previous_build_id=message.previous_build_id,
            update_time=time_field(message, "update_time"),
            identity=message.identity,
            reason=message.reason,
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, for JSON."""
        return {**asdict(self), "update_time": time_text(self.update_time)}


@dataclass(frozen=True, slots=True)
class Deployments:
    """The builds, and the routes of handlers that a build was promoted for."""

    deployments: tuple[Deployment, ...]
    """The builds, latest first; those that only invocations or workers name come last."""
    routes: tuple[Route, ...]
    """The routes, by handler. A handler without one has never been promoted."""
    missing_partitions: tuple[int, ...] = ()
    """Partitions that no node leads now: what is in them is missing from the counts."""

    @classmethod
    def of(cls, message: control_pb2.ListDeploymentsResponse) -> Deployments:
        """Returns the view of a message."""
        return cls(
            tuple(map(Deployment.of, message.deployments)),
            tuple(map(Route.of, message.routes)),
            tuple(message.missing_partitions),
        )

    def get(self, build_id: str) -> Deployment | None:
        """Returns a build; None if it is not among these."""
        return next((it for it in self.deployments if it.build_id == build_id), None)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, for JSON."""
        return {
            "deployments": [it.to_dict() for it in self.deployments],
            "routes": [it.to_dict() for it in self.routes],
            "missing_partitions": list(self.missing_partitions),
        }
