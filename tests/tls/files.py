"""Authorities and certificates as files, in the ways that operators put them there."""

from __future__ import annotations

import datetime
import os
import ssl
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

HOSTS = ("localhost", "127.0.0.1")
_PAST = (
    datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
    datetime.datetime(2020, 2, 1, tzinfo=datetime.UTC),
)


class Pair(NamedTuple):
    """A certificate and its key."""

    cert: Path
    key: Path

    @property
    def serial(self) -> int:
        return serial(ssl.PEM_cert_to_DER_cert(self.cert.read_text()))


class Authority:
    """An authority whose files are in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._ca = trustme.CA()
        self.ca = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.ca)

    def issue(
        self, name: str, *hosts: str, expired: bool = False, folder: Path | None = None
    ) -> Pair:
        """Issues a certificate for hosts, by default for this machine, and replaces an old one."""
        begin, end = _PAST if expired else (None, None)
        made = self._ca.issue_cert(*(hosts or HOSTS), not_before=begin, not_after=end)
        folder = folder or self._folder
        pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
        for path, data in (
            (pair.cert, b"".join(it.bytes() for it in made.cert_chain_pems)),
            (pair.key, made.private_key_pem.bytes()),
        ):
            scratch = path.with_suffix(".new")
            scratch.write_bytes(data)
            scratch.replace(path)
        return pair

    def context(self, pair: Pair | None = None) -> ssl.SSLContext:
        """Returns what a client that trusts this authority connects with."""
        context = ssl.create_default_context(cafile=self.ca)
        if pair is not None:
            context.load_cert_chain(pair.cert, pair.key)
        return context


class Secret:
    """A directory whose files change as those of a secret in Kubernetes: by the swap of one link."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def publish(self, authority: Authority, *, broken: bool = False) -> Pair:
        """Publishes a new certificate; the files are in the same place as ever."""
        self._count += 1
        data = self._folder / f"..data_{self._count}"
        data.mkdir(parents=True)
        made = authority.issue("tls", folder=data)
        if broken:
            made.key.write_text("no key")
        link = self._folder / "..data_new"
        link.symlink_to(data.name)
        os.replace(link, self._folder / "..data")
        for name in ("tls.pem", "tls.key"):
            if not (self._folder / name).is_symlink():
                (self._folder / name).symlink_to(f"..data/{name}")
        return Pair(self._folder / "tls.pem", self._folder / "tls.key")


def serial(der: bytes | None) -> int:
    """Returns the serial number of a certificate."""
    from cryptography import x509

    assert der is not None
    return x509.load_der_x509_certificate(der).serial_number


def environment(
    monkeypatch: pytest.MonkeyPatch, authority: Authority | None, pair: Pair | None = None
) -> None:
    """Sets the variables of a client."""
    values = {
        "DURABLE_TLS_CA": authority and authority.ca,
        "DURABLE_TLS_CERT": pair and pair.cert,
        "DURABLE_TLS_KEY": pair and pair.key,
    }
    for name, value in values.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, str(value))
