"""Failures on the page: the failed tries of a step, when the next one is, and why a failure is
final.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import Locator, expect

from . import flows
from .conftest import PageDriver


@pytest.fixture(autouse=True)
def bank() -> Iterator[flows.Bank]:
    flows.BANK.is_open = False
    yield flows.BANK
    flows.BANK.is_open = False


def row(driver: PageDriver, name: str) -> Locator:
    toggle = driver.page.locator(".toggle", has=driver.page.locator("bdi", has_text=name))
    return driver.page.locator(".step", has=toggle)


async def waiting_for_the_bank(driver: PageDriver) -> str:
    """Shows a payment that has failed twice, and waits for its third try."""
    invocation_id = await driver.client.invoke_async(flows.payment)
    await driver.show(invocation_id)
    await expect(row(driver, "charge").locator(".badge")).to_have_text("2 tries failed")
    await driver.in_state("backing off")
    return invocation_id


async def test_a_step_that_fails_is_in_its_place_with_its_tries(driver: PageDriver) -> None:
    await waiting_for_the_bank(driver)
    names = driver.page.locator(".step .toggle bdi")
    await expect(names).to_have_text(["check", "charge"])
    charge = row(driver, "charge")
    await expect(charge.locator(".number")).to_have_text("1")
    await expect(charge.locator(".kind")).to_have_text("step")
    await expect(charge.locator(".took")).to_contain_text("next in")
    await expect(charge.locator(".bar.failing")).to_be_visible()
    await expect(driver.page.locator(".timeline header")).to_contain_text("1 step · 1 failing")
    await expect(driver.page.locator(".facts-line")).to_contain_text("next try in")
    await expect(driver.page.locator(".step.present .says")).to_contain_text("try 3 of number 1 in")
    await charge.locator(".toggle").click()
    detail = charge.locator(".detail")
    await expect(detail.locator(".failure-head")).to_have_text(
        "ConnectionError: the bank is closed"
    )
    await expect(detail.locator("dt")).to_have_text(
        ["failed", "first failure", "last failure", "next try"]
    )
    # The page counts down to the next try.
    before = await charge.locator(".took").text_content()
    await expect(charge.locator(".took")).not_to_have_text(before or "")


async def test_the_next_try_can_begin_now(driver: PageDriver, bank: flows.Bank) -> None:
    invocation_id = await waiting_for_the_bank(driver)
    await expect(driver.button("Resume")).to_be_hidden()
    bank.is_open = True
    await driver.button("Retry now").click()
    await driver.noted("The next try begins now.")
    await driver.in_state("completed")
    await expect(driver.button("Retry now")).to_be_hidden()
    await expect(driver.page.locator(".step.failing")).to_have_count(0)
    charge = row(driver, "charge")
    await expect(charge.locator(".badge")).to_contain_text("2 tries failed before")
    await charge.locator(".toggle").click()
    await expect(charge.locator(".detail .facts")).to_contain_text("failed before2 tries")
    assert (await driver.client.get_result(invocation_id)).value() == "paid"


async def test_tries_that_are_used_up_are_counted(driver: PageDriver) -> None:
    invocation_id = await driver.client.invoke_async(flows.impatient)
    await driver.show(invocation_id)
    await driver.in_state("failed")
    charge = row(driver, "charge")
    await expect(charge.locator(".badge")).to_contain_text("2 tries failed before")
    await charge.locator(".toggle").click()
    used_up = "no retry after 3 tries: the tries that its retry policy permits are used up"
    await expect(charge.locator(".detail .failure")).to_contain_text(used_up)
    for place in (".callout.bad", "[data-card=output]"):
        shown = driver.page.locator(place)
        await expect(shown).to_contain_text(
            f"no retry: the program did not handle the failure of number 0, charge ({used_up}"
        )


@pytest.mark.parametrize(
    ("workflow", "given", "ended", "step"),
    [
        (
            flows.fails,
            "given up on",
            "the failure of number 0, charge (no retry: it is a terminal error, or its retry policy",
            "no retry: it is a terminal error, or its retry policy does not retry it",
        ),
        (
            flows.fails,
            "terminal step",
            "the failure of number 0, refuse (no retry: it raised a terminal error)",
            "no retry: it raised a terminal error",
        ),
        (flows.fails, "rejected", "number 0, approval (it was rejected)", "it was rejected"),
        (flows.fails, "terminal", "no retry: the program raised a terminal error", ""),
        (flows.refuses, "no", "code 409 · no retry: the program raised a terminal error", ""),
        (flows.fails, {"a": 1}, "no retry: its input does not fit the handler", ""),
        (flows.in_time, None, "no retry: the time that its handler allows was up", ""),
        (
            flows.tries_once,
            None,
            "no retry: attempt 1 was the last that the retry policy permits, or it is an error",
            "",
        ),
    ],
)
async def test_no_retry_says_why(
    driver: PageDriver, workflow: Any, given: Any, ended: str, step: str
) -> None:
    arguments = () if given is None else (given,)
    invocation_id = await driver.client.invoke_async(workflow.name, *arguments)
    if given == "rejected":
        await driver.client.reject_awakeable("approval", "too much")
    await driver.show(invocation_id)
    await driver.in_state("failed")
    await expect(driver.page.locator(".callout.bad")).to_contain_text(ended)
    if step:
        await driver.page.locator(".step .toggle").click()
        await expect(driver.page.locator(".step .detail .failure")).to_contain_text(step)


async def test_a_cancelled_one_was_cancelled(driver: PageDriver) -> None:
    invocation_id = await driver.client.invoke_async(flows.sleeper)
    await driver.client.cancel(invocation_id, force=True)
    await driver.show(invocation_id)
    await driver.in_state("cancelled")
    await expect(driver.page.locator(".callout.bad")).to_contain_text("no retry: it was cancelled")
