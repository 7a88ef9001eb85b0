"""The pictures of docs/page.md, made anew: `bin/page-screenshots`.

A shop in small: orders that wait for an approval, and others that keep the list and the rate alive.
The numbers differ from run to run; what the pictures show does not.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, async_playwright, expect

import durable
from durable_server.app import ControlPlane
from durable_server.config import Config
from tests.cluster.processes import CLIENT, cluster

from . import chromium

IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"
SEEDS: Final = 300
WAITING: Final = 12
TRAFFIC_SECONDS: Final = 0.07
"""Between two invocations that only make the page lively."""
ORDER: Final = {"order": "A-1001", "item": "pot", "count": 2, "amount": 16.5}


async def _work(seconds: float, value: Any = None) -> Any:
    await asyncio.sleep(seconds)
    return value


@durable.workflow
async def charge_card(ctx: durable.Context, amount: float) -> str:
    return str(await ctx.run("charge", _work, 0.35, f"ch-{amount:g}"))


@durable.workflow
async def send_receipt(ctx: durable.Context, order: str) -> None:
    await ctx.run("send_mail", _work, 0.2)


@durable.workflow
async def order(ctx: durable.Context, given: dict[str, Any]) -> dict[str, Any]:
    """Reserves, checks and charges side by side, asks a person, ships."""
    await ctx.run("reserve_stock", _work, 0.3, given["count"])
    ctx.set("stage", "reserved")
    risk = ctx.run("risk_score", _work, 0.25, 0.07)
    payment = ctx.invoke(charge_card, given["amount"])
    await asyncio.gather(risk, payment)
    ctx.set("stage", "paid")
    await ctx.sleep(1.5)
    approved = await ctx.awakeable(f"approval-{ctx.invocation_id[:8]}")
    ctx.set("stage", "approved")
    label = await ctx.run("print_label", _work, 0.2, f"LBL-{given['order']}")
    await ctx.invoke(send_receipt, given["order"])
    return {"order": given["order"], "label": label, "approved": approved}


@durable.workflow
async def nightly_report(ctx: durable.Context) -> int:
    await ctx.run("read", _work, 0.03)
    return int(await ctx.run("write", _work, 0.02, 42))


@durable.workflow
async def import_feed(ctx: durable.Context, url: str) -> None:
    await ctx.run("look_up", lambda: url)
    if url.endswith("/0.csv"):
        raise ConnectionError(f"{url}: connection refused")
    raise durable.TerminalError(f"{url}: the feed's schema is not known")


@durable.object("cart")
class Cart:
    @durable.handler
    async def add(self, ctx: durable.Context, item: str) -> int:
        count = await ctx.get(item, int, 0) + 1
        ctx.set(item, count)
        return count


WORKFLOWS: Final[list[Any]] = [
    *(order, charge_card, send_receipt, nightly_report, import_feed, Cart),
]


def _some(client: durable.AsyncClient, number: int) -> Coroutine[Any, Any, str]:
    """Starts one of what the shop does all day."""
    if number % 9 == 7:
        return client.invoke_async(import_feed, f"https://feeds.example.com/{number % 4}.csv")
    if number % 3 == 0:
        return client.options(key=f"user-{number % 40}").invoke_async(Cart.add, "tea")
    if number % 40 == 5:
        return client.options(delay=timedelta(hours=2)).invoke_async(nightly_report)
    return client.invoke_async(nightly_report)


async def _traffic(client: durable.AsyncClient) -> None:
    for number in range(1, 1_000_000):
        await _some(client, number)
        await asyncio.sleep(TRAFFIC_SECONDS)


async def _asking(client: durable.AsyncClient, given: dict[str, Any]) -> str:
    """Returns an order that waits for a person."""
    invocation_id = await client.invoke_async(order, given)
    asks = False
    async for found in client.watch(invocation_id):
        asks = asks or any(it.kind == "AWAKEABLE" for it in found.journal)
        if asks and found.status == "suspended":
            return invocation_id
    raise AssertionError("the order has ended without an approval")


async def _picture(
    browser: Browser,
    base: str,
    place: str,
    name: str,
    *,
    scheme: Any = "light",
    phone: bool = False,
) -> None:
    size: Any = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 800}
    context = await browser.new_context(
        viewport=size, color_scheme=scheme, device_scale_factor=2 if phone else 1
    )
    page = await context.new_page()
    await page.goto(f"{base}/#/{place}")
    await expect(page.locator("#glance")).to_contain_text("/s", timeout=20_000)
    await asyncio.sleep(10 if not phone else 5)  # the rate is drawn over the time that one looks
    await page.screenshot(path=IMAGES / f"{name}.png")
    await context.close()


async def _session(browser_path: str, base: str, client: durable.AsyncClient) -> None:
    """Takes the pictures, with a shop that goes on."""
    await asyncio.gather(*[_some(client, number) for number in range(SEEDS)])
    going_on = asyncio.create_task(_traffic(client))
    done = await _asking(client, ORDER)
    approval = {"by": "dana", "note": "fine, ship it", "limit": 12345678901234567890}
    await client.resolve_awakeable(f"approval-{done[:8]}", approval)
    await client.get_result(done)
    more = [{**ORDER, "order": f"A-{1002 + number}", "item": "cup"} for number in range(WAITING)]
    asks, paused, cancelled, *_ = await asyncio.gather(*[_asking(client, it) for it in more])
    await client.pause(paused, reason="stock is counted")
    await client.cancel(cancelled, reason="ordered twice")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=browser_path, args=chromium.ARGUMENTS
        )
        await _picture(browser, base, "", "page-list")
        await _picture(browser, base, f"invocations/{done}", "page-invocation", scheme="dark")
        await _picture(browser, base, f"invocations/{asks}", "page-approval")
        await _picture(browser, base, f"invocations/{asks}", "page-phone", phone=True)
        await browser.close()
    going_on.cancel()


async def _cluster_session(browser_path: str, folder: Path) -> None:
    """Takes the picture of a cluster, a node of which has been killed."""
    async with contextlib.AsyncExitStack() as stack:
        plant = await stack.enter_async_context(
            cluster(folder, partitions=12, workers=0, http=True)
        )
        client = await stack.enter_async_context(plant.client())
        worker = durable.Worker(plant.addresses(CLIENT), workflows=WORKFLOWS)
        running = asyncio.create_task(worker.run())
        stack.push_async_callback(asyncio.wait, {running})
        stack.callback(worker.stop)
        await worker.ready()
        going_on = asyncio.create_task(_traffic(client))
        stack.callback(going_on.cancel)
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(
            executable_path=browser_path, args=chromium.ARGUMENTS
        )
        page = await browser.new_page(viewport={"width": 1280, "height": 1000})
        await page.goto(f"http://{plant.nodes['a'].http}/#/server")
        await asyncio.sleep(20)  # the rates are drawn over the time that one looks
        plant.nodes["b"].send(signal.SIGKILL)
        await expect(page.locator("tr[data-key=b] .c-state")).to_contain_text(
            "gone", timeout=30_000
        )
        await page.screenshot(path=IMAGES / "page-cluster.png")
        await browser.close()


async def main() -> None:
    path = chromium.find()
    if path is None:
        raise SystemExit("no Chromium here: install one, or name it in DURABLE_CHROMIUM")
    with tempfile.TemporaryDirectory() as folder:
        await _cluster_session(path, Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        config = Config(listen="127.0.0.1:0", http="127.0.0.1:0", data_dir=Path(folder) / "data")
        async with ControlPlane(config) as plane, durable.AsyncClient(plane.address) as client:
            worker = durable.Worker(plane.address, workflows=WORKFLOWS, suspend_after=0.5)
            running = asyncio.create_task(worker.run())
            await worker.ready()
            await _session(path, f"http://{plane.http_address}", client)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main())
