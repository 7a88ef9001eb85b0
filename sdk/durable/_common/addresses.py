"""Addresses: where the nodes of a control plane, or a service of the user, are reached.

One address is `host:port`, any gRPC target (`dns:///host:port`, `unix:/path`), or one of two schemes
of our own: `grpc://host:port` (plain text) and `grpcs://host:port` (TLS). Without a scheme it is plain
text, unless the environment names files for TLS (`tls`). Plain text leaves the machine only when the
caller says so (`insecure=True`): a typing error in an address must not send payloads unencrypted to a
public host.

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
import re
from typing import Final, NamedTuple

import grpc

from .api_token import ApiToken, TokenSource, find_token
from .tls import TlsFiles

DEFAULT_ADDRESS: Final = "127.0.0.1:50051"
ADDRESS_VARIABLE: Final = "DURABLE_ADDRESS"

_LOOPBACK_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1", "ip6-localhost"})
_LOOPBACK_NUMBER: Final = re.compile(r"127(\.[0-9]{1,3}){1,3}")
"""Not any host that begins so: `127.example.com` is somewhere else."""
_LOCAL_TARGETS: Final = ("unix:", "unix-abstract:", "vsock:")
_LITERAL_TARGETS: Final = ("ipv4:", "ipv6:")
_WHOLE_TARGETS: Final = (*_LOCAL_TARGETS, *_LITERAL_TARGETS, "xds:")
"""gRPC targets in which a comma does not separate two addresses."""


class Address(NamedTuple):
    """The address of a server: gRPC's target, and the credentials for it."""

    target: str
    credentials: grpc.ChannelCredentials | None
    """What the caller gave; None for plain text, or if `files` has them."""
    loopback: bool
    listed: bool = False
    """Whether there are others to go to when this one cannot be reached."""
    files: TlsFiles | None = None
    """From which the credentials of each new channel are made."""
    token: ApiToken | None = None
    """With which the caller shows who it is; None for nothing."""

    @property
    def secure(self) -> bool:
        """Whether it is spoken to with TLS."""
        return self.credentials is not None or self.files is not None

    @property
    def text(self) -> str:
        """The address as a user writes it."""
        if self.secure:
            return f"grpcs://{self.target}"
        return self.target if TlsFiles.from_environment() is None else f"grpc://{self.target}"

    @property
    def login_key(self) -> str:
        """The name under which `durable login` keeps the token for it."""
        return f"grpcs://{self.target}" if self.secure else self.target

    def token_text(self) -> str:
        """Returns the token that calls carry now; empty for none. Raises ValueError."""
        return "" if self.token is None else self.token.text()

    def channel_credentials(self) -> grpc.ChannelCredentials | None:
        """Returns the credentials for a new channel; None for plain text. Raises ValueError."""
        return self.credentials if self.files is None else self.files.credentials()

    def state(self) -> object:
        """Returns what differs when a new channel would have other credentials."""
        return None if self.files is None else self.files.state()


def parse_addresses(
    addresses: str | None,
    *,
    tls: bool | grpc.ChannelCredentials | None = None,
    insecure: bool = False,
    token: TokenSource | None = None,
) -> tuple[Address, ...]:
    """Parses the addresses of a control plane; None means the environment's `DURABLE_ADDRESS`, else
    `127.0.0.1:50051`.

    `tls` goes before the scheme of the addresses and before the environment's files: credentials are
    used as they are, True asks for TLS, and False for plain text. `token` goes before that of the
    environment and of `durable login`. Raises ValueError for a malformed list or address, for files
    and tokens that cannot be used, and for an address that would send plain text to another machine
    without `insecure`.
    """
    text = (addresses or os.environ.get(ADDRESS_VARIABLE) or DEFAULT_ADDRESS).strip()
    scheme, targets = _split(text)
    if scheme == "grpcs" and tls is False:
        raise ValueError(f"address {text!r} asks for TLS, and tls=False forbids it")
    credentials = None if tls is None or isinstance(tls, bool) else tls
    files: TlsFiles | None = None
    if credentials is None and tls is not False:
        given = TlsFiles.from_environment()
        if tls or scheme == "grpcs":
            files = given or TlsFiles()
        elif scheme != "grpc" and not targets[0].startswith(_LOCAL_TARGETS):
            files = given
    found = _checked(text, targets, credentials, files, insecure=insecure)
    tokens = find_token(token, [it.login_key for it in found])
    return tuple(it._replace(token=its) for it, its in zip(found, tokens, strict=True))


def _checked(
    text: str,
    targets: list[str],
    credentials: grpc.ChannelCredentials | None,
    files: TlsFiles | None,
    *,
    insecure: bool,
) -> tuple[Address, ...]:
    if files is not None:
        files.credentials()  # so that a file that cannot be used is found here
    found: dict[str, Address] = {}
    for number, target in enumerate(targets, 1):
        place = f"; it is number {number} of {text!r}" if len(targets) > 1 else ""
        loopback = _is_loopback(target, place)
        address = Address(target, credentials, loopback, len(targets) > 1, files)
        if not (address.secure or loopback or insecure):
            raise ValueError(
                f"address {target!r} is not on this machine and would be spoken to in plain text;"
                f" write 'grpcs://{','.join(targets)}' (or pass tls=...), or pass insecure=True if"
                " the network is trusted"
            )
        if target in found:
            raise ValueError(f"address {text!r} names {target!r} twice; give each node once")
        found[target] = address
    return tuple(found.values())


def parse_address(address: str, *, insecure: bool = False) -> Address:
    """Parses the address of a service of the user, which must be a single one.

    The environment's files are for the control plane, and are not used. Raises ValueError as
    `parse_addresses`.
    """
    scheme, targets = _split(address.strip())
    files = TlsFiles() if scheme == "grpcs" else None
    first, *others = _checked(address, targets, None, files, insecure=insecure)
    if others:
        raise ValueError(
            f"address {address!r} is a list, and one address is expected; for a service on several"
            " hosts give a name that stands for all of them, as in 'dns:///name:port'"
        )
    return first


def _split(text: str) -> tuple[str, list[str]]:
    """Returns the scheme of a list, "" for none, and its targets. Raises ValueError."""
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
    return max(schemes), targets


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
    return host in _LOOPBACK_HOSTS or _LOOPBACK_NUMBER.fullmatch(host) is not None
