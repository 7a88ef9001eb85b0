"""The page behind a real TLS proxy: it loads, follows an invocation and sends commands."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

import durable
from durable_server.app import ControlPlane
from durable_server.config import Config
from tests.http.proxies import KINDS, NAME, find, proxy
from tests.support.processes import free_port

from . import flows


@pytest.mark.parametrize("kind", KINDS)
async def test_the_page_works_behind_a_proxy(kind: str, browser: Browser, tmp_path: Path) -> None:
    if find(kind) is None:
        pytest.skip(f"no {kind} on this machine, so that the page is NOT tested behind one")
    port = free_port()
    config = Config(
        listen="127.0.0.1:0",
        http="127.0.0.1:0",
        data_dir=tmp_path / "data",
        grace_seconds=0.2,
        public_url=f"https://{NAME}:{port}",
    )
    async with contextlib.AsyncExitStack() as stack:
        plane = await stack.enter_async_context(ControlPlane(config))
        client = await stack.enter_async_context(durable.AsyncClient(plane.address, timeout=30))
        worker = durable.Worker(plane.address, workflows=flows.WORKFLOWS)
        running = asyncio.create_task(worker.run())
        stack.push_async_callback(asyncio.wait, {running})
        stack.callback(worker.stop)
        await worker.ready()
        started = proxy(kind, tmp_path, port, plane.http_address)
        site = await asyncio.to_thread(started.__enter__)
        stack.callback(started.__exit__, None, None, None)
        context = await browser.new_context(ignore_https_errors=True)
        stack.push_async_callback(context.close)
        page = await context.new_page()
        invocation_id = await client.invoke_async(flows.sleeper)
        await page.goto(f"{site.url}/#/invocations/{invocation_id}")
        await expect(page.locator(".id code")).to_have_text(invocation_id)
        await page.get_by_role("button", name="Pause", exact=True).click()
        await expect(page.locator(".title .state")).to_have_text("paused")  # by its events
        found = await client.get(invocation_id)
        assert found.status == "paused"
