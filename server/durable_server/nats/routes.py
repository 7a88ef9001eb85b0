"""The routes between embedded nats-servers that form one JetStream cluster.

The operator gives every node the same list of peers, as `a=10.0.0.1:6222,b=10.0.0.2:6222,c=…`, and each
its own name. The name of a node is the name of its nats-server, by which JetStream knows it for good;
its address may change. There are 1, 3 or 5 peers: an even number survives the loss of no more servers
than the odd one below it. One peer is a server on its own and has no routes.

**Who may connect.** A connection to the port of the routes can read and write everything. So servers
show each other a password, derived from a secret that the operator gives to all nodes. Only where all
peers are on loopback may it be left out.

**TLS.** With the files of a certificate the routes are encrypted, and both ends show their certificate.
The end that dials compares it with the host in the list. nats-server reads the files when it starts and
when it is told to (`EmbeddedNats.reload`); the routes that are open go on.

**Where it listens.** At its own address if that is an IP address, on loopback if all peers are there,
and else on all interfaces: a host name may be known before it resolves, as in Kubernetes.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

DEFAULT_CLUSTER = "durable"
"""The name of a cluster that is given none."""
SIZES = (1, 3, 5)
"""How many servers may form a cluster."""
SECRET_LENGTH_MIN = 16
"""The least number of characters of a secret."""
USER = "durable"
HANDSHAKE_SECONDS = 5
"""How long the handshake of a route may take; the 2 s of nats-server are little for a busy machine."""
_LABEL = b"durable routes between nats-servers"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?|\[[0-9A-Fa-f:.]+\]")
_EXAMPLE = "as in a=10.0.0.1:6222,b=10.0.0.2:6222,c=10.0.0.3:6222"


class RouteTls(NamedTuple):
    """The files with which the servers of a cluster prove to each other who they are."""

    cert: Path
    """The certificate of this server."""
    key: Path
    """Its private key."""
    ca: Path
    """The authorities of all servers."""


@dataclass(frozen=True, slots=True)
class Routes:
    """The servers of one cluster, as one of them knows them."""

    cluster: str
    """The name of the cluster."""
    node: str
    """The name of this server."""
    peers: Mapping[str, str]
    """HOST:PORT of each server by its name, this one included."""
    secret: str = field(default="", repr=False)
    """What all servers know; empty for none."""
    tls: RouteTls | None = None
    """None for plain text."""

    @property
    def majority(self) -> int:
        """How many servers must be connected to each other so that something can be written."""
        return len(self.peers) // 2 + 1

    @property
    def local(self) -> bool:
        """Whether all servers are on loopback."""
        return all(is_loopback(split(it)[0]) for it in self.peers.values())

    def config(self) -> str:
        """Returns the block `cluster` of the configuration of this server."""
        credentials = authorization = ""
        if self.secret:
            password = hmac.digest(self.secret.encode(), _LABEL, "sha256").hex()
            credentials = f"{USER}:{password}@"
            authorization = f"authorization {{ user: {USER}, password: {json.dumps(password)} }}"
        # This server too: JetStream takes the number of routes for that of the servers which must
        # agree at the first start.
        routes = ", ".join(json.dumps(f"nats://{credentials}{it}") for it in self.peers.values())
        return f"""cluster {{
  name: {json.dumps(self.cluster)}
  listen: {json.dumps(self._listen())}
  no_advertise: true
  pool_size: 1
  routes: [{routes}]
  {authorization}
  {self._tls()}
}}
"""

    def _tls(self) -> str:
        if self.tls is None:
            return ""
        cert, key, ca = (json.dumps(str(it.absolute()), ensure_ascii=False) for it in self.tls)
        return (
            f"tls {{ cert_file: {cert}, key_file: {key}, ca_file: {ca}, verify: true,"
            f" timeout: {HANDSHAKE_SECONDS} }}"
        )

    def _listen(self) -> str:
        host, port = split(self.peers[self.node])
        if self.local:
            host = "127.0.0.1" if host == "localhost" else host
        elif not _is_ip(host):
            host = "0.0.0.0"
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_peers(text: str) -> dict[str, str]:
    """Reads NAME=HOST:PORT with commas between; returns HOST:PORT by name.

    Raises ValueError, which names the part that is wrong.
    """
    peers: dict[str, str] = {}
    for part in text.split(","):
        name, separator, address = part.strip().partition("=")
        host, colon, port = address.rpartition(":")
        if not separator or not colon or _HOST.fullmatch(host) is None:
            raise ValueError(f"{part.strip()[:200]!r} is not NAME=HOST:PORT, {_EXAMPLE}")
        if _NAME.fullmatch(name) is None:
            raise ValueError(
                f"the name of a node has 1 to 63 letters, digits, - or _, not {name[:80]!r}"
            )
        if not (port.isascii() and port.isdecimal() and 0 < int(port[:6]) <= 65535):
            raise ValueError(
                f"the port of {name} must be a whole number from 1 to 65535, not {port[:20]!r}"
            )
        if name in peers:
            raise ValueError(f"the node {name} is there twice; each name once, {_EXAMPLE}")
        if address in peers.values():
            raise ValueError(f"the address {address} is there twice; each node has its own")
        peers[name] = address
    if len(peers) not in SIZES:
        raise ValueError(
            f"{len(peers)} nodes are no cluster: name 1, 3 or 5, as only an odd number can lose a"
            " server for each two that stay"
        )
    return peers


def split(address: str) -> tuple[str, int]:
    """Returns the host, without brackets, and the port of HOST:PORT."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def is_loopback(host: str) -> bool:
    """Returns whether a host is reached from this machine only."""
    return host == "localhost" or (_is_ip(host) and ipaddress.ip_address(host).is_loopback)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
