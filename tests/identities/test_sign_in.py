"""The sign-in with an issuer, without a browser: what comes back must belong to what was sent."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from durable_server.access.access import Access
from durable_server.access.interface import UnauthenticatedError
from durable_server.identities.auth_file import parse
from durable_server.identities.fetching import fetch
from durable_server.identities.jwt import Trusted
from durable_server.identities.key_sets import KeyUrl
from durable_server.identities.sign_in import ATTEMPT_SECONDS, REQUESTS_MAX, SignIn, SignInError

from .oidc_issuer import CLIENT, OidcIssuer, running

KEY = bytes(range(32))
REDIRECT = "https://durable.example.com/session/callback"


class Clock:
    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
async def issuer() -> AsyncIterator[OidcIssuer]:
    async with running() as made:
        yield made


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def sign_in(issuer: OidcIssuer, clock: Clock) -> AsyncIterator[SignIn]:
    text = f'[[issuer]]\nissuer = "{issuer.url}"\naudience = "durable"\nname = "Example"\n'
    text += f'client_id = "{CLIENT}"\njwks_url = "{issuer.url}/jwks"\n'
    settings = parse(text, Path()).issuers[0]
    keys = KeyUrl(settings.keys_at)
    yield SignIn(KEY, lambda: [Trusted(settings, keys)], clock)
    await keys.close()


async def sent(sign_in: SignIn) -> tuple[str, dict[str, str]]:
    """Goes through the issuer as a browser does; returns the cookie and the query of the way back."""
    address, cookie = await sign_in.begin("Example", REDIRECT)
    document = (await fetch(address)).decode()
    (back,) = re.findall('href="([^"]+)"', document)
    assert back.startswith(REDIRECT)
    return cookie, dict(parse_qsl(urlsplit(back).query))


async def test_a_person_has_what_the_id_token_says(issuer: OidcIssuer, sign_in: SignIn) -> None:
    cookie, query = await sent(sign_in)
    found = await sign_in.finish(cookie, query)
    assert isinstance(found, Access)
    assert (found.name, list(map(str, found.grants))) == ("ada", ["read:*", "operate:*"])
    with pytest.raises(SignInError, match="does not take the code"):
        await sign_in.finish(cookie, query)  # the issuer takes a code once


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"nonce": "another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"aud": "durable"}, "for the audience 'durable'"),
        ({"azp": "another"}, "another client"),
        ({"iss": "https://evil.example"}, "another issuer"),
        ({"exp": 1_000_000}, "expired"),
        ({"durable_scopes": []}, "no scopes"),
    ],
)
async def test_a_wrong_id_token_is_refused(
    issuer: OidcIssuer, sign_in: SignIn, changed: Mapping[str, object], words: str
) -> None:
    issuer.changed = dict(changed)
    with pytest.raises(UnauthenticatedError, match=words):
        await sign_in.finish(*await sent(sign_in))


async def test_what_does_not_belong_to_the_attempt_is_refused(
    sign_in: SignIn, clock: Clock, issuer: OidcIssuer
) -> None:
    cookie, query = await sent(sign_in)
    other_cookie, _ = await sent(sign_in)
    for wrong in ("", "x.y.z", cookie[:-4] + "AAAA"):
        with pytest.raises(SignInError, match="has begun no sign-in"):
            await sign_in.finish(wrong, query)
    for state in ({"state": "x"}, {"state": ""}):
        with pytest.raises(SignInError, match="not to the sign-in"):
            await sign_in.finish(cookie, {**query, **state})
    with pytest.raises(SignInError, match="not to the sign-in"):
        await sign_in.finish(other_cookie, query)
    with pytest.raises(SignInError, match="another issuer"):
        await sign_in.finish(cookie, {**query, "iss": "https://evil.example"})
    with pytest.raises(SignInError, match="has refused the sign-in: 'access_denied'"):
        await sign_in.finish(cookie, {"state": query["state"], "error": "access_denied"})
    with pytest.raises(SignInError, match="no sign-in with 'Other'"):
        await sign_in.begin("Other", REDIRECT)
    clock.ahead = ATTEMPT_SECONDS + 1
    with pytest.raises(SignInError, match="taken too long"):
        await sign_in.finish(cookie, query)


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of an issuer that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as bound:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


async def test_issuers_that_do_not_answer_hold_up_nobody_else(
    silent: str,
) -> None:
    text = f'[[issuer]]\nissuer = "{silent}"\naudience = "durable"\nname = "Silent"\n'
    text += f'client_id = "{CLIENT}"\njwks_url = "{silent}/jwks"\n'
    settings = parse(text, Path()).issuers[0]
    sign_in = SignIn(KEY, lambda: [Trusted(settings, KeyUrl(settings.keys_at))])
    begun = [
        asyncio.create_task(sign_in.begin("Silent", REDIRECT)) for _ in range(REQUESTS_MAX + 1)
    ]
    finished, waiting = await asyncio.wait(begun, return_when=asyncio.FIRST_COMPLETED)
    assert len(waiting) == REQUESTS_MAX
    with pytest.raises(SignInError, match="too many sign-ins"):
        finished.pop().result()
    # The threads of the event loop are free.
    assert await asyncio.to_thread(lambda: all(not it.done() for it in waiting))
    for it in waiting:
        it.cancel()
    await asyncio.wait(waiting)
    again = asyncio.create_task(sign_in.begin("Silent", REDIRECT))
    await asyncio.wait({again}, timeout=0.05)
    assert not again.done()  # there is room again
    again.cancel()
    await asyncio.wait({again})


async def test_failures_do_not_fill_the_log(
    sign_in: SignIn, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(5):
        sign_in.failed(f"problem {number}")
    assert [it.getMessage() for it in caplog.records] == [
        "a sign-in of the page has failed: problem 0"
    ]


async def test_the_cookie_hides_the_verifier(sign_in: SignIn) -> None:
    address, cookie = await sign_in.begin("Example", REDIRECT)
    state = dict(parse_qsl(urlsplit(address).query))["state"]
    assert cookie.split(".")[1] == ""  # direct encryption
    assert state not in cookie
