"""The worker session: the protocol of worker.proto, against a scripted control plane.

Tests name the rule of worker.proto that they check. The peer is a real gRPC server; to simulate a
network failure, a test cuts a relay between the two.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Literal

import grpc
import pytest

import durable
from durable._worker import time_bounds
from durable._worker.build_id import default_build_id
from durable_proto.v1 import invocation_pb2, worker_pb2

from .peers import (
    BOUND,
    PeerSession,
    Refused,
    WorkerPeer,
    about,
    ack,
    completion,
    start,
    wire,
)
from .workers import ID, OTHER, Gate, running, three_steps, waits


async def _run_three_steps(session: PeerSession, invocation_id: str, number: int = 1) -> None:
    for index, (name, value) in enumerate([("first", "x1"), ("second", "x12"), ("third", "x123")]):
        entry = await session.next("entry")
        assert (entry.invocation_id, entry.attempt) == (invocation_id, number)
        assert entry.entry.index == index
        assert entry.entry.kind == invocation_pb2.ENTRY_KIND_RUN
        assert entry.entry.name == name
        assert entry.entry.outcome.value.data.decode() == f'"{value}"'
        await session.send(ack(entry, index + 1))
    finished = await session.next("finished")
    assert finished.finished.outcome.value.data == b'"x123"'


async def test_hello_comes_first_and_says_what_is_served(peer: tuple[WorkerPeer, str]) -> None:
    async with running(peer[1], identity="me", build_id="b1", max_concurrent=7) as worker:
        session = await peer[0].accept()
        hello = session.hello
        assert hello.protocol_version == 1
        assert hello.worker_id == worker.worker_id
        assert (hello.identity, hello.build_id, hello.slot_count) == ("me", "b1", 7)
        assert [spec.name for spec in hello.handlers] == ["three_steps", "waits"]
        assert not hello.resumed
        await asyncio.wait_for(worker.ready(), BOUND)
        assert worker.statistics().connected


@durable.workflow(versioning="pinned")
async def stays(ctx: durable.Context) -> None:
    """Says that it is pinned."""


@durable.workflow(versioning="auto")
async def moves(ctx: durable.Context) -> None:
    """Says that it is not."""


@durable.object("says")
class Says:
    @durable.handler(versioning="pinned")
    async def stays(self, ctx: durable.Context) -> None: ...

    @durable.shared(versioning="auto")
    async def moves(self, ctx: durable.Context) -> None: ...

    @durable.handler
    async def nothing(self, ctx: durable.Context) -> None: ...


@pytest.mark.parametrize("default", ["auto", "pinned"])
async def test_hello_says_who_goes_on(
    peer: tuple[WorkerPeer, str], default: Literal["auto", "pinned"]
) -> None:
    async with running(peer[1], waits, stays, moves, Says, versioning=default):
        hello = (await peer[0].accept()).hello
    pinned = {it.name: it.versioning == invocation_pb2.VERSIONING_PINNED for it in hello.handlers}
    assert pinned == {
        "waits": default == "pinned",
        "stays": True,
        "moves": False,
        "says.stays": True,
        "says.moves": False,
        "says.nothing": default == "pinned",
    }


async def test_hello_names_the_build(
    peer: tuple[WorkerPeer, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DURABLE_BUILD_ID", raising=False)
    async with running(peer[1]):
        session = await peer[0].accept()
        default = session.hello.build_id
        assert default == default_build_id([three_steps, waits])
        session.finish()
        assert (await peer[0].accept()).hello.build_id == default
    monkeypatch.setenv("DURABLE_BUILD_ID", "from-environment\n")
    async with running(peer[1]):
        assert (await peer[0].accept()).hello.build_id == "from-environment"
    async with running(peer[1], build_id="given"):
        assert (await peer[0].accept()).hello.build_id == "given"


async def test_a_worker_that_is_stopped_while_it_finds_its_build(
    peer: tuple[WorkerPeer, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DURABLE_BUILD_ID", raising=False)
    worker = durable.Worker(peer[1], workflows=[waits])
    running = asyncio.create_task(worker.run())
    await asyncio.sleep(0)
    worker.stop()
    await asyncio.wait_for(running, BOUND)


def test_a_build_that_is_no_text() -> None:
    with pytest.raises(TypeError, match="build_id is 7, and must be a text"):
        durable.Worker(workflows=[waits], build_id=7)  # type: ignore[arg-type]


def test_a_policy_that_there_is_not() -> None:
    with pytest.raises(ValueError, match="a worker: versioning is 'pin', and must be"):
        durable.Worker(workflows=[waits], versioning="pin")  # type: ignore[arg-type]


async def test_a_workflow_of_three_steps(peer: tuple[WorkerPeer, str]) -> None:
    async with running(peer[1]) as worker:
        session = await peer[0].accept()
        await session.send(start(ID, "three_steps", '"x"'))
        await _run_three_steps(session, ID)
        statistics = worker.statistics()
        assert statistics.attempts_started == statistics.attempts_finished == 1
        assert statistics.steps_run == 3
        assert statistics.attempts_running == 0


async def test_no_step_goes_on_before_its_ack(peer: tuple[WorkerPeer, str]) -> None:
    """Rule 3: the program does not see an outcome before its Ack."""
    async with running(peer[1]):
        session = await peer[0].accept(heartbeat=0.05)
        await session.send(start(ID, "three_steps", '"x"'))
        entry = await session.next("entry")
        # Two heartbeats, because there was nothing else to send.
        await session.next("heartbeat")
        await session.next("heartbeat")
        await session.send(ack(entry, 1))
        assert (await session.next("entry")).entry.name == "second"


async def test_replay_goes_on_from_the_journal(peer: tuple[WorkerPeer, str]) -> None:
    """Rule 5: a journaled step does not run again."""
    entry = invocation_pb2.JournalEntry(
        index=0, kind=invocation_pb2.ENTRY_KIND_RUN, name="first", completion_number=1, attempt=1
    )
    entry.outcome.value.content_type = "application/json"
    entry.outcome.value.data = b'"journaled"'
    async with running(peer[1]):
        session = await peer[0].accept()
        await session.send(start(ID, "three_steps", '"x"', attempt=2, journal=[entry]))
        second = await session.next("entry")
        assert (second.entry.index, second.attempt) == (1, 2)
        assert second.entry.outcome.value.data == b'"journaled2"'
        await session.send(ack(second, 2))
        third = await session.next("entry")
        await session.send(ack(third, 3))
        finished = await session.next("finished")
        assert finished.finished.outcome.value.data == b'"journaled23"'


async def test_a_reconnect_resumes_and_sends_again_what_was_not_acknowledged(
    peer: tuple[WorkerPeer, str],
) -> None:
    """Rule 9: the connection is cut while one step runs and another's outcome has no ack."""
    gate = Gate()
    async with wire(peer[1]) as relay, running(relay.address, gate.workflow(), three_steps) as it:
        session = await peer[0].accept()
        await session.send(start(ID, "gated"), start(OTHER, "three_steps", '"x"'))
        entries = [await session.next("entry"), await session.next("entry")]
        before = next(entry for entry in entries if entry.invocation_id == ID)
        await session.send(ack(before, 1))
        await asyncio.wait_for(gate.begun.wait(), BOUND)

        relay.cut()
        session = await peer[0].accept()

        resumed = {(owned.invocation_id, owned.attempt) for owned in session.hello.resumed}
        assert resumed == {(ID, 1), (OTHER, 1)}
        assert session.hello.worker_id == it.worker_id
        await _run_three_steps(session, OTHER)
        gate.open.set()
        entry = await session.next("entry")
        assert (entry.invocation_id, entry.entry.index) == (ID, 1)
        await session.send(ack(entry, 2))
        assert (await session.next("finished")).finished.outcome.value.data == b'"before,passed"'
        assert gate.runs == 1
        assert it.statistics().sessions == 2


