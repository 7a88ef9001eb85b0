"""The files of TLS as they are read: a certificate with its key, and the authorities that it trusts.

`load` reads all of them and checks that they fit, so that whoever serves with them cannot fail later:
the files are PEM, the key belongs to the certificate, and an authority's file has a certificate.

No session is resumed where clients must present a certificate: a resumed one is not verified again, and
would outlive an authority that was removed. So there are no session tickets, and no TLS 1.2, whose
sessions OpenSSL also keeps by itself.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple


class CertificateError(Exception):
    """A file of TLS cannot be used; the message names the option and the file."""


class TlsFiles(NamedTuple):
    """The files that the operator gave."""

    cert: Path
    """The certificate of this process, with those between it and its authority after it."""
    key: Path
    """Its private key, not encrypted."""
    client_ca: Path | None = None
    """The authorities of clients, which must then present a certificate; None asks for none."""
    node_ca: Path | None = None
    """The authorities of the other nodes; None where there are no other nodes."""


@dataclass(frozen=True, slots=True)
class Material:
    """What the files held when they were read."""

    chain: bytes = field(repr=False)
    """The certificates, as PEM."""
    key: bytes = field(repr=False)
    """The private key, as PEM."""
    client_ca: bytes | None = field(repr=False)
    """The authorities of clients, as PEM; None if clients need no certificate."""
    serving: ssl.SSLContext
    """For HTTP."""
    serving_nodes: ssl.SSLContext | None
    """For links that other nodes open; None without other nodes."""
    dialling_nodes: ssl.SSLContext | None
    """For links to other nodes; None without other nodes."""


def load(files: TlsFiles) -> Material:
    """Reads the files. Raises CertificateError."""
    chain = _read("--tls-cert", files.cert, b"-----BEGIN CERTIFICATE-----", "certificate")
    key = _read("--tls-key", files.key, b"PRIVATE KEY-----", "private key")
    if b"ENCRYPTED" in key:
        raise CertificateError(
            f"--tls-key {files.key} is encrypted, and nobody is there to give its password; decrypt it"
            f" with: openssl pkey -in {files.key} -out NEW"
        )
    client_ca = _authorities("--tls-client-ca", files.client_ca)
    node_ca = _authorities("--tls-node-ca", files.node_ca)
    serving = _context(files, ssl.PROTOCOL_TLS_SERVER, "--tls-client-ca", client_ca)
    serving.set_alpn_protocols(["http/1.1"])
    serving_nodes = dialling_nodes = None
    if node_ca is not None:
        serving_nodes = _context(files, ssl.PROTOCOL_TLS_SERVER, "--tls-node-ca", node_ca)
        dialling_nodes = _context(files, ssl.PROTOCOL_TLS_CLIENT, "--tls-node-ca", node_ca)
    return Material(chain, key, client_ca, serving, serving_nodes, dialling_nodes)


def _context(
    files: TlsFiles, protocol: int, option: str, authorities: bytes | None
) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # The password is asked for on the terminal otherwise.
        context.load_cert_chain(files.cert, files.key, password="")
    except ssl.SSLError as error:
        raise CertificateError(
            f"--tls-key {files.key} is not the key of --tls-cert {files.cert}"
            if "MISMATCH" in str(error)
            else f"--tls-cert {files.cert} and --tls-key {files.key} cannot be used: {_words(error)}"
        ) from error
    except OSError as error:
        raise CertificateError(
            f"--tls-cert {files.cert} and --tls-key {files.key} cannot be read: {error.strerror}"
        ) from error
    if authorities is not None:
        try:
            context.load_verify_locations(cadata=authorities.decode("ascii"))
        except (ssl.SSLError, UnicodeDecodeError) as error:
            raise CertificateError(f"{option} has a certificate that cannot be read") from error
        context.verify_mode = ssl.CERT_REQUIRED
        if protocol == ssl.PROTOCOL_TLS_SERVER:
            context.num_tickets = 0
            context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def _authorities(option: str, path: Path | None) -> bytes | None:
    if path is None:
        return None
    return _read(option, path, b"-----BEGIN CERTIFICATE-----", "certificate")


def _read(option: str, path: Path, mark: bytes, what: str) -> bytes:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise CertificateError(f"{option} {path} cannot be read: {error.strerror}") from error
    if mark not in text:
        raise CertificateError(f"{option} {path} has no {what} in the PEM format")
    return text


def _words(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).replace("_", " ").lower()
