"""The options of a control plane of several processes: each mistake is one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from durable_server.config import Config, ConfigError, default_partitions


def test_a_process_has_the_addresses_of_all_and_a_name_of_its_own() -> None:
    config = Config(processes=3, listen="0.0.0.0:0", insecure=True, partitions=6, http="0.0.0.0:0")
    config.check()
    own = config.of_process(2, "0.0.0.0:50051", "0.0.0.0:8080")
    own.check()
    assert (own.node, own.listen, own.http) == ("p2", "0.0.0.0:50051", "0.0.0.0:8080")
    # The parent has made the system, and nobody follows where all have the same stores.
    assert (own.partitions, own.standbys) == (0, 0)


def test_a_new_system_has_partitions_for_more_and_fewer_processes() -> None:
    counts = {it: default_partitions(it) for it in (1, 2, 3, 4, 5, 6, 8, 12, 16, 256)}
    assert counts == {1: 12, 2: 12, 3: 12, 4: 12, 5: 15, 6: 12, 8: 16, 12: 12, 16: 16, 256: 256}


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"node": "a"}, "--processes 2 does not go with --node a: its processes are the nodes"),
        ({"peers": "p1=127.0.0.1:1"}, "--processes 2 does not go with --peers p1=127.0.0.1:1"),
        ({"standbys": 2}, "--standbys 2 is for a node of a cluster; the processes of --processes"),
        ({"node_listen": "127.0.0.1:1"}, "--node-listen 127.0.0.1:1 is for a node of a cluster"),
        ({"advertise": "a"}, "--advertise a is for a node of a cluster"),
        ({"cluster": "green"}, "--cluster green is for a cluster of embedded NATS servers"),
        (
            {"cluster_secret_file": Path("/nowhere")},
            "--cluster-secret-file /nowhere is for a cluster",
        ),
        ({"replicas": 3}, "--replicas 3 needs a NATS cluster"),
        ({"snapshots": "cluster"}, "--snapshots cluster needs an external NATS system"),
        ({"partitions": 300}, "--partitions 300 is not a number from 1 to 256"),
    ],
)
def test_a_mistake_is_one_line(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        Config(processes=2, **settings).check()
    assert "\n" not in str(caught.value)
