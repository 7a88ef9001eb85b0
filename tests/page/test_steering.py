"""What a person does to an invocation, with the mouse."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from playwright.async_api import FloatRect, Locator, expect

import durable

from . import flows
from .conftest import Desk


async def asking(desk: Desk) -> str:
    """Shows an invocation that waits for a person; returns its id."""
    invocation_id = await desk.client.invoke_async(flows.expense, 12.5)
    await desk.show(invocation_id)
    await expect(callout(desk)).to_contain_text(f"approval-{invocation_id}")
    return invocation_id


def callout(desk: Desk) -> Locator:
    return desk.page.locator(".callout.ask")


def card(desk: Desk, name: str) -> Locator:
    return desk.page.locator(f"[data-card={name}]")


def span_ms(begin: datetime | None, end: datetime | None) -> float:
    assert begin is not None
    assert end is not None
    return (end - begin) / timedelta(milliseconds=1)


async def box(locator: Locator) -> FloatRect:
    found = await locator.bounding_box()
    assert found is not None
    return found


async def test_pause_and_resume(desk: Desk) -> None:
    await asking(desk)
    await desk.button("Pause").click()
    await desk.in_state("paused")
    await desk.noted("pause")
    await expect(desk.page.locator(".callout.warm")).to_contain_text("No reason was given. by page")
    await expect(desk.button("Pause")).to_be_hidden()
    await desk.button("Resume").click()
    await desk.noted("Resumed.")
    await expect(desk.page.locator(".callout.warm")).to_have_count(0)


async def test_approve(desk: Desk) -> None:
    invocation_id = await asking(desk)
    await callout(desk).get_by_role("button", name="Resolve…").click()
    field = desk.page.get_by_label("Value, as JSON")
    await field.fill('{"approved": tru')
    await desk.button("Resolve").click()
    await expect(desk.page.locator("dialog .form-error")).to_contain_text("This is no JSON")
    await field.fill('{"approved": true, "limit": 12345678901234567890, "by": "Zoë"}')
    await desk.button("Resolve").click()
    await desk.noted("Resolved.")
    await desk.in_state("completed")
    await expect(callout(desk)).to_have_count(0)
    await expect(card(desk, "output")).to_contain_text('"limit": 12345678901234567890')
    result = await desk.client.get_result(invocation_id)
    assert result.value()["answer"]["by"] == "Zoë"


async def test_reject(desk: Desk) -> None:
    await asking(desk)
    await callout(desk).get_by_role("button", name="Reject…").click()
    await desk.page.get_by_label("Why, for the handler").fill("Amount too high")
    await desk.button("Reject").click()
    await desk.in_state("failed")
    await expect(card(desk, "output")).to_contain_text("Amount too high")
    await expect(desk.page.locator(".step.bad")).to_contain_text("awakeable")


async def test_a_refusal_is_shown_with_its_reason_where_it_was_asked(desk: Desk) -> None:
    invocation_id = await asking(desk)
    await callout(desk).get_by_role("button", name="Resolve…").click()
    await desk.client.reject_awakeable(f"approval-{invocation_id}", "somebody was faster")
    await desk.in_state("failed")
    await desk.button("Resolve").click()
    error = desk.page.locator("dialog .form-error")
    await expect(error).to_contain_text("AWAKEABLE_ALREADY_RESOLVED")
    await desk.button("Back").click()
    await expect(desk.page.locator("dialog")).to_have_count(0)


async def test_cancel_and_by_force(desk: Desk) -> None:
    invocation_id = await desk.client.invoke_async(flows.sleeper)
    await desk.show(invocation_id)
    await desk.button("Cancel…").click()
    await desk.button("Back").click()  # second thoughts
    await desk.button("Cancel…").click()
    await desk.page.get_by_label("Reason").fill("not needed")
    await desk.page.get_by_label("By force").check()
    await desk.button("Cancel it").click()
    await desk.in_state("cancelled")
    found = await desk.client.get(invocation_id)
    assert found.status == "cancelled"
    await expect(desk.button("Cancel…")).to_be_hidden()


async def test_restart_from_the_start(desk: Desk) -> None:
    invocation_id = await asking(desk)
    await desk.client.resolve_awakeable(f"approval-{invocation_id}", "yes")
    await desk.in_state("completed")
    await desk.button("Restart…").click()
    await expect(desk.page.get_by_label("Keep the steps before number")).to_have_value("0")
    await desk.button("Restart").click()
    await desk.noted("Restarted")
    await expect(desk.page.locator(".id code")).not_to_have_text(invocation_id)
    await expect(callout(desk)).to_be_visible()


async def test_restart_from_a_step_keeps_those_before_it(desk: Desk) -> None:
    invocation_id = await desk.client.invoke_async(flows.trip)
    await desk.show(invocation_id)
    await desk.in_state("completed")
    await desk.page.locator(".step .toggle", has_text="car").click()
    await desk.button("Restart from here…").click()
    await expect(desk.page.get_by_label("Keep the steps before number")).to_have_value("2")
    await desk.button("Restart").click()
    await expect(desk.page.locator(".id code")).not_to_have_text(invocation_id)
    await desk.in_state("completed")
    await expect(card(desk, "output")).to_contain_text('"car"')


async def test_remove(desk: Desk) -> None:
    invocation_id = await desk.client.invoke_async(flows.greet, "you")
    await desk.show(invocation_id)
    await desk.in_state("completed")
    await desk.button("Remove…").click()
    await desk.button("Remove it").click()
    await desk.noted("Removed.")
    await expect(desk.page.locator(".empty")).to_have_text("Nothing has been invoked yet.")
    await desk.open(f"invocations/{invocation_id}")
    await expect(desk.page.locator(".empty")).to_contain_text("INVOCATION_NOT_FOUND")


async def test_one_is_shown_whole(desk: Desk) -> None:
    given = desk.client.options(idempotency_key="order-17", headers={"tenant": "acme"})
    parent_id = await given.invoke_async(flows.parent, "you")
    await desk.client.get_result(parent_id)
    await desk.show(parent_id)
    await desk.in_state("completed")
    await expect(card(desk, "input")).to_contain_text('"you"')
    await expect(card(desk, "output")).to_contain_text('"Hello, you!"')
    await expect(card(desk, "facts")).to_contain_text("order-17")
    await expect(card(desk, "facts")).to_contain_text("acme")
    await expect(card(desk, "children").locator("li")).to_contain_text("greet")
    await desk.page.locator(".step a.child").click()
    await expect(desk.page.locator("h1")).to_have_text("greet")
    await expect(card(desk, "children")).to_contain_text(f"Started by {parent_id}")
    bar = desk.page.locator(".step .bar.work")
    assert await bar.evaluate("bar => bar.getBoundingClientRect().width") > 0


async def test_a_bar_begins_and_ends_with_its_step(desk: Desk) -> None:
    invocation_id = await desk.client.invoke_async(flows.crossing)
    await desk.client.get_result(invocation_id)
    shown = await desk.client.get(invocation_id)
    await desk.show(invocation_id)
    await desk.in_state("completed")
    axis = await box(desk.page.locator(".step.self .track"))
    whole = axis["width"] / span_ms(shown.create_time, shown.complete_time)
    long, short, last = shown.journal
    for row, step in enumerate(shown.journal):
        bar = await box(desk.page.locator(".step .bar.work").nth(row))
        left = axis["x"] + whole * span_ms(shown.create_time, step.create_time)
        assert bar["x"] == pytest.approx(left, abs=1)
        width = max(3, whole * span_ms(step.create_time, step.complete_time))
        assert bar["width"] == pytest.approx(width, abs=1)
    assert span_ms(short.complete_time, long.complete_time) >= 0
    assert span_ms(long.complete_time, last.create_time) >= 0
    await expect(desk.page.locator(".step .took", has_text="~")).to_have_count(0)


async def test_the_state_is_shown_live(desk: Desk, worker: durable.Worker) -> None:
    await asking(desk)
    await expect(card(desk, "state")).to_contain_text("stage")
    await expect(card(desk, "state")).to_contain_text('"asked"')
    await expect(desk.page.locator(".step.self .track .bar.whole")).to_be_visible()


async def test_a_long_journal_is_shown_in_parts(desk: Desk) -> None:
    invocation_id = await desk.client.invoke_async(flows.long, 1000)
    assert (await desk.client.get_result(invocation_id)).value() == 1000
    await desk.show(invocation_id)
    await expect(desk.page.locator(".step .toggle")).to_have_count(200)
    await expect(desk.page.locator(".timeline .pager")).to_contain_text("Steps 800 to 999 of 1,000")
    await desk.button("← Earlier steps").click()
    await expect(desk.page.locator(".step .number").first).to_have_text("600")


async def test_a_large_value_is_shown_in_full_when_it_is_asked_for(desk: Desk) -> None:
    text = "x" * 50_000
    invocation_id = await desk.client.invoke_async(flows.greet, text)
    await desk.show(invocation_id)
    shown = card(desk, "input").locator("pre")
    await expect(shown).to_have_text(f'"{"x" * 19_999}…')
    await card(desk, "input").get_by_role("button", name="Show all").click()
    await expect(shown).to_have_text(json.dumps(text))
