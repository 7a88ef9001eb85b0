"""The page's session: who is signed in, and how one signs in and out.

    GET    /session                     who is signed in, and with what one can sign in
    POST   /session {"token": "..."}    signs in with an API token or a JWT
    DELETE /session                     signs out
    GET    /session/begin?issuer=NAME   sends the browser to an OIDC issuer
    GET    /session/callback            where the issuer sends it back

An identity says for each RPC for which handlers the caller may make it, so that the page offers
what is permitted and has no rules of its own. These routes are for browsers, and not in the OpenAPI
document.
"""

from __future__ import annotations

import html
import time
from typing import Final

import msgspec
from starlette.responses import RedirectResponse, Response

from ..access.access import EVERYTHING, Access, Scope
from ..access.interface import Credential, CredentialUncheckedError, UnauthenticatedError
from ..access.rules import RPCS, Subject
from ..identities.sessions import SessionTooLargeError
from ..identities.sign_in import ATTEMPT_SECONDS, SignInError
from . import parameters
from .authentication import (
    PAGE_HEADER,
    Authentication,
    cookie_name,
    cookie_of,
    set_session,
    source_of,
    unauthenticated,
    unchecked,
)
from .errors import HttpError, invalid, json_response, refused
from .origin_policy import CALLBACK
from .page.files import POLICY
from .requests import EndpointRequest
from .routing import Body, Route, no_body

_ATTEMPT: Final = "durable-sign-in"
_CHARACTERS_MAX: Final = 16 * 1024
_BODY_BYTES: Final = 32 * 1024
"""The largest body of a sign-in, which is read before anybody has shown who it is."""


class Identity(msgspec.Struct, kw_only=True):
    """Who is signed in."""

    name: str
    kind: str
    scopes: list[str]
    namespace: str
    expires: float
    may: dict[str, list[str]]
    """The patterns of the handlers for which each RPC may be made; an RPC that may not is not there."""


class Session(msgspec.Struct, kw_only=True):
    """Who is signed in, and with what one can sign in."""

    authenticates: bool
    identity: Identity | None
    issuers: list[str]


class SignInToken(msgspec.Struct, kw_only=True):
    """A credential to sign in with."""

    token: str


async def session(request: EndpointRequest) -> Response:
    """Returns who is signed in."""
    found = request.backend.authentication
    if found is None:
        return json_response(
            Session(authenticates=False, identity=_identity(EVERYTHING), issuers=[])
        )
    try:
        access = await found.caller(request.http, secure=request.backend.secure)
        identity = _identity(access)
    except (UnauthenticatedError, CredentialUncheckedError):
        identity = None
    return json_response(
        Session(authenticates=True, identity=identity, issuers=found.sign_in.labels())
    )


async def sign_in(request: EndpointRequest) -> Response:
    """Begins a session with a token."""
    found = _authentication(request)
    if PAGE_HEADER not in request.http.headers:  # else a form of another site could sign someone in
        raise invalid(PAGE_HEADER, "is missing; this is for the page, programs need no session")
    token = (await request.object(SignInToken, _BODY_BYTES)).token.strip()
    if not token or len(token) > _CHARACTERS_MAX or not token.isprintable():
        raise invalid("token", "is no token")
    try:
        access = await found.authenticate(Credential(token, source=source_of(request.http)))
    except UnauthenticatedError as error:
        found.refusals.unauthenticated(error.problem)
        raise unauthenticated(error) from error
    except CredentialUncheckedError as error:
        raise unchecked(error) from error
    response = json_response(_identity(access))
    _begin(response, request, found, access)
    return response


async def sign_out(request: EndpointRequest) -> Response:
    """Ends the session of this browser."""
    response = Response(status_code=204)
    set_session(response, "", 0, secure=request.backend.secure)
    return response


async def begin(request: EndpointRequest) -> Response:
    """Sends the browser to an issuer."""
    found = _authentication(request)
    redirect = request.backend.webhooks.base_url + CALLBACK
    try:
        address, attempt = await found.sign_in.begin(request.values["issuer"], redirect)
    except SignInError as error:
        return _failed(request, str(error))
    response = RedirectResponse(address, 303)
    # Lax, because the issuer sends the browser back, and that is a request of another site.
    response.set_cookie(
        cookie_name(_ATTEMPT, secure=request.backend.secure),
        attempt,
        max_age=ATTEMPT_SECONDS,
        secure=request.backend.secure,
        httponly=True,
        samesite="lax",
    )
    return response