async def test_final_messages_are_sent_again_after_a_reconnect(
    peer: tuple[WorkerPeer, str],
) -> None:
    """A final message has no ack, so one that was sent just before the cut is sent again."""
    async with wire(peer[1]) as relay, running(relay.address):
        session = await peer[0].accept()
        await session.send(start(ID, "three_steps", '"x"'))
        await _run_three_steps(session, ID)
        relay.cut()
        session = await peer[0].accept()
        assert [owned.invocation_id for owned in session.hello.resumed] == [ID]
        await session.send(about(ID, 1, "abandon"))
        finished = await session.next("finished")
        assert (finished.invocation_id, finished.attempt) == (ID, 1)


async def test_a_step_that_ends_while_there_is_no_session(peer: tuple[WorkerPeer, str]) -> None:
    gate = Gate()
    async with wire(peer[1]) as relay, running(relay.address, gate.workflow()):
        session = await peer[0].accept()
        await session.send(start(ID, "gated"))
        await session.send(ack(await session.next("entry"), 1))
        await asyncio.wait_for(gate.begun.wait(), BOUND)
        relay.cut()
        session = await peer[0].accept(welcome=False)
        gate.open.set()
        await asyncio.wait_for(gate.left.wait(), BOUND)
        await session.welcome()
        entry = await session.next("entry")
        assert entry.entry.index == 1
        await session.send(ack(entry, 2))
        await session.next("finished")


