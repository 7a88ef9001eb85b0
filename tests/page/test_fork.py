"""Forks, and two runs side by side."""

from __future__ import annotations

from playwright.async_api import Locator, expect

from . import flows
from .conftest import PageDriver


def card(driver: PageDriver, name: str) -> Locator:
    return driver.page.locator(f"[data-card={name}]")


def rows(driver: PageDriver, kind: str = "") -> Locator:
    return driver.page.locator(f"table.diff tbody tr{kind}")


async def opened(driver: PageDriver, step: str) -> None:
    """Opens a step of the timeline, and the dialog that forks from it."""
    await driver.page.locator(".step .toggle", has_text=step).click()
    await driver.button("Fork from here…").click()


async def test_a_fork_with_another_result_is_linked_and_compared(driver: PageDriver) -> None:
    source = await driver.client.invoke_async(flows.trip)
    await driver.show(source)
    await driver.in_state("completed")
    await opened(driver, "hotel")
    await expect(driver.page.get_by_label("Keep the steps before number")).to_have_value("2")
    field = driver.page.get_by_label("Result of step 1, as JSON")
    await expect(field).to_have_value('"hotel"')
    await field.fill('"tent')
    await driver.button("Fork").click()
    await expect(driver.page.locator("dialog .form-error")).to_contain_text("This is no JSON")
    await field.fill('"tent"')
    await driver.button("Fork").click()
    await driver.noted("Forked")
    await expect(driver.page.locator(".id code")).not_to_have_text(source)
    await driver.in_state("completed")
    await expect(card(driver, "output")).to_contain_text('"tent"')
    await expect(card(driver, "children")).to_contain_text(f"Fork before step 2 of {source}")
    forked = await driver.page.locator(".id code").inner_text()
    found = await driver.client.get(forked)
    assert (found.source_invocation_id, found.source_index) == (source, 2)

    await card(driver, "children").get_by_role("link", name="Compare").click()
    await expect(driver.page.locator(".facts-line")).to_have_text("They differ, first in step 1.")
    first = rows(driver, ".first-difference")
    await expect(first).to_have_count(1)
    await expect(first.locator("td").nth(0)).to_contain_text('"hotel"')
    await expect(first.locator("td").nth(1)).to_contain_text('"tent"')
    await expect(rows(driver, ".differs")).to_have_count(2)  # the step, and how they end

    await driver.show(source)
    await expect(card(driver, "children")).to_contain_text("fork before step 2")


async def test_a_fork_of_one_that_waits_has_another_input(driver: PageDriver) -> None:
    source = await driver.client.invoke_async(flows.expense, 12.5)
    await driver.show(source)
    await expect(driver.page.locator(".callout.ask")).to_be_visible()
    await opened(driver, "check")
    await driver.page.get_by_label("Or let step 0 have failed").fill("no budget")
    await driver.page.get_by_label("Input, as JSON").fill("99")
    await driver.button("Fork").click()
    await driver.noted("Forked")
    await driver.in_state("failed")
    await expect(card(driver, "output")).to_contain_text("no budget")
    await expect(card(driver, "input")).to_contain_text("99")
    assert (await driver.client.get(source)).status in ("suspended", "running")


async def test_a_refusal_is_shown_in_the_dialog(driver: PageDriver) -> None:
    source = await driver.client.invoke_async(flows.trip)
    await driver.show(source)
    await driver.in_state("completed")
    await opened(driver, "hotel")
    await driver.page.get_by_label("Keep the steps before number").fill("1")
    await driver.page.get_by_label("Result of step 1, as JSON").fill("7")
    await driver.button("Fork").click()
    error = driver.page.locator("dialog .form-error")
    await expect(error).to_contain_text("entry 1 is not kept, because from_index is 1")


async def test_equal_steps_are_folded_and_values_are_compared_as_values(driver: PageDriver) -> None:
    source = await driver.client.invoke_async(flows.trip)
    await driver.client.get_result(source)
    equal = await driver.client.restart(source, from_index=3)
    await driver.client.get_result(equal)
    await driver.open(f"diff/{source}/{equal}")
    await expect(driver.page.locator(".facts-line")).to_have_text("They are equal.")
    await expect(rows(driver)).to_have_count(3)
    await driver.button("Show 3 equal steps, from 0 to 2").click()
    await expect(rows(driver)).to_have_count(5)


async def test_a_comparison_follows_a_run_that_goes_on(driver: PageDriver) -> None:
    source = await driver.client.invoke_async(flows.expense, 12.5)
    awakeable = f"approval-{source}"
    await driver.show(source)
    await expect(driver.page.locator(".callout.ask")).to_be_visible()
    forked = await driver.client.restart(
        source, from_index=1, outcomes={0: 12.50}, input=99, while_running=True
    )
    await driver.open(f"diff/{source}/{forked}")
    await expect(rows(driver, ".first-difference")).to_contain_text("Input")
    await driver.client.resolve_awakeable(awakeable, "yes")
    await expect(rows(driver).last.locator("td").nth(0)).to_contain_text('"paid": 12.5')


async def test_an_address_that_is_no_comparison_says_so(driver: PageDriver) -> None:
    await driver.open(f"diff/{'0' * 32}")
    await expect(driver.page.locator(".empty")).to_contain_text("has two ids")
    await driver.open(f"diff/{'0' * 32}/{'1' * 32}")
    await expect(driver.page.locator(".empty")).to_contain_text("no invocation")


async def test_texts_of_others_stay_texts(driver: PageDriver) -> None:
    source = await driver.client.invoke_async(flows.hostile, flows.HOSTILE)
    await driver.show(source)
    await expect(driver.page.locator(".callout.ask")).to_be_visible()
    forked = await driver.client.restart(source, from_index=1, input="x", while_running=True)
    await driver.open(f"diff/{source}/{forked}")
    await expect(rows(driver).first).to_contain_text("onerror")
    assert await driver.page.title() == "Durable"
