"""A real control plane with a real worker, and a real Chromium that shows the page.

Each test ends with a check of the browser's console: an error, or a script or style that the document's
policy refused, fails the test.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, async_playwright, expect

import durable
from durable_server.app import ControlPlane

from . import chromium, flows

expect.set_options(timeout=30_000)


class PageDriver:
    """Drives the page in a browser, and has a client of the same control plane."""

    def __init__(self, base: str, client: durable.AsyncClient, page: Page) -> None:
        self.base = base
        self.client = client
        self.page = page

    async def open(self, place: str = "") -> None:
        """Opens an address in a new document."""
        await self.page.goto("about:blank")
        await self.page.goto(f"{self.base}/#/{place}")

    async def show(self, invocation_id: str) -> None:
        """Opens an invocation, and waits until it is shown."""
        await self.open(f"invocations/{invocation_id}")
        await expect(self.page.locator(".id code")).to_have_text(invocation_id)

    def rows(self) -> Locator:
        """The rows of the list."""
        return self.page.locator("table.list tbody tr")

    def node(self, name: str) -> Locator:
        """The row of a node of the cluster."""
        return self.page.locator(f"table.nodes tbody tr[data-key={name}]")

    def partitions(self) -> Locator:
        """The rows of the partitions of the cluster."""
        return self.page.locator("table.partitions tbody tr")

    def warnings(self) -> Locator:
        """The warnings about the cluster, above every view."""
        return self.page.locator("#warnings li")

    def button(self, name: str) -> Locator:
        """A button by its label."""
        return self.page.get_by_role("button", name=name, exact=True)

    async def in_state(self, word: str) -> None:
        """Waits until the shown invocation is in a state."""
        await expect(self.page.locator(".title .state")).to_have_text(word)

    async def noted(self, words: str) -> None:
        """Waits for a note with these words."""
        await expect(self.page.locator("#notes")).to_contain_text(words)


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    path = chromium.find()
    if path is None:
        pytest.skip(
            "no Chromium on this machine, so that the page is NOT tested: "
            "apt-get install chromium, or name one in DURABLE_CHROMIUM"
        )
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=path, args=chromium.ARGUMENTS)
        yield started
        await started.close()


@pytest.fixture
async def worker(plane: ControlPlane) -> AsyncIterator[durable.Worker]:
    made = durable.Worker(plane.address, workflows=flows.WORKFLOWS, identity=flows.HOSTILE)
    running = asyncio.create_task(made.run())
    await made.ready()
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
async def driver(
    plane: ControlPlane, worker: durable.Worker, browser: Browser
) -> AsyncIterator[PageDriver]:
    async with (
        durable.AsyncClient(plane.address, timeout=30) as client,
        driving(browser, f"http://{plane.http_address}", client) as made,
    ):
        yield made


@contextlib.asynccontextmanager
async def driving(
    browser: Browser, base: str, client: durable.AsyncClient
) -> AsyncIterator[PageDriver]:
    """Opens a window of its own; fails at its end if the console has an error of the page."""
    wrong: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        # The browser reports an answer of the API, and of a codec endpoint, that is an error; the page
        # shows it.
        url = message.location.get("url", "")
        if "/v1/" not in url and not url.endswith("/decode"):
            wrong.append(f"{message.type}: {message.text}")

    context = await browser.new_context(
        viewport={"width": 1280, "height": 800}, color_scheme="light"
    )
    async with context:
        page = await context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", listen)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        yield PageDriver(base, client, page)
    assert wrong == []
