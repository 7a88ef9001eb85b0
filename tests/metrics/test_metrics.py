"""`/metrics` of the control plane and of a worker: each counter and gauge against what happened."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import urllib.error
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

import durable
from durable_server.app import ControlPlane
from durable_server.config import Config
from durable_server.core.limits import Limits
from durable_server.core.model import State
from durable_server.core.records import CancelAsked
from durable_server.log.memory import MemoryStream
from durable_server.metrics.histogram import Histogram
from durable_server.metrics.rpc_tally import RpcTally
from durable_server.processor.workers import Workers
from durable_server.prometheus import BUILDS_MAX, HANDLERS_MAX, OTHER, Exposition
from tests.support.external_nats import JETSTREAM, external_nats
from tests.support.manual_worker import ManualWorker
from tests.support.processes import control_plane, running, until
from tests.support.processes import durable as command
from tests.support.repository import ROOT
from tests.support.waiting import eventually

from ..node.test_host import HostedNode
from . import flows
from .scraping import Scrape, fetch

DASHBOARD = ROOT / "docs/grafana/durable.json"


async def scrape(plane: ControlPlane) -> Scrape:
    return Scrape(await asyncio.to_thread(fetch, plane.http_address))


async def test_what_happened_is_counted(plane: ControlPlane, client: durable.AsyncClient) -> None:
    assert await client.invoke(flows.child, "a") == "A"
    assert await client.invoke(flows.child, "b") == "B"
    with pytest.raises(durable.InvocationFailedError):
        await client.invoke(flows.doomed)
    await client.get_result(await client.invoke_async(flows.child, "late"))
    with pytest.raises(durable.NotFoundError):
        await client.get("0" * 32)
    seen = await scrape(plane)
    assert seen("durable_invocations", state="completed") == 3
    assert seen("durable_invocations", state="failed") == 1
    assert seen("durable_invocations", state="running") == 0
    ended = "durable_invocations_ended_total"
    assert seen(ended, handler="child", outcome="completed") == 3
    assert seen(ended, handler="doomed", outcome="failed") == 1
    assert seen("durable_attempts_started_total") == 5
    assert seen("durable_attempts_ended_total", outcome="completed") == 3
    assert seen("durable_attempts_ended_total", outcome="retried") == 1
    assert seen("durable_attempts_ended_total", outcome="failed") == 1
    assert seen("durable_journal_entries_total", kind="run") == 3
    appends = seen("durable_log_append_seconds_count", partition="0")
    assert appends == seen("durable_log_append_records_count", partition="0") > 5
    assert appends == (await client.server_info()).append_count
    assert seen("durable_log_append_records_sum", partition="0") >= appends
    appended = seen("durable_log_append_bytes_total", partition="0")
    assert 0 < seen("durable_log_untrimmed_bytes", partition="0") <= appended
    assert seen("durable_workers_connected") == 1
    assert seen("durable_slots") == 1000
    assert seen("durable_slots_used") == 0
    assert seen("durable_epoch", partition="0") == 1
    assert seen("durable_rpcs_total", method="Invoke", code="OK") == 4
    assert seen("durable_rpcs_total", method="GetInvocation", code="NOT_FOUND") == 1
    assert seen("durable_rpc_seconds_count", method="Invoke") == 4
    assert seen("process_resident_memory_bytes") > 0


async def test_what_ends_without_an_attempt_is_counted_once(
    plane: ControlPlane, client: durable.AsyncClient
) -> None:
    later = client.options(delay=timedelta(hours=1))
    started = await later.invoke_async(flows.child, "never")
    assert (await scrape(plane))("durable_timers_pending", partition="0") == 1
    await client.cancel(started)
    await client.cancel(started)
    seen = await scrape(plane)
    assert seen("durable_invocations_ended_total", handler="child", outcome="cancelled") == 1
    assert seen("durable_invocations", state="cancelled") == 1
    assert seen("durable_attempts_started_total") == 0


async def test_a_suspended_attempt_and_the_next_one(
    plane: ControlPlane, client: durable.AsyncClient
) -> None:
    @durable.workflow
    async def waits(ctx: durable.Context) -> str:
        return str(await ctx.awakeable("door"))

    client.register(waits)
    await client.serve_handlers(suspend_after=0)
    started = await client.invoke_async(waits)

    async def suspended() -> bool:
        return (await scrape(plane))("durable_invocations", state="suspended") > 0

    await eventually(suspended)
    await client.resolve_awakeable("door", "open")
    assert (await client.get_result(started)).value() == "open"
    seen = await scrape(plane)
    assert seen("durable_attempts_ended_total", outcome="suspended") == 1
    assert seen("durable_attempts_ended_total", outcome="completed") == 1
    assert seen("durable_attempts_started_total") == 2


async def test_handlers_beyond_the_limit_are_one_series(plane: ControlPlane) -> None:
    endings = plane.router.any().partition.endings
    for number in range(HANDLERS_MAX + 5):
        endings[f"handler{number}", State.COMPLETED] = 2
    endings["handler0", State.FAILED] = 1
    exposition = Exposition(plane.router, Workers(), RpcTally())
    seen = Scrape(exposition.render("")[0].decode())
    ended = "durable_invocations_ended_total"
    assert seen(ended, handler="handler0", outcome="failed") == 1
    assert seen(ended, handler=OTHER, outcome="completed") == 10
    assert len(seen.families["durable_invocations_ended"].samples) == HANDLERS_MAX + 2


def test_a_histogram_counts_a_bound_below_it() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 2.1):
        histogram.add(value)
    assert histogram.counts == [2, 2, 1]
    assert (histogram.count, histogram.total) == (5, pytest.approx(7.1))


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "http://evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
    ],
)
async def test_a_page_of_another_origin_gets_nothing(
    plane: ControlPlane, headers: dict[str, str]
) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        await asyncio.to_thread(fetch, plane.http_address, **headers)
    with caught.value as refused:
        assert refused.code == 403


def worker_address(text: str) -> str:
    found = re.search(r"metrics on http://(\S+)/metrics", text)
    assert found is not None, text
    return found[1]


async def test_a_worker_process_has_its_own(tmp_path: Path) -> None:
    def work() -> Scrape:
        with control_plane(tmp_path) as (_, address):
            options = ["--address", address, "--metrics", "127.0.0.1:0", "--max-concurrent", "7"]
            worker = command("worker", "tests.metrics.flows", *options)
            with (
                running(worker, tmp_path / "worker.log") as child,
                durable.Client(address) as client,
            ):
                until(client.list_workers, "a worker", child)
                assert client.invoke(flows.child, "a") == "A"
                with pytest.raises(durable.InvocationFailedError):
                    client.invoke(flows.doomed)
                until(lambda: "metrics on" in child.text(), "its metrics", child)
                at = worker_address(child.text())
                seen = Scrape(fetch(at))
                for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
                    with pytest.raises(urllib.error.HTTPError) as caught:
                        fetch(at, **headers)
                    with caught.value as refused:
                        assert refused.code == 403
                with pytest.raises(urllib.error.HTTPError) as caught:
                    fetch(at, "/")
                caught.value.close()
                assert child.terminate() == 0
                return seen

    seen = await asyncio.to_thread(work)
    assert seen("durable_worker_connected") == 1
    assert seen("durable_worker_slots") == 7
    assert seen("durable_worker_slots_used") == 0
    assert seen("durable_worker_steps_total", outcome="ok") == 1
    assert seen("durable_worker_steps_total", outcome="error") == 0
    assert seen("durable_worker_step_seconds_total") > 0
    assert seen("durable_worker_attempts_started_total") == 3
    assert seen("durable_worker_attempts_ended_total", outcome="finished") == 1
    assert seen("durable_worker_attempts_ended_total", outcome="failed") == 2
    documented = series_of("docs/observability.md", "durable_worker_")
    assert documented == {it for it in seen.names if it.startswith("durable_worker_")}


@pytest.mark.parametrize(
    ("address", "code", "words"),
    [
        ("9100", 2, "--metrics '9100' is not HOST:PORT"),
        ("0.0.0.0:0", 1, "add --insecure"),
        ("{taken}", 1, "it is taken by another process"),
    ],
)
def test_an_address_that_will_not_do_is_one_line(address: str, code: int, words: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        given = address.format(taken=f"127.0.0.1:{taken.getsockname()[1]}")
        done = subprocess.run(
            command("worker", "tests.metrics.flows", "--metrics", given),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


# The documents


def series_of(path: str, prefix: str) -> set[str]:
    """Returns the series in a document's tables, by the names under which they are queried."""
    text = (ROOT / path).read_text()
    found = set()
    for name, kind in re.findall(r"^\| `(\w+)[^`]*` \| (\w+) \|", text, flags=re.M):
        if name.startswith(prefix):
            ends = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
            found |= {name + end for end in ends}
    return found


