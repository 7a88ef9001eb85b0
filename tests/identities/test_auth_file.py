"""The auth file: what it says, and the one line about what is wrong in it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from durable_server.access.interface import Credential, UnauthenticatedError
from durable_server.identities.auth_file import AuthFileError, parse, read
from durable_server.identities.trusted import TrustedIdentities

from .issuers import Issuer, write_auth_file

ISSUER = '[[issuer]]\nissuer = "https://i.example"\naudience = "d"\njwks_file = "k.json"\n'
CERTIFICATE = '[[certificate]]\nsubject = "worker"\nscopes = ["worker"]\n'


def test_what_is_left_out_has_a_default() -> None:
    found = parse(ISSUER + CERTIFICATE, Path("/etc/durable"))
    (issuer,), (certificate,) = found
    assert issuer.keys_in == Path("/etc/durable/k.json")
    assert issuer.algorithms == {"RS256", "ES256", "EdDSA"}
    assert (issuer.name_claim, issuer.scopes_claim) == ("sub", "durable_scopes")
    assert issuer.label == "i.example"
    assert list(map(str, certificate.grants)) == ["worker:*"]
    assert parse("", Path()) == ((), ())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[issuer", "it is no TOML"),
        ("[[isuer]]", "unknown field `isuer`; the keys there are issuer, certificate"),
        (
            ISSUER + 'audiance = "x"\n',
            r"issuer\[0\]: .*`audiance`; the keys there are issuer, aud",
        ),
        (
            CERTIFICATE + 'scope = "x"\n',
            r"certificate\[0\]: .*`scope`; the keys there are scopes",
        ),
        (ISSUER.replace('"d"', "7"), r"issuer\[0\].audience: Expected"),
        (ISSUER.replace('"d"', '""'), r"issuer\[0\].audience: is empty"),
        (ISSUER.replace('"d"', "[]"), r"issuer\[0\].audience: is empty"),
        (ISSUER.replace('"https://i.example"', '""'), r"issuer\[0\].issuer: is empty"),
        (ISSUER + 'jwks_url = "https://i.example/j"\n', r"issuer\[0\]: its keys come from"),
        (ISSUER.replace('jwks_file = "k.json"', ""), r"issuer\[0\]: its keys come from"),
        (
            ISSUER.replace('jwks_file = "k.json"', 'jwks_url = "http://i.example/j"'),
            r"issuer\[0\].jwks_url: .* is not https://",
        ),
        (ISSUER + 'algorithms = ["HS256"]\n', r"issuer\[0\].algorithms: 'HS256' is not one of"),
        (ISSUER + 'algorithms = ["none"]\n', r"issuer\[0\].algorithms: 'none' is not one of"),
        (ISSUER + "algorithms = []\n", r"issuer\[0\].algorithms: is empty"),
        (ISSUER + ISSUER, r"issuer\[1\].issuer: https://i.example is there twice"),
        (ISSUER + '[issuer.map.groups]\na = ["root"]\n', r"issuer\[0\].map.groups.a: 'root' is no"),
        (ISSUER + "[issuer.map.groups]\na = []\n", r"issuer\[0\].map.groups.a: has no scopes"),
        (ISSUER + 'client_secret_file = "s"\n', "is for a client_id"),
        (ISSUER + 'client_id = "c"\nlogin_scopes = "email"\n', "has no `openid`"),
        (CERTIFICATE.replace('subject = "worker"\n', ""), "neither subject nor san"),
        (CERTIFICATE + 'namespace = "a b"\n', r"certificate\[0\].namespace"),
    ],
)
def test_what_is_wrong_is_named_with_its_key(text: str, words: str) -> None:
    with pytest.raises(AuthFileError, match=words) as caught:
        parse(text, Path())
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(AuthFileError, match=r"--auth-file .*none.toml cannot be read"):
        read(tmp_path / "none.toml")
    path = write_auth_file(tmp_path, Issuer())
    (tmp_path / "keys.json").write_text('{"keys": []}')
    with pytest.raises(AuthFileError, match=r"auth.toml: jwks_file .*keys.json: it has no key"):
        TrustedIdentities(path)


async def test_a_change_of_the_file_is_taken_up_and_a_bad_one_keeps_what_was_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("durable_server.identities.watched_file.LOOK_SECONDS", 0.0)
    issuer = Issuer()
    path = write_auth_file(tmp_path, issuer, '[issuer.map.groups]\nops = ["operate"]\n')
    trusted = TrustedIdentities(path)
    credential = Credential(issuer.token(durable_scopes=None, groups=["ops"]))
    first = await trusted.access(credential)
    assert first is not None
    assert list(map(str, first.grants)) == ["operate:*"]
    path.write_text("[[issuer")
    with caplog.at_level(logging.WARNING):
        assert await trusted.access(credential) == first
        assert await trusted.access(credential) == first
    assert len(caplog.records) == 1
    assert "what it said before stays in use" in caplog.text
    write_auth_file(tmp_path, issuer, '[issuer.map.groups]\nops = ["read"]\n')
    second = await trusted.access(credential)
    assert second is not None
    assert list(map(str, second.grants)) == ["read:*"]
    path.unlink()
    path.symlink_to(tmp_path / "new.toml")  # as a mounted secret is replaced
    (tmp_path / "new.toml").write_text('[[certificate]]\nsubject = "x"\nscopes = ["read"]\n')
    assert await trusted.access(credential) is None
    await trusted.close()


async def test_a_certificate_without_an_entry_is_nobody(tmp_path: Path) -> None:
    path = write_auth_file(tmp_path, Issuer())
    trusted = TrustedIdentities(path)
    assert await trusted.access(Credential(certificate=b"anything")) is None
    path = write_auth_file(tmp_path, Issuer(), CERTIFICATE)
    trusted = TrustedIdentities(path)
    with pytest.raises(UnauthenticatedError, match="cannot be read"):
        await trusted.access(Credential(certificate=b"anything"))
