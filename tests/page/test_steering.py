"""The actions of a user on an invocation, with the mouse."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from playwright.async_api import FloatRect, Locator, expect

import durable

from . import flows
from .conftest import PageDriver


async def open_approval(driver: PageDriver) -> str:
    """Shows an invocation that waits for a person; returns its id."""
    invocation_id = await driver.client.invoke_async(flows.expense, 12.5)
    await driver.show(invocation_id)
    await expect(callout(driver)).to_contain_text(f"approval-{invocation_id}")
    return invocation_id


def callout(driver: PageDriver) -> Locator:
    return driver.page.locator(".callout.ask")


def card(driver: PageDriver, name: str) -> Locator:
    return driver.page.locator(f"[data-card={name}]")


def span_ms(begin: datetime | None, end: datetime | None) -> float:
    assert begin is not None
    assert end is not None
    return (end - begin) / timedelta(milliseconds=1)


async def box(locator: Locator) -> FloatRect:
    found = await locator.bounding_box()
    assert found is not None
    return found


async def test_pause_and_resume(driver: PageDriver) -> None:
    await open_approval(driver)
    await driver.button("Pause").click()
    await driver.in_state("paused")
    await driver.noted("pause")
    await expect(driver.page.locator(".callout.warm")).to_contain_text(
        "No reason was given. by page"
    )
    await expect(driver.button("Pause")).to_be_hidden()
    await driver.button("Resume").click()
    await driver.noted("Resumed.")
    await expect(driver.page.locator(".callout.warm")).to_have_count(0)


async def test_approve(driver: PageDriver) -> None:
    invocation_id = await open_approval(driver)
    await callout(driver).get_by_role("button", name="Resolve…").click()
    field = driver.page.get_by_label("Value, as JSON")
    await field.fill('{"approved": tru')
    await driver.button("Resolve").click()
    await expect(driver.page.locator("dialog .form-error")).to_contain_text("This is no JSON")
    await field.fill('{"approved": true, "limit": 12345678901234567890, "by": "Zoë"}')
    await driver.button("Resolve").click()
    await driver.noted("Resolved.")
    await driver.in_state("completed")
    await expect(callout(driver)).to_have_count(0)
    await expect(card(driver, "output")).to_contain_text('"limit": 12345678901234567890')
    result = await driver.client.get_result(invocation_id)
    assert result.value()["answer"]["by"] == "Zoë"


async def test_reject(driver: PageDriver) -> None:
    await open_approval(driver)
    await callout(driver).get_by_role("button", name="Reject…").click()
    await driver.page.get_by_label("Why, for the handler").fill("Amount too high")
    await driver.button("Reject").click()
    await driver.in_state("failed")
    await expect(card(driver, "output")).to_contain_text("Amount too high")
    await expect(driver.page.locator(".step.bad")).to_contain_text("awakeable")


async def test_a_refusal_is_shown_with_its_reason_where_it_was_asked(driver: PageDriver) -> None:
    invocation_id = await open_approval(driver)
    await callout(driver).get_by_role("button", name="Resolve…").click()
    await driver.client.reject_awakeable(f"approval-{invocation_id}", "somebody was faster")
    await driver.in_state("failed")
    await driver.button("Resolve").click()
    error = driver.page.locator("dialog .form-error")
    await expect(error).to_contain_text("AWAKEABLE_ALREADY_RESOLVED")
    await driver.button("Back").click()
    await expect(driver.page.locator("dialog")).to_have_count(0)


async def test_cancel_and_by_force(driver: PageDriver) -> None:
    invocation_id = await driver.client.invoke_async(flows.sleeper)
    await driver.show(invocation_id)
    await driver.button("Cancel…").click()
    await driver.button("Back").click()  # second thoughts
    await driver.button("Cancel…").click()
    await driver.page.get_by_label("Reason").fill("not needed")
    await driver.page.get_by_label("By force").check()
    await driver.button("Cancel it").click()
    await driver.in_state("cancelled")
    found = await driver.client.get(invocation_id)
    assert found.status == "cancelled"
    await expect(driver.button("Cancel…")).to_be_hidden()


async def test_restart_from_the_start(driver: PageDriver) -> None:
    invocation_id = await open_approval(driver)
    await driver.client.resolve_awakeable(f"approval-{invocation_id}", "yes")
    await driver.in_state("completed")
    await driver.button("Restart…").click()
    await expect(driver.page.get_by_label("Keep the steps before number")).to_have_value("0")
    await driver.button("Restart").click()
    await driver.noted("Restarted")
    await expect(driver.page.locator(".id code")).not_to_have_text(invocation_id)
    await expect(callout(driver)).to_be_visible()


async def test_restart_from_a_step_keeps_those_before_it(driver: PageDriver) -> None:
    invocation_id = await driver.client.invoke_async(flows.trip)
    await driver.show(invocation_id)
    await driver.in_state("completed")
    await driver.page.locator(".step .toggle", has_text="car").click()
    await driver.button("Restart from here…").click()
    await expect(driver.page.get_by_label("Keep the steps before number")).to_have_value("2")
    await driver.button("Restart").click()
    await expect(driver.page.locator(".id code")).not_to_have_text(invocation_id)
    await driver.in_state("completed")
    await expect(card(driver, "output")).to_contain_text('"car"')


async def test_remove(driver: PageDriver) -> None:
    invocation_id = await driver.client.invoke_async(flows.greet, "you")
    await driver.show(invocation_id)
    await driver.in_state("completed")
    await driver.button("Remove…").click()
    await driver.button("Remove it").click()
    await driver.noted("Removed.")
    await expect(driver.page.locator(".empty")).to_have_text("Nothing has been invoked yet.")
    await driver.open(f"invocations/{invocation_id}")
    await expect(driver.page.locator(".empty")).to_contain_text("INVOCATION_NOT_FOUND")


async def test_one_is_shown_whole(driver: PageDriver) -> None:
    given = driver.client.options(idempotency_key="order-17", headers={"tenant": "acme"})
    parent_id = await given.invoke_async(flows.parent, "you")
    await driver.client.get_result(parent_id)
    await driver.show(parent_id)
    await driver.in_state("completed")
    await expect(card(driver, "input")).to_contain_text('"you"')
    await expect(card(driver, "output")).to_contain_text('"Hello, you!"')
    await expect(card(driver, "facts")).to_contain_text("order-17")
    await expect(card(driver, "facts")).to_contain_text("acme")
    await expect(card(driver, "children").locator("li")).to_contain_text("greet")
    await driver.page.locator(".step a.child").click()
    await expect(driver.page.locator("h1")).to_have_text("greet")
    await expect(card(driver, "children")).to_contain_text(f"Started by {parent_id}")
    bar = driver.page.locator(".step .bar.work")
    assert await bar.evaluate("bar => bar.getBoundingClientRect().width") > 0


async def test_a_bar_begins_and_ends_with_its_step(driver: PageDriver) -> None:
    invocation_id = await driver.client.invoke_async(flows.crossing)
    await driver.client.get_result(invocation_id)
    shown = await driver.client.get(invocation_id)
    await driver.show(invocation_id)
    await driver.in_state("completed")
    axis = await box(driver.page.locator(".step.self .track"))
    whole = axis["width"] / span_ms(shown.create_time, shown.complete_time)
    long, short, last = shown.journal
    for row, step in enumerate(shown.journal):
        bar = await box(driver.page.locator(".step .bar.work").nth(row))
        left = axis["x"] + whole * span_ms(shown.create_time, step.create_time)
        assert bar["x"] == pytest.approx(left, abs=1)
        width = max(3, whole * span_ms(step.create_time, step.complete_time))
        assert bar["width"] == pytest.approx(width, abs=1)
    assert span_ms(short.complete_time, long.complete_time) >= 0
    assert span_ms(long.complete_time, last.create_time) >= 0
    await expect(driver.page.locator(".step .took", has_text="~")).to_have_count(0)


async def test_the_state_is_shown_live(driver: PageDriver, worker: durable.Worker) -> None:
    await open_approval(driver)
    await expect(card(driver, "state")).to_contain_text("stage")
    await expect(card(driver, "state")).to_contain_text('"asked"')
    await expect(driver.page.locator(".step.self .track .bar.whole")).to_be_visible()


async def test_a_long_journal_is_shown_in_parts(driver: PageDriver) -> None:
    invocation_id = await driver.client.invoke_async(flows.long, 1000)
    assert (await driver.client.get_result(invocation_id)).value() == 1000
    await driver.show(invocation_id)
    await expect(driver.page.locator(".step .toggle")).to_have_count(200)
    await expect(driver.page.locator(".timeline .pager")).to_contain_text(
        "Steps 800 to 999 of 1,000"
    )
    await driver.button("← Earlier steps").click()
    await expect(driver.page.locator(".step .number").first).to_have_text("600")


async def test_a_large_value_is_shown_in_full_when_it_is_asked_for(driver: PageDriver) -> None:
    text = "x" * 50_000
    invocation_id = await driver.client.invoke_async(flows.greet, text)
    await driver.show(invocation_id)
    shown = card(driver, "input").locator("pre")
    await expect(shown).to_have_text(f'"{"x" * 19_999}…')
    await card(driver, "input").get_by_role("button", name="Show all").click()
    await expect(shown).to_have_text(json.dumps(text))
