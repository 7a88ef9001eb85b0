"""The checks of `durable doctor` for a cluster, from what its nodes say of each other.

Each node that answers has a view of its own. A view that lacks nodes which others have means that this
node is cut off; everything else is read from the view with the most nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from .checks import FAIL, OK, WARN, Check

if TYPE_CHECKING:
    import durable

_LAG: Final = 2000
"""Batches; a partition does not move to a follower that is further behind."""
_SHOWN: Final = 8


def cluster_checks(views: Sequence[durable.Cluster]) -> Iterator[Check]:
    """Checks a cluster as its nodes see it; nothing for a control plane that is none."""
    views = [it for it in views if it.answering_node]
    if not views:
        return
    view = max(views, key=lambda it: len(it.nodes))
    checks = [
        *_leaders(view),
        *_views(views, view),
        *_followers(view),
        *_versions(view),
        *_drained(view),
    ]
    if not checks:
        nodes, count = len(view.nodes), len(view.partitions)
        text = f"{nodes} node{'s' * (nodes != 1)}, {count} partitions, each with a leader"
        checks.append(Check(OK, "cluster", text, ""))
    yield from checks


def _leaders(view: durable.Cluster) -> Iterator[Check]:
    if view.leaderless:
        yield Check(
            FAIL,
            "cluster",
            f"no node leads {_partitions(view.leaderless)}",
            "their invocations wait; after 5 s another node should lead them: see the nodes' logs",
        )


def _views(views: Sequence[durable.Cluster], widest: durable.Cluster) -> Iterator[Check]:
    for view in views:
        known = {it.name for it in view.nodes}
        missing = sorted({it.name for it in widest.nodes} - known)
        if missing:
            yield Check(
                WARN,
                "cluster",
                f"node {view.answering_node} does not know {_list(missing)}, which node"
                f" {widest.answering_node} knows",
                "that node is cut off from NATS: see its log, and the network of its machine",
            )
    if len(widest.nodes) == 1:
        yield Check(
            WARN,
            "cluster",
            f"node {widest.answering_node} is alone: nobody takes over when it fails",
            "start the other nodes",
        )


def _followers(view: durable.Cluster) -> Iterator[Check]:
    behind = [
        f"{one.node} by {one.lag} batches in partition {it.partition}"
        for it in view.partitions
        for one in it.followers
        if one.lag > _LAG
    ]
    if behind:
        yield Check(
            WARN,
            "cluster",
            f"followers are behind: {_list(behind)}",
            "a takeover takes as long as they need: look at the CPU and the disk of these nodes",
        )
    others = sum(not it.draining for it in view.nodes) - 1
    wanted = min(view.standby_count, others)
    few = [
        it.partition
        for it in view.partitions
        if it.leader is not None and len(it.followers) < wanted
    ]
    if few:
        yield Check(
            WARN,
            "cluster",
            f"{_partitions(few)} with less than {wanted} follower{'s' * (wanted != 1)}",
            "nothing, if it passes: a follower begins with a snapshot; else see the nodes' logs",
        )


def _versions(view: durable.Cluster) -> Iterator[Check]:
    versions: dict[str, list[str]] = {}
    for it in view.nodes:
        versions.setdefault(it.version, []).append(it.name)
    if len(versions) > 1:
        text = "; ".join(f"{version} on {_list(names)}" for version, names in versions.items())
        yield Check(WARN, "cluster", f"different versions: {text}", "end the upgrade")


def _drained(view: durable.Cluster) -> Iterator[Check]:
    names = [it.name for it in view.nodes if it.draining and not it.stopping]
    if names:
        yield Check(
            WARN,
            "cluster",
            f"drained: {_list(names)}",
            f"to undo: durable cluster drain {names[0]} --undo",
        )


def _partitions(numbers: Sequence[int]) -> str:
    return f"partition{'s' * (len(numbers) != 1)} {_list(map(str, numbers))}"


def _list(texts: Iterable[str]) -> str:
    shown = [*texts]
    more = f" and {len(shown) - _SHOWN} more" * (len(shown) > _SHOWN)
    return ", ".join(shown[:_SHOWN]) + more
