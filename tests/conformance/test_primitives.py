"""Each primitive as a client sees it: its result, also after pauses, kills and restarts."""

from __future__ import annotations

import asyncio

import pytest

import durable

from . import primitives
from .conftest import EVERYWHERE
from .effects import calls
from .system import System

pytestmark = EVERYWHERE
WORKFLOWS = primitives.WORKFLOWS


async def test_state_is_kept(system: System) -> None:
    assert await system.client.invoke(primitives.stateful, 5) == [7, ["m", "n"], "none"]


async def test_an_awakeable_resolved_by_a_client(system: System) -> None:
    invocation_id = await system.client.invoke_async(primitives.approved)
    awakeable_id = await calls.reached(1)
    await system.client.resolve_awakeable(awakeable_id, {"ok": True})
    result = await system.client.get_result(invocation_id, primitives.approved)
    assert result.value() == "got {'ok': True}"
    await system.client.resolve_awakeable(awakeable_id, {"ok": True})
    with pytest.raises(durable.AlreadyExistsError):
        await system.client.resolve_awakeable(awakeable_id, {"ok": False})


async def test_an_awakeable_rejected(system: System) -> None:
    invocation_id = await system.client.invoke_async(primitives.approved)
    await system.client.reject_awakeable(await calls.reached(1), "too much")
    result = await system.client.get_result(invocation_id)
    assert result.status == "failed"


async def test_an_awakeable_resolved_while_its_invocation_is_paused(
    system: System,
) -> None:
    invocation_id = await system.client.invoke_async(primitives.approved)
    awakeable_id = await calls.reached(1)
    await system.until(invocation_id, "running", "suspended")
    await system.client.pause(invocation_id)
    await system.until(invocation_id, "paused")
    await system.client.resolve_awakeable(awakeable_id, "kept")
    assert (await system.client.get(invocation_id)).status == "paused"
    await system.client.resume(invocation_id)
    assert (await system.client.get_result(invocation_id)).value() == "got kept"


async def test_an_awakeable_over_a_restart_of_the_control_plane(system: System) -> None:
    invocation_id = await system.client.invoke_async(primitives.approved)
    awakeable_id = await calls.reached(1)
    await system.restart()
    await system.client.resolve_awakeable(awakeable_id, "again")
    assert (await system.client.get_result(invocation_id)).value() == "got again"


async def test_promises_and_signals_from_another_workflow(system: System) -> None:
    invocation_id = await system.client.invoke_async(primitives.named)
    await system.client.invoke(primitives.mediator, invocation_id)
    assert (await system.client.get_result(invocation_id)).value() == [7, "a", "b"]


async def test_a_timeout_around_an_awakeable(system: System) -> None:
    assert await system.client.invoke(primitives.in_time) == "late"


async def test_two_hundred_children(system: System) -> None:
    assert await system.client.invoke(primitives.fan_out, 200) == sum(it * it for it in range(200))


async def test_a_childs_failure_is_its_parents_exception(system: System) -> None:
    assert await system.client.invoke(primitives.asks_what_fails) == "409 not possible"


async def test_a_cancelled_parent_cancels_what_it_awaits(system: System) -> None:
    invocation_id = await system.client.invoke_async(primitives.parent)
    await calls.reached(1)
    [child] = (await system.client.query(handler="forever")).invocations
    await system.client.cancel(invocation_id, reason="enough")
    await system.until(invocation_id, "cancelled")
    await system.until(child.invocation_id, "cancelled")
    assert calls == ["begun forever", "tidied forever"]


async def test_a_child_that_takes_too_long_is_cancelled(system: System) -> None:
    assert await system.client.invoke(primitives.impatient) == "gave up"
    [child] = (await system.client.query(handler="forever")).invocations
    await system.until(child.invocation_id, "cancelled")


@pytest.mark.parametrize("order", ["fast", "slow"])
async def test_a_saga_compensates_on_failure_and_on_cancel(system: System, order: str) -> None:
    invocation_id = await system.client.invoke_async(primitives.saga, order)
    if order == "slow":
        await system.journaled(invocation_id, 3)
        await system.client.cancel(invocation_id)
    status = await system.until(invocation_id, "failed", "cancelled")
    assert status == ("cancelled" if order == "slow" else "failed")
    undone = [f"undo hotel {order}", f"undo flight {order}"]
    assert calls == [f"flight {order}", f"hotel {order}", *undone]


async def test_a_forced_cancel_ends_without_cleanup(system: System) -> None:
    invocation_id = await system.client.invoke_async(primitives.forever)
    await calls.reached(1)
    assert await system.client.cancel(invocation_id, force=True) == "cancelled"
    assert calls == ["begun forever"]


async def test_one_at_a_time_on_a_key_in_the_order_of_arrival(system: System) -> None:
    one, two = system.client.options(key="one"), system.client.options(key="two")
    ids = [await one.invoke_async(primitives.Counter.add, 2**number) for number in range(8)]
    assert await two.invoke(primitives.Counter.add, 5) == 5
    values = [(await one.get_result(it, primitives.Counter.add)).value() for it in ids]
    assert values == [2 ** (number + 1) - 1 for number in range(8)]
    assert await one.invoke(primitives.Counter.value) == 255


async def test_an_object_has_the_handlers_of_its_bases(system: System) -> None:
    """Under its own name, so with a state of its own."""
    one = system.client.options(key="one")
    assert await one.invoke(primitives.Counter.add, 1) == 1
    assert await one.invoke(primitives.Doubled.add, 5) == 5
    assert await one.invoke(primitives.Doubled.double) == 10
    assert await one.invoke(primitives.Doubled.value) == 10
    assert await one.invoke(primitives.Counter.value) == 1


async def test_sends_are_done_once(system: System) -> None:
    ids = await system.client.invoke(primitives.sends, "k")
    values = [(await system.client.get_result(it)).value() for it in ids]
    assert values == [1, 11]


async def test_a_handlers_timeout(system: System) -> None:
    with pytest.raises(durable.InvocationFailedError, match="TimedOut"):
        await system.client.invoke(primitives.timed)


async def test_a_steps_own_policy_and_timeout(system: System) -> None:
    assert await system.client.invoke(primitives.stubborn) == "ValueError: no"
    assert calls == ["tried"] * 3
    assert await system.client.invoke(primitives.slow_step) == "TimeoutError"


async def test_a_step_may_be_tried_for_some_time(system: System) -> None:
    assert await system.client.invoke(primitives.patient_for_a_while) == "ValueError: still not"
    assert len(calls) > 1


@pytest.mark.parametrize("kills", range(1, 7))
async def test_the_same_outcome_whenever_the_worker_dies(system: System, kills: int) -> None:
    """The worker is killed after each change of the journal, as often as `kills` says."""
    work = asyncio.gather(
        system.client.invoke(primitives.stateful, 5),
        system.client.invoke(primitives.sends, "k"),
        system.client.invoke(primitives.fan_out, 5),
        system.client.invoke(primitives.in_time),
        system.client.invoke(primitives.asks_what_fails),
        system.client.options(key="z").invoke(primitives.Counter.add, 3),
    )
    for number in range(kills):
        # The effects come at different times in the six; whatever is under way then is lost.
        await asyncio.wait(
            {work, asyncio.ensure_future(calls.reached(number + 1))},
            return_when="FIRST_COMPLETED",
        )
        await system.kill()
        await system.employ()
    outcomes = await work
    assert outcomes[0] == [7, ["m", "n"], "none"]
    assert outcomes[2:] == [30, "late", "409 not possible", 3]
    assert [(await system.client.get_result(it)).value() for it in outcomes[1]] == [1, 11]
