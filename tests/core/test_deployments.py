"""Builds and routes where there are many: what is forgotten, what a message tells, who gets a share."""

from __future__ import annotations

from durable_server.core import ids
from durable_server.core.apply import step
from durable_server.core.deployments import BUILDS_MAX, chosen_build
from durable_server.core.messages import DeploymentsChanged
from durable_server.core.model import Route
from durable_server.core.partition import Partition
from durable_server.core.records import (
    BuildDrained,
    BuildPromoted,
    BuildRolledBack,
    DeploymentRegistered,
    Received,
)


def register(partition: Partition, *builds: str, handlers: tuple[str, ...] = ("w",)) -> None:
    step(partition, [DeploymentRegistered(it, handlers) for it in builds], 1)


def test_the_oldest_build_that_no_route_names_is_forgotten() -> None:
    partition, other = Partition(count=2), Partition(index=1, count=2)
    register(partition, *(f"v{number}" for number in range(4)))
    step(partition, [BuildPromoted("v0"), BuildPromoted("v3"), BuildPromoted("v1", percent=5)], 2)
    register(partition, *(f"v{number}" for number in range(4, BUILDS_MAX)))
    assert len(partition.deployments) == BUILDS_MAX
    output = step(partition, [DeploymentRegistered(f"w{it}", ("w",)) for it in range(2)], 3)
    # v0 was current before v3, and v1 is being ramped up.
    assert len(partition.deployments) == BUILDS_MAX
    assert [it for it in ("v0", "v1", "v2", "v3", "v4", "v5") if it in partition.deployments] == [
        *("v0", "v1", "v3", "v5")
    ]
    messages = tuple(it.message for it in output.changes.outbox)
    step(other, [Received(0, 1, messages)], 4)
    assert [*other.deployments] == ["w0", "w1"]
    # A build that is registered again after that is a new one.
    register(partition, "v2")
    assert partition.deployments["v2"].number == BUILDS_MAX + 3


def test_a_build_in_use_is_not_forgotten() -> None:
    """Its workers would register it again, as the latest build, and get all that is new."""
    partition = Partition()
    register(partition, *(f"v{number}" for number in range(BUILDS_MAX)))
    step(partition, [DeploymentRegistered("w0", ("w",), ("v0", "v2"))], 2)
    step(partition, [DeploymentRegistered("w1", ("w",), ("v0", "v2"))], 3)
    assert [it for it in ("v0", "v1", "v2", "v3") if it in partition.deployments] == ["v0", "v2"]
    step(partition, [DeploymentRegistered("w2", ("w",), tuple(partition.deployments))], 4)
    assert len(partition.deployments) == BUILDS_MAX + 1


def test_a_build_that_becomes_current_because_another_one_ramps_does_not_drain() -> None:
    partition, other = Partition(count=2), Partition(index=1, count=2)
    register(partition, "v1", "v2")
    register(other, "v1", "v2")
    step(partition, [BuildPromoted("v2"), BuildDrained("v1")], 2)
    assert partition.deployments["v1"].draining
    output = step(partition, [BuildPromoted("v2", percent=50)], 3)
    assert partition.routes["w"][:4] == ("w", "v1", "v2", 50)
    assert not partition.deployments["v1"].draining
    step(other, [Received(0, 1, tuple(it.message for it in output.changes.outbox))], 4)
    assert not other.deployments["v1"].draining


def test_the_messages_of_a_change_do_not_depend_on_how_a_leader_has_got_the_routes() -> None:
    """One that has read them in a store has them in another order, and may send the other parts."""
    handlers = tuple(sorted(f"w{number}" for number in range(150)))
    told: list[list[object]] = []
    for order in (handlers, handlers[::-1]):
        partition = Partition(count=2)
        register(partition, "v1", "v2", handlers=handlers)
        step(partition, [BuildPromoted("v2", (it,)) for it in order], 2)
        output = step(partition, [BuildRolledBack("v2")], 3)
        told.append([it.message for it in output.changes.outbox])
    assert told[0] == told[1]


def test_a_promotion_of_many_handlers_is_told_in_parts() -> None:
    partition, other = Partition(count=2), Partition(index=1, count=2)
    handlers = tuple(sorted(f"w{number}" for number in range(250)))
    register(partition, "v1", handlers=handlers)
    output = step(partition, [BuildPromoted("v1", reason="r" * 1000)], 2)
    messages = [it.message for it in output.changes.outbox]
    told = [it for it in messages if isinstance(it, DeploymentsChanged)]
    assert [len(it.routes) for it in told] == [100, 100, 50]
    step(other, [Received(0, 1, tuple(told))], 3)
    assert [*other.routes] == [*handlers]
    assert {it.build_id for it in other.routes.values()} == {"v1"}


def test_a_share_is_that_of_ids_and_only_grows() -> None:
    chosen: set[str] = set()
    invoked = [ids.from_name("request", "w", "", str(number)) for number in range(4000)]
    for percent in (1, 10, 50, 99):
        route = Route("w", "v1", "v2", percent)
        now = {it for it in invoked if chosen_build(route, it) == "v2"}
        assert now >= chosen
        assert abs(len(now) - 40 * percent) < 150
        chosen = now
