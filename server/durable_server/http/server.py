"""The HTTP server: uvicorn inside the control plane's own event loop.

uvicorn does only part of its usual work: the socket is ours (so that a taken port is one clear error),
it configures no logging, and it handles no signals, because `commands` decides when the process ends.

When the server stops, it accepts nothing new. Requests in flight get the grace period, then waiting
ones are answered with 503, and connections that are still sending after that are closed.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from .asgi import ALL, HttpApp
from .control_client import reachable
from .handshake import Handshakes
from .http1 import Http1Protocol
from .origin_policy import OriginPolicy, is_loopback
from .requests import Backend
from .routing import Route

_CUT_SECONDS = 1.0


class HttpAddressError(Exception):
    """The address to serve HTTP on is taken."""


class _UvicornServer(uvicorn.Server):
    """A uvicorn server that does not handle signals."""

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
        backend: Backend,
        *,
        routes: Iterable[Route] = ALL,
        public_url: str = "",
        allowed_hosts: Sequence[str] = (),
        insecure: bool = False,
        connections: int = 10_000,
        share_port: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """With `share_port` other processes may listen at the same address.

        More than `connections` clients at the same time are refused.

        With `tls` it serves HTTPS, and nothing else.
        """
        self._backend = backend
        self._connections = connections
        self._share_port = share_port
        self._routes = routes
        self._public_url = public_url
        self._allowed_hosts = allowed_hosts
        self._insecure = insecure
        self._tls = tls
        self._handshakes: Handshakes | None = None

    async def start(self, listen: str) -> str:
        """Starts to serve; returns the address with the actual port.

        Without a public URL, webhooks use this address. Raises HttpAddressError when it is taken or
        does not exist.
        """
        host, _, port = listen.rpartition(":")
        try:
            bound = _bind(host.strip("[]"), int(port), listen, share_port=self._share_port)
        except HttpAddressError:
            await self._backend.control.close()
            raise
        allowed = OriginPolicy(
            public_url=self._public_url,
            allowed_hosts=self._allowed_hosts,
            any_host=self._insecure or not is_loopback(host),
            https=self._tls is not None,
        )
        app = HttpApp(self._backend, allowed, self._routes)
        config = uvicorn.Config(
            app,
            http=Http1Protocol,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=self._connections,
        )
        config.load()
        if self._tls is not None:
            handshakes = self._handshakes = Handshakes(self._tls, self._connections)

            def accepted(server_state: ServerState, **others: Any) -> asyncio.Protocol:
                make = partial(Http1Protocol, server_state=server_state, **others)
                return handshakes.accepted(make, server_state.connections)

            config.http_protocol_class = accepted  # type: ignore[assignment]  # uvicorn only calls it
        self._server = _UvicornServer(config)
        self._task = asyncio.create_task(self._server.serve([bound]))
        up = asyncio.create_task(self._server.up.wait())
        await asyncio.wait({self._task, up}, return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if self._task.done():
            await self._task
        served = f"{host}:{bound.getsockname()[1]}"
        scheme = "http" if self._tls is None else "https"
        self._backend.webhooks.base_url = self._public_url or f"{scheme}://{reachable(served)}"
        return served

    async def stop(self, grace: float) -> None:
        """Stops; requests in flight have `grace` seconds before those that wait are ended."""
        self._server.should_exit = True
        if self._handshakes is not None:
            self._handshakes.close()
        self._backend.control.end_watches()
        await asyncio.wait({self._task}, timeout=grace)
        self._backend.control.leave()
        await asyncio.wait({self._task}, timeout=_CUT_SECONDS)
        self._server.force_exit = True
        await asyncio.wait({self._task}, timeout=_CUT_SECONDS)
        await self._backend.control.close()


def _bind(host: str, port: int, listen: str, *, share_port: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share_port:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
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
