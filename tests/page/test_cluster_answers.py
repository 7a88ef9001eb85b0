"""The view of a cluster for answers that are rare, or that take many nodes.

The browser gets them instead of those of the control plane, which is one process here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from google.protobuf import json_format
from playwright.async_api import Route, expect

from durable_proto.v1 import control_pb2

from . import flows
from .conftest import PageDriver
from .test_looks import NAMELESS


def answer(
    names: str, count: int, change: Callable[[control_pb2.GetClusterResponse], None] | None = None
) -> dict[str, Any]:
    """Returns the answer of nodes with names of one letter, each of which leads its share."""
    found = control_pb2.GetClusterResponse(
        system_id="5" * 32, format_level=1, standby_count=1, answering_node=names[0]
    )
    for number in range(count):
        leader, follower = (names[(number + it) % len(names)] for it in range(2))
        partition = found.partitions.add(
            partition=number, has_leader=True, leader=leader, epoch=1, position=10_000
        )
        partition.followers.add(node=follower, position=10_000)
    for name in names:
        found.nodes.add(
            name=name,
            address=f"10.0.0.{ord(name)}:50051",
            version="1.2.3",
            led_partitions=[it.partition for it in found.partitions if it.leader == name],
            format_level=1,
        )
    if change is not None:
        change(found)
    return json_format.MessageToDict(found)


class Answers:
    """What the page is told of the cluster; may be changed meanwhile."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body
        self.count = 0
        self.held = False
        """Whether requests get no answer."""
        self._changed = asyncio.Event()

    async def give(self, route: Route) -> None:
        self.count += 1
        if not self.held:
            await route.fulfill(content_type="application/json", body=json.dumps(self.body))
        self._changed.set()

    async def more(self, count: int) -> None:
        """Waits for so many further answers."""
        end = self.count + count
        async with asyncio.timeout(60):
            while self.count < end:
                self._changed.clear()
                await self._changed.wait()


async def told(driver: PageDriver, body: dict[str, Any], place: str = "server") -> Answers:
    """Opens a place of the page, which gets this answer from now on."""
    answers = Answers(body)
    await driver.page.route("**/v1/cluster", answers.give)
    await driver.open(place)
    return answers


async def test_one_process_is_no_cluster(driver: PageDriver) -> None:
    asked: list[str] = []
    driver.page.on("request", lambda it: asked.append(it.url.rpartition("/")[2]))
    await driver.open("server")
    await expect(driver.page.locator(".card", has_text="Leads since")).to_contain_text("Epoch1")
    await expect(driver.page.locator("h2")).to_have_text(
        ["Started", "Finished", "Log appends", "Nodes", "Partitions", "Control plane", "Limits"]
    )
    for title in ("Nodes", "Partitions"):
        await expect(driver.page.get_by_role("heading", name=title)).to_be_hidden()
    while asked.count("stats") < 3:
        async with driver.page.expect_request("**/v1/stats"):
            pass
    assert asked.count("cluster") == 1


async def test_a_partition_without_a_leader_is_named_in_every_view(driver: PageDriver) -> None:
    def change(found: control_pb2.GetClusterResponse) -> None:
        for number in (3, 4, 5, 7):
            found.partitions[number].has_leader = False
            found.partitions[number].leader = ""

    invocation_id = await driver.client.invoke_async(flows.sleeper)
    answers = await told(driver, answer("abc", 12, change), "")
    for place in ("", f"invocations/{invocation_id}", "handlers", "workers", "server"):
        await driver.page.goto(f"{driver.base}/#/{place}")
        await expect(driver.page.locator("main > *").first).to_be_visible()
        await expect(driver.warnings()).to_contain_text("No node leads partitions 3 to 5, 7 now:")
    await driver.warnings().get_by_role("link").click()
    await expect(driver.partitions().locator(".c-number")).to_have_text(["3", "4", "5", "7"])
    await expect(driver.partitions().locator(".c-leader").first).to_have_text("no node leads it")
    answers.body = answer("abc", 12)
    await expect(driver.warnings()).to_have_count(0)
    await expect(driver.page.locator(".empty")).to_have_text("Every partition has a leader.")


