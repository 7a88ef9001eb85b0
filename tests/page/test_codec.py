"""Encrypted values on the page: decoded by the codec endpoint, which the browser asks itself."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.async_api import Browser, Locator, Request, expect

import durable
from durable_server.app import ControlPlane
from durable_server.config import Config, ConfigError
from durable_server.http.page.files import POLICY
from tests.support.processes import free_port, running, until
from tests.support.repository import ROOT

from .conftest import PageDriver, driving
from .test_serving import ask

SECRET = "the name of Ada's patient"


@durable.workflow
async def treat(ctx: durable.Context, patient: str) -> str:
    step = await ctx.run("step", lambda: f"{patient} in a step")
    ctx.set("kept", f"{patient} in a state")
    more = await ctx.awakeable(f"more-{ctx.invocation_id}", type=str)
    return f"{step} and {more}"


class Site(NamedTuple):
    """A control plane that names a codec endpoint, and where the endpoint is to be."""

    plane: ControlPlane
    keys: Path
    url: str
    folder: Path

    def endpoint(self) -> list[str]:
        """The command line of the codec endpoint."""
        line = [
            sys.executable,
            str(ROOT / "examples/codec_server.py"),
            "--key-file",
            str(self.keys),
        ]
        line += ["--listen", self.url.removeprefix("http://")]
        line += ["--ready-file", str(self.folder / "codec.ready")]
        return [*line, "--origin", f"http://{self.plane.http_address}"]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    url = f"http://127.0.0.1:{free_port()}"
    config = Config(
        listen="127.0.0.1:0",
        http="127.0.0.1:0",
        data_dir=tmp_path / "data",
        grace_seconds=0.2,
        codec_endpoint=url,
    )
    durable.KeyFile.add(tmp_path / "keys", "2026-11")
    async with ControlPlane(config) as plane:
        yield Site(plane, tmp_path / "keys", url, tmp_path)


def card(driver: PageDriver, name: str) -> Locator:
    return driver.page.locator(f"[data-card={name}]")


async def test_values_are_decoded_in_the_browser(site: Site, browser: Browser) -> None:
    codec = durable.EncryptionCodec(durable.KeyFile(site.keys))
    worker = durable.Worker(site.plane.address, workflows=[treat], codec=codec)
    working = asyncio.create_task(worker.run())
    await worker.ready()
    asked: list[str] = []

    def note(request: Request) -> None:
        if request.url.startswith(site.url) and request.method == "POST":
            asked.append(request.url.removeprefix(site.url))

    async with (
        durable.AsyncClient(site.plane.address, timeout=30, codec=codec) as client,
        driving(browser, f"http://{site.plane.http_address}", client) as driver,
    ):
        driver.page.on("request", note)
        invocation_id = await client.invoke_async(treat, SECRET)
        # Without an endpoint that answers, the page says so and shows the value as it is.
        await driver.show(invocation_id)
        await expect(card(driver, "input")).to_contain_text("cannot be reached")
        await expect(card(driver, "input")).to_contain_text("encrypted with the key 2026-11")
        with running(site.endpoint(), site.folder / "codec.log") as child:
            await asyncio.to_thread(
                until, (site.folder / "codec.ready").exists, "codec endpoint", child
            )
            asked.clear()
            await driver.show(invocation_id)
            await expect(card(driver, "input")).to_contain_text(f'"{SECRET}"')
            await expect(card(driver, "state")).to_contain_text(f"{SECRET} in a state")
            await driver.page.locator(".step .toggle").first.click()
            await expect(driver.page.locator(".detail").first).to_contain_text(
                f"{SECRET} in a step"
            )
            # What a person answers is encoded before it is sent.
            await driver.page.get_by_role("button", name="Resolve…").first.click()
            await driver.page.get_by_label("Value, as JSON").fill(f'"{SECRET} of a person"')
            await driver.button("Resolve").click()
            await driver.noted("Resolved.")
            await driver.in_state("completed")
            await expect(card(driver, "output")).to_contain_text("of a person")
            assert set(asked) == {"/decode", "/encode"}
            # Switched off, nothing is asked, also in a new document.
            await driver.page.locator("#codec").click()
            await expect(card(driver, "input")).to_contain_text("application/x-durable-encrypted")
            asked.clear()
            await driver.show(invocation_id)
            await expect(card(driver, "output")).to_contain_text("encrypted with the key 2026-11")
            assert asked == []
            await expect(driver.page.locator("body")).not_to_contain_text(SECRET)
            await driver.page.locator("#codec").click()
            await expect(card(driver, "output")).to_contain_text("of a person")
        value = (await client.get_result(invocation_id, treat)).value()
        assert value == f"{SECRET} in a step and {SECRET} of a person"
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    needle = SECRET.encode()
    data = [it for it in (site.folder / "data").rglob("*") if it.is_file()]
    assert not [it for it in data if needle in it.read_bytes()]


async def test_the_document_names_the_endpoint_and_permits_it(site: Site) -> None:
    code, headers, body = await ask(site.plane, "/")
    assert code == 200
    assert f'<meta name="codec-endpoint" content="{site.url}">' in body.decode()
    own = "connect-src 'self'"
    assert headers["content-security-policy"] == POLICY.replace(own, f"{own} {site.url}")
    # A browser that has the document of a control plane without an endpoint gets this one.
    again, _, _ = await ask(site.plane, "/", if_none_match=headers["etag"])
    assert again == 304


@pytest.mark.parametrize(
    "url",
    [
        "codec.example.com",
        "ftp://codec.example.com",
        "https://me:secret@codec.example.com",
        "https://codec.example.com; script-src *",
        "https://codec.example.com/a b",
        "https://codec.example.com/?x=1",
        'https://codec.example.com/"><script>',
    ],
)
def test_an_endpoint_that_would_change_the_policy_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"--codec-endpoint .* is not http"):
        Config(http="127.0.0.1:0", codec_endpoint=url).check()
    Config(http="127.0.0.1:0", codec_endpoint="https://codec.example.com:8443/a/b").check()


async def test_a_control_plane_without_an_endpoint_names_none(plane: ControlPlane) -> None:
    _, headers, body = await ask(plane, "/")
    assert b"codec-endpoint" not in body
    assert headers["content-security-policy"] == POLICY
