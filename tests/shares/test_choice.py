"""Which worker gets an invocation: one that has dialled this node, unless it is clearly busier."""

from __future__ import annotations

from contextlib import closing

import pytest

from durable_server.core.apply import step
from durable_server.core.effects import Dispatch
from durable_server.core.limits import Limits
from durable_server.core.partition import Partition
from durable_server.core.records import AttemptReleased, Invoked, Started
from durable_server.processor.deliveries import Deliveries
from durable_server.processor.inputs import Inputs
from durable_server.processor.queue import Wanted
from durable_server.processor.subscriptions import Subscriptions
from durable_server.processor.workers import Workers, freest
from durable_server.rpc.session_writer import SessionWriter
from durable_server.sessions.times import SessionTimes
from durable_server.store.sqlite import SqliteStore

ID = "0" * 32


def connect(workers: Workers, worker_id: str, slots: int, *, entry_node: str = "") -> None:
    worker = workers.expect(worker_id)
    worker.handlers = {"w": "1"}
    worker.share.units = slots
    worker.entry_node = entry_node
    workers.connect(worker, SessionWriter(Limits(), SessionTimes()), 0)


@pytest.mark.parametrize(
    ("here", "elsewhere", "chosen"),
    [(10, 10, "here"), (6, 10, "here"), (4, 10, "elsewhere"), (0, 1, "elsewhere")],
)
async def test_a_worker_of_this_node_comes_first_until_it_is_busier(
    here: int, elsewhere: int, chosen: str
) -> None:
    workers = Workers()
    connect(workers, "elsewhere", elsewhere, entry_node="b")
    connect(workers, "here", here)
    worker = freest(workers.candidates(Wanted("w")))
    assert worker is not None
    assert worker.id == chosen


@pytest.mark.parametrize("entry_node", ["", "b"])
async def test_of_equal_workers_the_one_with_the_most_free_slots_is_chosen(entry_node: str) -> None:
    workers = Workers()
    for worker_id, slots in (("full", 0), ("busy", 3), ("idle", 4)):
        connect(workers, worker_id, slots, entry_node=entry_node)
    worker = freest(workers.candidates(Wanted("w")))
    assert worker is not None
    assert worker.id == "idle"


@pytest.mark.parametrize(("pinned", "sent"), [(True, False), (False, True)])
async def test_an_attempt_is_not_sent_to_another_build_than_the_log_says(
    pinned: bool, sent: bool
) -> None:
    """Without a journal too: the one that it would begin is pinned to the build in the log."""
    workers, limits = Workers(), Limits()
    connect(workers, "w-1", 10)
    inputs = Inputs(limits, Subscriptions())
    started = Started(ID, 1, "w-1", "1", "v1", pinned)
    output = step(Partition(), [Invoked(ID, "w", None), started], 1)
    (dispatch,) = (it for it in output.effects if isinstance(it, Dispatch))
    workers.expect("w-1").build_id = "v2"  # it has come back since it was chosen
    with closing(SqliteStore(":memory:")) as store:
        Deliveries(store, limits, workers, inputs).dispatch(dispatch)
    released = [it.record for it in inputs.waiting]
    assert released == ([] if sent else [AttemptReleased(ID, 1)])