@pytest.fixture
async def every_series(config: Config, tmp_path: Path) -> set[str]:
    """The names of the series of a node of a cluster of which each part has something to tell."""
    async with AsyncExitStack() as stack:
        nats = await stack.enter_async_context(external_nats(tmp_path / "nats", JETSTREAM))
        config = replace(
            config,
            nats_url=nats.url,
            node_listen="127.0.0.1:0",
            partitions=2,
            snapshots=str(tmp_path / "snapshots"),
            limits=Limits(trim_bytes=1),
            audit_log=True,
        )
        plane, _ = [
            await stack.enter_async_context(
                ControlPlane(replace(config, node=name, data_dir=tmp_path / name))
            )
            for name in ("a", "b")
        ]
        client = await stack.enter_async_context(durable.AsyncClient(plane.address, timeout=30))
        client.register(*flows.WORKFLOWS)
        await client.serve_handlers()
        await client.invoke(flows.child, "a")

        async def leads_and_follows() -> bool:
            names = (await scrape(plane)).names
            return {"durable_snapshot_bytes", "durable_follower_lag"} <= names

        await eventually(leads_and_follows)
        return (await scrape(plane)).names


async def test_the_documented_series_are_the_series(every_series: set[str]) -> None:
    own = {it for it in every_series if it.startswith("durable_")}
    documented = series_of("docs/observability.md", "durable_")
    assert {it for it in documented if not it.startswith("durable_worker_")} == own


