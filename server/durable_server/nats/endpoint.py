"""The endpoint of a NATS system: its addresses and credentials, read anew before every connection.

An embedded server gets a new port and new credentials at each start, and a cluster may move, so no part
of the program keeps a URL. It keeps an `EndpointSource` instead, awaits it before each connection, and
uses the answer once.

An external system may have TLS: `tls://` trusts the authorities of this machine, and `NatsTls` names
files with others and with a certificate for this client. They are read again when they have changed, so
the next connection uses what they hold then.
"""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

DEFAULT_PORT = 4222

logger = logging.getLogger("durable.nats")


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


class NatsTls(NamedTuple):
    """Files for the TLS of an external NATS system; with one of them the connection is encrypted."""

    ca: Path | None = None
    """The authorities of its servers; None for those of this machine."""
    cert: Path | None = None
    """The certificate that this client presents; None for none."""
    key: Path | None = None
    """The private key of the certificate."""

    @classmethod
    def from_environment(cls) -> NatsTls:
        """Returns what DURABLE_NATS_CA, DURABLE_NATS_CERT and DURABLE_NATS_KEY name."""
        given = (os.environ.get(f"DURABLE_NATS_{it.upper()}") for it in cls._fields)
        return cls(*(Path(it) if it else None for it in given))

    def context(self) -> ssl.SSLContext:
        """Reads the files. Raises ValueError for one that cannot be used."""
        if (self.cert is None) != (self.key is None):
            raise ValueError("--nats-cert and --nats-key need each other")
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.cert is not None:
                # The password is asked for on the terminal otherwise.
                context.load_cert_chain(self.cert, self.key, password="")
        except OSError as error:  # ssl.SSLError is one
            names = " and ".join(
                f"--nats-{option} {path}"
                for option, path in zip(self._fields, self, strict=True)
                if path is not None
            )
            why = getattr(error, "reason", None) or error.strerror or str(error)
            raise ValueError(f"{names} cannot be used: {why}") from error
        return context

    def state(self) -> object:
        """Returns what differs after a change of the files; None if it cannot be known."""
        try:
            found = [os.stat(it) for it in self if it is not None]
        except OSError:
            return None
        return [(it.st_dev, it.st_ino, it.st_mtime_ns, it.st_size) for it in found]


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


def external_source(urls: str, tls: NatsTls) -> EndpointSource:
    """Returns the source of an external system. Raises ValueError for its URLs and for the files.

    Files that cannot be used later leave the old ones in use.
    """
    endpoint = parse_urls(urls)
    if tls == NatsTls():
        return fixed(endpoint)
    state = tls.state()
    endpoint = endpoint._replace(tls=tls.context())

    async def source() -> Endpoint:
        nonlocal endpoint, state
        now = tls.state()
        if now is not None and now != state:
            try:
                endpoint, state = endpoint._replace(tls=tls.context()), now
            except ValueError as error:
                logger.warning("the certificates in use stay, because %s", error)
        return endpoint

    return source


def fixed(endpoint: Endpoint) -> EndpointSource:
    """Returns a source that always returns this endpoint."""

    async def source() -> Endpoint:
        return endpoint

    return source
