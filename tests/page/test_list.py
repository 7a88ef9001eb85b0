"""The list: what it shows, how it is narrowed, turned and walked through."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from playwright.async_api import expect

from . import flows
from .conftest import Desk


async def many(desk: Desk, count: int) -> list[str]:
    """Accepts invocations that are not due for long; returns their ids."""
    later = desk.client.options(delay=timedelta(days=1))
    return await asyncio.gather(*[later.invoke_async(flows.greet, str(n)) for n in range(count)])


async def test_it_shows_what_there_is_and_follows_it(desk: Desk) -> None:
    await desk.open()
    await expect(desk.page.locator(".empty")).to_have_text("Nothing has been invoked yet.")
    await desk.client.invoke(flows.greet, "you")
    row = desk.rows().first
    await expect(row.locator(".state")).to_have_text("completed")
    await expect(row.locator(".c-handler")).to_have_text("greet")
    await expect(desk.page.locator("#glance")).to_contain_text("1 worker")
    await expect(desk.page.locator(".chip[data-state=completed] b")).to_have_text("1")


async def test_it_is_narrowed_by_status_handler_key_text_and_time(desk: Desk) -> None:
    await desk.client.invoke(flows.greet, "you")
    await desk.client.options(key="left").invoke(flows.Box.put, "tea")
    await desk.client.options(key="right").invoke(flows.Box.put, "tea")
    for text in ("no seat is left", "the card was declined"):
        await desk.client.invoke_async(flows.refuses, text)
    page, rows = desk.page, desk.rows()
    await desk.open()
    await expect(page.locator(".chip[data-state=failed] b")).to_have_text("2")
    await expect(rows).to_have_count(5)

    await page.locator(".chip[data-state=failed]").click()
    await expect(rows).to_have_count(2)
    await page.locator("[data-filter=find]").fill("declined")
    await expect(rows).to_have_count(1)
    await expect(rows.locator(".c-says")).to_contain_text("the card was declined")
    await page.reload()  # the address holds the filters
    await expect(rows).to_have_count(1)
    await expect(page.locator("[data-filter=find]")).to_have_value("declined")

    await desk.button("Clear filters").click()
    await expect(rows).to_have_count(5)
    await page.locator("[data-filter=handler]").select_option("box.put")
    await expect(rows).to_have_count(2)
    await page.locator("[data-filter=key]").fill("left")
    await expect(rows).to_have_count(1)
    await expect(rows.locator(".key")).to_have_text("left")
    await page.go_back()  # typed filters replace each other; a choice is a step in the history
    await expect(page.locator("[data-filter=handler]")).to_have_value("")

    await page.locator("[data-filter=since]").select_option("1h")
    await expect(rows).to_have_count(5)
    await page.locator("[data-filter=since]").select_option("between")
    await page.locator("[data-filter=to]").fill("2020-01-01T00:00")
    await page.locator("[data-filter=to]").press("Tab")
    await expect(page.locator(".empty")).to_have_text("Nothing matches.")


async def test_a_refused_filter_is_shown_with_its_reason(desk: Desk) -> None:
    await desk.open("?page=garbage")
    await expect(desk.page.locator("main .form-error")).to_contain_text("INVALID_FIELD")
    await desk.page.get_by_role("link", name="Durable: invocations").click()
    await expect(desk.page.locator("main .form-error")).to_be_hidden()


async def test_an_id_opens_its_invocation(desk: Desk) -> None:
    result = await desk.client.invoke_async(flows.greet, "you")
    await desk.open()
    await desk.page.locator("[data-filter=find]").fill(result)
    await expect(desk.page.locator(".id code")).to_have_text(result)
    await desk.page.go_back()
    await expect(desk.rows()).to_have_count(1)


async def test_pages_are_stable_while_there_is_more_and_the_document_is_small(desk: Desk) -> None:
    ids = await many(desk, 2000)
    page, rows = desk.page, desk.rows()
    await desk.open("?size=25&since=24h")
    await expect(rows).to_have_count(25)
    await expect(page.locator(".chip[data-state=scheduled] b")).to_have_text("2,000")
    seen = await shown(desk)
    await desk.button("Next →").click()
    await expect(page.locator(".pager")).to_contain_text("Page 2")
    second = await shown(desk)
    assert not set(seen) & set(second)

    await many(desk, 30)  # newer ones do not move the second page
    await expect(page.locator(".chip[data-state=scheduled] b")).to_have_text("2,030")
    assert await shown(desk) == second
    await page.reload()
    await expect(page.locator(".pager")).to_contain_text("Page 2")
    await expect(rows).to_have_count(25)
    assert await shown(desk) == second
    await desk.button("Next →").click()
    await expect(page.locator(".pager")).to_contain_text("Page 3")
    await desk.button("← Previous").click()
    await expect(page.locator(".pager")).to_contain_text("Page 2")
    await expect(rows.first).to_have_attribute("data-key", second[0])
    await desk.button("First page").click()
    await expect(page.locator(".pager")).to_contain_text("Page 1")
    await expect(rows.first).not_to_have_attribute("data-key", seen[0])

    assert set(second) <= set(ids)
    assert await page.evaluate("document.querySelectorAll('*').length") < 900


async def shown(desk: Desk) -> list[str]:
    return await desk.rows().evaluate_all("rows => rows.map(row => row.dataset.key)")


async def test_the_keyboard_walks_and_steers(desk: Desk) -> None:
    first = await desk.client.invoke_async(flows.expense, 10)
    second = await desk.client.invoke_async(flows.expense, 20)
    page = desk.page
    await desk.open()
    await expect(desk.rows()).to_have_count(2)
    await page.keyboard.press("j")
    await expect(page.locator(f"tr[data-key='{second}'] a.open")).to_be_focused()
    await page.keyboard.press("j")
    await page.keyboard.press("p")
    await expect(page.locator(f"tr[data-key='{first}'] .state")).to_have_text("paused")
    await expect(page.locator(f"tr[data-key='{first}'] a.open")).to_be_focused()
    await page.keyboard.press("r")
    await expect(page.locator(f"tr[data-key='{first}'] .state")).not_to_have_text("paused")
    await page.keyboard.press("k")
    await page.keyboard.press("Enter")
    await expect(page.locator(".id code")).to_have_text(second)
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await expect(page.locator(".step .detail")).to_have_count(1)
    await page.keyboard.press("c")
    await expect(page.locator("dialog h2")).to_have_text("Cancel this invocation?")
    await page.keyboard.press("Escape")
    await expect(page.locator("dialog")).to_have_count(0)
    await page.keyboard.press("Escape")
    await expect(desk.rows()).to_have_count(2)

    await page.keyboard.press("/")
    find = page.locator("[data-filter=find]")
    await expect(find).to_be_focused()
    await page.keyboard.type("pick")  # no letter of it is a command
    await expect(find).to_have_value("pick")
    await page.keyboard.press("Escape")
    await expect(find).not_to_be_focused()
    await page.keyboard.press("?")
    await expect(page.locator("dialog h2")).to_have_text("Keyboard")
    await page.keyboard.press("Escape")
    await expect(page.locator("dialog")).to_have_count(0)


async def test_live_is_switched_off_and_a_hidden_tab_asks_nothing(desk: Desk) -> None:
    await desk.client.invoke(flows.greet, "one")
    page, asked = desk.page, list[str]()
    await desk.open()
    await expect(desk.rows()).to_have_count(1)
    await page.get_by_label("Live").uncheck()
    await desk.client.invoke(flows.greet, "two")
    await expect(page.locator(".chip[data-state=completed] b")).to_have_text("2")
    await expect(desk.rows()).to_have_count(1)
    await page.get_by_label("Live").check()
    await expect(desk.rows()).to_have_count(2)

    await page.clock.install()
    await desk.open()
    await expect(desk.rows()).to_have_count(2)
    await page.evaluate(hide, True)
    page.on("request", lambda request: asked.append(request.url))
    await page.clock.run_for(60_000)
    assert asked == []
    async with page.expect_request("**/v1/stats"):
        await page.evaluate(hide, False)


hide = """hidden => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
