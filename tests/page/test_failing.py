"""What fails: the tries so far in their place, when the next one is, and why there is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import Locator, expect

from . import flows
from .conftest import Desk


@pytest.fixture(autouse=True)
def bank() -> Iterator[flows.Bank]:
    flows.BANK.is_open = False
    yield flows.BANK
    flows.BANK.is_open = False


def row(desk: Desk, name: str) -> Locator:
    toggle = desk.page.locator(".toggle", has=desk.page.locator("bdi", has_text=name))
    return desk.page.locator(".step", has=toggle)


async def waiting_for_the_bank(desk: Desk) -> str:
    """Shows a payment that has failed twice, and waits for its third try."""
    invocation_id = await desk.client.invoke_async(flows.payment)
    await desk.show(invocation_id)
    await expect(row(desk, "charge").locator(".badge")).to_have_text("2 tries failed")
    await desk.in_state("backing off")
    return invocation_id


async def test_a_step_that_fails_is_in_its_place_with_its_tries(desk: Desk) -> None:
    await waiting_for_the_bank(desk)
    names = desk.page.locator(".step .toggle bdi")
    await expect(names).to_have_text(["check", "charge"])
    charge = row(desk, "charge")
    await expect(charge.locator(".number")).to_have_text("1")
    await expect(charge.locator(".kind")).to_have_text("step")
    await expect(charge.locator(".took")).to_contain_text("next in")
    await expect(charge.locator(".bar.failing")).to_be_visible()
    await expect(desk.page.locator(".timeline header")).to_contain_text("1 step · 1 failing")
    await expect(desk.page.locator(".facts-line")).to_contain_text("next try in")
    await expect(desk.page.locator(".step.present .says")).to_contain_text("try 3 of number 1 in")
    await charge.locator(".toggle").click()
    detail = charge.locator(".detail")
    await expect(detail.locator(".failure-head")).to_have_text(
        "ConnectionError: the bank is closed"
    )
    await expect(detail.locator("dt")).to_have_text(
        ["failed", "first failure", "last failure", "next try"]
    )
    # What is shown goes on as it is followed: the wait grows shorter.
    before = await charge.locator(".took").text_content()
    await expect(charge.locator(".took")).not_to_have_text(before or "")


async def test_the_next_try_can_begin_now(desk: Desk, bank: flows.Bank) -> None:
    invocation_id = await waiting_for_the_bank(desk)
    await expect(desk.button("Resume")).to_be_hidden()
    bank.is_open = True
    await desk.button("Retry now").click()
    await desk.noted("The next try begins now.")
    await desk.in_state("completed")
    await expect(desk.button("Retry now")).to_be_hidden()
    await expect(desk.page.locator(".step.failing")).to_have_count(0)
    charge = row(desk, "charge")
    await expect(charge.locator(".badge")).to_contain_text("2 tries failed before")
    await charge.locator(".toggle").click()
    await expect(charge.locator(".detail .facts")).to_contain_text("failed before2 tries")
    assert (await desk.client.get_result(invocation_id)).value() == "paid"


async def test_tries_that_are_used_up_are_counted(desk: Desk) -> None:
    invocation_id = await desk.client.invoke_async(flows.impatient)
    await desk.show(invocation_id)
    await desk.in_state("failed")
    charge = row(desk, "charge")
    await expect(charge.locator(".badge")).to_contain_text("2 tries failed before")
    await charge.locator(".toggle").click()
    used_up = "no retry after 3 tries: the tries that its retry policy permits are used up"
    await expect(charge.locator(".detail .failure")).to_contain_text(used_up)
    for place in (".callout.bad", "[data-card=output]"):
        shown = desk.page.locator(place)
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
    desk: Desk, workflow: Any, given: Any, ended: str, step: str
) -> None:
    arguments = () if given is None else (given,)
    invocation_id = await desk.client.invoke_async(workflow.name, *arguments)
    if given == "rejected":
        await desk.client.reject_awakeable("approval", "too much")
    await desk.show(invocation_id)
    await desk.in_state("failed")
    await expect(desk.page.locator(".callout.bad")).to_contain_text(ended)
    if step:
        await desk.page.locator(".step .toggle").click()
        await expect(desk.page.locator(".step .detail .failure")).to_contain_text(step)


async def test_a_cancelled_one_was_cancelled(desk: Desk) -> None:
    invocation_id = await desk.client.invoke_async(flows.sleeper)
    await desk.client.cancel(invocation_id, force=True)
    await desk.show(invocation_id)
    await desk.in_state("cancelled")
    await expect(desk.page.locator(".callout.bad")).to_contain_text("no retry: it was cancelled")
