"""The history of attempts on the page: bars on the timeline, and a list of who ran what and why it
ended.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from . import flows
from .conftest import PageDriver


@pytest.fixture(autouse=True)
def bank() -> Iterator[flows.Bank]:
    flows.BANK.is_open = False
    yield flows.BANK
    flows.BANK.is_open = False


async def test_attempts_are_shown_as_they_end(driver: PageDriver, bank: flows.Bank) -> None:
    invocation_id = await driver.client.invoke_async(flows.payment)
    await driver.show(invocation_id)
    await driver.in_state("backing off")
    listed = driver.page.locator("[data-card=attempts] li")
    await expect(listed).to_have_count(2)
    await expect(listed.locator(".end")).to_have_text(["retried", "retried"])
    # The latest comes first.
    await expect(listed.locator(".number")).to_have_text(["2", "1"])
    await expect(listed.first.locator(".why")).to_have_text("ConnectionError: the bank is closed")
    bars = driver.page.locator(".step.tries .bar")
    await expect(bars).to_have_count(2)
    title = await bars.first.get_attribute("title")
    assert title is not None
    assert title.startswith("attempt 1: retried\nConnectionError: the bank is closed\n")

    bank.is_open = True
    await driver.button("Retry now").click()
    await driver.in_state("completed")
    await expect(listed.locator(".end")).to_have_text(["completed", "retried", "retried"])
    await expect(bars).to_have_count(3)
    await expect(driver.page.locator(".bar.attempt.completed")).to_have_count(1)
    (worker,) = await driver.client.list_workers()
    facts = listed.first.locator("dd")
    await expect(facts.last).to_have_text(worker.worker_id)
    # A page that is opened later has the same.
    await driver.show(invocation_id)
    await expect(listed.locator(".end")).to_have_text(["completed", "retried", "retried"])


async def test_the_only_attempt_of_what_has_ended_is_not_listed(driver: PageDriver) -> None:
    invocation_id = await driver.client.invoke_async(flows.trip)
    await driver.show(invocation_id)
    await driver.in_state("completed")
    await expect(driver.page.locator(".step.self")).to_be_visible()
    await expect(driver.page.locator(".step.tries")).to_have_count(0)
    await expect(driver.page.locator("[data-card=attempts]")).to_have_count(0)
