"""Tokens: each is read as it was signed, or refused."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_server.webhooks.tokens import Claim, Keyring, awakeable_of

KEY, OTHER = b"k" * 32, b"o" * 32
CLAIM = Claim("0123-4", 1_700_000_000, "stripe", "payments")

claims = st.builds(
    Claim,
    st.text(st.characters(exclude_categories=("Cs",)), max_size=256),
    st.integers(0, 2**63),
    st.sampled_from(["", "stripe", "github"]),
    st.text("abc_.-", max_size=64),
    st.just(b"") | st.binary(min_size=8, max_size=8),
)


@given(claims)
def test_a_claim_comes_back(claim: Claim) -> None:
    token = Keyring([KEY]).sign(claim)
    assert Keyring([KEY]).read(token) == claim
    assert Keyring([OTHER]).read(token) is None


@given(claims, st.binary(min_size=8, max_size=8))
def test_an_id_names_one_token(claim: Claim, nonce: bytes) -> None:
    other = claim._replace(nonce=nonce)
    assert awakeable_of(claim.webhook_id) == claim.awakeable_id
    assert (other.webhook_id == claim.webhook_id) == (other == claim)
    assert awakeable_of(claim.webhook_id[:-1]) == awakeable_of(claim.awakeable_id + "#") == ""


def test_a_token_of_version_1_is_still_read() -> None:
    token = "Vz6oco6fkCCaCwnhGcadbFNtM980JnxVzFIXofHR71kBAAAAAGVT8QAGc3RyaXBlCHBheW1lbnRzMDEyMy00"
    assert Keyring([KEY]).read(token) == CLAIM


@given(st.data())
def test_any_other_character_makes_it_no_token(data: st.DataObject) -> None:
    token = Keyring([KEY]).sign(CLAIM)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("ABCXYZabcxyz0189-_=/+ \n%é"))
    changed = token[:at] + other + token[at + 1 :]
    assert (Keyring([KEY]).read(changed) is None) == (changed != token)


@given(st.text(max_size=100) | st.text("AB-_", max_size=100))
def test_no_text_is_a_token_by_chance(text: str) -> None:
    assert Keyring([KEY]).read(text) is None


def test_one_claim_has_one_spelling() -> None:
    keyring = Keyring([KEY])
    token = next(
        token
        for size in range(3)
        if len(token := keyring.sign(CLAIM._replace(awakeable_id="a" * size))) % 4 == 2
    )
    # The last character of such a text has four bits that decode to nothing.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = token[:-1] + alphabet[alphabet.index(token[-1]) + 1]
    assert base64.urlsafe_b64decode(twin + "==") == base64.urlsafe_b64decode(token + "==")
    assert keyring.read(twin) is None
    assert keyring.read(token + "==") is None


@pytest.mark.parametrize("keys", [[OTHER, KEY], [KEY, OTHER]])
def test_all_keys_are_accepted_and_the_first_signs(keys: list[bytes]) -> None:
    token = Keyring(keys).sign(CLAIM)
    assert Keyring(keys[:1]).read(token) == CLAIM
    assert Keyring(keys[1:]).read(token) is None
    assert Keyring(keys[::-1]).read(token) == CLAIM
