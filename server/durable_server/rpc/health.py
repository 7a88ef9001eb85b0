"""The health service: tells whether each service can accept anything now.

Anybody may ask it, also without a credential, and a watch stays open. So a watch costs little, and many
leave room for other calls:
- at most a tenth of the limit `streams` are watches
- the name of a service, which a watch keeps, has at most NAME_CHARACTERS
- a watch whose client does not read holds up nobody, and not the stop of the server: no lock is held
  while a status is being sent
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, TypeAlias

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ..core.limits import Limits
from ..processor.errors import LimitReachedError
from .refusal import invalid

NAME_CHARACTERS: Final = 256
"""The longest name of a service that is asked for."""
_SHARE: Final = 10
"""One of so many RPCs that may be open may be a watch."""

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
Status: TypeAlias = health_pb2.HealthCheckResponse.ServingStatus


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # it has no types
    """The servicer of `grpc.health.v1.Health`."""

    def __init__(self, limits: Limits) -> None:
        self._limit = max(1, limits.streams // _SHARE)
        self._statuses: dict[str, Status] = {}
        self._watches: set[asyncio.Event] = set()
        """One for each watch that is open, set when a status has changed."""
        self._stopping = False

    def set(self, service: str, status: Status) -> None:
        """Sets the status of a service; does nothing once the server stops."""
        if self._stopping or self._statuses.get(service) == status:
            return
        self._statuses[service] = status
        for changed in self._watches:
            changed.set()

    def stop(self) -> None:
        """Says of all services, for good, that they do not serve."""
        for service in self._statuses:
            self.set(service, health_pb2.HealthCheckResponse.NOT_SERVING)
        self._stopping = True

    async def Check(
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        """Returns the status of a service; NOT_FOUND for one that does not exist."""
        status = self._statuses.get(request.service)
        if status is None:
            await context.abort(grpc.StatusCode.NOT_FOUND)
        return health_pb2.HealthCheckResponse(status=status)

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Context) -> None:
        """Streams the status of a service as it changes."""
        if len(request.service) > NAME_CHARACTERS:
            raise invalid("service", f"has more than {NAME_CHARACTERS} characters")
        if len(self._watches) >= self._limit:
            problem = "that many of the open RPCs are watches of the health service already"
            raise LimitReachedError("streams", self._limit, problem)
        changed = asyncio.Event()
        self._watches.add(changed)
        sent: Status | None = None
        try:
            while True:
                changed.clear()
                unknown = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
                status = self._statuses.get(request.service, unknown)
                if status != sent:
                    sent = status
                    await context.write(health_pb2.HealthCheckResponse(status=status))
                await changed.wait()
        finally:
            self._watches.discard(changed)
