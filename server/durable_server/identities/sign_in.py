"""The page's sign-in with an OIDC issuer: authorization code with PKCE, state and nonce.

`begin` sends the browser to the issuer, and gives it a cookie. `finish` gets both back: the state
shows that it is the same browser, the code is exchanged by this process, and the ID token must have
the nonce. The cookie has state, nonce and the PKCE verifier, encrypted (JWE, A256GCM) with a key
that all nodes derive from the secret of their system: nothing is stored, and any node may finish
what another began.

Anybody may begin a sign-in, and make one fail. So at most REQUESTS_MAX requests are made to issuers at
the same time, and failures are not written to the log more often than every LOG_SECONDS.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import math
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from ..access.access import Access
from ..access.interface import UnauthenticatedError
from .auth_file import AuthFileError, Issuer, check_url
from .fetching import FetchError, fetch
from .jwt import Trusted, access_of, check_claims, unverified_header, verified_claims

ATTEMPT_SECONDS: Final = 600
"""How long a sign-in may take."""
ATTEMPT_LABEL: Final = "durable sign-in of the page"
"""The label with which the key is derived."""
REQUESTS_MAX: Final = 16
"""How many requests to issuers are under way at the same time."""
LOG_SECONDS: Final = 10.0
"""The shortest time between two lines in the log about sign-ins that have failed."""
_DESCRIPTION_SECONDS: Final = 3600.0
_SECRET_BYTES: Final = 64 * 1024

logger = logging.getLogger("durable.identities")


class SignInError(Exception):
    """A sign-in cannot be begun or finished; the message says why."""


class _Endpoints(NamedTuple):
    authorization: str
    token: str
    until: float


class SignIn:
    """The sign-ins of one control plane."""

    def __init__(
        self,
        key: bytes,
        issuers: Callable[[], Sequence[Trusted]],
        now: Callable[[], float] = time.time,
    ) -> None:
        """`key` has 32 bytes; `issuers` returns those with which the page can sign in."""
        self._key = OctKey.import_key(key)
        self._issuers = issuers
        self._now = now
        self._endpoints: dict[str, _Endpoints] = {}
        self._requests = 0
        self._logged = -math.inf

    def labels(self) -> list[str]:
        """Returns what the issuers are called."""
        return [it.issuer.label for it in self._issuers()]

    async def begin(self, label: str, redirect: str) -> tuple[str, str]:
        """Returns the issuer's address, to which the browser is sent, and a cookie.

        `redirect` is the address to which it comes back. Raises SignInError.
        """
        issuer = self._trusted(label).issuer
        endpoints = await self._described(issuer)
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = hashlib.sha256(verifier.encode()).digest()
        query = urlencode(
            {
                "response_type": "code",
                "client_id": issuer.client_id,
                "redirect_uri": redirect,
                "scope": issuer.login_scopes,
                "state": state,
                "nonce": nonce,
                "code_challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("="),
                "code_challenge_method": "S256",
            },
            quote_via=quote,
        )
        separator = "&" if urlsplit(endpoints.authorization).query else "?"
        attempt = {
            "issuer": label,
            "state": state,
            "nonce": nonce,
            "verifier": verifier,
            "redirect": redirect,
            "exp": self._now() + ATTEMPT_SECONDS,
        }
        cookie = jwe.encrypt_compact(
            {"alg": "dir", "enc": "A256GCM"}, json.dumps(attempt), self._key
        )
        return f"{endpoints.authorization}{separator}{query}", cookie

    async def finish(self, cookie: str, query: Mapping[str, str]) -> Access:
        """Returns the access of who comes back with a query.

        Raises SignInError, UnauthenticatedError.
        """
        attempt = self._attempt(cookie)
        if not hmac.compare_digest(query.get("state", "").encode(), attempt["state"].encode()):
            raise SignInError(
                "the answer of the issuer is not to the sign-in that this browser began"
            )
        if "error" in query:
            raise SignInError(f"the issuer has refused the sign-in: {query['error'][:200]!r}")
        trusted = self._trusted(attempt["issuer"])
        if query.get("iss", trusted.issuer.url) != trusted.issuer.url:
            raise SignInError("the answer is of another issuer than that of the sign-in")
        token = await self._exchanged(trusted.issuer, query.get("code", ""), attempt)
        claims = await verified_claims(token, unverified_header(token), trusted)
        if claims.get("iss") != trusted.issuer.url:
            raise UnauthenticatedError("unknown", "the ID token is of another issuer")
        client = trusted.issuer.client_id
        check_claims(claims, trusted.issuer, (client,), self._now())
        if claims.get("azp", client) != client:
            raise UnauthenticatedError(
                "unknown", "the ID token was made for another client (`azp`)"
            )
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not hmac.compare_digest(
            nonce.encode(), attempt["nonce"].encode()
        ):
            raise UnauthenticatedError("unknown", "the ID token is not of this sign-in (`nonce`)")
        return access_of(claims, trusted.issuer)

    def failed(self, problem: str) -> None:
        """Writes to the log why a sign-in has failed, unless it has just said so of another one."""
        now = time.monotonic()
        if now - self._logged >= LOG_SECONDS:
            self._logged = now
            logger.warning("a sign-in of the page has failed: %s", problem)

    async def _fetched(
        self, url: str, data: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        if self._requests >= REQUESTS_MAX:
            raise SignInError("too many sign-ins are under way; try again in a few seconds")
        self._requests += 1
        try:
            return await fetch(url, data, headers)
        finally:
            self._requests -= 1

    def _trusted(self, label: str) -> Trusted:
        for it in self._issuers():
            if it.issuer.label == label:
                return it
        raise SignInError(f"there is no sign-in with {label[:100]!r}")

    def _attempt(self, cookie: str) -> dict[str, Any]:
        try:
            found = jwe.decrypt_compact(cookie, self._key, algorithms=["dir", "A256GCM"])
            attempt: dict[str, Any] = json.loads(found.plaintext or b"")
        except (JoseError, ValueError, TypeError):
            raise SignInError("this browser has begun no sign-in; begin again") from None
        if self._now() >= attempt["exp"]:
            raise SignInError("the sign-in has taken too long; begin again")
        return attempt

    async def _described(self, issuer: Issuer) -> _Endpoints:
        """Returns the addresses of an issuer, from its description (OIDC discovery)."""
        known = self._endpoints.get(issuer.url)
        if known is not None and time.monotonic() < known.until:
            return known
        try:
            text = await self._fetched(f"{issuer.url.rstrip('/')}/.well-known/openid-configuration")
            found = json.loads(text)
            if found["issuer"] != issuer.url:
                raise SignInError(
                    f"{issuer.url} describes another issuer, {found['issuer']!r:.200}"
                )
            endpoints = _Endpoints(
                check_url(found["authorization_endpoint"], "authorization_endpoint"),
                check_url(found["token_endpoint"], "token_endpoint"),
                time.monotonic() + _DESCRIPTION_SECONDS,
            )
        except (FetchError, AuthFileError) as error:
            raise SignInError(f"{issuer.label} cannot be asked now: {error}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SignInError(f"{issuer.label} does not describe itself as OIDC does") from error
        self._endpoints[issuer.url] = endpoints
        return endpoints

    async def _exchanged(self, issuer: Issuer, code: str, attempt: Mapping[str, Any]) -> str:
        """Returns the ID token for a code."""
        endpoints = await self._described(issuer)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": attempt["redirect"],
            "client_id": issuer.client_id,
            "code_verifier": attempt["verifier"],
        }
        headers = {"content-type": "application/x-www-form-urlencoded"}
        if issuer.client_secret is not None:
            pair = f"{quote(issuer.client_id, '')}:{quote(_secret(issuer), '')}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        try:
            answer = await self._fetched(endpoints.token, urlencode(form).encode(), headers)
            token = json.loads(answer)["id_token"]
        except FetchError as error:
            raise SignInError(f"{issuer.label} does not take the code: {error}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise SignInError(f"{issuer.label} has given no ID token") from error
        if not isinstance(token, str):
            raise SignInError(f"{issuer.label} has given no ID token")
        return token


def _secret(issuer: Issuer) -> str:
    assert issuer.client_secret is not None
    try:
        with issuer.client_secret.open("rb") as file:
            return file.read(_SECRET_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SignInError(
            f"the client_secret_file of {issuer.label} cannot be read: {error}"
        ) from error