async def test_a_failure_that_waits_for_a_step_survives_a_reconnect(
    peer: tuple[WorkerPeer, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait of a failed attempt for its other steps stays bounded on the next session."""
    monkeypatch.setattr(time_bounds, "ENDING_SECONDS_MAX", 1.0)
    hangs, fails = Gate(), Gate()

    @durable.workflow
    async def two_steps(ctx: durable.Context) -> None:
        async def fail() -> None:
            await fails.pass_through()
            raise ConnectionError("refused")

        await asyncio.gather(ctx.run("hangs", hangs.pass_through), ctx.run("fails", fail))

    async with wire(peer[1]) as relay, running(relay.address, two_steps):
        session = await peer[0].accept()
        await session.send(start(ID, "two_steps"))
        await asyncio.wait_for(fails.begun.wait(), BOUND)
        relay.cut()
        fails.open.set()
        session = await peer[0].accept()
        failed = (await session.next("attempt_failed")).attempt_failed
        assert failed.failure.message == "refused"


async def test_completions_that_were_seen_are_not_delivered_twice(
    peer: tuple[WorkerPeer, str],
) -> None:
    async with running(peer[1]):
        session = await peer[0].accept()
        await session.send(start(ID, "waits"))
        entry = await session.next("entry")
        assert entry.entry.kind == invocation_pb2.ENTRY_KIND_SLEEP
        assert not entry.entry.HasField("outcome")
        await session.send(ack(entry, 0), completion(entry, 1), completion(entry, 1))
        assert (await session.next("finished")).finished.outcome.value.data == b'"slept"'


async def test_only_the_owned_attempt_counts(peer: tuple[WorkerPeer, str]) -> None:
    """Rule 2: a message about another attempt is dropped."""
    async with running(peer[1]):
        session = await peer[0].accept()
        await session.send(start(ID, "waits", attempt=3))
        entry = await session.next("entry")
        other = worker_pb2.WorkerMessage()
        other.CopyFrom(entry)
        other.attempt = 2
        await session.send(about(ID, 2, "abandon"), ack(other, 0), completion(other, 1))
        await session.send(ack(entry, 0), completion(entry, 1))
        assert (await session.next("finished")).attempt == 3


async def test_abandon_stops_the_step_that_runs(peer: tuple[WorkerPeer, str]) -> None:
    gate = Gate()
    async with running(peer[1], gate.workflow()) as worker:
        session = await peer[0].accept()
        await session.send(start(ID, "gated"))
        await session.send(ack(await session.next("entry"), 1))
        await asyncio.wait_for(gate.begun.wait(), BOUND)
        await session.send(about(ID, 1, "abandon"))
        await asyncio.wait_for(gate.cancelled.wait(), BOUND)
        assert worker.statistics().attempts_running == 0
        assert worker.statistics().attempts_abandoned == 1
        # The next message is about another invocation.
        await session.send(start(OTHER, "gated"))
        assert (await session.next("entry")).invocation_id == OTHER


async def test_a_silent_control_plane_is_left(peer: tuple[WorkerPeer, str]) -> None:
    """Rule 9: a worker that receives nothing for the session timeout closes the stream."""
    async with running(peer[1]) as worker:
        session = await peer[0].accept(heartbeat=0.05, silence=0.2)
        again = await peer[0].accept()
        assert again.hello.worker_id == session.hello.worker_id
        await asyncio.wait_for(worker.ready(), BOUND)


async def test_drain_by_the_control_plane_reconnects(peer: tuple[WorkerPeer, str]) -> None:
    """Rule 10: the worker keeps its attempts and reconnects."""
    gate = Gate()
    async with running(peer[1], gate.workflow()):
        session = await peer[0].accept()
        await session.send(start(ID, "gated"))
        await session.send(ack(await session.next("entry"), 1))
        await asyncio.wait_for(gate.begun.wait(), BOUND)
        await session.send(about("", 0, "drain"))
        session = await peer[0].accept()
        assert [owned.invocation_id for owned in session.hello.resumed] == [ID]
        gate.open.set()
        assert (await session.next("entry")).entry.index == 1


async def test_stop_lets_attempts_end_and_half_closes(peer: tuple[WorkerPeer, str]) -> None:
    gate = Gate()
    worker = durable.Worker(peer[1], workflows=[gate.workflow(), three_steps])
    run = asyncio.create_task(worker.run())
    session = await peer[0].accept(heartbeat=0.05)
    await session.send(start(ID, "gated"))
    await session.send(ack(await session.next("entry"), 1))
    await asyncio.wait_for(gate.begun.wait(), BOUND)

    worker.stop()
    await session.next("draining")
    # A Start that crossed the Draining is given back; heartbeats go on.
    await session.send(start(OTHER, "three_steps", '"x"'))
    assert (await session.next("released")).invocation_id == OTHER
    await session.next("heartbeat")
    assert worker.statistics().draining
    gate.open.set()
    await session.send(ack(await session.next("entry"), 2))
    await session.next("finished")
    await session.closed()
    session.finish()
    await asyncio.wait_for(run, BOUND)


async def test_stop_gives_back_what_does_not_end_in_time(peer: tuple[WorkerPeer, str]) -> None:
    gate = Gate()
    worker = durable.Worker(peer[1], workflows=[gate.workflow()], drain_timeout=0.05)
    run = asyncio.create_task(worker.run())
    session = await peer[0].accept()
    await session.send(start(ID, "gated"))
    await session.send(ack(await session.next("entry"), 1))
    await asyncio.wait_for(gate.begun.wait(), BOUND)
    worker.stop()
    await session.next("draining")
    released = await session.next("released")
    assert (released.invocation_id, released.attempt) == (ID, 1)
    await session.closed()
    session.finish()
    await asyncio.wait_for(run, BOUND)
    assert gate.cancelled.is_set()


async def test_stop_suspends_what_only_waits(peer: tuple[WorkerPeer, str]) -> None:
    worker = durable.Worker(peer[1], workflows=[waits], suspend_after=None)
    run = asyncio.create_task(worker.run())
    session = await peer[0].accept()
    await session.send(start(ID, "waits"))
    await session.send(ack(await session.next("entry"), 0))
    # The next round trip shows that the ack was handled.
    await session.send(start(OTHER, "waits"))
    await session.next("entry")
    worker.stop()
    await session.next("draining")
    assert (await session.next("suspend")).invocation_id == ID
    await session.send(about(ID, 1, "suspended"), about(OTHER, 1, "abandon"))
    await session.closed()
    session.finish()
    await asyncio.wait_for(run, BOUND)


async def test_a_second_stop_does_not_wait(peer: tuple[WorkerPeer, str]) -> None:
    gate = Gate()
    worker = durable.Worker(peer[1], workflows=[gate.workflow()])
    run = asyncio.create_task(worker.run())
    session = await peer[0].accept()
    await session.send(start(ID, "gated"))
    await session.send(ack(await session.next("entry"), 1))
    await asyncio.wait_for(gate.begun.wait(), BOUND)
    worker.stop()
    await session.next("draining")
    worker.stop()
    assert (await session.next("draining")).WhichOneof("message")
    await session.next("released")
    await session.closed()
    session.finish()
    await asyncio.wait_for(run, BOUND)


async def test_stop_without_a_control_plane_ends_at_once() -> None:
    worker = durable.Worker("127.0.0.1:1", workflows=[waits])
    run = asyncio.create_task(worker.run())
    await asyncio.sleep(0)
    worker.stop()
    await asyncio.wait_for(run, BOUND)


async def test_a_refused_hello_is_an_error(peer: tuple[WorkerPeer, str]) -> None:
    worker = durable.Worker(peer[1], workflows=[waits])
    run = asyncio.create_task(worker.run())
    session = await peer[0].accept(welcome=False)
    session.finish(
        Refused(
            grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", "bad slots", {"field": "slot_count"}
        )
    )
    with pytest.raises(durable.InvalidArgumentError, match="bad slots") as caught:
        await asyncio.wait_for(run, BOUND)
    assert caught.value.metadata == {"field": "slot_count"}


async def test_an_unavailable_control_plane_is_tried_again(peer: tuple[WorkerPeer, str]) -> None:
    async with running(peer[1]) as worker:
        session = await peer[0].accept(welcome=False)
        session.finish(Refused(grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE", "starting"))
        await peer[0].accept()
        await asyncio.wait_for(worker.ready(), BOUND)


async def test_an_unknown_handler_is_given_back(peer: tuple[WorkerPeer, str]) -> None:
    async with running(peer[1]):
        session = await peer[0].accept()
        await session.send(start(ID, "unheard_of"))
        assert (await session.next("released")).invocation_id == ID


async def test_sync_steps_run_in_threads_beside_each_other(peer: tuple[WorkerPeer, str]) -> None:
    meeting = threading.Barrier(2)

    @durable.workflow
    async def meets(ctx: durable.Context) -> str:
        def meet() -> str:
            meeting.wait(BOUND)
            return threading.current_thread().name

        return await ctx.run("meet", meet)

    async with running(peer[1], meets):
        session = await peer[0].accept()
        await session.send(start(ID, "meets"), start(OTHER, "meets"))
        names = {(await session.next("entry")).entry.outcome.value.data for _ in range(2)}
        assert len(names) == 2
        assert all(b"durable-step" in name for name in names)


async def test_many_attempts_share_frames(peer: tuple[WorkerPeer, str]) -> None:
    """Messages that accumulate go into one frame: far fewer frames than messages."""

    async def at_once() -> int:
        return 1

    @durable.workflow
    async def quick(ctx: durable.Context) -> int:
        return await ctx.run("one", at_once) + await ctx.run("two", at_once)

    count = 200
    async with running(peer[1], quick) as worker:
        session = await peer[0].accept()
        await session.send(*(start(f"{n:032x}", "quick") for n in range(count)))
        finished = 0
        while finished < count:
            messages = await session.frame()
            finished += sum(message.HasField("finished") for message in messages)
            acks = [ack(it, it.entry.index + 1) for it in messages if it.HasField("entry")]
            if acks:
                await session.send(*acks)
        statistics = worker.statistics()
        assert statistics.messages_sent == 3 * count
        assert statistics.frames_sent < statistics.messages_sent / 10


async def test_a_value_over_the_limit_fails_with_its_name(peer: tuple[WorkerPeer, str]) -> None:
    @durable.workflow
    async def large(ctx: durable.Context) -> str:
        return await ctx.run("large", lambda: "x" * 2_000_000)

    async with running(peer[1], large):
        session = await peer[0].accept()
        await session.send(start(ID, "large"))
        (message,) = await session.frame()
        assert "payload_bytes" in str(message)


async def test_a_large_batch_is_split_into_frames(peer: tuple[WorkerPeer, str]) -> None:
    """No frame is over 4 MiB, gRPC's default limit, which this peer keeps."""

    @durable.workflow
    async def heavy(ctx: durable.Context) -> int:
        await ctx.run("heavy", lambda: "x" * 1_000_000)
        return 1

    count = 12
    async with running(peer[1], heavy):
        session = await peer[0].accept()
        await session.send(*(start(f"{n:032x}", "heavy") for n in range(count)))
        seen = {(await session.next("entry")).invocation_id for _ in range(count)}
        assert len(seen) == count


async def test_a_value_that_no_frame_can_hold_ends_its_invocation(
    peer: tuple[WorkerPeer, str],
) -> None:
    """It must not end one session after the other, and the attempt must not stay open."""

    @durable.workflow
    async def huge(ctx: durable.Context) -> str:
        return "x" * 5_000_000

    async with running(peer[1], huge, three_steps) as worker:
        session = await peer[0].accept()
        await session.send(start(ID, "huge"))
        held = await session.next("held")
        assert held.held.failure.type == "durable.PayloadTooLarge"
        await session.send(start(OTHER, "three_steps", '"x"'))
        await _run_three_steps(session, OTHER)
        assert worker.statistics().attempts_running == 0
        assert worker.statistics().sessions == 1


async def test_a_worker_runs_once() -> None:
    worker = durable.Worker("127.0.0.1:1", workflows=[waits])
    worker.stop()
    await worker.run()
    with pytest.raises(RuntimeError, match="runs once"):
        await worker.run()
