"""The options of nodes whose embedded NATS servers form a cluster: each mistake is one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from durable_server.config import Config, ConfigError

LOCAL = "a=127.0.0.1:6222,b=127.0.0.1:6223,c=127.0.0.1:6224"
REMOTE = "a=10.0.0.1:6222,b=10.0.0.2:6222,c=10.0.0.3:6222"
SECRET = "0123456789abcdef"


def config(**settings: Any) -> Config:
    return Config(**{"node": "a", "peers": LOCAL, **settings})


def test_on_loopback_nothing_else_is_needed() -> None:
    it = config()
    it.check()
    assert it.routes is not None
    assert (it.routes.cluster, it.routes.node, it.routes.secret) == ("durable", "a", "")
    assert (it.copies, it.shares_nats) == (3, True)


def test_a_single_peer_is_a_server_on_its_own() -> None:
    it = config(peers="a=127.0.0.1:6222")
    it.check()
    assert it.routes is None
    assert (it.copies, it.shares_nats) == (1, False)


def test_beyond_loopback_with_a_secret(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    for secret in ({"cluster_secret": SECRET}, {"cluster_secret_file": file}):
        it = config(peers=REMOTE, insecure=True, cluster="green", **secret)
        it.check()
        assert it.routes is not None
        assert (it.routes.cluster, it.routes.secret) == ("green", SECRET)
        assert SECRET not in repr(it)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"peers": ""}, "--node a needs a NATS system .*--nats URL, or .*--peers NAME=HOST:PORT"),
        ({"node": ""}, "--peers needs the name of this node: add --node NAME"),
        ({"node": "d"}, "--node d is not in --peers, which has a, b, c"),
        ({"nats_url": "nats://h:4222"}, "--peers is for embedded .*; keep one"),
        ({"peers": "a=127.0.0.1:1,b=127.0.0.1:2"}, "--peers: 2 nodes are no cluster"),
        ({"peers": "a"}, "--peers: 'a' is not NAME=HOST:PORT"),
        ({"replicas": 5}, "--replicas 5 needs as many NATS servers, and --peers has 3"),
        ({"replicas": 2}, "--replicas 2 is not 1, 3 or 5"),
        ({"cluster": "a b"}, "--cluster: .*'a b'"),
        ({"peers": REMOTE, "insecure": True}, "beyond loopback need a secret.*CLUSTER_SECRET"),
        (
            {"peers": REMOTE, "cluster_secret": SECRET},
            "no TLS; add --tls-cert .* or add --insecure",
        ),
        ({"cluster_secret": "short"}, "has 5 characters and needs 16; make one with"),
        (
            {"cluster_secret_file": Path("/nowhere")},
            "--cluster-secret-file /nowhere cannot be read",
        ),
        ({"cluster_secret": SECRET, "cluster_secret_file": Path("/nowhere")}, "both set; keep one"),
    ],
)
def test_a_mistake_is_one_line(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        config(**settings).check()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "settings", [{"cluster": "green"}, {"cluster_secret_file": Path("/nowhere")}]
)
def test_what_is_for_a_cluster_is_refused_without_peers(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"is for a cluster of embedded NATS servers.*--peers"):
        Config(**settings).check()