async def test_a_warning_stays_while_a_newer_request_replaces_one(driver: PageDriver) -> None:
    def change(found: control_pb2.GetClusterResponse) -> None:
        found.nodes[1].version = "1.3.0"

    answers = await told(driver, answer("abc", 12, change))
    await expect(driver.warnings()).to_have_count(1)
    answers.held = True
    await answers.more(1)
    async with driver.page.expect_request("**/v1/cluster"):
        await driver.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert await driver.warnings().count() == 1


async def test_different_versions_and_a_follower_far_behind(driver: PageDriver) -> None:
    def change(found: control_pb2.GetClusterResponse) -> None:
        found.nodes[1].version = "1.3.0"
        found.nodes[1].draining = True
        follower = found.partitions[2].followers[0]
        follower.position, follower.lag = 0, 10_000

    await told(driver, answer("abc", 12, change))
    shown = driver.warnings()
    await expect(shown).to_contain_text(
        [
            "The nodes run different versions: nodes a, c: 1.2.3; node b: 1.3.0.",
            "Node a is far behind as a follower of partition 2.",
        ]
    )
    await expect(driver.node("b").locator(".c-state")).to_have_text("draining")
    await expect(driver.partitions().nth(2).locator(".c-followers")).to_have_text("a 10,000 behind")
    await driver.page.locator(".chip", has_text="Follower far behind").click()
    await expect(driver.partitions().locator(".c-number")).to_have_text(["2"])


async def test_it_says_which_node_answers_after_a_switch(driver: PageDriver) -> None:
    answers = await told(driver, answer("abc", 12))
    await expect(driver.node("a")).to_contain_text("answers this page")
    answers.body = answer("bc", 12)
    await driver.noted("Node a is gone. Node b answers this page now.")
    await expect(driver.node("a").locator(".c-state")).to_contain_text("gone")
    await expect(driver.node("a").get_by_role("button")).to_be_hidden()
    await expect(driver.node("b")).to_contain_text("answers this page")


async def test_many_partitions_are_shown_in_parts(driver: PageDriver) -> None:
    await told(driver, answer("abcdefghi", 256))
    await expect(driver.partitions()).to_have_count(64)
    await driver.button("Next →").click()
    await expect(driver.partitions().locator(".c-number").first).to_have_text("64")
    await expect(driver.page.locator(".pager .faint")).to_have_text("65 to 128 of 256")
    await driver.page.reload()
    await expect(driver.partitions().locator(".c-number").first).to_have_text("64")
    assert await driver.page.locator("body *").count() < 1500
    await driver.page.set_viewport_size({"width": 390, "height": 844})
    assert await driver.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert await driver.page.evaluate(NAMELESS) == []


WATCH = """() => {
  window.changes = [];
  const observer = new MutationObserver((all) => window.changes.push(...all.map(describe)));
  const describe = (it) => `${it.type}: ${it.target.outerHTML ?? it.target.data}`;
  const kinds = { subtree: true, childList: true, characterData: true, attributes: true };
  for (const it of document.querySelectorAll(".part")) observer.observe(it, kinds);
}"""


async def test_it_holds_still_while_nothing_changes(driver: PageDriver) -> None:
    def change(found: control_pb2.GetClusterResponse) -> None:
        found.partitions[2].followers[0].lag = 7

    answers = await told(driver, answer("abc", 12))
    await expect(driver.partitions()).to_have_count(12)
    await driver.page.evaluate(WATCH)
    await answers.more(2)
    assert await driver.page.evaluate("window.changes") == []
    answers.body = answer("abc", 12, change)
    await expect(driver.partitions().nth(2)).to_contain_text("7 behind")
    assert await driver.page.evaluate("window.changes.length") > 0