def expressions(node: Any) -> list[str]:
    """Returns all PromQL expressions of a dashboard."""
    if isinstance(node, dict):
        own = [node["expr"]] if "expr" in node else []
        queries = [node["query"]["query"]] if isinstance(node.get("query"), dict) else []
        return own + queries + [it for value in node.values() for it in expressions(value)]
    if isinstance(node, list):
        return [it for value in node for it in expressions(value)]
    return []


async def test_the_dashboard_queries_existing_series(every_series: set[str]) -> None:
    there = every_series | series_of("docs/observability.md", "durable_worker_")
    dashboard = json.loads(DASHBOARD.read_text())
    asked = expressions(dashboard)
    assert len(asked) > 15
    used = set()
    for expression in asked:
        names = set(re.findall(r"\b(?:durable|process)_\w+", expression))
        assert names, expression
        assert names <= there, expression
        used |= names
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    # Every series must be in a dashboard or document: an unused one costs memory.
    families = {
        re.sub(r"_(bucket|sum|count)$", "", it) for it in there if it.startswith("durable_")
    }
    assert {re.sub(r"_(bucket|sum|count)$", "", it) for it in used} >= families - {
        "durable_build_info", "durable_worker_sessions_total"
    }  # fmt: skip


async def test_builds_and_what_waits_for_them(plane: ControlPlane) -> None:
    @durable.workflow(versioning="pinned")
    async def waits(ctx: durable.Context) -> None:
        await ctx.awakeable("door")

    async def stored(build: str, name: str = "durable_invocations_pinned") -> float:
        return (await scrape(plane))(name, build=build)

    async with durable.AsyncClient(plane.address, timeout=30) as client:
        old = durable.Worker(plane.address, workflows=[waits], build_id="v1")
        running = asyncio.create_task(old.run())
        await old.ready()
        started = await client.invoke_async(waits)
        await eventually(lambda: stored("v1"))
        assert await stored("v1", "durable_build_workers") == 1
        old.stop()
        await running
        new = durable.Worker(plane.address, workflows=[waits], build_id="v2")
        running = asyncio.create_task(new.run())
        await new.ready()
        await client.resolve_awakeable("door")
        waiting = "durable_invocations_waiting_for_build"
        await eventually(lambda: stored("v1", waiting))
        assert await stored("v1", "durable_build_workers") == 0
        assert await stored("v2", "durable_build_workers") == 1
        assert await stored("v2", waiting) == 0
        await client.repin(started, "v2")
        await client.get_result(started)
        assert await stored("v1", waiting) == await stored("v1") == await stored("v2") == 0
        new.stop()
        await running


async def test_the_oldest_builds_share_a_name(
    plane: ControlPlane, channel: grpc.aio.Channel
) -> None:
    for number in range(BUILDS_MAX + 2):
        worker = ManualWorker(channel, f"worker-{number}")
        worker.hello.build_id = f"build-{number}"
        async with worker:
            pass
    samples = (await scrape(plane)).families["durable_build_workers"].samples
    named = {it.labels["build"] for it in samples}
    assert len(samples) == BUILDS_MAX + 1
    assert {f"build-{BUILDS_MAX + 1}", "build-2", OTHER} <= named
    assert not {"build-0", "build-1"} & named


async def test_counters_do_not_go_down_when_a_partition_leaves(tmp_path: Path) -> None:
    node = HostedNode(tmp_path / "a", MemoryStream())
    exposition = Exposition(node.router, Workers(), RpcTally())

    def ended() -> list[str]:
        text = exposition.render("")[0].decode()
        return [it for it in text.splitlines() if it.startswith("durable_invocations_ended_total{")]

    assert not ended()  # of a node that leads nothing
    for count in (1.0, 2.0, 3.0):
        processor = await node.host.lead()
        await node.register()
        await node.invoke(int(count))
        await processor.inputs.propose(CancelAsked(f"{int(count):032x}", force=True))
        expected = [
            f'durable_invocations_ended_total{{handler="work",outcome="cancelled"}} {count}'
        ]
        assert ended() == expected
        await node.host.release()
        assert ended() == expected
    await node.host.close()
