"""The builds on the page: what is listed of them, and the buttons that promote, roll back and drain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Locator, expect

import durable
from durable_server.app import ControlPlane

from . import flows
from .conftest import PageDriver

OLD, NEW = "v1 <b>", "v2"


@asynccontextmanager
async def build(plane: ControlPlane, build_id: str) -> AsyncIterator[durable.Worker]:
    """A worker of a build."""
    made = durable.Worker(plane.address, workflows=flows.WORKFLOWS, build_id=build_id)
    running = asyncio.create_task(made.run())
    await made.ready()
    yield made
    made.stop()
    await running


@pytest.fixture
async def worker(plane: ControlPlane) -> AsyncIterator[durable.Worker]:
    """The first build, instead of a worker that does not say which it is."""
    async with build(plane, OLD) as made:
        yield made


def row(driver: PageDriver, build_id: str) -> Locator:
    return driver.page.locator("table.builds tbody tr").filter(
        has=driver.page.locator(".c-handler bdi", has_text=build_id)
    )


def route(driver: PageDriver, handler: str) -> Locator:
    return driver.page.locator(f"table.routes tbody tr[data-key='{handler}']")


async def test_promote_ramp_roll_back_and_drain(driver: PageDriver, plane: ControlPlane) -> None:
    await driver.open("deployments")
    old, new = row(driver, OLD), row(driver, NEW)
    await expect(old.locator(".c-state")).to_have_text("serving")
    await expect(old.locator(".c-workers")).to_have_text("1")
    await expect(old.locator(".c-serves")).to_contain_text("expense")
    async with build(plane, NEW):
        await expect(new.locator(".c-state")).to_have_text("serving")
        await driver.button(f"Promote {OLD}…").click()
        await driver.page.get_by_label("Reason, for others").fill("the first")
        await driver.button("Promote it").click()
        await driver.noted(f"Build {OLD} is promoted for {len(flows.WORKFLOWS)} handlers.")
        await expect(old.locator(".c-state")).to_contain_text("current for")
        await expect(driver.button(f"Drain {OLD}…")).to_be_hidden()
        await driver.button(f"Promote {NEW}…").click()
        await driver.page.get_by_label("Its share, in percent").fill("0")
        await driver.button("Promote it").click()
        await expect(driver.page.locator("dialog .form-error")).to_contain_text("from 1 to 100")
        await driver.page.get_by_label("Its share, in percent").fill("10")
        await driver.page.get_by_label("Only these handlers").fill("nothing")
        await driver.button("Promote it").click()
        await expect(driver.page.locator("dialog .form-error")).to_contain_text("INVALID_FIELD")
        await driver.page.get_by_label("Only these handlers").fill("expense")
        await driver.button("Promote it").click()
        await expect(new.locator(".c-state")).to_have_text("ramping 10 % for 1 handler")
        await expect(route(driver, "expense")).to_contain_text(f"{NEW} 10 %")
        await driver.button(f"Roll back {NEW}…").click()
        await driver.button("Roll it back").click()
        await expect(new.locator(".c-state")).to_have_text("gets nothing new: may be stopped")
        await driver.button(f"Promote {NEW}…").click()
        await driver.button("Promote it").click()
        await expect(old.locator(".c-state")).to_have_text("gets nothing new: may be stopped")
        await driver.button(f"Drain {OLD}…").click()
        await driver.button("Drain it").click()
        await expect(old.locator(".c-state")).to_have_text("drained: may be stopped")
        await driver.noted(f"Build {OLD} gets no new invocations.")
        assert [it.draining for it in (await driver.client.list_deployments()).deployments] == [
            *(False, True)
        ]
        await driver.button(f"Undo drain of {OLD}…").click()
        await driver.button("Undo the drain").click()
        await driver.noted(f"Build {OLD} may have new invocations again.")
        await expect(route(driver, "expense")).to_contain_text("by page")


async def test_what_waits_for_a_build_without_a_worker(
    driver: PageDriver, plane: ControlPlane, worker: durable.Worker
) -> None:
    invocation_id = await driver.client.invoke_async(flows.expense, 12.5)
    await driver.show(invocation_id)
    await expect(driver.page.locator(".callout.ask")).to_be_visible()
    await driver.client.repin(invocation_id, OLD)
    await expect(driver.page.locator("[data-card=facts]")).to_contain_text(f"{OLD}, pinned")
    worker.stop()
    async with build(plane, NEW):
        await driver.open("deployments")
        state = row(driver, OLD).locator(".c-state")
        await expect(state).to_have_text("missing: 1 pinned and no worker")
        await driver.client.resolve_awakeable(f"approval-{invocation_id}", {"approved": True})
        await expect(row(driver, OLD).locator(".c-waiting")).to_have_text("1")
        await row(driver, OLD).locator(".c-pinned a").click()
        await expect(driver.rows()).to_have_count(1)
        await expect(driver.rows()).to_contain_text(f"waits for build {OLD}, which has no worker")
        await expect(driver.page.locator(".chip.on", has_text=f"Pinned to {OLD}")).to_be_visible()
        await driver.show(invocation_id)
        box = driver.page.locator(".callout.warm")
        await expect(box).to_contain_text(f"durable repin {invocation_id} --to BUILD")
        await driver.client.repin(invocation_id, NEW)
        await driver.in_state("completed")
        await expect(box).to_have_count(0)
