"""The list: its rows, filters, order, pages and keyboard."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from playwright.async_api import expect

from . import flows
from .conftest import PageDriver


async def many(driver: PageDriver, count: int) -> list[str]:
    """Accepts invocations that are not due for long; returns their ids."""
    later = driver.client.options(delay=timedelta(days=1))
    return await asyncio.gather(*[later.invoke_async(flows.greet, str(n)) for n in range(count)])


async def test_it_shows_what_there_is_and_follows_it(driver: PageDriver) -> None:
    await driver.open()
    await expect(driver.page.locator(".empty")).to_have_text("Nothing has been invoked yet.")
    await driver.client.invoke(flows.greet, "you")
    row = driver.rows().first
    await expect(row.locator(".state")).to_have_text("completed")
    await expect(row.locator(".c-handler")).to_have_text("greet")
    await expect(driver.page.locator("#glance")).to_contain_text("1 worker")
    await expect(driver.page.locator(".chip[data-state=completed] b")).to_have_text("1")


async def test_it_is_narrowed_by_status_handler_key_text_and_time(driver: PageDriver) -> None:
    await driver.client.invoke(flows.greet, "you")
    await driver.client.options(key="left").invoke(flows.Box.put, "tea")
    await driver.client.options(key="right").invoke(flows.Box.put, "tea")
    for text in ("no seat is left", "the card was declined"):
        await driver.client.invoke_async(flows.refuses, text)
    page, rows = driver.page, driver.rows()
    await driver.open()
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

    await driver.button("Clear filters").click()
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


async def test_a_refused_filter_is_shown_with_its_reason(driver: PageDriver) -> None:
    await driver.open("?page=garbage")
    await expect(driver.page.locator("main .form-error")).to_contain_text("INVALID_FIELD")
    await driver.page.get_by_role("link", name="Durable: invocations").click()
    await expect(driver.page.locator("main .form-error")).to_be_hidden()


async def test_an_id_opens_its_invocation(driver: PageDriver) -> None:
    result = await driver.client.invoke_async(flows.greet, "you")
    await driver.open()
    await driver.page.locator("[data-filter=find]").fill(result)
    await expect(driver.page.locator(".id code")).to_have_text(result)
    await driver.page.go_back()
    await expect(driver.rows()).to_have_count(1)


async def test_pages_are_stable_and_the_document_is_small(
    driver: PageDriver,
) -> None:
    ids = await many(driver, 2000)
    page, rows = driver.page, driver.rows()
    await driver.open("?size=25&since=24h")
    await expect(rows).to_have_count(25)
    await expect(page.locator(".chip[data-state=scheduled] b")).to_have_text("2,000")
    seen = await shown(driver)
    await driver.button("Next →").click()
    await expect(page.locator(".pager")).to_contain_text("Page 2")
    second = await shown(driver)
    assert not set(seen) & set(second)

    await many(driver, 30)  # newer ones do not move the second page
    await expect(page.locator(".chip[data-state=scheduled] b")).to_have_text("2,030")
    assert await shown(driver) == second
    await page.reload()
    await expect(page.locator(".pager")).to_contain_text("Page 2")
    await expect(rows).to_have_count(25)
    assert await shown(driver) == second
    await driver.button("Next →").click()
    await expect(page.locator(".pager")).to_contain_text("Page 3")
    await driver.button("← Previous").click()
    await expect(page.locator(".pager")).to_contain_text("Page 2")
    await expect(rows.first).to_have_attribute("data-key", second[0])
    await driver.button("First page").click()
    await expect(page.locator(".pager")).to_contain_text("Page 1")
    await expect(rows.first).not_to_have_attribute("data-key", seen[0])

    assert set(second) <= set(ids)
    assert await page.evaluate("document.querySelectorAll('*').length") < 900


async def shown(driver: PageDriver) -> list[str]:
    return await driver.rows().evaluate_all("rows => rows.map(row => row.dataset.key)")


async def test_the_keyboard_walks_and_steers(driver: PageDriver) -> None:
    first = await driver.client.invoke_async(flows.expense, 10)
    second = await driver.client.invoke_async(flows.expense, 20)
    page = driver.page
    await driver.open()
    await expect(driver.rows()).to_have_count(2)
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
    await expect(driver.rows()).to_have_count(2)

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


async def test_live_is_switched_off_and_a_hidden_tab_asks_nothing(driver: PageDriver) -> None:
    await driver.client.invoke(flows.greet, "one")
    page, asked = driver.page, list[str]()
    await driver.open()
    await expect(driver.rows()).to_have_count(1)
    await page.get_by_label("Live").uncheck()
    await driver.client.invoke(flows.greet, "two")
    await expect(page.locator(".chip[data-state=completed] b")).to_have_text("2")
    await expect(driver.rows()).to_have_count(1)
    await page.get_by_label("Live").check()
    await expect(driver.rows()).to_have_count(2)

    await page.clock.install()
    await driver.open()
    await expect(driver.rows()).to_have_count(2)
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
