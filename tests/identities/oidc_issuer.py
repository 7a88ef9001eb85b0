"""A small real OIDC issuer for tests: discovery, authorization code with PKCE, and a JWKS."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import socket
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, urlencode

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from .issuers import Issuer

CLIENT = "durable-page"


class OidcIssuer:
    """The issuer's state; a test may change what it answers."""

    def __init__(self, url: str) -> None:
        self.issuer = Issuer(url)
        self.claims: dict[str, Any] = {"sub": "ada", "durable_scopes": ["read", "operate"]}
        """What an ID token says, beside what OIDC demands."""
        self.changed: dict[str, Any] = {}
        """What is wrong in an ID token."""
        self.fetched = 0
        """How often the JWKS was fetched."""
        self.broken = False
        """Whether the JWKS is not answered."""
        self._codes: dict[str, dict[str, str]] = {}

    @property
    def url(self) -> str:
        return self.issuer.url

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._described),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/jwks", self._jwks),
            ]
        )

    async def _described(self, _: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/jwks",
            }
        )

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{len(self._codes)}"
        self._codes[code] = asked
        back = urlencode({"code": code, "state": asked["state"]})
        return HTMLResponse(
            f'<!doctype html><title>Issuer</title><a href="{asked["redirect_uri"]}?{back}">Go on</a>'
        )

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        asked = self._codes.pop(form["code"], None)
        if asked is None:
            return JSONResponse({"error": "invalid_grant"}, 400)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if challenge != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        said = {"aud": CLIENT, "nonce": asked["nonce"], **self.claims, **self.changed}
        return JSONResponse({"id_token": self.issuer.token(**said), "token_type": "Bearer"})

    async def _jwks(self, _: Request) -> Response:
        self.fetched += 1
        if self.broken:
            return RedirectResponse("/elsewhere")
        return Response(self.issuer.jwks(), media_type="application/json")


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[OidcIssuer]:
    """Serves an issuer on loopback."""
    bound = socket.create_server(("127.0.0.1", 0))
    made = OidcIssuer(f"http://127.0.0.1:{bound.getsockname()[1]}")
    config = uvicorn.Config(made.app(), lifespan="off", ws="none", log_config=None)
    server = _Server(config)
    serving = asyncio.create_task(server.serve([bound]))
    try:
        yield made
    finally:
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield
