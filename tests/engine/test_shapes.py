"""Every shape of program, killed at every boundary and completed in every kind of order.

What must hold: the outcome is the same, no step whose outcome is in the journal runs again (the
harness asserts it), and the journal that came about replays, from every prefix of it, to the same
commands and the same end.
"""

from __future__ import annotations

from typing import Any

import pytest

from durable._definitions.workflow import Workflow

from .harness import Recorded, World, ended, last_message
from .shapes import RACING, STEADY

SEEDS = 25


def names(workflow: Workflow[..., Any]) -> str:
    return workflow.name


def check_replays(world: World) -> None:
    """A replay of the whole journal reaches the same end without a command or a step."""
    attempt = world.replay()
    message = last_message(attempt)
    assert message.WhichOneof("message") == "finished", message
    assert ended(message.finished) == world.end
    assert len(attempt.outbox) == 1
    assert not attempt.tasks


def check_prefixes(world: World, *, seed: int | None, same_end: bool) -> None:
    """The attempt after a crash goes on from the last commit."""
    for boundary in range(len(world.history) + 1):
        next_world = world.fork(boundary, seed=seed)
        end = next_world.run()
        assert end.kind == "finished", (boundary, end)
        assert next_world.history[:boundary] == world.history[:boundary]
        assert next_world.failures == []
        if same_end:
            assert end == world.end, boundary
        check_replays(next_world)


@pytest.mark.parametrize("workflow", STEADY, ids=names)
def test_outcome_is_the_same_whatever_the_order_and_wherever_it_crashes(
    workflow: Workflow[..., Any],
) -> None:
    world = World(workflow)
    assert world.run().get() == STEADY[workflow]
    check_replays(world)
    check_prefixes(world, seed=None, same_end=True)
    for seed in range(SEEDS):
        other = World(workflow, seed=seed, suspend=0.5)
        assert other.run().get() == STEADY[workflow], seed
        check_replays(other)
        if seed < 5:
            check_prefixes(other, seed=seed + 1000, same_end=True)


@pytest.mark.parametrize("workflow", [*STEADY, *RACING], ids=names)
def test_the_same_order_gives_the_same_commands_and_the_same_outcome(
    workflow: Workflow[..., Any],
) -> None:
    for seed in range(SEEDS):
        first, second = World(workflow, seed=seed), World(workflow, seed=seed)
        assert first.run() == second.run()
        assert first.commands == second.commands
        assert first.history == second.history


@pytest.mark.parametrize("workflow", RACING, ids=names)
def test_outcome_of_a_race_follows_from_its_journal(workflow: Workflow[..., Any]) -> None:
    outcomes = set()
    for seed in range(SEEDS):
        world = World(workflow, seed=seed, suspend=0.5)
        outcomes.add(str(world.run().get()))
        check_replays(world)
        if seed < 8:
            check_prefixes(world, seed=seed + 1000, same_end=False)
    assert len(outcomes) > 1 or workflow.name == "chance", "the orders did not differ"


def test_a_program_without_races_has_the_same_commands_in_every_order() -> None:
    """Without races, even the entries are the same, and only the order of completions differs."""
    for workflow in STEADY:
        if workflow.name in ("sequence", "gathered", "sleeps", "timeout_fires", "step_fails"):
            expected = World(workflow)
            expected.run()
            for seed in range(SEEDS):
                world = World(workflow, seed=seed)
                world.run()
                assert world.commands == expected.commands


def test_cancellation_is_delivered_in_the_order_of_completions() -> None:
    """Wherever in the history cancellation is requested, a replay sees it at the same point."""
    for workflow in [*STEADY, *RACING]:
        for boundary in range(1, 8):
            world = World(workflow, seed=boundary, cancel_after=boundary)
            end = world.run()
            replayed = last_message(world.replay())
            assert replayed.WhichOneof("message") == "finished", (workflow, boundary)
            assert ended(replayed.finished) == end
            recorded = [it for it in world.history if isinstance(it, Recorded)]
            assert len(recorded) == len(world.commands)
            for cut in range(boundary, len(world.history) + 1):
                assert world.fork(cut, seed=cut).run().kind == "finished"
