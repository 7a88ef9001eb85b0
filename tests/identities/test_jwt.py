"""JWTs: a good one has the access that its claims say, and each wrong one is refused by its reason."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest

from durable_server.access.interface import Credential, UnauthenticatedError
from durable_server.identities import jwt
from durable_server.identities.auth_file import parse
from durable_server.identities.jwt import JwtAuthenticator, Trusted
from durable_server.identities.key_sets import KeyFile, parse_keys

from .issuers import Issuer

SETTINGS = """
[[issuer]]
issuer = "https://login.example.com"
audience = ["durable", "other"]
jwks_file = "keys.json"
"""


class Clock:
    """Seconds since 1970, which a test moves."""

    def __init__(self) -> None:
        self.seconds = time.time()

    def __call__(self) -> float:
        return self.seconds


def authenticator(
    folder: Path, issuer: Issuer, more: str = "", now: Any = time.time
) -> JwtAuthenticator:
    path = folder / "keys.json"
    path.write_bytes(issuer.jwks())
    settings = parse(SETTINGS + more, folder).issuers[0]
    return JwtAuthenticator([Trusted(settings, KeyFile(path))], now)


async def access(made: JwtAuthenticator, token: str) -> Any:
    return await made.access(Credential(token, source="192.0.2.1:7"))


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_good_one_has_what_its_claims_say(algorithm: str, tmp_path: Path) -> None:
    issuer = Issuer(algorithm=algorithm)
    made = authenticator(tmp_path, issuer)
    for scopes in (["read:pay.*", "invoke"], "read:pay.* invoke"):
        found = await access(made, issuer.token(durable_scopes=scopes))
        assert (found.name, found.kind, found.source) == ("ada", "jwt", "192.0.2.1:7")
        assert list(map(str, found.grants)) == ["read:pay.*", "invoke:*"]
        assert found.expires > time.time()


async def test_values_of_other_claims_give_scopes_and_a_claim_the_namespace(tmp_path: Path) -> None:
    issuer = Issuer()
    more = 'name_claim = "email"\nnamespace_claim = "team"\n'
    more += '[issuer.map.groups]\npayments = ["operate:pay.*"]\nothers = ["admin"]\n'
    made = authenticator(tmp_path, issuer, more)
    claims = {"email": "ada@example.com", "groups": ["payments"], "team": "pay."}
    found = await access(made, issuer.token(durable_scopes=None, **claims))
    assert (found.name, found.namespace) == ("ada@example.com", "pay.")
    assert list(map(str, found.grants)) == ["operate:pay.*"]


NOW = int(time.time())
WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown issuer": ({"iss": "https://evil.example"}, "unknown", "of the issuer"),
    "no issuer": ({"iss": None}, "unknown", "of the issuer None"),
    "wrong audience": ({"aud": "shop"}, "unknown", "for the audience 'shop'"),
    "no audience": ({"aud": None}, "unknown", "for the audience None"),
    "a list of wrong audiences": ({"aud": ["shop", 7]}, "unknown", "for the audience"),
    "expired": ({"exp": NOW - 120}, "expired", "has expired"),
    "no expiry": ({"exp": None}, "malformed", "no expiry"),
    "an expiry that is no time": (
        {"exp": "tomorrow"},
        "malformed",
        "`?exp`? of the JWT is no time",
    ),
    "an expiry without an end": ({"exp": float("inf")}, "malformed", "is no time"),
    "an expiry that is no number": ({"exp": float("nan")}, "malformed", "is no time"),
    "an expiry beyond all numbers": ({"exp": 10**400}, "malformed", "is no time"),
    "not yet valid": ({"nbf": NOW + 3600}, "unknown", "not valid before"),
    "made in the future": ({"iat": NOW + 3600}, "unknown", "not valid before"),
    "no scopes": ({"durable_scopes": None}, "unknown", "has no scopes"),
    "an unknown scope": ({"durable_scopes": ["root"]}, "malformed", "'root' is no scope"),
    "scopes that are no texts": ({"durable_scopes": [1]}, "malformed", "neither a list"),
    "too many scopes": (
        {"durable_scopes": [f"read:h{it}" for it in range(65)]},
        "malformed",
        "more than 64",
    ),
    "no name": ({"sub": None}, "malformed", "no claim sub"),
    "a name with a line end": ({"sub": "a\nb"}, "malformed", "no claim sub"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_each_wrong_claim_is_refused_by_its_reason(name: str, tmp_path: Path) -> None:
    changed, problem, words = WRONG[name]
    issuer = Issuer()
    made = authenticator(tmp_path, issuer)
    with pytest.raises(UnauthenticatedError, match=words) as caught:
        await access(made, issuer.token(**changed))
    assert caught.value.problem == problem


async def test_a_namespace_that_is_asked_for_must_be_there(tmp_path: Path) -> None:
    issuer = Issuer()
    made = authenticator(tmp_path, issuer, 'namespace_claim = "team"\n')
    with pytest.raises(UnauthenticatedError, match="no claim team"):
        await access(made, issuer.token())


async def test_a_signature_by_another_key_is_refused(tmp_path: Path) -> None:
    issuer = Issuer()
    made = authenticator(tmp_path, issuer)
    with pytest.raises(UnauthenticatedError, match="signature"):
        await access(made, Issuer().token())
    head, body, signature = issuer.token().split(".")
    other = json.dumps(issuer.claims(durable_scopes=["admin"])).encode()
    forged = base64.urlsafe_b64encode(other).decode().rstrip("=")
    assert body != forged
    with pytest.raises(UnauthenticatedError, match="signature"):
        await access(made, f"{head}.{forged}.{signature}")


async def test_another_algorithm_is_refused_before_a_key_is_looked_at(tmp_path: Path) -> None:
    issuer = Issuer()
    made = authenticator(tmp_path, issuer, 'algorithms = ["RS256"]\n')
    with pytest.raises(UnauthenticatedError, match="signed with 'ES256'"):
        await access(made, Issuer(algorithm="ES256").token())
    with pytest.raises(UnauthenticatedError, match="signed with 'HS256'"):
        await access(made, Issuer(algorithm="HS256").token())
    for alg, words in (('"none"', "'none'"), ("[]", "\\[\\]"), ('{"RS256":1}', "{'RS256': 1}")):
        head = base64.urlsafe_b64encode(f'{{"alg":{alg}}}'.encode()).decode().rstrip("=")
        with pytest.raises(UnauthenticatedError, match=f"signed with {words}"):
            await access(made, f"{head}.{issuer.token().split('.')[1]}.")


async def test_a_key_for_another_algorithm_of_the_same_type_is_refused(tmp_path: Path) -> None:
    issuer = Issuer()
    made = authenticator(tmp_path, issuer)
    forger = Issuer(algorithm="ES256", key_id="one")
    with pytest.raises(UnauthenticatedError, match="signature"):
        await access(made, forger.token())


async def test_an_unknown_key_id_is_refused_and_a_jwt_without_one_tries_the_keys(
    tmp_path: Path,
) -> None:
    issuer = Issuer()
    made = authenticator(tmp_path, issuer)
    with pytest.raises(UnauthenticatedError, match="with the key 'two'"):
        await access(made, issuer.token({"kid": "two"}))
    with pytest.raises(UnauthenticatedError, match="no valid credential"):
        await access(made, issuer.token({"kid": None}) + "x" * (jwt.JWT_CHARACTERS))
    found = await access(made, issuer.token({"kid": None}))
    assert found.name == "ada"


@pytest.mark.parametrize("text", ["a.b.c", "..", "e30.e30.e30", "é.é.é", "a.b.c" + "x" * 20_000])
async def test_what_is_no_jwt_is_malformed(text: str, tmp_path: Path) -> None:
    made = authenticator(tmp_path, Issuer())
    with pytest.raises(UnauthenticatedError) as caught:
        await access(made, text)
    assert caught.value.problem in ("malformed", "unknown")
    assert text not in str(caught.value) or len(text) < 4


async def test_other_credentials_are_not_its_own(tmp_path: Path) -> None:
    made = authenticator(tmp_path, Issuer())
    assert await access(made, "durable_abc_def") is None
    assert await access(made, "") is None


async def test_clocks_may_differ_a_little(tmp_path: Path) -> None:
    issuer = Issuer()
    made = authenticator(tmp_path, issuer)
    now = int(time.time())
    assert await access(made, issuer.token(exp=now - 20, nbf=now + 20)) is not None


async def test_a_kept_one_ends_with_its_expiry(tmp_path: Path) -> None:
    issuer, clock = Issuer(), Clock()
    made = authenticator(tmp_path, issuer, now=clock)
    token = issuer.token()
    assert await access(made, token) is not None
    clock.seconds += 300 + jwt.SKEW_SECONDS - 5
    assert await access(made, token) is not None
    clock.seconds += 10
    with pytest.raises(UnauthenticatedError, match="expired"):
        await access(made, token)


async def test_a_key_that_is_withdrawn_ends_what_was_verified_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("durable_server.identities.watched_file.LOOK_SECONDS", 0.0)
    issuer = Issuer()
    made = authenticator(tmp_path, issuer)
    token = issuer.token()
    assert await access(made, token) is not None
    (tmp_path / "keys.json").write_bytes(Issuer(key_id="two").jwks())
    with pytest.raises(UnauthenticatedError, match="with the key 'one'"):
        await access(made, token)
    (tmp_path / "keys.json").write_text("{")  # a bad file keeps the keys of before
    with pytest.raises(UnauthenticatedError, match="with the key 'one'"):
        await access(made, token)


async def test_the_kept_ones_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwt, "CACHE_MAX", 2)
    issuer = Issuer()
    made = authenticator(tmp_path, issuer)
    for it in range(4):
        assert (await access(made, issuer.token(sub=f"user-{it}"))).name == f"user-{it}"
    assert len(made._kept) == 2


def test_keys_that_cannot_verify_are_left_out() -> None:
    shared = {"kty": "oct", "k": "c2VjcmV0", "kid": "s"}
    for_encryption = {**Issuer().key.as_dict(private=False), "use": "enc"}
    good = Issuer().key.as_dict(private=False)
    keys = parse_keys(json.dumps({"keys": [shared, for_encryption, {"kty": "RSA"}, good]}).encode())
    assert [it.kid for it in keys] == ["one"]
