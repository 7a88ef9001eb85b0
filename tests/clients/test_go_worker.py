"""The worker in Go, against a real control plane: what worker.proto promises to workers.

Its handler prints a line for each step that it runs, so that a step that ran twice is seen.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from durable_proto.v1 import (
    control_pb2,
    control_pb2_grpc,
    invocation_pb2,
    payload_pb2,
    worker_pb2,
    worker_pb2_grpc,
)
from tests.clients.building import console, copied, go_worker, needs, script
from tests.support.processes import Child, control_plane, running, until
from tests.support.repository import ROOT

State = invocation_pb2.InvocationState
PROMISE = 2
"""The index of the promise in the handler's journal."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    return go_worker(tmp_path_factory.mktemp("go"))


class Shop:
    """A control plane, and workers that come and go."""

    def __init__(self, folder: Path, program: str, server: Child, address: str) -> None:
        self.folder, self.server, self.address = folder, server, address
        self._program = program
        self.output = folder / "worker.log"
        self.channel = grpc.insecure_channel(address)
        self.control: Any = control_pb2_grpc.DurableControlStub(self.channel)

    @contextmanager
    def worker(self) -> Iterator[Child]:
        with running([self._program, self.address], self.output) as child:
            self.until(lambda: "connected" in child.text(), child)
            yield child

    def until(self, condition: Callable[[], object], child: Child | None = None) -> None:
        until(condition, "sign of the worker", child)

    def lines(self) -> list[str]:
        """The lines that the steps have printed, in all workers of this test."""
        words = ("charged", "refunded", "mailed")
        return [it for it in self.output.read_text().splitlines() if it.startswith(words)]

    def order(self, **order: Any) -> str:
        request = control_pb2.InvokeRequest(
            handler="checkout",
            input=payload_pb2.Payload(data=json.dumps({"item": "tea", **order}).encode()),
        )
        return str(self.control.Invoke(request, wait_for_ready=True, timeout=30).invocation_id)

    def reached(
        self, invocation_id: str, condition: Callable[[invocation_pb2.Invocation], object]
    ) -> invocation_pb2.Invocation:
        """Watches the invocation until the condition holds."""
        request = control_pb2.WatchInvocationRequest(invocation_id=invocation_id)
        for change in self.control.WatchInvocation(request, wait_for_ready=True, timeout=30):
            if condition(change.invocation):
                return change.invocation
        raise AssertionError(f"the watch ended before that: {change.invocation}")

    def at_promise(self, invocation_id: str) -> invocation_pb2.Invocation:
        return self.reached(invocation_id, lambda it: it.journal_length > PROMISE)

    def ship(self, invocation_id: str) -> None:
        outcome = payload_pb2.Outcome(value=payload_pb2.Payload(data=b'{"parcel": "P1"}'))
        request = control_pb2.ResolveAwakeableRequest(
            awakeable_id=f"{invocation_id}.shipped", outcome=outcome
        )
        self.control.ResolveAwakeable(request)

    def result(self, invocation_id: str) -> control_pb2.GetResultResponse:
        request = control_pb2.GetResultRequest(
            invocation_id=invocation_id, wait_timeout=Duration(seconds=30), include_journal=True
        )
        response: control_pb2.GetResultResponse = self.control.GetResult(request, timeout=60)
        return response

    def completed(self, invocation_id: str) -> dict[str, str]:
        found = self.result(invocation_id)
        assert found.state == State.INVOCATION_STATE_COMPLETED, found
        receipt: dict[str, str] = json.loads(found.outcome.value.data)
        assert receipt["parcel"] == "P1"
        return receipt


@pytest.fixture
def shop(tmp_path: Path, program: str) -> Iterator[Shop]:
    with control_plane(tmp_path) as (server, address):
        shop = Shop(tmp_path, program, server, address)
        with shop.channel:
            yield shop