async def finish(request: EndpointRequest) -> Response:
    """Begins a session with what an issuer says of a person."""
    found = _authentication(request)
    name = cookie_name(_ATTEMPT, secure=request.backend.secure)
    query = {it: request.http.query_params[it] for it in request.http.query_params}
    try:
        access = await found.sign_in.finish(cookie_of(request.http, name), query)
        response: Response = RedirectResponse(request.backend.webhooks.base_url + "/", 303)
        _begin(response, request, found, access)
    except (SignInError, UnauthenticatedError, CredentialUncheckedError) as error:
        if isinstance(error, UnauthenticatedError):
            found.refusals.unauthenticated(error.problem)
        found.sign_in.failed(str(error))
        response = _failed(request, str(error))
    except HttpError as error:
        response = _failed(request, error.body.message)
    response.delete_cookie(name, secure=request.backend.secure, httponly=True, samesite="lax")
    return response


def _authentication(request: EndpointRequest) -> Authentication:
    found = request.backend.authentication
    if found is None:
        raise refused(
            404, "NOT_FOUND", "ROUTE_NOT_FOUND",
            "this control plane does not authenticate, so there is nothing to sign in to",
        )  # fmt: skip
    return found


def _begin(
    response: Response, request: EndpointRequest, found: Authentication, access: Access
) -> None:
    try:
        text, end = found.sessions.begin(access)
    except SessionTooLargeError as error:
        raise invalid("token", str(error)) from error
    set_session(response, text, max(1.0, end - time.time()), secure=request.backend.secure)


def _failed(request: EndpointRequest, problem: str) -> Response:
    """Returns a document that says why a sign-in has failed."""
    back = html.escape(request.backend.webhooks.base_url + "/", quote=True)
    text = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Durable</title>'
        f'<h1>The sign-in has failed</h1><p>{html.escape(problem)}</p><p><a href="{back}">Back</a></p>'
    )
    headers = {"content-security-policy": POLICY, "cache-control": "no-store"}
    return Response(text, 401, headers, media_type="text/html")


def _identity(access: Access) -> Identity:
    may: dict[str, list[str]] = {}
    for method, rule in RPCS.items():
        patterns = [
            it.pattern
            for it in access.grants
            if not rule.scopes or it.scope in rule.scopes or it.scope is Scope.ADMIN
        ]
        if rule.subject is Subject.WHOLE and not access.everywhere(rule.scopes):
            continue
        if patterns:
            may[method.rpartition("/")[2]] = list(dict.fromkeys(patterns))
    return Identity(
        name=access.name,
        kind=access.kind,
        scopes=list(map(str, access.grants)),
        namespace=access.namespace,
        expires=access.expires,
        may=may,
    )


ROUTES = (
    Route(
        method="GET",
        template="/session",
        handler=session,
        name="getSession",
        summary="Show who is signed in",
        answers={200: Body("Who is signed in.", Session)},
    ),
    Route(
        method="POST",
        template="/session",
        handler=sign_in,
        name="signIn",
        summary="Sign in with a token",
        body=Body("The token.", SignInToken, required=True),
        answers={200: Body("Who is signed in.", Identity)},
    ),
    Route(
        method="DELETE",
        template="/session",
        handler=sign_out,
        name="signOut",
        summary="Sign out",
        answers={204: no_body("Nobody is signed in.")},
    ),
    Route(
        method="GET",
        template="/session/begin",
        handler=begin,
        name="beginSignIn",
        summary="Go to an issuer",
        parameters=(parameters.string("issuer", "Its name."),),
        answers={303: no_body("The issuer.")},
    ),
    Route(
        method="GET",
        template=CALLBACK,
        handler=finish,
        name="finishSignIn",
        summary="Come back from an issuer",
        has_foreign_query=True,
        answers={303: no_body("The page.")},
    ),
)
