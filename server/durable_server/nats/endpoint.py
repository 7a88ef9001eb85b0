"""The endpoint of a NATS system: its addresses and credentials, read anew before every connection.

An embedded server gets a new port and new credentials at each start, and a cluster may move, so no part
of the program keeps a URL. It keeps an `EndpointSource` instead, awaits it before each connection, and
uses the answer once.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

DEFAULT_PORT = 4222


class Endpoint(NamedTuple):
    """One or more servers of one NATS system, with the credentials that all of them accept."""

    servers: tuple[tuple[str, int], ...]
    """Host and port of each server."""
    user: str | None = None
    password: str | None = None
    token: str | None = None
    tls: ssl.SSLContext | None = None
    """Encrypts the connection; None encrypts, with the default context, if the server requires it."""

    def __repr__(self) -> str:
        """Shows the servers only, so that an endpoint can be logged."""
        return f"Endpoint({', '.join(f'{host}:{port}' for host, port in self.servers)})"


EndpointSource = Callable[[], Awaitable[Endpoint]]
"""Returns where to connect now; waits while a server starts; raises OSError when there is none."""


def parse_urls(text: str) -> Endpoint:
    """Reads `nats://[user:password@|token@]host[:port]`, or several with commas between; `tls://`
    encrypts.

    The credentials of the first URL that has some are used for all. Raises ValueError with the part
    that is wrong.
    """
    servers: list[tuple[str, int]] = []
    user = password = token = None
    tls: ssl.SSLContext | None = None
    for part in text.split(","):
        url = part.strip()
        if "://" not in url:
            url = f"nats://{url}"
        parts = urlsplit(url)
        if parts.scheme not in ("nats", "tls"):
            raise ValueError(
                f"a NATS URL starts with nats:// or tls://, not with {parts.scheme}://"
            )
        if not parts.hostname:
            raise ValueError("a NATS URL needs a host: nats://host:4222")
        try:
            port = DEFAULT_PORT if parts.port is None else parts.port
        except ValueError:
            port = 0
        if not port:
            given = parts.netloc.rpartition("@")[2]  # without a password
            raise ValueError(
                f"the port of the NATS URL for {given} must be a whole number from 1 to 65535"
            )
        servers.append((parts.hostname, port))
        if parts.scheme == "tls" and tls is None:
            tls = ssl.create_default_context()
        if user is None and token is None and parts.username is not None:
            if parts.password is None:
                token = unquote(parts.username)
            else:
                user, password = unquote(parts.username), unquote(parts.password)
    return Endpoint(tuple(servers), user, password, token, tls)


def fixed(endpoint: Endpoint) -> EndpointSource:
    """Returns a source that always returns this endpoint."""

    async def source() -> Endpoint:
        return endpoint

    return source