def test_journaled_steps_do_not_run_again_after_sigkill(shop: Shop) -> None:
    with shop.worker() as first:
        invocation_id = shop.order()
        shop.at_promise(invocation_id)
        first.kill()
    with shop.worker() as second:
        # A killed worker's work waits for it for a while, then goes to another.
        shop.ship(invocation_id)
        receipt = shop.completed(invocation_id)
        assert "attempt 2 at checkout, 3 journal entries" in second.text()
    assert shop.lines() == ["charged for tea", "mailed a receipt for tea"]
    journal = shop.result(invocation_id).journal
    assert [it.attempt for it in journal] == [1, 1, 1, 2]
    assert json.loads(journal[0].outcome.value.data) == receipt["charge"]


def test_a_failed_attempt_is_replayed(shop: Shop) -> None:
    with shop.worker() as worker:
        invocation_id = shop.order(busy=2)
        shop.ship(invocation_id)
        shop.completed(invocation_id)
        assert "attempt 3" in worker.text()
    assert shop.lines() == ["charged for tea", "mailed a receipt for tea"]


def test_a_step_whose_tries_are_used_up_is_seen_by_the_handler(shop: Shop) -> None:
    with shop.worker():
        invocation_id = shop.order(busy=9)
        shop.ship(invocation_id)
        found = shop.result(invocation_id)
    assert found.state == State.INVOCATION_STATE_FAILED
    assert "the mail server is busy" in found.outcome.failure.message
    mail = found.journal[PROMISE + 1]
    assert (mail.name, mail.failed_try_count) == ("mail", 4)
    assert "the mail server is busy" in mail.outcome.failure.message


def test_what_only_waits_is_suspended_and_woken_up(shop: Shop) -> None:
    with shop.worker() as worker:
        invocation_id = shop.order()
        shop.at_promise(invocation_id)
        shop.reached(invocation_id, lambda it: it.state == State.INVOCATION_STATE_SUSPENDED)
        shop.ship(invocation_id)
        shop.completed(invocation_id)
        assert "attempt 2" in worker.text()
    assert shop.lines() == ["charged for tea", "mailed a receipt for tea"]


def test_a_cancellation_is_seen_where_the_handler_waits(shop: Shop) -> None:
    with shop.worker():
        invocation_id = shop.order()
        shop.at_promise(invocation_id)
        shop.control.Cancel(control_pb2.CancelRequest(invocation_id=invocation_id))
        assert shop.result(invocation_id).state == State.INVOCATION_STATE_CANCELLED
    assert shop.lines() == ["charged for tea", "refunded tea"]


def test_pause_and_resume(shop: Shop) -> None:
    with shop.worker():
        invocation_id = shop.order()
        shop.at_promise(invocation_id)
        shop.control.Pause(control_pb2.PauseRequest(invocation_id=invocation_id))
        shop.reached(invocation_id, lambda it: it.state == State.INVOCATION_STATE_PAUSED)
        shop.ship(invocation_id)
        shop.control.Resume(control_pb2.ResumeRequest(invocation_id=invocation_id))
        shop.completed(invocation_id)
    assert shop.lines() == ["charged for tea", "mailed a receipt for tea"]


def test_signals_meet_waits_that_are_given_up(shop: Shop) -> None:
    """A wait times out every few milliseconds, and the worker is killed twice during that."""
    request = control_pb2.InvokeRequest(handler="collect", input=payload_pb2.Payload(data=b"60"))
    invocation_id = ""
    for first in (0, 20, 40):
        with shop.worker() as worker:
            invocation_id = invocation_id or shop.control.Invoke(request).invocation_id
            # With no signal there, the journal grows by waits that end by their timeouts.
            length = shop.reached(invocation_id, lambda it: it.attempt > 0).journal_length
            shop.reached(invocation_id, lambda it, least=length + 6: it.journal_length > least)
            for number in range(first, first + 20):
                sent = control_pb2.SignalRequest(invocation_id=invocation_id, name="number")
                sent.outcome.value.data = b"%d" % number
                shop.control.Signal(sent)
            worker.kill()
    with shop.worker():
        found = shop.result(invocation_id)
    assert json.loads(found.outcome.value.data) == list(range(60))
    given_up = [it for it in found.journal if it.kind == invocation_pb2.ENTRY_KIND_CANCEL]
    assert given_up, "no wait has ended by its timeout"


def test_a_rejection_is_terminal(shop: Shop) -> None:
    with shop.worker():
        invocation_id = shop.order()
        failure = payload_pb2.Failure(type="SoldOut", message="no tea today", terminal=True)
        shop.control.ResolveAwakeable(
            control_pb2.ResolveAwakeableRequest(
                awakeable_id=f"{invocation_id}.shipped",
                outcome=payload_pb2.Outcome(failure=failure),
            )
        )
        found = shop.result(invocation_id)
    assert found.state == State.INVOCATION_STATE_FAILED
    assert (found.outcome.failure.type, found.outcome.failure.message) == (
        "SoldOut", "no tea today",
    )  # fmt: skip


def test_a_journal_that_does_not_fit_is_held(shop: Shop) -> None:
    # Another program began it under the same name, and went.
    def words() -> Iterator[worker_pb2.SessionRequest]:
        hello = worker_pb2.Hello(protocol_version=1, worker_id="other", slot_count=1)
        hello.handlers.add(name="checkout")
        yield worker_pb2.SessionRequest(messages=[worker_pb2.WorkerMessage(hello=hello)])
        message = worker_pb2.WorkerMessage(invocation_id=invocations.get(), attempt=1)
        message.entry.kind = invocation_pb2.ENTRY_KIND_RUN
        message.entry.name = "weigh"
        message.entry.outcome.value.data = b"1"
        draining = worker_pb2.WorkerMessage(draining=worker_pb2.Draining())
        yield worker_pb2.SessionRequest(messages=[message, draining])

    invocations: queue.SimpleQueue[str] = queue.SimpleQueue()
    stub: Any = worker_pb2_grpc.DurableWorkerStub(shop.channel)
    invocation_id = ""
    for frame in stub.Session(words(), timeout=30):
        for message in frame.messages:
            if message.HasField("welcome"):
                invocation_id = shop.order()
            if message.HasField("start"):
                invocations.put(message.invocation_id)
    with shop.worker():
        found = shop.reached(invocation_id, lambda it: it.state == State.INVOCATION_STATE_PAUSED)
    assert found.last_failure.type == "durable.DeterminismError"
    assert found.last_failure.message == (
        "entry 0: the journal has RUN weigh, the program asks for RUN charge"
    )
    assert shop.lines() == []


def test_a_drain_gives_back_what_only_waits(shop: Shop) -> None:
    with shop.worker() as worker:
        invocation_id = shop.order()
        shop.at_promise(invocation_id)
        assert worker.terminate() == 0
    found = shop.reached(invocation_id, lambda _: True)
    assert found.state == State.INVOCATION_STATE_SUSPENDED
    with shop.worker():
        shop.ship(invocation_id)
        shop.completed(invocation_id)
    assert shop.lines() == ["charged for tea", "mailed a receipt for tea"]


def test_the_commands_of_the_readme(shop: Shop, tmp_path: Path) -> None:
    needs("go")
    readme = (ROOT / "examples/clients/go/worker/README.md").read_text()
    server, *start = console(readme)
    assert server == "durable server"
    copied(tmp_path, "gen/go", "examples/clients/go")
    lines = [f"cd {tmp_path}", *(it.replace("127.0.0.1:50051", shop.address) for it in start)]
    with running(["bash", "-ec", "\n".join(lines)], shop.output) as worker:
        shop.until(lambda: "connected" in worker.text(), worker)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        commands = console(readme.partition("Start one")[2])
        assert len(commands) == 3
        commands.insert(2, "durable watch $ID > /dev/null")
        printed = script(tmp_path, commands, PATH=path, DURABLE_ADDRESS=shop.address)
    assert "completed" in printed
    assert shop.lines() == ["charged for tea", "mailed a receipt for tea"]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_worker_outlives_its_control_plane(shop: Shop, how: signal.Signals) -> None:
    with shop.worker() as worker:
        invocation_id = shop.order()
        shop.at_promise(invocation_id)
        shop.server.process.send_signal(how)
        shop.server.process.wait(30)
        with control_plane(shop.folder, listen=shop.address, name="second"):
            shop.until(lambda: worker.text().count("connected; ") > 1, worker)
            shop.ship(invocation_id)
            shop.completed(invocation_id)
    assert shop.lines() == ["charged for tea", "mailed a receipt for tea"]
