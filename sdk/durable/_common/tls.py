"""The TLS of a client: which authorities it trusts, and the certificate that it presents.

The environment names files: `DURABLE_TLS_CA`, `DURABLE_TLS_CERT` and `DURABLE_TLS_KEY`. Each of them
makes connections to the control plane use TLS, unless the address says `grpc://` or is a socket of this
machine. Without `DURABLE_TLS_CA` the system's authorities are trusted. gRPC brings a list of its own;
an authority that an operator has added to the system would be unknown to it.

The files are read when a channel is opened. `state` tells whether they have changed since, so that a
new connection is made with what they hold now (`rotation`).

gRPC says little when a handshake fails. `handshake_problem` makes a sentence of it, with the way out.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Final, NamedTuple

import grpc

CA_VARIABLE: Final = "DURABLE_TLS_CA"
CERT_VARIABLE: Final = "DURABLE_TLS_CERT"
KEY_VARIABLE: Final = "DURABLE_TLS_KEY"

_GRPC_ROOTS: Final = "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"
_SYSTEM_ROOTS: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS, BSD
)


class TlsFiles(NamedTuple):
    """The files of one client."""

    ca: Path | None = None
    """The authorities that it trusts; None for those of the system."""
    cert: Path | None = None
    """Its certificate; None for none."""
    key: Path | None = None
    """The private key of the certificate."""

    @classmethod
    def from_environment(cls) -> TlsFiles | None:
        """Returns what the environment names; None when it names nothing.

        Raises ValueError for a certificate without its key, and a key without its certificate.
        """
        names = (CA_VARIABLE, CERT_VARIABLE, KEY_VARIABLE)
        ca, cert, key = (Path(it) if it else None for it in map(os.environ.get, names))
        if (cert is None) != (key is None):
            given, missing = names[1:] if key is None else names[:0:-1]
            raise ValueError(f"{given} is set and {missing} is not; a certificate needs its key")
        return None if ca is None and cert is None else cls(ca, cert, key)

    def credentials(self) -> grpc.ChannelCredentials:
        """Reads the files. Raises ValueError for one that cannot be used."""
        authorities = _system_roots() if self.ca is None else _read(CA_VARIABLE, self.ca)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.ca is not None:
            try:
                context.load_verify_locations(self.ca)
            except ssl.SSLError as error:
                raise ValueError(f"{CA_VARIABLE} {self.ca} has no certificate as PEM") from error
        if self.cert is None or self.key is None:
            return grpc.ssl_channel_credentials(authorities)
        chain, key = _read(CERT_VARIABLE, self.cert), _read(KEY_VARIABLE, self.key)
        if b"ENCRYPTED" in key:
            raise ValueError(
                f"{KEY_VARIABLE} {self.key} is encrypted; decrypt it with openssl pkey"
            )
        try:
            context.load_cert_chain(self.cert, self.key)
        except ssl.SSLError as error:
            raise ValueError(
                f"{CERT_VARIABLE} {self.cert} and {KEY_VARIABLE} {self.key} are not a certificate and"
                " its key as PEM"
            ) from error
        return grpc.ssl_channel_credentials(authorities, key, chain)

    def state(self) -> tuple[object, ...]:
        """Returns what differs after the files were changed or replaced."""
        return tuple(_state(it) for it in self if it is not None)


def handshake_problem(message: str, address: str, *, tls: bool) -> tuple[str, str] | None:
    """Returns what failed, and a hint, for gRPC's message of a failed connection.

    None if it says nothing of TLS. `tls` says whether the connection was to have it.
    """
    if "CERTIFICATE_VERIFY_FAILED" in message:
        why = message.partition("CERTIFICATE_VERIFY_FAILED: ")[2].rpartition(": ")[0]
        if "expired" in why or "not yet valid" in why:
            return f"the certificate of {address} is refused: {why}", "renew it there"
        return (
            f"the certificate of {address} is of an authority that is not trusted here: {why}",
            f"set {CA_VARIABLE} to the file with the authority's certificate",
        )
    if "Hostname Verification Check failed" in message:
        return (
            f"the certificate of {address} is for other host names",
            "use a name that is in the certificate, or have one made with this name",
        )
    if "WRONG_VERSION_NUMBER" in message:
        return (
            f"what answers at {address} has no TLS",
            f"write grpc:// before the address, or unset {CA_VARIABLE} and {CERT_VARIABLE}",
        )
    # A server says nothing more when it refuses in or before the handshake.
    if "onnect to" not in message or "Socket closed" not in message:
        return None
    if tls:
        return (
            f"what answers at {address} has ended the TLS handshake: it asks clients for a"
            " certificate, and there was none or one that it does not accept",
            f"set {CERT_VARIABLE} and {KEY_VARIABLE} to a certificate of an authority that is trusted"
            " there, which has not expired",
        )
    return (
        f"what answers at {address} has closed the connection at once: it may speak TLS only",
        f"write grpcs:// before the address, or set {CA_VARIABLE}",
    )


def _system_roots() -> bytes | None:
    """Returns the authorities that this system trusts; None for gRPC's own list."""
    if os.environ.get(_GRPC_ROOTS):
        return None
    known = ssl.get_default_verify_paths()
    for path in (known.cafile, *_SYSTEM_ROOTS):
        if path:
            try:
                return Path(path).read_bytes()
            except OSError:
                continue
    return None


def _read(variable: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{variable} {path} cannot be read: {error.strerror}") from error


def _state(path: Path) -> tuple[int, ...]:
    try:
        now = path.stat()
    except OSError:
        return ()
    return now.st_dev, now.st_ino, now.st_mtime_ns, now.st_size
