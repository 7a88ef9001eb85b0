"""Local mode: a control plane in this process, and who may say what to it when.

Theory. Nothing of client, worker or control plane is written twice. Stubs and sessions make their
calls on a channel; in local mode it is one that hands them to the servicers of a control plane in
memory, by plain calls (`_local_channel`). So the same code runs as in production but for the log and
the sockets, and a breakpoint in a handler is in the process that is being debugged.

Rules.
- `durable` does not depend on `durable_server`: the control plane is found by its module's name, and
  its absence is an error that says what to install.
- The plane starts at the first call, on the loop of that call, as a gRPC channel connects.
- What is called after the close, or tried again then, is CANCELLED and not tried any more.
- What is on its way is known: `Local.quiet` says that no message is, in either direction, and that no
  call is being worked on.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import grpc
import grpc.aio

from .._common.errors import ServerNotInstalledError
from .._common.transport import Address
from .channel import LocalChannel, LocalStream, break_off, call_error

SERVER_MODULE: Final = "durable_server.local"
ADDRESS: Final = Address("this process", None, True)
"""What local mode has for an address, in errors and logs."""


class Plane(Protocol):
    """What the SDK uses of the control plane."""

    services: Mapping[str, Any]
    on_append: Callable[[list[tuple[str, Mapping[str, Any]]]], bool] | None
    """Called with the facts that are in the log now, and not known yet; says whether to crash."""
    on_idle: Callable[[], None]
    """Called when it has nothing to do."""

    @property
    def waiter_count(self) -> int:
        """How many calls wait for an invocation to settle."""
        ...

    @property
    def idle(self) -> bool:
        """Whether nothing happens there until a timer is due or a message comes."""
        ...

    @property
    def now_ms(self) -> int:
        """What its clock shows."""
        ...

    @property
    def next_timer_ms(self) -> int:
        """When the next timer of an invocation is due; 0 when there is none."""
        ...

    def move(self, to_ms: int) -> bool:
        """Moves a virtual clock to the next alarm, at most to `to_ms`; says whether it woke anybody."""
        ...

    async def start(self) -> None:
        """Starts it on the running loop."""

    async def halt(self) -> None:
        """Lets nothing move any more; sessions may end then."""

    async def restart(self, *, empty_store: bool = False) -> None:
        """Starts again over the same log, after `halt` or a crash."""

    async def stop(self) -> None:
        """Stops it, after the sessions."""


class Local:
    """The control plane of one local client; starts at its first use.

    The arguments are those of the plane.
    """

    def __init__(
        self,
        *,
        start_ms: int | None = None,
        one_by_one: bool = False,
        webhook_secrets: Mapping[str, str] | None = None,
    ) -> None:
        """Raises ServerNotInstalledError, and ValueError for a webhook secret that is none."""
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
        """How many unary calls are being worked on."""
        self.streams: set[LocalStream] = set()
        """The open streams of all channels."""
        self.moved: Callable[[], None] = _nothing
        """Called when something may have become quiet."""
        self._start: asyncio.Task[None] | None = None
        self._closed = False

    def open(self) -> grpc.aio.Channel:
        """Opens a channel to it."""
        return LocalChannel(self)

    async def start(self) -> None:
        """Returns when the plane runs; starts it if nobody has."""
        if self._closed:
            raise call_error(grpc.StatusCode.CANCELLED, "the local control plane is closed")
        if not self.plane.services:
            if self._start is None:
                self._start = asyncio.get_running_loop().create_task(self.plane.start())
            # Whoever is cancelled here must not take the plane from the others.
            await asyncio.shield(self._start)

    async def service(self, name: str) -> Any:
        """Returns a servicer by its full name, once the plane runs."""
        await self.start()
        return self.plane.services[name]

    @property
    def quiet(self) -> bool:
        """Whether nothing happens until a timer is due, a worker acts, or somebody calls."""
        return (
            all(stream.quiet for stream in self.streams)
            and self.plane.idle
            and self.calls == self.plane.waiter_count
        )

    async def restart(self, *, empty_store: bool = False) -> None:
        """Breaks all sessions off and starts the plane again over its log.

        `empty_store` makes it read the whole log.
        """
        # Whoever calls meanwhile waits for it, as for the first start.
        self._start = asyncio.get_running_loop().create_task(self._restart(empty_store))
        await asyncio.shield(self._start)

    async def _restart(self, empty_store: bool) -> None:
        await self.plane.halt()
        await break_off(self.streams)
        await self.plane.restart(empty_store=empty_store)

    async def halt(self) -> None:
        """Lets nothing move any more, so that workers can end without a word."""
        self._closed = True
        if self._start is not None:
            await asyncio.wait([self._start])
            await self.plane.halt()

    async def close(self) -> None:
        """Stops it, after the sessions; what it held is gone."""
        await self.halt()
        await self.plane.stop()


def _nothing() -> None:
    pass
