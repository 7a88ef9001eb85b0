"""Who makes an HTTP request: a bearer token, the session of the page, or a client certificate.

The rules of `access.rules` are applied here before a body is read; what a request is about is then
decided where its RPC is made, because the RPC carries the caller (`Authentication.passed_on`).

- `Authorization: Bearer TOKEN` comes first, then the cookie, then the certificate.
- A browser sends a cookie by itself, also when another site makes it send a request. The cookie is
  SameSite=Strict, requests of another origin are refused (`origin_policy`), and a change with a
  cookie needs the header PAGE_HEADER, which no form and no foreign script can add.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from ..access.access import Access
from ..access.interface import (
    Credential,
    CredentialUncheckedError,
    Refusals,
    UnauthenticatedError,
)
from ..access.rules import Rule
from ..identities.sessions import Sessions
from ..identities.sign_in import SignIn
from .control_client import Metadata
from .errors import DOMAIN, HttpError, refused

PAGE_HEADER: Final = "x-durable-page"
_COOKIE: Final = "durable"
_SAFE: Final = ("GET", "HEAD", "OPTIONS")


class Authentication(NamedTuple):
    """What a control plane that authenticates gives to its HTTP part."""

    authenticate: Callable[[Credential], Awaitable[Access]]
    """Returns the access of a credential; raises UnauthenticatedError."""
    passed_on: Callable[[Access], Metadata]
    """Returns the metadata with which an RPC is made for a caller."""
    sessions: Sessions
    sign_in: SignIn
    refusals: Refusals

    async def caller(self, request: Request, *, secure: bool) -> Access:
        """Returns the access of who makes a request. Raises HttpError, UnauthenticatedError.

        `secure` says that browsers reach the page by TLS.
        """
        source = source_of(request)
        given = request.headers.getlist("authorization")
        cookie = cookie_of(request, cookie_name(_COOKIE, secure=secure))
        if not given and cookie:
            if request.method not in _SAFE and PAGE_HEADER not in request.headers:
                raise refused(
                    403, "PERMISSION_DENIED", "PAGE_HEADER_MISSING",
                    f"a change with the cookie of the page needs the header {PAGE_HEADER}; programs"
                    " send Authorization: Bearer TOKEN and no cookie",
                )  # fmt: skip
            return self.sessions.read(cookie, source)
        bearer = _bearer(given)
        return await self.authenticate(Credential(bearer, _certificate(request), source))


def _bearer(given: list[str]) -> str:
    if not given:
        return ""
    scheme, _, token = given[0].strip().partition(" ")
    if len(given) > 1 or scheme.lower() != "bearer" or not token.strip():
        raise UnauthenticatedError(
            "malformed", "the header Authorization is not of the form: Bearer TOKEN"
        )
    return token.strip()


def _certificate(request: Request) -> bytes:
    found: bytes = request.scope.get("state", {}).get("certificate", b"")
    return found


def source_of(request: Request) -> str:
    """Returns the host that a request comes from, as for calls of gRPC."""
    client = request.client
    return "" if client is None else client.host


def denied(access: Access, rule: Rule) -> HttpError:
    """Returns the answer to a caller that has none of the scopes of a rule."""
    scopes = ", ".join(it.value for it in rule.scopes)
    return refused(
        403, "PERMISSION_DENIED", "PERMISSION_DENIED",
        f"{access.name!r} may not do this: it lacks the scope"
        f" {' or '.join(it.value for it in rule.scopes)}",
        domain=DOMAIN, identity=access.name, scopes=scopes,
    )  # fmt: skip


def unauthenticated(error: UnauthenticatedError) -> HttpError:
    """Returns the answer to a request without a valid credential."""
    challenge = 'Bearer realm="durable"'
    if error.problem != "missing":
        challenge += ', error="invalid_token"'
    return refused(
        401, "UNAUTHENTICATED", "UNAUTHENTICATED", str(error),
        domain=DOMAIN, headers={"www-authenticate": challenge}, problem=error.problem,
    )  # fmt: skip


def unchecked(error: CredentialUncheckedError) -> HttpError:
    """Returns the answer to a request whose credential cannot be checked now."""
    return refused(
        503, "UNAVAILABLE", "UNAVAILABLE", str(error),
        domain=DOMAIN, headers={"retry-after": "1"}, phase="starting",
    )  # fmt: skip


def cookie_name(name: str, *, secure: bool) -> str:
    """Returns the name of a cookie; with TLS, browsers guarantee that only this host has set it."""
    return f"__Host-{name}" if secure else name


def cookie_of(request: Request, name: str) -> str:
    """Returns the value of a cookie as it was sent; empty for none.

    Our cookies need no quotes. The standard library would decode these, and some of its versions take a
    second for a header full of backslashes, which anybody can send.
    """
    found = ""
    for part in "; ".join(request.headers.getlist("cookie")).split(";"):
        key, _, value = part.partition("=")
        if key.strip() == name:
            found = value.strip()
    return found


def set_session(response: Response, text: str, seconds: float, *, secure: bool) -> None:
    """Makes a browser keep a session; an empty one removes it."""
    response.set_cookie(
        cookie_name(_COOKIE, secure=secure),
        text,
        max_age=int(seconds),
        secure=secure,
        httponly=True,
        samesite="strict",
    )
