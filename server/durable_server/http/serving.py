"""Serves the surface with uvicorn, inside the control plane's own event loop.

uvicorn is a guest here: the socket is ours (so that a taken port is one clear error), it sets up no
logging, and it takes no signals: the process's end is decided in `commands`.

At the end nothing new is accepted, requests under way get the grace, then waits are answered with
503; whoever is still sending after that is cut off.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import uvicorn

from ..webhooks.desk import Webhooks
from .control import Control, reachable
from .origins import Origins, is_loopback
from .reading import Backing, Render
from .shim import Shim
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
    """The HTTP surface of the control plane at one gRPC address."""

    def __init__(
        self,
        address: str,
        webhooks: Webhooks,
        render: Render,
        *,
        public_url: str,
        allowed_hosts: Sequence[str],
        payload_bytes: int,
        insecure: bool,
    ) -> None:
        self._address = address
        self._public_url = public_url
        self._allowed_hosts = allowed_hosts
        self._webhooks = webhooks
        self._render = render
        self._payload_bytes = payload_bytes
        self._insecure = insecure

    async def start(self, listen: str) -> str:
        """Starts to serve; returns the address with the port that was taken.

        Without a public URL webhooks have this address. Raises HttpAddressError when it is taken or
        does not exist.
        """
        host, _, port = listen.rpartition(":")
        bound = _bind(host.strip("[]"), int(port), listen)
        self._control = Control(self._address)
        backing = Backing(self._control, self._webhooks, self._render, self._payload_bytes)
        allowed = Origins(
            public_url=self._public_url,
            allowed_hosts=self._allowed_hosts,
            any_host=self._insecure or not is_loopback(host),
        )
        shim = Shim(backing, allowed)
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
        self._webhooks.base_url = self._public_url or f"http://{reachable(served)}"
        return served

    async def stop(self, grace: float) -> None:
        """Stops: `grace` seconds for what is under way, then waits end."""
        self._server.should_exit = True
        self._control.end_watches()
        await asyncio.wait({self._task}, timeout=grace)
        self._control.leave()
        await asyncio.wait({self._task}, timeout=_CUT_SECONDS)
        self._server.force_exit = True
        await asyncio.wait({self._task}, timeout=_CUT_SECONDS)
        await self._control.close()


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
