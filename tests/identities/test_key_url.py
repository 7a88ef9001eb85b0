"""Keys at a URL: fetched in the background, again for a new key, and kept while the issuer is away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from durable_server.access.interface import Credential, UnauthenticatedError
from durable_server.identities import fetching, key_sets
from durable_server.identities.fetching import FetchError, fetch
from durable_server.identities.key_sets import KeySetError, KeyUrl
from durable_server.identities.trusted import TrustedIdentities

from .issuers import AUDIENCE, Issuer
from .oidc_issuer import OidcIssuer, running


@pytest.fixture
async def issuer() -> AsyncIterator[OidcIssuer]:
    async with running() as made:
        yield made


async def test_a_new_key_is_fetched_when_a_jwt_names_it(
    issuer: OidcIssuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_sets, "PAUSE_SECONDS", 0.0)
    path = tmp_path / "auth.toml"
    path.write_text(
        f'[[issuer]]\nissuer = "{issuer.url}"\naudience = "{AUDIENCE}"\n'
        f'jwks_url = "{issuer.url}/jwks"\n'
    )
    trusted = TrustedIdentities(path)
    first = issuer.issuer.token()
    assert await trusted.access(Credential(first)) is not None
    issuer.issuer = Issuer(issuer.url, key_id="two")
    assert await trusted.access(Credential(issuer.issuer.token())) is not None
    with pytest.raises(UnauthenticatedError, match="with the key 'one'"):
        await trusted.access(Credential(first))  # its key is withdrawn
    await trusted.close()


async def test_invented_key_ids_make_no_more_requests(issuer: OidcIssuer) -> None:
    keys = KeyUrl(f"{issuer.url}/jwks")
    keys.start()
    assert len(await keys.candidates("one")) == 1
    for it in range(20):
        assert await keys.candidates(f"invented-{it}") == []
    assert issuer.fetched == 1
    await keys.close()


async def test_the_keys_of_before_stay_while_the_issuer_is_away(
    issuer: OidcIssuer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(key_sets, "PAUSE_SECONDS", 0.0)
    keys = KeyUrl(f"{issuer.url}/jwks")
    issuer.broken = True
    with pytest.raises(KeySetError, match="could not be fetched yet"):
        await keys.candidates("one")
    issuer.broken = False
    assert len(await keys.candidates("one")) == 1
    issuer.broken = True
    caplog.clear()
    for _ in range(3):
        assert await keys.candidates("two") == []
    assert len(await keys.candidates("one")) == 1
    assert len(caplog.records) == 1
    assert "those of before stay in use" in caplog.text
    await keys.close()


async def test_old_keys_are_asked_for_again_when_they_are_used(
    issuer: OidcIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_sets, "PAUSE_SECONDS", 0.0)
    keys = KeyUrl(f"{issuer.url}/jwks")
    await keys.candidates("one")
    version = keys.version
    issuer.issuer = Issuer(issuer.url, key_id="one")  # another key under the same id
    monkeypatch.setattr(key_sets, "AGE_SECONDS", 0.0)
    keys.look()
    assert len(await keys.candidates("two")) == 0  # waits for the request in flight
    assert keys.version == version + 1
    await keys.close()


async def test_answers_are_bounded_and_redirects_are_not_followed(
    issuer: OidcIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer.broken = True
    with pytest.raises(FetchError, match="answers with 307"):
        await fetch(f"{issuer.url}/jwks")
    issuer.broken = False
    monkeypatch.setattr(fetching, "FETCH_BYTES", 10)
    with pytest.raises(FetchError, match="more than 10 bytes"):
        await fetch(f"{issuer.url}/jwks")


async def test_a_place_that_does_not_answer_is_named() -> None:
    with pytest.raises(FetchError, match="cannot be reached"):
        await fetch("http://127.0.0.1:1/jwks")
