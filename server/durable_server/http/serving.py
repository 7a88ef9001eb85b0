"""Serves the surface with uvicorn, inside the control plane's own event loop.

uvicorn is a guest here: the socket is ours (so that a taken port is one clear error), it sets up no
logging, and it takes no signals: the process's end is decided in `commands`.

At the end nothing new is accepted, requests under way get the grace, then waits are answered with
503; whoever is still sending after that is cut off.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager

import uvicorn

from .control import reachable
from .origins import Origins, is_loopback
from .requests import Backing
from .routing import Route
from .shim import ALL, Shim
from .wire import Wire

_CUT_SECONDS = 1.0


class HttpAddressError(Exception):
    """The address to serve HTTP on is taken."""


class _Guest(uvicorn.Server):
    """A uvicorn server that leaves the process's signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


class HttpServer:
    """The HTTP surface of one control plane."""

    def __init__(
        self,
        backing: Backing,
        *,
        routes: Iterable[Route] = ALL,
        public_url: str = "",
        allowed_hosts: Sequence[str] = (),
        insecure: bool = False,
    ) -> None:
        self._backing = backing
        self._routes = routes
        self._public_url = public_url
        self._allowed_hosts = allowed_hosts
        self._insecure = insecure

    async def start(self, listen: str) -> str:
        """Starts to serve; returns the address with the port that was taken.

        Without a public URL webhooks have this address. Raises HttpAddressError when it is taken or
        does not exist.
        """
        host, _, port = listen.rpartition(":")
        try:
            bound = _bind(host.strip("[]"), int(port), listen)
        except HttpAddressError:
            await self._backing.control.close()
            raise
        allowed = Origins(
            public_url=self._public_url,
            allowed_hosts=self._allowed_hosts,
            any_host=self._insecure or not is_loopback(host),
        )
        shim = Shim(self._backing, allowed, self._routes)
        self._server = _Guest(
            uvicorn.Config(
                shim,
                http=Wire,
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
            )
        )
        self._task = asyncio.create_task(self._server.serve([bound]))
        up = asyncio.create_task(self._server.up.wait())
        await asyncio.wait({self._task, up}, return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if self._task.done():
            await self._task
        served = f"{host}:{bound.getsockname()[1]}"
        self._backing.webhooks.base_url = self._public_url or f"http://{reachable(served)}"
        return served

    async def stop(self, grace: float) -> None:
        """Stops: `grace` seconds for what is under way, then waits end."""
        self._server.should_exit = True
        self._backing.control.end_watches()
        await asyncio.wait({self._task}, timeout=grace)
        self._backing.control.leave()
        await asyncio.wait({self._task}, timeout=_CUT_SECONDS)
        self._server.force_exit = True
        await asyncio.wait({self._task}, timeout=_CUT_SECONDS)
        await self._backing.control.close()


def _bind(host: str, port: int, listen: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(512)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        raise HttpAddressError(
            f"cannot serve HTTP on {listen}: it is taken by another process or is not an address "
            "of this machine; choose another with --http HOST:PORT"
        ) from error
    return bound
