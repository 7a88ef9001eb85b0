"""The configuration of a control plane: every setting, its default and its meaning."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from .access.tokens import BOOTSTRAP_FILE
from .cluster.member import DEFAULT_LEASE, check_name
from .cluster.metadata import PARTITIONS_MAX
from .core.levels import FORMAT_LEVEL
from .core.limits import Limits
from .nats.endpoint import NatsTls, external_source
from .nats.routes import (
    DEFAULT_CLUSTER,
    SECRET_LENGTH_MIN,
    Routes,
    RouteTls,
    is_loopback,
    parse_peers,
)
from .sessions.times import SessionTimes
from .snapshots.build import CLUSTER
from .tls.material import TlsFiles

DEFAULT_LISTEN = "127.0.0.1:50051"
DEFAULT_HTTP = "127.0.0.1:8080"
DEFAULT_NODE_LISTEN = "127.0.0.1:0"
CLUSTER_PARTITIONS = 12
"""The number of partitions of a new system whose first control plane is a node of a cluster."""
DEFAULT_DATA_DIR = Path(".durable")
LEASE_MIN = 1.0
LEASE_MAX = 60.0
STANDBYS_MAX = 6
"""The most followers of a partition: each costs almost as much CPU as its leader."""
AUDIT_STDOUT = "-"
"""What stands for stdout instead of the file of the audit."""
DEFAULT_AUDIT_DAYS = 90
AUDIT_DAYS_MAX = 3650
_HOST = re.compile(r"([A-Za-z0-9_](?:[A-Za-z0-9_.-]*)|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_ENDPOINT = re.compile(rf"https?://{_HOST.pattern}(/[A-Za-z0-9._~/-]*)?")


def process_name(number: int) -> str:
    """Returns the name of one of several processes as a node, by its number from 1."""
    return f"p{number}"


def default_partitions(processes: int) -> int:
    """Returns the number of partitions of a new system with so many processes.

    It is the smallest multiple of their number from 12 on: so all have as many, also when there are 2,
    3, 4, 6 or 12 of them later.
    """
    return processes * -(-CLUSTER_PARTITIONS // processes)


class ConfigError(Exception):
    """A setting is invalid; the message names it and says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of one control plane."""

    listen: str = DEFAULT_LISTEN
    """Where to serve gRPC, as HOST:PORT; port 0 takes a free one."""
    data_dir: Path = DEFAULT_DATA_DIR
    """Holds the store and, when NATS is embedded, the log. One control plane at a time."""
    nats_url: str = field(default="", repr=False)
    """An external NATS system; empty runs the embedded server."""
    nats_ca: Path | None = None
    """A file with the authorities of its certificates; None for those of this machine, if its URL
    begins with `tls://`.
    """
    nats_cert: Path | None = None
    """A file with the certificate that this control plane presents to it."""
    nats_key: Path | None = None
    """The file with the private key of that certificate."""
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
    processes: int = 1
    """How many processes of this machine share the system, each as a node."""
    process: int | None = None
    """The number of this one of them, from 1; None for their parent, and for a process on its own."""
    format_level: int = 0
    """The highest format level that the system may get while this control plane is part of it: 1 to the
    newest that this version can read. 0 is the newest.
    """
    lease: float = DEFAULT_LEASE
    """For how many seconds this node lives without being heard by the others, 1 to 60. Others lead its
    partitions after that; it tells them how long it is.
    """
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
    codec_endpoint: str = ""
    """The URL of the users' server that decodes values, for the page in browsers; empty for none. The
    control plane itself does not use it.
    """
    webhook_key_file: Path | None = None
    """A file with the keys that sign webhooks; see `webhooks.files`."""
    webhook_key: str = field(default="", repr=False)
    """The keys as text. Without a file and a text the data dir has its own key, and a node that of its
    system.
    """
    webhook_secrets_dir: Path | None = None
    """The directory with the secrets of webhook senders: a file for each secret."""
    tls_cert: Path | None = None
    """A file with the certificate of this control plane: gRPC and HTTP are then served with TLS only,
    and so are other nodes. A change of the file is taken up.
    """
    tls_key: Path | None = None
    """The file with its private key."""
    tls_client_ca: Path | None = None
    """A file with the authorities of clients, each of which must then present a certificate, for gRPC
    and HTTP. None asks for none.
    """
    tls_node_ca: Path | None = None
    """A file with the authorities of the certificates of other nodes; None for those of clients."""
    insecure: bool = False
    """Whether an address beyond loopback may be served without TLS."""
    auth: bool = False
    """Whether callers must show who they are also on loopback; see `authenticates`."""
    auth_file: Path | None = None
    """A file with the issuers of JWTs and the client certificates that are trusted; with one, callers
    must show who they are. See `identities.auth_file`.
    """
    no_auth: bool = False
    """Whether they need not even where other machines can reach an address."""
    admin_token_file: Path | None = None
    """Where the text of the first API token is, or is written to; None for `admin-token` in the data
    dir. See `tokens.bootstrap`.
    """
    audit: str = ""
    """A file to which each call that changes something is appended as a line of JSON; `-` is stdout.
    Empty for none.
    """
    audit_log: bool | None = None
    """Whether these calls are kept in NATS too, as one history of all nodes; None if callers must show
    who they are.
    """
    audit_days: int = DEFAULT_AUDIT_DAYS
    """How long they are kept there, in days."""
    audit_strict: bool = False
    """Whether such a call is refused while it cannot be kept."""
    channelz: bool = False
    """Whether to serve gRPC's channelz; needs the extra `channelz`."""
    grace_seconds: float = 5.0
    """How long requests in flight may take when the control plane stops."""
    limits: Limits = field(default_factory=Limits)
    times: SessionTimes = field(default_factory=SessionTimes)

    @property
    def tls(self) -> TlsFiles | None:
        """The files for TLS; None to serve plain text. For settings that `check` has passed."""
        if self.tls_cert is None or self.tls_key is None:
            return None
        # The processes of one machine have links on loopback, which need no certificate.
        nodes = bool(self.node) and self.process is None
        return TlsFiles(
            self.tls_cert, self.tls_key, self.tls_client_ca, self._node_ca if nodes else None
        )

    @property
    def nats_tls(self) -> NatsTls:
        """The files for the TLS of the external NATS system."""
        return NatsTls(self.nats_ca, self.nats_cert, self.nats_key)

    @property
    def _node_ca(self) -> Path | None:
        return self.tls_node_ca or self.tls_client_ca

    @property
    def routes(self) -> Routes | None:
        """The cluster of embedded NATS servers; None for a server on its own, as a single peer is.

        For settings that `check` has passed.
        """
        peers = parse_peers(self.peers) if self.peers else {}
        if len(peers) < 2:
            return None
        secret = self.cluster_secret or _read_secret(self.cluster_secret_file)
        tls = None
        if self.tls_cert is not None and self.tls_key is not None and self._node_ca is not None:
            tls = RouteTls(self.tls_cert, self.tls_key, self._node_ca)
        return Routes(self.cluster or DEFAULT_CLUSTER, self.node, peers, secret, tls)

    @property
    def authenticates(self) -> bool:
        """Whether callers must show who they are: if asked, or where other machines reach it."""
        addresses = [it for it in (self.listen, self.http) if it]
        beyond = any(not is_loopback(it.rpartition(":")[0].strip("[]")) for it in addresses)
        return self.auth or self.auth_file is not None or (beyond and not self.no_auth)

    @property
    def audit_file(self) -> Path | None:
        """The file of the audit; None without one, as for stdout."""
        return Path(self.audit) if self.audit not in ("", AUDIT_STDOUT) else None

    @property
    def audits_to_log(self) -> bool:
        """Whether the calls that change something are kept in NATS."""
        return self.authenticates if self.audit_log is None else self.audit_log

    @property
    def first_token_file(self) -> Path:
        """Where the text of the first API token is."""
        return self.admin_token_file or self.data_dir / BOOTSTRAP_FILE

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
        self._check_tls()
        self._check_address("--listen", self.listen, DEFAULT_LISTEN)
        if self.http:
            self._check_address("--http", self.http, DEFAULT_HTTP)
        if self.public_url:
            self._check_public_url()
        if self.auth and self.no_auth:
            raise ConfigError("--auth and --no-auth are both given; keep one")
        if self.auth_file and self.no_auth:
            raise ConfigError("--auth-file and --no-auth are both given; keep one")
        if self.admin_token_file and not self.authenticates:
            raise ConfigError(
                f"--admin-token-file {self.admin_token_file} is for a control plane that authenticates"
                " its callers; add --auth"
            )
        self._check_audit()
        for host in self.allowed_hosts:
            if _HOST.fullmatch(host) is None:
                raise ConfigError(
                    f"--allowed-host {host!r} is not NAME or NAME:PORT, as in durable.example.com"
                )
        if self.allowed_hosts and not self.http:
            raise ConfigError("--allowed-host is for what HTTP serves; add --http HOST:PORT")
        if self.codec_endpoint:
            self._check_codec_endpoint()
        if self.webhook_key and self.webhook_key_file:
            raise ConfigError("--webhook-key-file and DURABLE_WEBHOOK_KEY are both set; keep one")
        if self.nats_url:
            try:
                external_source(self.nats_url, self.nats_tls)
            except ValueError as error:
                raise ConfigError(str(error)) from error
        elif self.nats_tls != NatsTls():
            raise ConfigError(
                "--nats-ca, --nats-cert and --nats-key are for an external NATS system; name it with"
                " --nats URL"
            )
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
        if not 0 <= self.format_level <= FORMAT_LEVEL:
            raise ConfigError(
                f"--format-level {self.format_level} is not a number from 1 to {FORMAT_LEVEL}, the"
                " newest level of this version; leave it out to let the level rise to that"
            )
        if not 0 <= self.partitions <= PARTITIONS_MAX:
            raise ConfigError(
                f"--partitions {self.partitions} is not a number from 1 to {PARTITIONS_MAX}; leave it"
                " out to take what the system has, or 1 for a new one"
            )

    def _check_tls(self) -> None:
        for option, value in (
            ("--tls-key", self.tls_key),
            ("--tls-client-ca", self.tls_client_ca),
            ("--tls-node-ca", self.tls_node_ca),
        ):
            if value is not None and self.tls_cert is None:
                raise ConfigError(f"{option} {value} needs the certificate: add --tls-cert FILE")
        if self.tls_cert is not None and self.tls_key is None:
            raise ConfigError(f"--tls-cert {self.tls_cert} needs its key: add --tls-key FILE")
        if self.tls_node_ca is not None and not self.node:
            raise ConfigError(
                f"--tls-node-ca {self.tls_node_ca} is for a node of a cluster; name it with --node NAME"
            )
        if self.tls_cert is not None and self.node and self.process is None and not self._node_ca:
            raise ConfigError(
                f"--tls-cert {self.tls_cert} is for the links between nodes too, which check each"
                " other's certificates: add --tls-node-ca FILE with the authority that has signed them"
            )

    def _check_audit(self) -> None:
        if not 1 <= self.audit_days <= AUDIT_DAYS_MAX:
            raise ConfigError(
                f"--audit-days {self.audit_days} is not a number of days from 1 to {AUDIT_DAYS_MAX}"
            )
        if self.audits_to_log:
            return
        if self.audit_days != DEFAULT_AUDIT_DAYS:
            raise ConfigError(
                f"--audit-days {self.audit_days} is for the audit in NATS; add --audit-log"
            )
        if self.audit_strict and not self.audit:
            raise ConfigError(
                "--audit-strict needs a place where the audit is kept; add --audit FILE or --audit-log"
            )

    def of_process(self, number: int, listen: str, http: str) -> Config:
        """Returns the settings of one of several processes, made out of those of their parent.

        `listen` and `http` have the ports that all of them share.
        """
        return replace(
            self,
            process=number,
            node=process_name(number),
            standbys=0,
            partitions=0,
            listen=listen,
            http=http,
        )

    def _check_processes(self) -> None:
        if self.processes == 1 or self.process is not None:
            return
        if self.node or self.peers:
            option, value = ("--node", self.node) if self.node else ("--peers", self.peers)
            raise ConfigError(
                f"--processes {self.processes} does not go with {option} {value}: its processes are the"
                " nodes of a system on one machine; for several machines leave --processes out and"
                " start one node on each, or several with names of their own"
            )
        if self.standbys != 1:
            raise ConfigError(
                f"--standbys {self.standbys} is for a node of a cluster; the processes of --processes"
                " share their stores, so that none follows another"
            )

    def _check_node(self) -> None:
        self._check_processes()
        if self.process is not None:
            return
        if not self.node:
            for option, value, default in (
                ("--node-listen", self.node_listen, DEFAULT_NODE_LISTEN),
                ("--advertise", self.advertise, ""),
                ("--lease", f"{self.lease:g}", f"{DEFAULT_LEASE:g}"),
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
        if not LEASE_MIN <= self.lease <= LEASE_MAX:
            raise ConfigError(
                f"--lease {self.lease:g} is not a number of seconds from {LEASE_MIN:g} to {LEASE_MAX:g}"
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
        self._check_tls_of("--peers", self.peers)

    def _check_codec_endpoint(self) -> None:
        # It becomes part of the page's policy, where a space or a semicolon would begin something else.
        if _ENDPOINT.fullmatch(self.codec_endpoint) is None:
            raise ConfigError(
                f"--codec-endpoint {self.codec_endpoint!r} is not http[s]://HOST[:PORT][/PATH], as in"
                " https://codec.example.com"
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
        if not is_loopback(host.strip("[]")):
            self._check_tls_of(option, address)

    def _check_tls_of(self, option: str, address: str) -> None:
        """Refuses plain text that other machines can reach, unless the operator asks for it."""
        if self.tls_cert is not None or self.insecure:
            return
        clients = option in ("--listen", "--http")
        raise ConfigError(
            f"{option} {address} can be reached from other machines and has no TLS; add --tls-cert FILE"
            " and --tls-key FILE (`durable certs` makes some for a lab)"
            + (", put a TLS proxy before a loopback address," if clients else "")
            + " or add --insecure if the network is yours"
            + ("; callers then need tokens too, unless you add --no-auth" if clients else "")
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
