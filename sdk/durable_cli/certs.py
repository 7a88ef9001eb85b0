"""`durable certs`: a private authority with certificates for a lab.

    ca.pem                    the authority, for --tls-client-ca and DURABLE_TLS_CA
    server.pem, server.key    for a control plane under all the hosts; its nodes may share it
    NAME.pem, NAME.key        for a client or a worker, with NAME as its common name

The certificate of the server is good for both sides of a connection, because the nodes of a cluster
present theirs to each other. The key of the authority is never written: nobody can sign more with it,
and who needs another certificate makes a new set. Keys have the mode 0600, and no file is overwritten.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from .errors import CommandError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

DAYS: Final = 90
"""How long the certificates are valid: a lab that lives longer shall have an authority of its own."""
_LOCAL: Final = ("localhost", "127.0.0.1", "::1")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_HOST: Final = re.compile(r"(\*\.)?[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")
_RESERVED: Final = ("ca", "server")


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--host",
    "hosts",
    multiple=True,
    required=True,
    metavar="NAME|IP",
    help="Where the control plane is reached; may be repeated. Loopback is added.",
)
@click.option(
    "--client",
    "clients",
    multiple=True,
    default=("client",),
    show_default="client",
    metavar="NAME",
    help="Make a certificate for this client or worker; may be repeated.",
)
@click.option(
    "--days",
    default=DAYS,
    show_default=True,
    type=click.IntRange(1, 825),
    help="How long they last.",
)
def certs(folder: Path, hosts: tuple[str, ...], clients: tuple[str, ...], days: int) -> None:
    """Make an authority and certificates for a lab in DIR.

    They are for experiments on machines of your own. In production an authority that renews and
    revokes certificates makes them.
    """
    for host in hosts:
        if not (_is_ip(host) or _HOST.fullmatch(host)):
            raise click.UsageError(f"--host {host[:80]!r} is not a host name or an IP address")
    for name in clients:
        if _NAME.fullmatch(name) is None or name in _RESERVED:
            raise click.UsageError(
                f"--client {name[:80]!r} is not a name of letters, digits, '.', '_' and '-', or it is"
                f" one of {', '.join(_RESERVED)}"
            )
    files = _make(hosts, dict.fromkeys(clients), days)
    _write(folder, files)
    click.echo(_what_next(folder, hosts[0], clients[0], days))


def _what_next(folder: Path, host: str, client: str, days: int) -> str:
    at = f"[{host}]" if ":" in host else host
    place = shlex.quote(str(folder))
    return f"""\
An authority and certificates for a lab are in {folder}, valid for {days} days. They are for a lab only:
nothing renews or revokes them. Start the control plane and its clients with:

durable server --listen {at}:50051 --tls-cert {place}/server.pem --tls-key {place}/server.key \\
    --tls-client-ca {place}/ca.pem
export DURABLE_ADDRESS=grpcs://{at}:50051 DURABLE_TLS_CA={place}/ca.pem
export DURABLE_TLS_CERT={place}/{client}.pem DURABLE_TLS_KEY={place}/{client}.key
durable doctor"""


def _make(hosts: Iterable[str], clients: Iterable[str], days: int) -> dict[str, bytes]:
    """Returns the files by name."""
    # Imported here because it needs the extra `server`.
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    # A clock that is a little behind must not refuse them.
    begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    end = begin + datetime.timedelta(days=days)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _sign(
        "durable lab authority",
        authority_key.public_key(),
        (begin, end),
        None,
        authority_key,
        [(x509.BasicConstraints(ca=True, path_length=0), True), (_usage(authority=True), True)],
    )
    both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    names: list[x509.GeneralName] = [
        x509.IPAddress(ipaddress.ip_address(it)) if _is_ip(it) else x509.DNSName(it)
        for it in dict.fromkeys((*hosts, *_LOCAL))
    ]
    files = {"ca.pem": _pem(authority)}
    made: dict[str, tuple[list[x509.ObjectIdentifier], list[x509.GeneralName]]] = {
        "server": (both, names),
        **{it: (both[1:], [x509.DNSName(it)]) for it in clients},
    }
    for name, (purposes, alternatives) in made.items():
        key = ec.generate_private_key(ec.SECP256R1())
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_usage(authority=False), True),
            (x509.ExtendedKeyUsage(purposes), False),
            (x509.SubjectAlternativeName(alternatives), False),
        ]
        certificate = _sign(
            name, key.public_key(), (begin, end), authority, authority_key, extensions
        )
        files[f"{name}.pem"] = _pem(certificate)
        files[f"{name}.key"] = _key_pem(key)
    return files


def _sign(
    name: str,
    key: ec.EllipticCurvePublicKey,
    valid: tuple[datetime.datetime, datetime.datetime],
    authority: x509.Certificate | None,
    authority_key: ec.EllipticCurvePrivateKey,
    extensions: Iterable[tuple[x509.ExtensionType, bool]],
) -> x509.Certificate:
    """Returns a certificate; without an `authority` it is one itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import NameOID

    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if authority is None else authority.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(authority_key, hashes.SHA256())


def _usage(*, authority: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(folder: Path, files: dict[str, bytes]) -> None:
    """Writes all files. Raises CommandError, before the first one, if one of them is there."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        there = [it for it in files if os.path.lexists(folder / it)]
        if there:
            raise CommandError(
                f"{folder} has {', '.join(there)} already, and nothing is overwritten; name another"
                " DIR"
            )
        for name, data in files.items():
            mode = 0o600 if name.endswith(".key") else 0o644
            opened = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(opened, "wb") as file:
                file.write(data)
    except OSError as error:
        raise CommandError(
            f"{error.filename or folder} cannot be written: {error.strerror}"
        ) from error


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
