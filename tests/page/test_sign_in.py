"""The page of a control plane that authenticates: sign-in, sign-out, other sites."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import grpc
import pytest
import uvicorn
from playwright.async_api import Browser, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from durable_proto.v1 import access_pb2, access_pb2_grpc, control_pb2, control_pb2_grpc
from durable_server.app import ControlPlane
from durable_server.config import Config
from tests.identities.issuers import write_auth_file
from tests.identities.oidc_issuer import CLIENT, OidcIssuer, running
from tests.support.manual_worker import ManualWorker


@pytest.fixture(scope="module")
async def issuer() -> AsyncIterator[OidcIssuer]:
    async with running() as made:
        yield made


@pytest.fixture(scope="module")
async def plane(
    issuer: OidcIssuer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ControlPlane]:
    folder = tmp_path_factory.mktemp("sign-in")
    config = Config(
        listen="127.0.0.1:0",
        http="127.0.0.1:0",
        data_dir=folder / "data",
        grace_seconds=0.2,
        auth_file=write_auth_file(
            folder, issuer.issuer, f'client_id = "{CLIENT}"\nname = "Example"\n'
        ),
    )
    async with ControlPlane(config) as made:
        yield made


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    wrong: list[str] = []
    async with await browser.new_context() as context:
        made = await context.new_page()
        made.set_default_timeout(20_000)
        made.on("pageerror", lambda error: wrong.append(str(error)))
        made.on(
            "console",
            lambda it: wrong.append(it.text) if "Content Security Policy" in it.text else None,
        )
        yield made
    assert wrong == []


async def sign_in(page: Page, token: str) -> None:
    await page.get_by_label("Token").fill(token)
    await page.get_by_role("button", name="Sign in", exact=True).click()


async def test_a_token_signs_in_and_out(
    page: Page, plane: ControlPlane, issuer: OidcIssuer
) -> None:
    asked: list[str] = []
    page.on("request", lambda it: asked.append(it.url))
    base = f"http://{plane.http_address}"
    await page.goto(f"{base}/#/server")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await expect(page.locator("nav.tabs")).to_be_hidden()
    assert not [it for it in asked if "/v1/" in it], "nothing is asked for before the sign-in"
    await sign_in(page, issuer.issuer.token(exp=1_000_000))
    await expect(page.get_by_role("alert")).to_contain_text("has expired")
    await sign_in(page, issuer.issuer.token())
    await expect(page.locator("#who bdi")).to_have_text("ada")
    await expect(page.get_by_role("heading", name="Server")).to_be_visible()
    (cookie,) = await page.context.cookies()
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    assert not cookie["secure"], "it is served without TLS here"
    assert await page.evaluate("document.cookie") == ""
    assert all(it.startswith(f"{base}/") for it in asked), "no request of a third party"
    other = await page.context.new_page()
    await other.goto(base)
    await expect(other.locator("#who bdi")).to_have_text("ada")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
    assert await page.context.cookies() == []


async def test_an_issuer_signs_in_and_its_place_is_kept(
    page: Page, plane: ControlPlane, issuer: OidcIssuer
) -> None:
    await page.goto(f"http://{plane.http_address}/#/workers")
    await page.get_by_role("link", name="Sign in with Example").click()
    await page.get_by_role("link", name="Go on").click()
    await expect(page.locator("#who bdi")).to_have_text("ada")
    await expect(page.locator("nav.tabs a[aria-current]")).to_have_text("Workers")
    (cookie,) = await page.context.cookies()
    assert cookie["name"] == "durable", "the cookie of the attempt is gone"


async def test_a_wrong_id_token_signs_nobody_in(
    page: Page, plane: ControlPlane, issuer: OidcIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuer, "changed", {"nonce": "another"})
    await page.goto(f"http://{plane.http_address}/")
    await page.get_by_role("link", name="Sign in with Example").click()
    await page.get_by_role("link", name="Go on").click()
    await expect(page.get_by_role("heading", name="The sign-in has failed")).to_be_visible()
    await expect(page.locator("body")).to_contain_text("nonce")
    await page.get_by_role("link", name="Back").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_an_answer_that_this_browser_has_not_asked_for_is_refused(
    page: Page, plane: ControlPlane, browser: Browser
) -> None:
    base = f"http://{plane.http_address}"
    async with await browser.new_context() as context:
        theirs = await context.new_page()
        await theirs.goto(base)
        await theirs.get_by_role("link", name="Sign in with Example").click()
        back = await theirs.get_by_role("link", name="Go on").get_attribute("href")
    assert back is not None
    await page.goto(back)  # the victim's browser, with the attacker's code
    await expect(page.locator("body")).to_contain_text("has begun no sign-in")
    await page.goto(base)
    await page.get_by_role("link", name="Sign in with Example").click()
    await page.get_by_role("link", name="Go on").wait_for()
    await page.goto(back)
    await expect(page.locator("body")).to_contain_text("not to the sign-in that this browser began")


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


class Open(NamedTuple):
    """A page that shows a running invocation, signed in with an API token."""

    access: Any
    """The stub with which the token can be revoked."""
    token: str
    """Its name."""
    admin: tuple[tuple[str, str], ...]


@pytest.fixture
async def opened(page: Page, plane: ControlPlane) -> AsyncIterator[Open]:
    admin = bearer((plane.config.data_dir / "admin-token").read_text().strip())
    async with grpc.aio.insecure_channel(plane.address) as channel:
        name = f"visitor-{secrets.token_hex(4)}"
        access: Any = access_pb2_grpc.DurableAccessStub(channel)
        made = await access.CreateToken(
            access_pb2.CreateTokenRequest(name=name, scopes=["read", "operate:three"]),
            metadata=admin,
        )
        control: Any = control_pb2_grpc.DurableControlStub(channel)
        async with ManualWorker(channel, metadata=admin) as worker:
            started = await control.Invoke(
                control_pb2.InvokeRequest(handler="three", wait_timeout={"seconds": 0}),
                metadata=admin,
            )
            await worker.receive("start")
            await page.goto(f"http://{plane.http_address}/#/invocations/{started.invocation_id}")
            await sign_in(page, made.text)
            await expect(page.locator(".title .state")).to_have_text("running")
            yield Open(access, name, admin)


async def test_a_token_that_is_revoked_ends_what_is_open(page: Page, opened: Open) -> None:
    await expect(page.get_by_role("button", name="Pause")).to_be_visible()
    revoke = access_pb2.RevokeTokenRequest(name=opened.token)
    await opened.access.RevokeToken(revoke, metadata=opened.admin)
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await expect(page.get_by_role("alert")).to_contain_text("revoked")
    await expect(page.locator(".title")).to_have_count(0)


async def test_the_sign_out_ends_the_watches_of_all_tabs(page: Page, opened: Open) -> None:
    other = await page.context.new_page()
    await other.goto(page.url)
    await expect(other.locator(".title .state")).to_have_text("running")
    async with other.expect_event("requestfailed", lambda it: "/watch" in it.url):
        await page.get_by_role("button", name="Sign out").click()
    for tab in (page, other):
        await expect(tab.get_by_role("heading", name="Sign in")).to_be_visible()


@contextlib.asynccontextmanager
async def site(document: str) -> AsyncIterator[str]:
    """Serves a document of another site, under a name that is not that of the page."""

    async def answer(_: Request) -> Response:
        return HTMLResponse(document)

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self):  # type: ignore[no-untyped-def]
            yield

    bound = socket.create_server(("127.0.0.1", 0))
    app = Starlette(routes=[Route("/", answer)])
    server = Server(uvicorn.Config(app, lifespan="off", ws="none", log_config=None))
    serving = asyncio.create_task(server.serve([bound]))
    try:
        yield f"http://durable.example.com:{bound.getsockname()[1]}/"
    finally:
        server.should_exit = True
        await serving


async def test_a_form_and_a_script_of_another_site_change_nothing(
    page: Page, plane: ControlPlane, issuer: OidcIssuer
) -> None:
    base = f"http://{plane.http_address}"
    await page.goto(base)
    await sign_in(page, issuer.issuer.token())
    await expect(page.locator("#who bdi")).to_have_text("ada")
    target = f"{base}/v1/invocations/inv-1:pause"
    form = f'<form method="post" action="{target}" enctype="text/plain"><button>Win</button></form>'
    async with site(form) as address:
        await page.goto(address)
        async with page.expect_response(target) as answer:
            await page.get_by_role("button", name="Win").click()
        response = await answer.value
        assert response.status == 403
        assert "ORIGIN_REFUSED" in await response.text()
        request = await response.request.all_headers()
        assert "cookie" not in request, "a cookie that is SameSite=Strict does not go with it"
        await page.goto(address)
        for script in (
            f"fetch('{target}', {{method: 'POST', credentials: 'include', mode: 'no-cors'}})"
            ".then(it => it.type)",
            f"fetch('{base}/session', {{credentials: 'include'}}).then(it => it.text())"
            ".catch(() => 'refused')",
            f"fetch('{target}', {{method: 'POST', headers: {{'x-durable-page': '1'}}}})"
            ".then(it => it.text()).catch(() => 'refused')",
        ):
            assert await page.evaluate(script) in ("opaque", "refused")


async def test_only_what_is_permitted_is_offered(
    page: Page, plane: ControlPlane, issuer: OidcIssuer
) -> None:
    await page.goto(f"http://{plane.http_address}/")
    await sign_in(page, issuer.issuer.token(durable_scopes=["read", "operate:pay.*"]))
    await expect(page.locator("#who bdi")).to_have_text("ada")
    offered = await page.evaluate(
        """async () => {
          const { allowed } = await import("/page/actions.js");
          const { may } = await import("/page/session.js");
          const it = (handler) => allowed({ handler, state: "INVOCATION_STATE_RUNNING" });
          return [it("pay.charge").cancel, it("cart.add").cancel, may("ResolveAwakeable", "pay.charge"),
            may("GetCluster"), may("DrainNode")];
        }"""
    )
    assert offered == [True, False, False, True, False]
