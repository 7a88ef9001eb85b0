"""The local control plane: a control plane that runs inside the client's process, for local mode.

Nothing of client, worker or control plane is written twice. Stubs and sessions make their calls on a
channel, and in local mode that channel passes them to the servicers of a control plane in memory by
plain function calls (see `channel`). So the same code runs as in production, except for the log and the
sockets, and a breakpoint in a handler is hit in the process that is being debugged.

Rules.
- `durable` does not depend on `durable_server`: the server's module is imported by its name, and if it
  is missing the error says what to install.
- The control plane starts at the first call, on the event loop of that call, like a gRPC channel.
- A call after the close ends with CANCELLED, and is not retried.
- All messages and calls in progress are counted, so that `quiet` can tell when there are none.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import grpc
import grpc.aio

from .._common.addresses import Address
from .._common.errors import ServerNotInstalledError
from .channel import LocalChannel, LocalStream, break_off, call_error

SERVER_MODULE: Final = "durable_server.local"
ADDRESS: Final = Address("this process", None, True)
"""Stands for the address of a local control plane in errors and logs."""


class Plane(Protocol):
    """What the SDK uses of the server's LocalPlane."""

    services: Mapping[str, Any]
    on_append: Callable[[list[tuple[str, Mapping[str, Any]]]], bool] | None
    """Called with the records of a batch that has just been appended, before they are applied; returns
    whether the leader shall crash now."""
    on_idle: Callable[[], None]
    """Called when the processor has become idle, or has failed."""

    @property
    def failure(self) -> Exception | None:
        """The error that has ended its leader, other than a crash that `on_append` requested."""
        ...

    @property
    def waiter_count(self) -> int:
        """How many calls in progress wait for the end of an invocation."""
        ...

    @property
    def idle(self) -> bool:
        """Whether nothing happens until a timer is due or a message or a call arrives."""
        ...

    @property
    def now_ms(self) -> int:
        """The time of its clock, in milliseconds since 1970."""
        ...

    @property
    def next_timer_ms(self) -> int:
        """When the next timer of an invocation is due, in milliseconds since 1970; 0 for none."""
        ...

    def move(self, to_ms: int) -> bool:
        """Advances a virtual clock to the next alarm, at most to `to_ms`; returns whether any fired."""
        ...

    async def start(self) -> None:
        """Starts it on the running event loop."""

    async def halt(self) -> None:
        """Stops all processing; sessions may be ended after that."""

    async def restart(self, *, empty_store: bool = False) -> None:
        """Starts it again over the same log, after `halt` or a crash."""

    async def stop(self) -> None:
        """Frees all that it holds, after the sessions have ended."""


class LocalControlPlane:
    """The control plane of one local client; starts at its first use.

    The arguments are those of the server's LocalPlane.
    """

    def __init__(
        self,
        *,
        start_ms: int | None = None,
        one_by_one: bool = False,
        webhook_secrets: Mapping[str, str] | None = None,
    ) -> None:
        """Raises ServerNotInstalledError, and ValueError for a webhook secret that is not valid."""
        try:
            module = importlib.import_module(SERVER_MODULE)
        except ModuleNotFoundError as error:
            raise ServerNotInstalledError(
                f"local mode runs the control plane in this process, and {error.name!r} is not"
                " installed: pip install 'durable-grpc[server]'"
            ) from error
        self.plane: Final[Plane] = module.LocalPlane(
            start_ms=start_ms, one_by_one=one_by_one, webhook_secrets=webhook_secrets
        )
        self.calls = 0
        """How many unary calls are in progress."""
        self.streams: set[LocalStream] = set()
        """The open streams of all channels."""
        self.on_progress: Callable[[], None] = _nothing
        """Called when a call or a frame begins or ends, so that `quiet` may have changed."""
        self._start: asyncio.Task[None] | None = None
        self._closed = False

    def open(self, _: Address = ADDRESS) -> grpc.aio.Channel:
        """Returns a new channel to it, whatever the address."""
        return LocalChannel(self)

    async def start(self) -> None:
        """Starts the control plane unless it has been started; returns when it runs.

        Raises the error with which it has failed, because it does not start again by itself.
        """
        if self._closed:
            raise call_error(grpc.StatusCode.CANCELLED, "the local control plane is closed")
        if self.plane.failure is not None:
            raise self.plane.failure
        if not self.plane.services:
            if self._start is None:
                self._start = asyncio.get_running_loop().create_task(self.plane.start())
            # Other calls wait for the same start: a caller that is cancelled must not cancel it.
            await asyncio.shield(self._start)

    async def service(self, name: str) -> Any:
        """Returns the servicer of a service, by its full name, once the control plane runs.

        None if there is none.
        """
        await self.start()
        return self.plane.services.get(name)

    @property
    def quiet(self) -> bool:
        """Whether nothing happens until a timer is due, a step ends, or a call arrives."""
        return (
            all(stream.quiet for stream in self.streams)
            and self.plane.idle
            and self.calls == self.plane.waiter_count
        )

    async def restart(self, *, empty_store: bool = False) -> None:
        """Breaks all sessions off and starts the control plane again over its log.

        `empty_store` makes it read the whole log.
        """
        # Calls that arrive during the restart wait for it, as for the first start.
        self._start = asyncio.get_running_loop().create_task(self._restart(empty_store))
        await asyncio.shield(self._start)

    async def _restart(self, empty_store: bool) -> None:
        await self.plane.halt()
        await break_off(self.streams)
        await self.plane.restart(empty_store=empty_store)

    async def halt(self) -> None:
        """Stops all processing, so that workers can end without any effect on their invocations."""
        self._closed = True
        if self._start is not None:
            await asyncio.wait([self._start])
            await self.plane.halt()

    async def close(self) -> None:
        """Stops it, after the sessions have ended; its log is lost."""
        await self.halt()
        await self.plane.stop()


def _nothing() -> None:
    pass
