"""`durable log`: it shows the log of a control plane that runs, or of one that is stopped."""

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from durable_server.core.entry_kinds import EntryKind
from durable_server.core.messages import (
    MESSAGE_NUMBERS,
    AwaitEnd,
    CancelInvocation,
    CompleteEntry,
    DeploymentsChanged,
    ReleaseAwakeable,
    StartChild,
)
from durable_server.core.model import Deployment, Failure, Handler, Route
from durable_server.core.outcomes import NULL_OUTCOME
from durable_server.core.records import (
    NUMBERS,
    AttemptFailed,
    EpochStarted,
    FailedStep,
    HandlerRegistered,
    Invoked,
    OutboxAcknowledged,
    Received,
    Repinned,
    Restarted,
    StateEdited,
    TimerFired,
)
from durable_server.log import batch, frame
from durable_server.log.interface import Position
from durable_server.log.jetstream import JetStreamLog
from durable_server.log_format import TEMPLATES, is_about, messages_about, to_json, to_text
from durable_server.nats.connection import Connection
from durable_server.nats.datadir import DataDir
from durable_server.nats.embedded import EmbeddedNats
from tests.support.processes import control_plane, durable, running, until

from .conftest import Cli, Run, run


def ask(folder: Path, *arguments: str) -> Run:
    done = run("log", "--data-dir", str(folder), *arguments)
    assert done.code == 0, done
    return done


def batches(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(it) for it in ask(folder, *arguments, "--json").out.splitlines()]


def test_what_happened_to_one_invocation(cli: Cli) -> None:
    invocation_id = cli.ok("invoke", "broken", '"no tea"', "--async").out.strip()
    until(lambda: cli.status(invocation_id) == "failed", "end")
    told = ask(cli.data_dir, "--invocation", invocation_id)
    lines = [it.strip() for it in told.out.splitlines() if not it.startswith("#")]
    assert lines[0] == f'{invocation_id} is invoked: broken input="no tea"'
    assert lines[1].startswith(f"{invocation_id} attempt 1 goes to worker ")
    assert lines[2].startswith(f"{invocation_id} step 0: RUN attempt=1 name=reserve outcome=")
    assert lines[-1].startswith(f"{invocation_id} ends attempt=1 outcome=")
    assert "no tea" in lines[-1]
    (asked,) = [
        record
        for batch in batches(cli.data_dir, "--invocation", invocation_id)
        for record in batch["records"]
        if record["type"] == "Invoked"
    ]
    assert (asked["handler"], asked["input"]) == ("broken", '"no tea"')
    unknown = uuid.uuid4().hex
    nothing = ask(cli.data_dir, "--invocation", unknown)
    assert nothing.out == ""
    assert nothing.err == f"nothing here concerns {unknown}: check the id, or --from\n"


def test_a_range_while_it_runs_and_when_it_does_not(tmp_path: Path) -> None:
    with control_plane(tmp_path) as (child, address):
        command = durable("worker", "tests.cli.flows", "--address", address)
        with running(command, tmp_path / "worker.log") as worker:
            until(lambda: run("workers", "--json", address=address).json, "worker", worker)
            assert run("invoke", "greet", address=address).code == 0
        before = batches(tmp_path / "data")
        # A control plane that runs has the lock, and its server answers.
        assert before[0]["records"][0]["type"] == "EpochStarted"
        assert [it["sequence"] for it in before] == list(range(1, len(before) + 1))
        assert [it["number"] for it in before] == list(range(len(before)))
        assert [
            it["sequence"] for it in batches(tmp_path / "data", "--from", "2", "--to", "3")
        ] == ([2, 3])
        child.terminate()
    after = batches(tmp_path / "data")
    # It has not written; only the worker's leaving may have come in between.
    assert after[: len(before)] == before
    assert batches(tmp_path / "data") == after
    told = ask(tmp_path / "data", "--from", "1", "--to", "1").out.splitlines()
    assert told[0].startswith("#1  epoch 1 batch 0  2")
    assert told[1].startswith("  epoch 1 begins, led by ")
    refused = run("log", "--data-dir", str(tmp_path / "data"), "--follow")
    assert (refused.code, refused.out) == (4, "")
    assert "nothing to follow" in refused.err


async def _pass_over(_position: Position, _body: bytes) -> None:
    pass


async def write_by_hand(folder: Path) -> None:
    """Writes a log with rare records, whose first two frames are trimmed."""
    nats = EmbeddedNats(folder / "nats")
    await nats.start()
    try:
        written = JetStreamLog(nats.endpoint)
        fence = batch.encode(batch.Batch(1000, [EpochStarted(1, "first")]))
        await written.take_over(Position(), _pass_over, lambda _: fence)
        for number in range(3):
            fired = [TimerFired(f"id-{number}")]
            await written.append(batch.encode(batch.Batch(2000 + number, fired)))
        await written.append(b"from the future")
        await written.trim(3)
        await written.close()
        connection = await Connection.open(await nats.endpoint(), name="by hand")
        dead = frame.encode(1, 3, 1, 2, 7, batch.encode(batch.Batch(9000, [])))
        for data in (dead, b"not a frame"):
            await connection.call(b"durable.log.0", data, 5.0)
        connection.abort()
    finally:
        await nats.stop()


