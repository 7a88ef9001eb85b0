"""The other views, themes, a small screen, accessibility, and hostile texts."""

from __future__ import annotations

from playwright.async_api import expect

from durable_server.app import ControlPlane

from . import flows
from .conftest import PageDriver


async def test_names_that_are_html_are_shown_and_not_run(driver: PageDriver) -> None:
    await driver.client.options(key=flows.HOSTILE).invoke(flows.Box.put, flows.HOSTILE)
    await driver.client.invoke_async(flows.refuses, flows.HOSTILE)
    given = driver.client.options(
        headers={"x": flows.HOSTILE}, service=flows.HOSTILE, idempotency_key=flows.HOSTILE
    )
    invocation_id = await given.invoke_async(flows.hostile, flows.HOSTILE)
    page = driver.page
    await driver.open()
    await expect(driver.rows().locator(".key").first).to_have_text(flows.HOSTILE)
    await expect(driver.rows().locator(".c-says", has_text="onerror")).to_have_count(1)
    await page.locator("[data-filter=find]").fill(flows.HOSTILE)
    await expect(driver.rows()).to_have_count(1)
    await driver.show(invocation_id)
    await expect(page.locator(".callout.ask code")).to_have_text(flows.HOSTILE)
    await expect(page.locator("[data-card=state]")).to_contain_text(flows.HOSTILE)
    for toggle in await page.locator(".step .toggle").all():
        await toggle.click()
    await expect(page.locator(".step .detail")).to_have_count(3)
    await page.get_by_role("button", name="Reject…").first.click()
    await expect(page.locator("dialog")).to_contain_text(flows.HOSTILE)
    await driver.button("Reject").click()
    await driver.in_state("failed")
    await driver.open("workers")
    await expect(page.locator("table bdi").first).to_have_text(flows.HOSTILE)
    assert await page.locator("img:not(.brand img)").count() == 0
    assert await page.title() == "Durable"


async def test_handlers_workers_and_the_server(driver: PageDriver, plane: ControlPlane) -> None:
    await driver.client.invoke(flows.greet, "you")
    page = driver.page
    await driver.open("handlers")
    row = page.locator("tbody tr[data-key=greet]")
    await expect(row.locator(".c-counts")).to_contain_text("completed 1")
    await expect(row.locator(".c-workers")).to_have_text("1")
    await expect(row.locator(".c-policy")).to_contain_text("pinned to its build")
    await row.locator(".tally").click()
    await expect(driver.rows()).to_have_count(1)
    await page.get_by_role("link", name="Workers").click()
    await expect(page.locator(".c-slots")).to_contain_text("of 1,000")
    await page.get_by_role("link", name="Server").click()
    await expect(page.locator(".card", has_text="Leads since")).to_contain_text("Epoch1")
    await expect(page.locator(".card", has_text="Limits")).to_contain_text("payload_bytes")
    await expect(page.locator(".figure polyline").first).to_be_attached()
    await driver.open("elsewhere")
    await expect(page.locator(".empty")).to_contain_text("There is no such place here.")


async def test_dark_and_light_by_the_system_and_by_choice(driver: PageDriver) -> None:
    page = driver.page
    await driver.open()
    ground = "getComputedStyle(document.body).backgroundColor"
    light = await page.evaluate(ground)
    await page.emulate_media(color_scheme="dark")
    dark = await page.evaluate(ground)
    assert dark != light
    await page.locator("#theme").click()  # dark
    await page.locator("#theme").click()  # light
    assert await page.evaluate(ground) == light
    await page.reload()
    assert await page.evaluate(ground) == light
    await page.keyboard.press("g")  # as the system says
    assert await page.evaluate(ground) == dark


async def test_it_fits_a_phone(driver: PageDriver) -> None:
    invocation_id = await driver.client.invoke_async(flows.expense, 10)
    await driver.client.options(key="k" * 200).invoke(flows.Box.put, "y" * 200)
    page = driver.page
    await page.set_viewport_size({"width": 390, "height": 844})
    for place in (
        "",
        f"invocations/{invocation_id}",
        "handlers",
        "workers",
        "deployments",
        "server",
    ):
        await driver.open(place)
        await expect(page.locator("main > *").first).to_be_visible()
        await expect(page.locator("#glance")).to_contain_text("worker")
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390, place


async def test_everything_has_a_name_for_those_who_do_not_see(driver: PageDriver) -> None:
    invocation_id = await driver.client.invoke_async(flows.expense, 10)
    page = driver.page
    for place in (
        "",
        f"invocations/{invocation_id}",
        "handlers",
        "workers",
        "deployments",
        "server",
    ):
        await driver.open(place)
        await expect(page.locator("h1")).to_be_attached()
        assert await page.evaluate(NAMELESS) == []
    await page.keyboard.press("Tab")
    await expect(page.locator("#skip")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()


NAMELESS = """() => [...document.querySelectorAll("button, a, input, select, textarea, meter, svg")]
  .filter(it => it.checkVisibility())
  .filter(it => !(it.textContent.trim() || it.getAttribute("aria-label") || it.labels?.length))
  .map(it => it.outerHTML)"""


async def test_it_says_when_the_control_plane_is_gone(driver: PageDriver) -> None:
    page = driver.page
    await driver.open()
    await expect(page.locator("#glance")).to_contain_text("worker")
    await page.route("**/v1/**", lambda route: route.abort("connectionrefused"))
    await expect(page.locator("#trouble")).to_contain_text("does not answer")
    await page.unroute("**/v1/**")
    await expect(page.locator("#trouble")).to_be_hidden()
