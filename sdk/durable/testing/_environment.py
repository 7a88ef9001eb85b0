"""The test environments: a control plane, a worker and a client for one test, with a virtual clock.

An environment is local mode, which is the production code without NATS and sockets, on a clock that
stands still (`_time` decides when it advances). `Environment` is the sync version of
`AsyncEnvironment`, as `Client` is of a local `AsyncClient`: everything runs on an event loop in a
thread beside the test.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Final, Literal, TypeAlias

from .._client.async_client import AsyncClient
from .._client.async_connection import AsyncConnection
from .._client.connection import LocalConnection
from .._client.generated.client import Client
from .._client.options import DEFAULT_TIMEOUT_SECONDS
from .._common.codecs.interface import Codec, check_codec
from .._definitions.workflow import Workflow
from .._local.control_plane import LocalControlPlane
from ._time import VirtualTime

Suspend: TypeAlias = Literal["never", "always"]
"""Whether an attempt that only waits stays in memory, or is dropped and replayed to continue."""


def milliseconds(start: datetime | None) -> int:
    """Returns a start time (None: now) in milliseconds since 1970; ValueError without a time zone."""
    if start is None:
        start = datetime.now(UTC)
    elif start.tzinfo is None:
        raise ValueError(f"start must have a time zone, and {start} has none; try tzinfo=UTC")
    return int(start.timestamp() * 1000)


class AsyncEnvironment:
    """A control plane with a virtual clock in this process, a worker, and a client for both.

    An async context manager. It belongs to the event loop that enters it, and nothing of it is left
    after the exit. Sleeps, retries, deadlines, delayed starts and retention follow the clock.

    Arguments: `services` says where the gRPC services of durable calls are, by name. `start` is what
    the clock shows first; now by default. With `skip_time` the clock moves to the next timer whenever
    nothing else can happen and a call waits for an invocation's end, so that a workflow that sleeps
    for a month ends at once; without it only `advance` moves the clock. `suspend="always"` drops the
    attempt at each await, so that each continues with a replay. `timeout` bounds each call of the
    client, in real seconds; None for no bound. `webhook_secrets` holds the secrets, by name, that
    senders of webhooks with a scheme sign with; the URLs really work on loopback, and expire by the
    clock. `codec` is that of the client and the worker.

    Raises ValueError for a `start` without a time zone and for an empty secret,
    ServerNotInstalledError when the control plane is not installed.
    """

    def __init__(
        self,
        *,
        services: Mapping[str, str] | None = None,
        start: datetime | None = None,
        skip_time: bool = True,
        suspend: Suspend = "never",
        timeout: float | timedelta | None = DEFAULT_TIMEOUT_SECONDS,
        webhook_secrets: Mapping[str, str] | None = None,
        codec: Codec | None = None,
    ) -> None:
        if suspend not in ("never", "always"):
            raise ValueError(f"suspend must be 'never' or 'always', and is {suspend!r}")
        checked = check_codec(codec)
        local = LocalControlPlane(start_ms=milliseconds(start), webhook_secrets=webhook_secrets)
        self._connection: Final = AsyncConnection.to_local(local, checked)
        self.client: Final = AsyncClient._of(self._connection, timeout)
        """Starts and steers invocations; see AsyncClient."""
        self._services: Final = services
        self._suspend_after: Final = 0.0 if suspend == "always" else None
        hosting = self._connection.hosting
        self._time: Final = VirtualTime(local, lambda: hosting.quiet, skip=skip_time)

    async def register(self, *workflows: Workflow[..., Any] | type) -> None:
        """Serves workflows and object classes from now on.

        Raises TypeError for anything else, ValueError for a name that was registered before.
        """
        self.client.register(*workflows)
        try:
            await self.client.serve_handlers(
                services=self._services, suspend_after=self._suspend_after
            )
        finally:
            self._time.check_soon()

    def now(self) -> datetime:
        """Returns what the clock shows, in UTC."""
        return self._time.now()

    async def advance(self, by: float | timedelta) -> None:
        """Advances the clock by seconds or a timedelta; returns when all that came due is dealt with.

        Timers fire in their order, each at its own time, and each only when everything that the one
        before has caused is done. Raises ValueError for a negative time, TypeError for another type.
        """
        await self._time.advance(by)

    async def settle(self) -> None:
        """Returns when nothing can happen until a timer is due or a call arrives; no time passes."""
        await self._time.settle()

    async def __aenter__(self) -> AsyncEnvironment:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.client.close()


class Environment:
    """An environment for tests that are not async: a context manager with a sync client.

    Handlers run on an event loop in another thread. See AsyncEnvironment for the arguments and the
    methods, which are the same.
    """

    def __init__(
        self,
        *,
        services: Mapping[str, str] | None = None,
        start: datetime | None = None,
        skip_time: bool = True,
        suspend: Suspend = "never",
        timeout: float | timedelta | None = DEFAULT_TIMEOUT_SECONDS,
        webhook_secrets: Mapping[str, str] | None = None,
        codec: Codec | None = None,
    ) -> None:
        self._async: Final = AsyncEnvironment(
            services=services,
            start=start,
            skip_time=skip_time,
            suspend=suspend,
            timeout=timeout,
            webhook_secrets=webhook_secrets,
            codec=codec,
        )
        self._connection: Final = LocalConnection(self._async._connection)
        self.client: Final = Client._of(self._connection, timeout)
        """Starts and steers invocations; see Client."""

    def register(self, *workflows: Workflow[..., Any] | type) -> None:
        """Serves workflows and object classes from now on; see AsyncEnvironment."""
        self._connection.run_coroutine(self._async.register(*workflows))

    def now(self) -> datetime:
        """Returns what the clock shows, in UTC."""
        return self._async.now()

    def advance(self, by: float | timedelta) -> None:
        """Advances the clock; see AsyncEnvironment."""
        self._connection.run_coroutine(self._async.advance(by))

    def settle(self) -> None:
        """Returns when nothing can happen until a timer is due or a call arrives; no time passes."""
        self._connection.run_coroutine(self._async.settle())

    def __enter__(self) -> Environment:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.client.close()
