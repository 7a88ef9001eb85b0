"""The command line at a node of a cluster, and of a control plane that is none."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.cli.conftest import Run, run
from tests.server.partitioned import invoke_in
from tests.support.manual_worker import ManualWorker
from tests.support.processes import control_plane

from .relay_nodes import PARTITIONS, Cluster, cluster


async def command(nodes: Cluster, *arguments: str) -> Run:
    done = await asyncio.to_thread(run, *arguments, address=nodes["a"].address)
    assert done.code == 0, done
    return done


async def test_what_has_no_leader_is_named_on_stderr() -> None:
    async with cluster(a=[0], b=[1], c=[2]) as nodes:
        async with ManualWorker(nodes["a"].channel):
            made = [await invoke_in(nodes["a"].control, index) for index in range(PARTITIONS)]
        await nodes["b"].release(1)
        missing = "warning: invocations are missing: no node leads partition 1 now\n"
        not_counted = "warning: invocations are not counted: no node leads partition 1 now\n"
        listed = await command(nodes, "list", "--json")
        assert {it["invocation_id"] for it in listed.json} == {made[0], made[2]}
        assert listed.err == missing
        counted = await command(nodes, "stats", "--json")
        assert (counted.json["total"], counted.json["missing_partitions"]) == (2, [1])
        assert counted.err == not_counted
        assert (await command(nodes, "handlers", "--json")).err == not_counted
        planned = await command(nodes, "cancel", "--all", "--dry-run", "--json")
        assert len(planned.json["invocations"]) == 2
        assert planned.err == missing


async def test_the_cluster_is_shown() -> None:
    async with cluster(a=[0], b=[1], c=[2]) as nodes:
        await nodes["c"].release(2)
        shown = await command(nodes, "cluster")
        assert shown.out.splitlines() == [
            "NODE  ADDRESS     VERSION    STATE    LEADS  FOLLOWS",
            "a     an address  a version  serving  1      0",
            "b     an address  a version  serving  1      0",
            "c     an address  a version  serving  0      0",
            "",
            "PARTITION  LEADER  EPOCH  POSITION  FOLLOWERS",
            "0          a       1      -         -",
            "1          b       1      -         -",
            "2          none    -      -         -",
        ]
        assert shown.err.splitlines() == [
            "3 nodes, 3 partitions",
            "warning: requests for some invocations wait: no node leads partition 2 now",
        ]
        told = (await command(nodes, "cluster", "--json")).json
        assert told["answering_node"] == "a"
        assert [it["leader"] for it in told["partitions"]] == ["a", "b", None]


async def test_doctor_names_a_partition_without_a_leader() -> None:
    async with cluster(a=[0], b=[1], c=[2]) as nodes:
        await nodes["c"].release(2)
        addresses = ",".join(nodes[it].address for it in "abc")
        checked = await asyncio.to_thread(run, "doctor", "--address", addresses, "--json")
        assert checked.code == 1
        (found,) = [it for it in checked.json if it["name"] == "cluster"]
        assert (found["verdict"], found["found"]) == ("fail", "no node leads partition 2")


def test_one_process_is_one_node(tmp_path: Path) -> None:
    with control_plane(tmp_path, "--partitions", "2") as (_, address):
        told: dict[str, Any] = run("cluster", "--json", address=address).json
        (node,) = told["nodes"]
        assert (node["name"], node["address"]) == ("", address)
        assert node["led_partitions"] == [0, 1]
        assert [(it["leader"], it["epoch"]) for it in told["partitions"]] == [("", 1), ("", 1)]
        assert all(it["position"] > 0 for it in told["partitions"])
        assert len(told["system_id"]) == 32
        shown = run("cluster", address=address)
        assert shown.out.splitlines()[1].split() == [
            "-",
            address,
            node["version"],
            "serving",
            "2",
            "0",
        ]
        assert shown.err == f"1 node, 2 partitions; system {told['system_id']}, format level 1\n"
