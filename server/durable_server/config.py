"""The configuration of a control plane: every setting, its default and its meaning."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from .cluster.member import check_name
from .cluster.metadata import PARTITIONS_MAX
from .core.limits import Limits
from .nats.endpoint import parse_urls
from .nats.routes import DEFAULT_CLUSTER, SECRET_LENGTH_MIN, Routes, is_loopback, parse_peers
from .sessions.times import SessionTimes
from .snapshots.build import CLUSTER

DEFAULT_LISTEN = "127.0.0.1:50051"
DEFAULT_HTTP = "127.0.0.1:8080"
DEFAULT_NODE_LISTEN = "127.0.0.1:0"
CLUSTER_PARTITIONS = 12
"""The number of partitions of a new system whose first control plane is a node of a cluster."""
DEFAULT_DATA_DIR = Path(".durable")
STANDBYS_MAX = 6
"""The most followers of a partition: each costs almost as much CPU as its leader."""
_HOST = re.compile(r"([A-Za-z0-9_](?:[A-Za-z0-9_.-]*)|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


class ConfigError(Exception):
    """A setting is invalid; the message names it and says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of one control plane."""

    listen: str = DEFAULT_LISTEN
    """Where to serve gRPC, as HOST:PORT; port 0 takes a free one."""
    data_dir: Path = DEFAULT_DATA_DIR
    """Holds the store and, when NATS is embedded, the log. One control plane at a time."""
    nats_url: str = ""
    """An external NATS system; empty runs the embedded server."""
    replicas: int = 0
    """The number of NATS servers that keep the log: 1, 3 or 5. More than 1 needs a cluster of them. It
    applies when the log is created. 0 is the number of `peers`, and 1 without.
    """
    partitions: int = 0
    """The number of partitions, 1 to 256, of a new system; it cannot be changed later. 0 takes what the
    system has; for a new one 1, or 12 if this is a node of a cluster.
    """
    node: str = ""
    """The name of this node in a cluster of control planes, which share a NATS system and its
    partitions. Empty for a control plane that leads all partitions.
    """
    peers: str = ""
    """The nodes whose embedded NATS servers form a cluster, as NAME=HOST:PORT with commas between: the
    same on all of them, this node included. Empty for an external NATS system.
    """
    cluster: str = ""
    """The name of the cluster of embedded NATS servers; empty for DEFAULT_CLUSTER."""
    cluster_secret: str = field(default="", repr=False)
    """What the nodes know and others do not; needed where `peers` are beyond loopback."""
    cluster_secret_file: Path | None = None
    """A file with that secret, instead."""
    node_listen: str = DEFAULT_NODE_LISTEN
    """Where to serve the other nodes, as HOST:PORT; port 0 takes a free one."""
    advertise: str = ""
    """The host under which other nodes, clients and workers reach this node; empty for the hosts of
    `listen` and `node_listen`.
    """
    standbys: int = 1
    """How many nodes follow each partition, ready to take it over, where there are as many others."""
    snapshots: str = ""
    """Where snapshots of the stores are kept: `cluster` is the external NATS system, `none` makes none,
    and else it is the URL of an object store or a folder. Empty is `cluster` for an external NATS
    system that can keep them, and `none` otherwise: the embedded one is on the same disk as the store.
    """
    http: str = ""
    """Where to serve plain HTTP, as HOST:PORT; empty for no HTTP."""
    http_optional: bool = False
    """Whether to continue without HTTP when its address is taken."""
    public_url: str = ""
    """The public HTTP address, as in https://pay.example.com: the URL before `/webhooks/...`, and
    the origin of the page in browsers. Empty for the address that is served.
    """
    allowed_hosts: tuple[str, ...] = ()
    """Host names under which HTTP is served, as NAME or NAME:PORT, in addition to loopback names
    and the host of the public URL. If it is empty, `insecure` permits any name.
    """
    webhook_key_file: Path | None = None
    """A file with the keys that sign webhooks; see `webhooks.files`."""
    webhook_key: str = field(default="", repr=False)
    """The keys as text. Without a file and a text the data dir has its own key, and a node that of its
    system.
    """
    webhook_secrets_dir: Path | None = None
    """The directory with the secrets of webhook senders: a file for each secret."""
    insecure: bool = False
    """Whether an address other than loopback may be served without TLS."""
    channelz: bool = False
    """Whether to serve gRPC's channelz; needs the extra `channelz`."""
    grace_seconds: float = 5.0
    """How long requests in flight may take when the control plane stops."""
    limits: Limits = field(default_factory=Limits)
    times: SessionTimes = field(default_factory=SessionTimes)

    @property
    def routes(self) -> Routes | None:
        """The cluster of embedded NATS servers; None for a server on its own, as a single peer is.

        For settings that `check` has passed.
        """
        peers = parse_peers(self.peers) if self.peers else {}
        if len(peers) < 2:
            return None
        secret = self.cluster_secret or _read_secret(self.cluster_secret_file)
        return Routes(self.cluster or DEFAULT_CLUSTER, self.node, peers, secret)

    @property
    def copies(self) -> int:
        """How many NATS servers keep the log, if it is created now."""
        return self.replicas or (len(parse_peers(self.peers)) if self.peers else 1)

    @property
    def shares_nats(self) -> bool:
        """Whether the NATS system has other disks than that of the store."""
        return bool(self.nats_url) or self.copies > 1

    def check(self) -> None:
        """Raises ConfigError for an invalid setting."""
        self._check_address("--listen", self.listen, DEFAULT_LISTEN)
        if self.http:
            self._check_address("--http", self.http, DEFAULT_HTTP)
        if self.public_url:
            self._check_public_url()
        for host in self.allowed_hosts:
            if _HOST.fullmatch(host) is None:
                raise ConfigError(
                    f"--allowed-host {host!r} is not NAME or NAME:PORT, as in durable.example.com"
                )
        if self.allowed_hosts and not self.http:
            raise ConfigError("--allowed-host is for what HTTP serves; add --http HOST:PORT")
        if self.webhook_key and self.webhook_key_file:
            raise ConfigError("--webhook-key-file and DURABLE_WEBHOOK_KEY are both set; keep one")
        if self.nats_url:
            try:
                parse_urls(self.nats_url)
            except ValueError as error:
                raise ConfigError(str(error)) from error
        if self.replicas not in (0, 1, 3, 5):
            raise ConfigError(f"--replicas {self.replicas} is not 1, 3 or 5")
        self._check_node()
        self._check_peers()
        if self.replicas > 1 and not self.nats_url and not self.peers:
            raise ConfigError(
                f"--replicas {self.replicas} needs a NATS cluster: name one with --nats URL; "
                "the embedded server is one node"
            )
        if self.snapshots == CLUSTER and not self.shares_nats:
            raise ConfigError(
                "--snapshots cluster needs an external NATS system (--nats URL), as the embedded one"
                " is on the same disk as the store; name another place with --snapshots URL"
            )
        if not 0 <= self.partitions <= PARTITIONS_MAX:
            raise ConfigError(
                f"--partitions {self.partitions} is not a number from 1 to {PARTITIONS_MAX}; leave it"
                " out to take what the system has, or 1 for a new one"
            )

    def _check_node(self) -> None:
        if not self.node:
            for option, value, default in (
                ("--node-listen", self.node_listen, DEFAULT_NODE_LISTEN),
                ("--advertise", self.advertise, ""),
            ):
                if value != default:
                    raise ConfigError(
                        f"{option} {value} is for a node of a cluster; name it with --node NAME"
                    )
            return
        try:
            check_name(self.node)
        except ValueError as error:
            raise ConfigError(f"--node: {error}") from error
        if not self.nats_url and not self.peers:
            raise ConfigError(
                f"--node {self.node} needs a NATS system that all nodes share: name it with --nats URL,"
                " or let the nodes form one with --peers NAME=HOST:PORT,..."
            )
        self._check_address("--node-listen", self.node_listen, "127.0.0.1:50052")
        if self.advertise and (_HOST.fullmatch(self.advertise) is None or ":" in self.advertise):
            raise ConfigError(
                f"--advertise {self.advertise!r} is not a host name or an address without a port, as"
                " in node-a.example.com"
            )
        for option, address in (("--listen", self.listen), ("--node-listen", self.node_listen)):
            host = address.rpartition(":")[0].strip("[]")
            if host in ("0.0.0.0", "::") and not self.advertise:
                raise ConfigError(
                    f"{option} {address} is no address at which others can reach this node; say which"
                    " is with --advertise HOST"
                )
        if not 0 <= self.standbys <= STANDBYS_MAX:
            raise ConfigError(
                f"--standbys {self.standbys} is not a number from 0 to {STANDBYS_MAX}"
            )

    def _check_peers(self) -> None:
        """Checks the cluster of embedded NATS servers."""
        if not self.peers:
            for option, value in (
                ("--cluster", self.cluster),
                ("--cluster-secret-file", self.cluster_secret_file),
            ):
                if value:
                    raise ConfigError(
                        f"{option} {value} is for a cluster of embedded NATS servers; name its nodes"
                        " with --peers NAME=HOST:PORT,..."
                    )
            return
        if self.nats_url:
            raise ConfigError(
                "--peers is for embedded NATS servers, and --nats names an external system; keep one"
            )
        if not self.node:
            raise ConfigError("--peers needs the name of this node: add --node NAME")
        try:
            peers = parse_peers(self.peers)
        except ValueError as error:
            raise ConfigError(f"--peers: {error}") from error
        if self.node not in peers:
            raise ConfigError(
                f"--node {self.node} is not in --peers, which has {', '.join(peers)}; the list is the"
                " same on all nodes, with each node's own name in it"
            )
        if self.replicas > len(peers):
            raise ConfigError(
                f"--replicas {self.replicas} needs as many NATS servers, and --peers has"
                f" {len(peers)}"
            )
        if self.cluster:
            try:
                check_name(self.cluster)
            except ValueError as error:
                raise ConfigError(f"--cluster: {error}") from error
        self._check_cluster_secret()

    def _check_cluster_secret(self) -> None:
        if self.cluster_secret and self.cluster_secret_file:
            raise ConfigError(
                "--cluster-secret-file and DURABLE_CLUSTER_SECRET are both set; keep one"
            )
        routes = self.routes
        if routes is None:
            return
        if routes.secret and len(routes.secret) < SECRET_LENGTH_MIN:
            raise ConfigError(
                f"the secret of the cluster has {len(routes.secret)} characters and needs"
                f" {SECRET_LENGTH_MIN}; make one with: openssl rand -hex 32"
            )
        if routes.local:
            return
        if not routes.secret:
            raise ConfigError(
                "--peers beyond loopback need a secret, or anybody there could join: put the same one"
                " on all nodes into DURABLE_CLUSTER_SECRET or --cluster-secret-file"
            )
        if not self.insecure:
            raise ConfigError(
                f"--peers {self.peers} can be reached from other machines, and what the NATS servers"
                " send each other has no TLS; add --insecure if the network is yours"
            )

    def _check_public_url(self) -> None:
        parts = urlsplit(self.public_url)
        if (
            parts.scheme not in ("http", "https")
            or _HOST.fullmatch(parts.netloc) is None
            or parts.query
            or parts.fragment
        ):
            raise ConfigError(
                f"--public-url {self.public_url!r} is not http[s]://HOST[:PORT][/PATH], as in"
                " https://pay.example.com"
            )
        if not self.http:
            raise ConfigError("--public-url is for what HTTP serves; add --http HOST:PORT")

    def _check_address(self, option: str, address: str, example: str) -> None:
        host, separator, port = address.rpartition(":")
        if not separator or not host or not _is_port(port):
            raise ConfigError(f"{option} {address!r} is not HOST:PORT, as in {example}")
        if not (self.insecure or is_loopback(host.strip("[]"))):
            raise ConfigError(
                f"{option} {address} can be reached from other machines and has no TLS; "
                "put a TLS proxy before a loopback address, or add --insecure if the network is yours"
            )


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 65535


def _read_secret(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        secret = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--cluster-secret-file {path} cannot be read: {error}") from error
    if not secret:
        raise ConfigError(f"--cluster-secret-file {path} is empty")
    return secret
