"""The page of a control plane with several partitions."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from playwright.async_api import Locator, Route, expect

from durable_server.config import Config
from durable_server.core import ids

from . import flows
from .conftest import PageDriver


@pytest.fixture
def config(config: Config) -> Config:
    return replace(config, partitions=3)


def fact(driver: PageDriver, name: str) -> Locator:
    """Returns the value of a fact about the server by its name."""
    row = driver.page.locator("dl.table > div")
    return row.filter(has=driver.page.get_by_text(name, exact=True)).locator("dd")


async def test_the_server_shows_how_many_there_are(driver: PageDriver) -> None:
    await driver.open("server")
    await expect(fact(driver, "Partitions")).to_have_text("3")
    await expect(fact(driver, "Epoch of partition 0")).to_have_text("1")


@pytest.mark.parametrize(
    ("place", "path", "what"),
    [
        ("", "invocations", "Invocations are missing"),
        ("handlers", "handlers", "Invocations are not counted"),
    ],
)
async def test_partitions_without_a_leader_are_named(
    driver: PageDriver, place: str, path: str, what: str
) -> None:
    async def with_missing(route: Route) -> None:
        answer = await route.fetch()
        body = {**await answer.json(), "missingPartitions": [1, 2]}
        await route.fulfill(response=answer, json=body)

    await driver.page.route(f"**/v1/{path}*", with_missing)
    await driver.open(place)
    told = driver.page.get_by_role("alert").filter(visible=True)
    await expect(told).to_have_text(f"{what}: no node leads partitions 1, 2 now.")
    await driver.page.unroute(f"**/v1/{path}*", with_missing)
    # Lists of handlers are loaded again every 5 seconds.
    await expect(told).to_have_count(0, timeout=20_000)


async def test_the_list_has_pages_over_all_partitions(driver: PageDriver) -> None:
    later = driver.client.options(delay=timedelta(days=1))
    calls = [
        later.options(partition_key=str(number)).invoke_async(flows.greet, "x")
        for number in range(60)
    ]
    made = await asyncio.gather(*calls)
    assert {ids.partition(it, 3) for it in made} == {0, 1, 2}
    await driver.open("?size=25")
    seen: list[str] = []
    for count in (25, 25, 10):
        await expect(driver.rows()).to_have_count(count)
        shown = await driver.rows().evaluate_all("rows => rows.map(row => row.dataset.key)")
        assert not set(shown) & set(seen)
        seen += shown
        if len(seen) < len(made):
            await driver.button("Next →").click()
            await expect(driver.rows().first).not_to_have_attribute("data-key", shown[0])
    assert sorted(seen) == sorted(made)
