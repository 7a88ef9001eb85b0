"""The page of a cluster of real nodes, one of which is killed."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, expect

import durable
from tests.cluster.processes import NAMES, Plant, cluster

from . import flows
from .conftest import PageDriver, driving

PARTITIONS = 6
TAKEOVER_MS = 60_000


@pytest.fixture(scope="module")
async def plant(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Plant]:
    """Three nodes, for all tests: a test starts again what it has ended."""
    folder = tmp_path_factory.mktemp("nodes")
    async with cluster(folder, partitions=PARTITIONS, workers=0, http=True) as made:
        yield made


@contextlib.asynccontextmanager
async def page_of(plant: Plant, name: str, browser: Browser) -> AsyncIterator[PageDriver]:
    """Opens a window for the page of a node."""
    base = f"http://{plant.nodes[name].http}"
    async with plant.client() as client, driving(browser, base, client) as driver:
        yield driver


async def test_nodes_partitions_and_workers_of_all_nodes(plant: Plant, browser: Browser) -> None:
    async with page_of(plant, "a", browser) as driver, contextlib.AsyncExitStack() as stack:
        for name in ("b", "c"):
            worker = durable.Worker(
                plant.nodes[name].address, workflows=flows.WORKFLOWS, identity=f"at {name}"
            )
            running = asyncio.create_task(worker.run())
            stack.push_async_callback(asyncio.wait, {running})
            stack.callback(worker.stop)
            await worker.ready()
        view = await plant.view("a")
        await driver.open("server")
        for it in view.nodes:
            shown = driver.node(it.name)
            led = f"{len(it.led_partitions)} of {PARTITIONS}"
            await expect(shown.locator(".c-state")).to_have_text("serving")
            await expect(shown.locator(".c-led")).to_have_text(led)
            await expect(shown.locator(".c-address")).to_contain_text(it.address)
            await expect(shown.locator(".c-version")).to_have_text(it.version)
        await expect(driver.node("a")).to_contain_text("answers this page")
        await expect(
            driver.page.get_by_text("answers this page").filter(visible=True)
        ).to_have_count(1)
        await expect(driver.partitions()).to_have_count(PARTITIONS)
        for index, it in enumerate(view.partitions):
            await expect(driver.partitions().nth(index).locator(".c-leader")).to_have_text(
                it.leader or ""
            )
        await driver.node("b").get_by_role("link").click()
        await expect(driver.page.locator(".chip", has_text="Led or followed by b")).to_be_visible()
        concerned = [
            str(it.partition)
            for it in view.partitions
            if "b" in (it.leader, *(one.node for one in it.followers))
        ]
        await expect(driver.partitions().locator(".c-number")).to_have_text(concerned)
        await driver.page.keyboard.press("Escape")
        await expect(driver.partitions()).to_have_count(PARTITIONS)
        await expect(driver.warnings()).to_have_count(0)
        await driver.open("workers")
        for name in ("b", "c"):
            row = driver.page.locator("tbody tr", has_text=f"at {name}")
            await expect(row).to_contain_text(f"to node {name}")


async def test_a_node_is_drained_by_a_button(plant: Plant, browser: Browser) -> None:
    async with page_of(plant, "a", browser) as driver:
        await driver.open("server")
        state = driver.node("c").locator(".c-state")
        await driver.node("c").get_by_role("button", name="Drain c…").click()
        await driver.button("Back").click()  # second thoughts
        await expect(state).to_have_text("serving")
        await driver.node("c").get_by_role("button", name="Drain c…").click()
        await expect(driver.page.get_by_role("dialog")).to_contain_text(
            "Give the partitions of node c to other nodes?"
        )
        await driver.button("Drain it").click()
        await driver.noted("Node c gives its partitions to other nodes.")
        await expect(state).to_have_text("drained", timeout=TAKEOVER_MS)
        await expect(driver.node("c").locator(".c-led")).to_have_text(f"0 of {PARTITIONS}")
        await driver.button("Undo the drain of c").click()
        await driver.button("Undo the drain").click()
        await expect(state).to_have_text("serving")
    await plant.led_by(*NAMES, seen_by="a")


async def test_partitions_that_lists_lack_are_named(plant: Plant, browser: Browser) -> None:
    async with page_of(plant, "a", browser) as driver:
        await driver.open()
        await expect(driver.page.locator("#glance")).to_contain_text("worker")
        (nats,) = plant.nats.values()
        nats.process.send_signal(signal.SIGSTOP)  # without it, no node may answer reads
        try:
            lacking = f"Lists and counts lack partitions 0 to {PARTITIONS - 1}"
            await expect(driver.warnings()).to_contain_text(lacking, timeout=TAKEOVER_MS)
        finally:
            nats.process.send_signal(signal.SIGCONT)
        await plant.led_by(*NAMES, seen_by="a")
        await expect(driver.warnings()).to_have_count(0)


async def test_a_node_that_is_killed_is_seen_at_the_others_and_at_its_own(
    plant: Plant, browser: Browser
) -> None:
    async with (
        page_of(plant, "a", browser) as driver,
        page_of(plant, "b", browser) as leaves,
        page_of(plant, "b", browser) as waits,
    ):
        await driver.open("server")
        for it in (leaves, waits):
            await it.open("workers")
            await expect(it.page.locator("#glance")).to_contain_text("worker")
        state = driver.node("b").locator(".c-state")
        await expect(state).to_have_text("serving")
        plant.nodes["b"].send(signal.SIGKILL)

        await expect(state).to_contain_text("gone", timeout=TAKEOVER_MS)
        await plant.led_by("a", "c", seen_by="a")
        await expect(driver.warnings()).to_have_count(0)
        await expect(driver.node("b").locator(".c-led")).to_have_text(f"0 of {PARTITIONS}")

        trouble = leaves.page.locator("#trouble")
        await expect(trouble).to_contain_text("does not answer")
        await expect(trouble).to_contain_text("Other nodes: a, c")
        await trouble.get_by_role("link", name="c", exact=True).click()
        await expect(leaves.page).to_have_url(f"http://{plant.nodes['c'].http}/#/workers")
        await expect(leaves.page.locator("#glance")).to_contain_text("worker")
        await expect(leaves.page.locator("#trouble")).to_be_hidden()

        await expect(waits.page.locator("#trouble")).to_contain_text("does not answer")
        await plant.nodes["b"].start()
        await expect(state).to_have_text("serving")
        await expect(waits.page.locator("#trouble")).to_be_hidden(timeout=TAKEOVER_MS)
