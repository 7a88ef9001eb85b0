"""Behind a real TLS proxy: host names and origins of browsers are accepted once they are configured."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import durable
from durable_server.config import Config, ConfigError
from tests.support.processes import control_plane, free_port

from .proxies import KINDS, NAME, Proxy, find, proxy

STATS = "/api/workflows/stats"
"""What is asked for where the host matters; health is answered under any."""


class Site(NamedTuple):
    """A control plane behind a proxy."""

    proxy: Proxy
    grpc: str
    http: str
    ready: str
    """What it has printed."""

    async def ask(self, path: str, *arguments: str) -> tuple[int, Any]:
        """Asks through the proxy, with curl."""
        host = f"{NAME}:{self.proxy.port}:127.0.0.1"
        url = path if path.startswith("https:") else f"{self.proxy.url}{path}"
        return await curl("--cacert", str(self.proxy.authority), "--resolve", host, *arguments, url)


async def curl(*arguments: str) -> tuple[int, Any]:
    """Returns the status and the JSON of an answer."""
    process = await asyncio.create_subprocess_exec(
        "curl", "-sS", "--noproxy", "*", "-w", "\n%{http_code}", *arguments,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0
    body, _, code = output.decode().rpartition("\n")
    return int(code), json.loads(body)


def behind(kind: str, folder: Path, *options: str, given: bool = True) -> Iterator[Site]:
    if find(kind) is None:
        pytest.skip(f"no {kind} on this machine, so that it is NOT tested behind one")
    port = free_port()
    public = ("--public-url", f"https://{NAME}:{port}") if given else ()
    with control_plane(folder, "--http", "127.0.0.1:0", *public, *options) as (child, address):
        http = json.loads((folder / "server.ready").read_text())["http"]
        with proxy(kind, folder, port, http) as started:
            yield Site(started, address, http, child.text())


@pytest.fixture(scope="module", params=KINDS)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    yield from behind(request.param, tmp_path_factory.mktemp(request.param))


async def test_the_public_name_is_served(site: Site) -> None:
    assert (await site.ask("/health"))[1]["status"] == "ok"
    assert f"HTTP on http://{site.http}, {site.proxy.url} outside" in site.ready
    # And the loopback address itself still is.
    assert (await curl(f"http://{site.http}/health"))[0] == 200


async def test_the_page_may_act_and_pages_of_others_may_not(site: Site) -> None:
    act = ("/api/awakeables/a/resolve", "-d", '{"result": 1}')
    own = ("-H", f"Origin: {site.proxy.url}", "-H", "Sec-Fetch-Site: same-origin")
    assert (await site.ask(*act, *own))[0] == 200
    for origin in (
        f"http://{NAME}:{site.proxy.port}",
        f"https://{NAME}:{site.proxy.port + 1}",
        f"https://{NAME}.evil.example",
        f"https://evil.example:{site.proxy.port}",
        "https://evil.example",
        "null",
    ):
        code, body = await site.ask(*act, "-H", f"Origin: {origin}")
        assert (code, body["details"][0]["reason"]) == (403, "ORIGIN_REFUSED"), origin
    code, body = await site.ask(*act, "-H", "Sec-Fetch-Site: cross-site")
    assert (code, body["details"][0]["reason"]) == (403, "ORIGIN_REFUSED")


async def test_what_anybody_may_claim_is_not_believed(site: Site) -> None:
    for claim in (
        ("-H", "X-Forwarded-Host: localhost", "-H", "X-Forwarded-Proto: https"),
        ("-H", f"X-Forwarded-Host: {NAME}"),
        ("-H", f"Forwarded: host={NAME};proto=https"),
    ):
        code, body = await curl(
            f"http://{site.http}/api/workflows/stats", "-H", "Host: evil.example", *claim
        )
        assert (code, body["details"][0]["reason"]) == (403, "HOST_REFUSED")
        act = (f"http://{site.http}/api/awakeables/a/resolve", "-d", '{"result": 1}')
        code, body = await curl(*act, "-H", "Origin: https://evil.example", *claim)
        assert (code, body["details"][0]["reason"]) == (403, "ORIGIN_REFUSED")


async def test_a_webhook_has_the_public_address_and_is_delivered_there(site: Site) -> None:
    async with durable.AsyncClient(site.grpc, timeout=30) as client:
        webhook = await client.create_webhook("paid")
        assert webhook.url.startswith(f"{site.proxy.url}/webhooks/")
        assert await site.ask(webhook.url, "-d", '{"amount": 12}') == (200, {"status": "resolved"})


@pytest.mark.parametrize("kind", KINDS)
async def test_without_being_told_it_is_refused_with_what_to_tell(
    kind: str, tmp_path: Path
) -> None:
    for site in behind(kind, tmp_path, given=False):
        origin = ("-H", f"Origin: {site.proxy.url}")
        act = ("/api/awakeables/a/resolve", "-d", '{"result": 1}')
        if kind == "caddy":  # passes the name on
            code, body = await site.ask(STATS)
            assert (code, body["details"][0]["reason"]) == (403, "HOST_REFUSED")
            assert "--allowed-host" in body["message"]
        else:
            code, body = await site.ask(*act, *origin)
            assert (code, body["details"][0]["reason"]) == (403, "ORIGIN_REFUSED")
            assert "--public-url" in body["message"]


async def test_an_allowed_host_is_served_and_is_its_own_origin(tmp_path: Path) -> None:
    names = ("--allowed-host", NAME.upper(), "--allowed-host", "inner:99")
    for site in behind("caddy", tmp_path, *names, given=False):
        assert (await site.ask("/health"))[0] == 200
        act = ("/api/awakeables/a/resolve", "-d", '{"result": 1}')
        assert (await site.ask(*act, "-H", f"Origin: {site.proxy.url}"))[0] == 200
        assert (await site.ask(*act, "-H", f"Origin: https://{NAME}"))[0] == 403
        for host, code in (("inner:99", 200), ("inner", 403), ("inner:98", 403), ("x", 403)):
            assert (await curl(f"http://{site.http}/api/workflows/stats", "-H", f"Host: {host}"))[
                0
            ] == code


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"allowed_hosts": ("https://a.example",)}, "is not NAME or NAME:PORT"),
        ({"allowed_hosts": ("a.example/path",)}, "is not NAME or NAME:PORT"),
        ({"allowed_hosts": ("",)}, "is not NAME or NAME:PORT"),
        ({"allowed_hosts": ("*",)}, "is not NAME or NAME:PORT"),
        ({"allowed_hosts": ("a.example",), "http": ""}, "add --http"),
        ({"public_url": "https://me:secret@a.example"}, "is not http"),
        ({"public_url": "a.example"}, "is not http"),
    ],
)
def test_a_name_that_cannot_be_one_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Config(**{"http": "127.0.0.1:0", **settings}).check()


def test_names_come_from_the_environment_too(tmp_path: Path) -> None:
    environment = {
        "DURABLE_PUBLIC_URL": f"https://{NAME}",
        "DURABLE_ALLOWED_HOSTS": "one.example two.example:8443",
    }
    options = ("--http", "127.0.0.1:0")
    with control_plane(tmp_path, *options, environment=environment) as (child, _):
        http = json.loads((tmp_path / "server.ready").read_text())["http"]
        assert f"https://{NAME} outside" in child.text()
        for host, code in (
            (NAME, 200),
            (f"{NAME}:443", 200),
            ("one.example", 200),
            ("two.example:8443", 200),
            ("two.example", 403),
        ):
            answer = asyncio.run(curl(f"http://{http}{STATS}", "-H", f"Host: {host}"))
            assert answer[0] == code, host
