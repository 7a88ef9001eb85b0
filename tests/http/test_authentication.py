"""HTTP of a control plane that authenticates: each route with each credential, and what is seen."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme

from durable_proto.v1 import control_pb2, control_pb2_grpc
from durable_server.access.access import Access, Grant
from durable_server.access.rules import HTTP, RPCS, rule_of_route
from durable_server.app import ControlPlane
from durable_server.config import Config, ConfigError
from durable_server.core.model import State
from durable_server.http.asgi import ALL
from durable_server.http.page.files import FOLDER
from durable_server.http.routing import Router
from durable_server.identities.sessions import Sessions
from tests.identities.issuers import Issuer, write_auth_file

from .web import Web

TOKENS = {
    "admin": {"durable_scopes": ["admin"]},
    "reader": {"durable_scopes": ["read"]},
    "pay": {"durable_scopes": ["read:pay.*", "operate:pay.*", "invoke:pay.*"]},
    "worker": {"durable_scopes": ["worker"]},
    "expired": {"exp": 1_000_000},
    "foreign": {"aud": "shop"},
}


class Callers:
    """Tokens by name, and requests with them."""

    def __init__(self, issuer: Issuer, plane: ControlPlane) -> None:
        self.web = Web(plane.http_address)
        self.tokens = {name: issuer.token(sub=name, **said) for name, said in TOKENS.items()}

    def bearer(self, name: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.tokens[name]}"} if name else {}

    async def get(self, path: str, name: str = "") -> Any:
        return await self.web.get(path, **self.bearer(name))

    async def post(self, path: str, name: str = "", body: Any = None) -> Any:
        return await self.web.post(path, body, **self.bearer(name))


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture(scope="module")
async def plane(
    issuer: Issuer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ControlPlane]:
    folder = tmp_path_factory.mktemp("authentication")
    config = Config(
        listen="127.0.0.1:0",
        http="127.0.0.1:0",
        data_dir=folder / "data",
        grace_seconds=0.2,
        auth_file=write_auth_file(folder, issuer),
    )
    async with ControlPlane(config) as made:
        yield made


@pytest.fixture
def callers(issuer: Issuer, plane: ControlPlane) -> Callers:
    return Callers(issuer, plane)


def test_each_route_has_a_rule_and_each_rule_a_route() -> None:
    for route in ALL:
        assert rule_of_route(route.name, route.rpc) is not None, f"no rule for {route.name}"
    assert HTTP.keys() == {it.name for it in ALL if not it.rpc}
    served = {it.rpc for it in ALL if it.rpc}
    assert served <= RPCS.keys()


def test_each_action_of_the_page_has_a_rule() -> None:
    texts = {it.name: it.read_text() for it in FOLDER.glob("*.js")}
    asked = set(re.findall(r'\b(?:may|permitted)\("(\w+)"', "".join(texts.values())))
    (table,) = re.findall(r"const RPCS = \{(.*?)\}", texts["actions.js"])
    asked |= set(re.findall(r'"(\w+)"', table))
    names = {it.rpartition("/")[2] for it in RPCS}
    assert asked <= names
    router = Router(ALL)
    sent = re.findall(r'request\("(\w+)", (?:"([^"]+)"|`([^`]+)`|SESSION)', texts["api.js"])
    assert len(sent) > 10
    changes = set()
    about_build = re.findall(r'aboutBuild\("(\w+)"', texts["api.js"])
    assert len(about_build) == 3
    for method, plain, template in sent:
        verbs = about_build if "deployments" in template else ["pause"]
        for verb in verbs if "${verb}" in template else [""]:
            path = plain or template.replace("${verb}", verb) or "session"
            route, _ = router.find(method, "/" + re.sub(r"\$\{[^}]*\}", "x", path))
            rule = rule_of_route(route.name, route.rpc)
            assert rule is not None
            if rule.changes:
                changes.add(route.rpc.rpartition("/")[2])
    changes |= {it.capitalize() for it in re.findall(r'steer\("(\w+)"\)', texts["api.js"])}
    offered = asked & {it.rpartition("/")[2] for it, rule in RPCS.items() if rule.changes}
    assert changes <= offered | {"ResolveAwakeable"}, "an action is sent that is not asked for"


OPEN = (
    "/health",
    "/health/ready",
    "/health/live",
    "/openapi.json",
    "/",
    "/page/app.js",
    "/session",
)


async def test_open_routes_need_no_credential(callers: Callers) -> None:
    for path in OPEN:
        assert (await callers.get(path)).code == 200


async def test_each_other_route_needs_one(callers: Callers) -> None:
    for route in ALL:
        rule = rule_of_route(route.name, route.rpc)
        assert rule is not None
        if rule.open:
            continue
        path = re.sub(r"\{\w+\}", "x", route.template)
        answer = await callers.web.ask(route.method, path)
        assert answer.code == 401, f"{route.name} answers {answer.code}"
        assert answer.headers["www-authenticate"] == 'Bearer realm="durable"'
        (info,) = answer.body["details"]
        assert (info["reason"], info["metadata"]) == ("UNAUTHENTICATED", {"problem": "missing"})


async def test_a_wrong_credential_is_refused_by_its_reason(callers: Callers) -> None:
    for name, words in (("expired", "has expired"), ("foreign", "for the audience 'shop'")):
        answer = await callers.get("/v1/stats", name)
        assert answer.code == 401
        assert words in answer.body["message"]
        assert callers.tokens[name] not in json.dumps(answer.body)
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    for header in ("Basic YTpi", "Bearer", "Bearer ", "nonsense", "Bearer nonsense"):
        answer = await callers.web.get("/v1/stats", authorization=header)
        assert answer.code == 401
        assert answer.body["details"][0]["metadata"]["problem"] == "malformed"


async def test_a_scope_that_is_missing_is_named(callers: Callers) -> None:
    for path in ("/v1/stats", "/api/workflows/stats", "/metrics"):
        assert (await callers.get(path, "reader")).code == 200
        answer = await callers.get(path, "worker")
        assert (answer.code, answer.body["status"]) == (403, "PERMISSION_DENIED")
        assert answer.body["details"][0]["metadata"]["scopes"] == "read"
    assert (await callers.get("/v1/cluster", "reader")).code == 200
    assert (await callers.get("/v1/cluster", "pay")).code == 403  # it is of all handlers


async def test_the_caller_of_a_request_is_the_caller_of_its_rpc(callers: Callers) -> None:
    denied = await callers.post("/api/workflows/pay.charge/invoke?async=true", "reader", {})
    assert denied.code == 403
    denied = await callers.post("/api/workflows/cart.add/invoke?async=true", "pay", {})
    unknown = await callers.post("/api/workflows/no.such/invoke?async=true", "admin", {})
    assert (denied.code, unknown.code) == (404, 404)
    known = await callers.post("/api/workflows/pay.charge/invoke?async=true", "pay", {})
    assert known.code == 404  # nobody serves it, and this caller may know


async def test_a_cookie_needs_the_header_of_the_page_to_change_something(callers: Callers) -> None:
    token = {"token": callers.tokens["admin"]}
    assert (await callers.web.post("/session", token)).code == 400
    answer = await callers.web.post("/session", token, x_durable_page="1")
    assert answer.code == 200
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    session = {"cookie": cookie.partition(";")[0]}
    path = "/v1/invocations/inv-1:pause"
    assert (await callers.web.get("/v1/stats", **session)).code == 200
    refused = await callers.web.post(path, {}, **session)
    assert (refused.code, refused.body["details"][0]["reason"]) == (403, "PAGE_HEADER_MISSING")
    asked = await callers.web.post(path, {}, x_durable_page="1", **session)
    assert asked.code in (400, 404)
    who = await callers.web.get("/session", **session)
    assert who.body["identity"]["kind"] == "session"
    assert who.body["identity"]["may"]["Pause"] == ["*"]
    # A token beside a cookie decides, and a cookie that was changed is nobody's.
    both = await callers.web.get("/v1/stats", **session, **callers.bearer("worker"))
    assert both.code == 403
    wrong = await callers.web.get("/v1/stats", cookie=session["cookie"] + "x")
    assert (wrong.code, wrong.body["details"][0]["metadata"]["problem"]) == (401, "malformed")
    forged, _ = Sessions(bytes(32), None).begin(Access("eve", "token", (Grant.parse("admin"),)))
    assert (await callers.web.get("/v1/stats", cookie=f"durable={forged}")).code == 401
    # Other cookies beside it; and nothing in quotes is decoded, which can take long.
    among = f'a; b="c; {session["cookie"]} ;=;d=e'
    assert (await callers.web.get("/v1/stats", cookie=among)).code == 200
    name, _, value = session["cookie"].partition("=")
    assert (await callers.web.get("/v1/stats", cookie=f'{name}="{value}"')).code == 401


async def test_a_token_that_is_tried_at_the_sign_in_is_counted(callers: Callers) -> None:
    async def refused() -> float:
        text = (await callers.get("/metrics", "reader")).body
        found = re.search(r'durable_calls_refused_total\{reason="unknown"\} (\S+)', text)
        return float(found[1]) if found else 0

    before = await refused()
    token = {"token": "durable_" + "a" * 12 + "_" + "b" * 43}
    assert (await callers.web.post("/session", token, x_durable_page="1")).code == 401
    assert await refused() == before + 1


async def test_nothing_large_is_read_of_who_signs_in(callers: Callers) -> None:
    answer = await callers.web.post("/session", {"token": "x" * 64 * 1024}, x_durable_page="1")
    assert answer.code == 413


async def test_metrics_have_only_the_handlers_that_a_caller_may_read(
    callers: Callers, plane: ControlPlane
) -> None:
    for processor in plane.router.all():
        for handler in ("pay.charge", "cart.add"):
            processor.partition.endings[handler, State.COMPLETED] = 1
    everything = (await callers.get("/metrics", "reader")).body
    assert 'handler="pay.charge"' in everything
    assert 'handler="cart.add"' in everything
    assert "durable_log_append_seconds" in everything
    seen = (await callers.get("/metrics", "pay")).body
    series = [it for it in seen.splitlines() if it and not it.startswith("#")]
    assert len(series) == 1
    assert all('handler="pay.charge"' in it for it in series)


async def test_a_webhook_needs_no_other_credential(callers: Callers, plane: ControlPlane) -> None:
    assert (await callers.web.post("/webhooks/nonsense", {})).code == 404
    metadata = (("authorization", f"Bearer {callers.tokens['admin']}"),)
    async with grpc.aio.insecure_channel(plane.address) as channel:
        stub = control_pb2_grpc.DurableControlStub(channel)
        made = await stub.CreateWebhook(
            control_pb2.CreateWebhookRequest(awakeable_id="sig-nothing"), metadata=metadata
        )
    answer = await callers.web.post(made.url.removeprefix(callers.web.base), {})
    assert (answer.code, answer.body) == (200, {"status": "resolved"})


def test_a_file_that_trusts_somebody_does_not_go_with_no_authentication(tmp_path: Path) -> None:
    path = write_auth_file(tmp_path, Issuer())
    assert Config(auth_file=path).authenticates
    with pytest.raises(ConfigError, match="--auth-file and --no-auth"):
        Config(auth_file=path, no_auth=True).check()


async def test_a_malformed_file_is_one_line_at_the_start(config: Config, tmp_path: Path) -> None:
    path = tmp_path / "auth.toml"
    path.write_text("[[issuer]]\n")
    with pytest.raises(ConfigError, match=r"--auth-file .*auth.toml: issuer\[0\]: .*`issuer`"):
        async with ControlPlane(replace(config, auth_file=path)):
            pass


async def test_a_client_certificate_is_an_identity_and_a_cookie_is_secure(
    config: Config, tmp_path: Path
) -> None:
    authority = trustme.CA()
    server = authority.issue_cert("localhost")
    chain = b"".join(it.bytes() for it in server.cert_chain_pems)
    for name, data in (
        ("ca.pem", authority.cert_pem.bytes()),
        ("cert.pem", chain),
        ("key.pem", server.private_key_pem.bytes()),
        ("auth.toml", b'[[certificate]]\nsan = "ada.example.com"\nscopes = ["read"]\n'),
    ):
        (tmp_path / name).write_bytes(data)
    found = replace(
        config,
        auth_file=tmp_path / "auth.toml",
        tls_cert=tmp_path / "cert.pem",
        tls_key=tmp_path / "key.pem",
        tls_client_ca=tmp_path / "ca.pem",
    )
    async with ControlPlane(found) as plane:
        for name, code, grpc_code in (
            ("ada.example.com", 200, grpc.StatusCode.OK),
            ("eve.example.com", 401, grpc.StatusCode.UNAUTHENTICATED),
        ):
            certificate = authority.issue_cert(name)
            answer = await asyncio.to_thread(_ask_with, authority, certificate, plane, "/v1/stats")
            assert answer[0] == code
            assert await _call_with(authority, certificate, plane) == grpc_code
        token = (plane.config.data_dir / "admin-token").read_text().strip()
        code, headers = await asyncio.to_thread(
            _ask_with, authority, certificate, plane, "/session", {"token": token}
        )
        assert code == 200
        assert re.fullmatch(
            r"__Host-durable=[^;]+; HttpOnly; Max-Age=28[78]\d\d; Path=/; SameSite=strict; Secure",
            headers["set-cookie"],
        )


def _ask_with(
    authority: trustme.CA,
    certificate: trustme.LeafCert,
    plane: ControlPlane,
    path: str,
    body: Any = None,
) -> tuple[int, Any]:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    certificate.configure_cert(context)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    port = plane.http_address.rpartition(":")[2]
    request = urllib.request.Request(
        f"https://localhost:{port}{path}",
        None if body is None else json.dumps(body).encode(),
        {"x-durable-page": "1"},
    )
    try:
        with opener.open(request, timeout=30) as response:
            return response.status, response.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers


async def _call_with(
    authority: trustme.CA, certificate: trustme.LeafCert, plane: ControlPlane
) -> grpc.StatusCode:
    credentials = grpc.ssl_channel_credentials(
        authority.cert_pem.bytes(),
        certificate.private_key_pem.bytes(),
        b"".join(it.bytes() for it in certificate.cert_chain_pems),
    )
    port = plane.address.rpartition(":")[2]
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
        stub: Any = control_pb2_grpc.DurableControlStub(channel)
        try:
            await stub.GetStats(control_pb2.GetStatsRequest(), timeout=30)
        except grpc.aio.AioRpcError as error:
            return error.code()
    return grpc.StatusCode.OK
