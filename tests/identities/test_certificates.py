"""Client certificates as identities, made by trustme."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from durable_server.access.access import Grant, Scope
from durable_server.access.interface import Credential, UnauthenticatedError
from durable_server.identities.auth_file import Certified
from durable_server.identities.certificates import CertificateAuthenticator, names_of

WORKER = Certified("", "spiffe://example.com/pay/*", (Grant(Scope.WORKER, "pay.*"),), "pay.")
ADMIN = Certified("ops", "*.admin.example.com", (Grant(Scope.ADMIN),))
COMMON = Certified("ada", "", (Grant(Scope.READ),))


def pem(*names: str, common: str | None = None) -> bytes:
    return trustme.CA().issue_cert(*names, common_name=common).cert_chain_pems[0].bytes()


def spiffe(uri: str) -> bytes:
    """A certificate with a URI, which trustme does not make."""
    key = ec.generate_private_key(ec.SECP256R1())
    nobody = x509.Name([])
    start = x509.load_pem_x509_certificate(pem("x.example.com")).not_valid_before_utc
    end = x509.load_pem_x509_certificate(pem("x.example.com")).not_valid_after_utc
    made = (
        x509.CertificateBuilder(nobody, nobody, key.public_key(), x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), True)
    )
    from cryptography.hazmat.primitives.serialization import Encoding

    return made.sign(key, SHA256()).public_bytes(Encoding.PEM)


async def test_the_first_entry_that_matches_decides() -> None:
    made = CertificateAuthenticator([WORKER, ADMIN, COMMON])
    found = await made.access(Credential(certificate=spiffe("spiffe://example.com/pay/worker-1")))
    assert found is not None
    assert (found.name, found.kind, found.namespace) == (
        "spiffe://example.com/pay/worker-1",
        "certificate",
        "pay.",
    )
    assert found.grants == WORKER.grants
    assert found.expires > 0
    found = await made.access(Credential(certificate=pem("x.admin.example.com", common="ops")))
    assert found is not None
    assert found.grants == ADMIN.grants
    found = await made.access(
        Credential(certificate=pem("x.example.com", common="ada"), source="192.0.2.1:7")
    )
    assert found is not None
    assert (found.name, found.source) == ("ada", "192.0.2.1:7")


@pytest.mark.parametrize(
    "certificate",
    [
        spiffe("spiffe://example.com/cart/worker"),
        spiffe("spiffe://example.com.evil.example/pay/worker"),
        pem("x.admin.example.com", common="adam"),
        pem("admin.example.com", common="ops"),
        pem("ada"),
    ],
)
async def test_others_are_nobody(certificate: bytes) -> None:
    made = CertificateAuthenticator([WORKER, ADMIN, COMMON])
    with pytest.raises(UnauthenticatedError, match="not one that --auth-file names") as caught:
        await made.access(Credential(certificate=certificate))
    assert caught.value.problem == "unknown"


async def test_one_that_has_expired_since_the_connection_was_opened_is_refused() -> None:
    made = CertificateAuthenticator([COMMON])
    begin, end = (datetime(2020, 1, day, tzinfo=UTC) for day in (1, 2))
    issued = trustme.CA().issue_cert(
        "x.example.com", common_name="ada", not_before=begin, not_after=end
    )
    with pytest.raises(UnauthenticatedError) as caught:
        await made.access(Credential(certificate=issued.cert_chain_pems[0].bytes()))
    assert caught.value.problem == "expired"


async def test_a_token_decides_where_there_are_both() -> None:
    made = CertificateAuthenticator([COMMON])
    certificate = pem("x.example.com", common="ada")
    assert await made.access(Credential("a.b.c", certificate)) is None
    assert await made.access(Credential()) is None


def test_a_certificate_is_parsed_once() -> None:
    certificate = pem("x.example.com", common="ada")
    assert names_of(certificate) is names_of(bytes(certificate))
