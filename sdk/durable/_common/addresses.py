"""Addresses: where the nodes of a control plane, or a service of the user, are reached.

One address is `host:port`, any gRPC target (`dns:///host:port`, `unix:/path`), or one of two schemes
of our own: `grpc://host:port` and `grpcs://host:port` (TLS with the system's roots). Plain text
leaves the machine only when the caller says so (`insecure=True`): a typing error in an address must
not send payloads unencrypted to a public host.

A control plane of several nodes has one address for each node, separated by commas: `a:1,b:1,c:1`.

Rules of a list.
- All nodes are reached alike: a scheme stands once at the beginning (`grpcs://a:1,b:1`) or the same
  one at every address. A mix is refused, because it would send plain text to one node.
- An empty part and a doubled address are refused: they are slips, and hide that an address is
  missing.
- `ipv4:`, `ipv6:`, `unix:` and the like stand alone, because gRPC itself gives the comma a meaning
  there (`ipv4:10.0.0.1:1,10.0.0.2:1`) or it belongs to a path.
"""

from __future__ import annotations

import os
from typing import Final, NamedTuple

import grpc

DEFAULT_ADDRESS: Final = "127.0.0.1:50051"
ADDRESS_VARIABLE: Final = "DURABLE_ADDRESS"

_LOOPBACK_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1", "ip6-localhost"})
_LOCAL_TARGETS: Final = ("unix:", "unix-abstract:", "vsock:")
_LITERAL_TARGETS: Final = ("ipv4:", "ipv6:")
_WHOLE_TARGETS: Final = (*_LOCAL_TARGETS, *_LITERAL_TARGETS, "xds:")
"""gRPC targets in which a comma does not separate two addresses."""


class Address(NamedTuple):
    """The address of a server: gRPC's target, and the credentials for it."""

    target: str
    credentials: grpc.ChannelCredentials | None
    """None for plain text."""
    loopback: bool
    listed: bool = False
    """Whether there are others to go to when this one cannot be reached."""

    @property
    def text(self) -> str:
        """The address as a user writes it."""
        return self.target if self.credentials is None else f"grpcs://{self.target}"


def parse_addresses(
    addresses: str | None,
    *,
    tls: bool | grpc.ChannelCredentials | None = None,
    insecure: bool = False,
) -> tuple[Address, ...]:
    """Parses the addresses of a control plane; None means the environment's `DURABLE_ADDRESS`, else
    `127.0.0.1:50051`.

    Raises ValueError for a malformed list or address, and for one that would send plain text to
    another machine without `insecure`.
    """
    text = (addresses or os.environ.get(ADDRESS_VARIABLE) or DEFAULT_ADDRESS).strip()
    secure, targets = _split(text)
    if secure and tls is False:
        raise ValueError(f"address {text!r} asks for TLS, and tls=False forbids it")
    credentials: grpc.ChannelCredentials | None = None
    if tls is not None and not isinstance(tls, bool):
        credentials = tls
    elif tls or secure:
        credentials = grpc.ssl_channel_credentials()
    found: dict[str, Address] = {}
    for number, target in enumerate(targets, 1):
        place = f"; it is number {number} of {text!r}" if len(targets) > 1 else ""
        loopback = _is_loopback(target, place)
        if credentials is None and not loopback and not insecure:
            raise ValueError(
                f"address {target!r} is not on this machine and would be spoken to in plain text;"
                f" write 'grpcs://{','.join(targets)}' (or pass tls=...), or pass insecure=True if"
                " the network is trusted"
            )
        if target in found:
            raise ValueError(f"address {text!r} names {target!r} twice; give each node once")
        found[target] = Address(target, credentials, loopback, listed=len(targets) > 1)
    return tuple(found.values())


def parse_address(address: str, *, insecure: bool = False) -> Address:
    """Parses an address that must be a single one. Raises ValueError as `parse_addresses`."""
    first, *others = parse_addresses(address, insecure=insecure)
    if others:
        raise ValueError(
            f"address {address!r} is a list, and one address is expected; for a service on several"
            " hosts give a name that stands for all of them, as in 'dns:///name:port'"
        )
    return first


def _split(text: str) -> tuple[bool, list[str]]:
    """Returns whether a list asks for TLS, and its targets. Raises ValueError."""
    whole = text.removeprefix("grpc://").removeprefix("grpcs://").startswith(_WHOLE_TARGETS)
    parts = [text] if whole else [it.strip() for it in text.split(",")]
    schemes: set[str] = set()
    targets: list[str] = []
    for number, part in enumerate(parts, 1):
        if not part:
            raise ValueError(
                f"address {text!r} is a list with an empty part, number {number}; write"
                " HOST:PORT,HOST:PORT"
            )
        scheme, target = _scheme(part)
        if len(parts) > 1 and target.startswith(_WHOLE_TARGETS):
            raise ValueError(
                f"address {part!r} cannot stand in a list, where a comma separates addresses; write"
                " HOST:PORT,HOST:PORT"
            )
        # Without a scheme of its own, an address has that of the first one.
        if scheme or number == 1:
            schemes.add(scheme)
        targets.append(target)
    if len(schemes - {""}) > 1 or schemes >= {"", "grpcs"}:
        raise ValueError(
            f"address {text!r} mixes TLS and plain text; write one scheme at the beginning, as in"
            f" 'grpcs://{','.join(targets)}'"
        )
    return "grpcs" in schemes, targets


def _scheme(part: str) -> tuple[str, str]:
    """Returns our scheme of one address, "" for none, and the target. Raises ValueError."""
    scheme, separator, rest = part.partition("://")
    if not separator or scheme not in ("grpc", "grpcs", "http", "https"):
        return "", part
    rest = rest.rstrip("/")
    if scheme in ("http", "https"):
        raise ValueError(
            f"address {part!r} has the scheme {scheme!r}; the control plane speaks gRPC:"
            f" write {rest!r} or 'grpcs://{rest}' for TLS"
        )
    return scheme, rest


def _is_loopback(target: str, place: str) -> bool:
    """Returns whether a target stays on this machine; raises ValueError when it names no port.

    `place` is where the target stands, for the error.
    """
    if target.startswith(_LOCAL_TARGETS):
        return True
    name = target
    if name.startswith("dns:"):
        # `dns://authority/host:port`: the host follows the last slash.
        name = name.removeprefix("dns:").rpartition("/")[2]
    elif name.startswith(_LITERAL_TARGETS):
        several = name[len("ipv4:") :].split(",")
        return all(_is_loopback_host(it.rpartition("/")[2], target, place) for it in several)
    elif "://" in name or name.startswith("xds:"):
        return False
    return _is_loopback_host(name, target, place)


def _is_loopback_host(name: str, target: str, place: str) -> bool:
    """Returns whether `host:port` is on this machine; raises ValueError for anything else."""
    host, separator, port = name.rpartition(":")
    number = port.isascii() and port.isdigit()
    if not separator or not number or not host:
        raise ValueError(f"address {target!r} is not of the form 'host:port'{place}")
    if len(port) > 5 or int(port) > 65535:
        raise ValueError(f"address {target[:80]!r} has a port beyond 65535{place}")
    host = host.strip("[]")
    return host in _LOOPBACK_HOSTS or host.startswith("127.")