def test_a_log_with_all_that_can_be_wrong(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    DataDir(folder).close()
    asyncio.run(write_by_hand(folder))
    found = batches(folder)
    assert [it["sequence"] for it in found] == [3, 4, 5, 6, 7]
    assert [it["trouble"].partition(" ")[0] for it in found] == [
        "",
        "",
        "cannot",
        "dead:",
        "damaged:",
    ]
    told = ask(folder)
    assert "what was before 3 has been trimmed" in told.err
    assert "id-1 timer fires: wake time" in told.out
    assert "dead: another leader was here" in told.out
    # From the middle the same frames count.
    assert batches(folder, "--from", "5") == found[2:]
    (only,) = batches(folder, "--invocation", "id-2")
    assert only["sequence"] == 4


def test_following(cli: Cli, tmp_path: Path) -> None:
    command = durable("log", "--data-dir", str(cli.data_dir), "--follow", "--from", "1")
    with running(command, tmp_path / "followed") as child:
        until(lambda: "begins, led by" in child.text(), "beginning", child)
        invocation_id = cli.ok("invoke", "greet", '"log"', "--async").out.strip()
        until(lambda: f"{invocation_id} ends" in child.text(), "end", child)


@pytest.mark.parametrize(
    "arguments", [("--nats", "http://here"), ("--nats", "nats://127.0.0.1:1"), ()]
)
def test_where_there_is_no_log(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run("log", "--data-dir", str(tmp_path / "none"), *arguments)
    assert (done.code, done.out) == (4, "")
    assert len(done.err.splitlines()) == 1
    assert not (tmp_path / "none").exists()


def test_every_record_has_a_sentence() -> None:
    assert TEMPLATES.keys() == {*NUMBERS, *MESSAGE_NUMBERS}


def test_records_as_sentences() -> None:
    asked = Invoked("id-1", "greet", b'\x12\x05"you"', "k" * 200, parent="id-0", start_ms=1000)
    assert to_text(asked, 10) == (
        'id-1 is invoked: greet input="you" key=kkkkkkkkk… start_ms=1970-01-0… parent=id-0'
    )
    assert to_text(TimerFired("id-1"), 80) == "id-1 timer fires: wake time"
    assert to_text(TimerFired("id-1", 4), 80) == "id-1 timer fires: step 4"
    assert to_text(EpochStarted(2, "host:1"), 80) == "epoch 2 begins, led by host:1"
    edited = StateEdited("cart\0ann", (("n", b"\x12\x011"), ("m", None)))
    assert to_text(edited, 80) == (
        'state of cart/ann is changed from outside values={"n": "1", "m": null}'
    )
    assert to_json(edited)["values"] == {"n": "1", "m": None}
    failure = Failure("E", "down", b"")
    failed = AttemptFailed(
        "id-1", 2, failure, 0.5, 100, 0, EntryKind.RUN, "one",
        (FailedStep(1, EntryKind.CALL, "two", failure),),
    )  # fmt: skip
    other = {"entry_index": 1, "kind": "CALL", "name": "two", "failure": "E: down"}
    assert to_json(failed)["other_steps"] == [other]
    assert to_text(failed, 200).endswith(f"name=one other_steps={json.dumps([other])}")
    assert is_about(asked, "id-0")
    assert not is_about(asked, "id")


def test_a_handler_is_found_by_its_name() -> None:
    registered = HandlerRegistered(Handler("greet", version="7"))
    assert to_text(registered, 80) == "handler greet version 7 is registered"
    assert to_json(registered)["handler"]["retry"]["max_attempts"] == 50


def test_messages_between_partitions_as_sentences() -> None:
    start = StartChild(
        "id-1", "greet", b'\x12\x05"you"', "", (), "", "", "", 0, 0, "id-0", 4, awaited=True
    )
    assert to_text(start, 80) == (
        'id-1 is to start as a child: greet input="you" parent=id-0 entry_index=4 awaited=true'
    )
    assert to_text(AwaitEnd("id-1", "id-0", 0), 80) == "id-0 step 0 waits for the end of id-1"
    assert to_text(CancelInvocation("id-1", "late", "me"), 80) == (
        "id-1 is to be cancelled reason=late identity=me"
    )
    complete = CompleteEntry("id-0", 4, b"", "x")
    received = Received(2, 7, (start, complete, ReleaseAwakeable("door", "id-9")))
    assert to_text(received, 80) == "partition 2 has sent messages 7 to 9"
    assert to_text(Received(2, 7, (start,)), 80) == "partition 2 has sent message 7"
    assert to_text(OutboxAcknowledged(1, 9), 80) == "partition 1 has the messages up to 9"
    assert messages_about(received, "") == list(enumerate(received.messages, 7))
    assert messages_about(received, "id-0") == [(7, start), (8, complete)]
    assert messages_about(received, "id-9") == [(9, received.messages[2])]
    assert [is_about(received, it) for it in ("id-1", "id-9", "id-2")] == [True, True, False]
    (only,) = to_json(received, "id-1")["messages"]
    assert (only["sequence"], only["type"], only["input"]) == (7, "StartChild", '"you"')
    assert [it["sequence"] for it in to_json(received)["messages"]] == [7, 8, 9]


def test_forks_and_builds_as_sentences_and_as_json() -> None:
    """Values within these fields are decoded too: JSON has no bytes."""
    new, old = "a" * 32, "b" * 32
    edited = Restarted(new, old, 2, outcomes=((1, NULL_OUTCOME),))
    assert to_text(edited, 80) == (
        f'{new} begins anew, from {old} from_index=2 outcomes={{"1": "null"}}'
    )
    assert json.loads(json.dumps(to_json(edited)))["outcomes"] == {"1": "null"}
    changed = DeploymentsChanged((Deployment("v1", (), 1, 7),), (Route("order", "v1"),))
    told = json.loads(json.dumps(to_json(changed)))
    assert told["deployments"][0]["build_id"] == told["routes"][0]["build_id"] == "v1"
    assert to_text(Repinned(new, "v2"), 80) == f"{new} is moved to build v2"
    assert to_text(Repinned(new, ""), 80) == f"{new} is moved to build any"
