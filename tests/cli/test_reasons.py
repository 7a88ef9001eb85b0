"""Why an invocation has not ended, as the command line explains it, and which command helps."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

import durable
from durable_cli import journal_lines
from durable_proto.v1 import invocation_pb2
from tests.support.processes import control_plane, running, until
from tests.support.processes import durable as command

from .conftest import Cli, Run

NOBODY = "0" * 32


def waited(cli: Cli, handler: str, *arguments: str) -> Run:
    """Waits a moment for what does not end."""
    done = cli("invoke", handler, *arguments, "--timeout", "300ms")
    assert done.code == 6, done
    assert done.err.count("\n") == 1
    assert "goes on: " in done.err
    return done


def test_a_suspended_or_running_invocation_shows_what_it_waits_for(cli: Cli) -> None:
    assert "a timer, due in 10m" in waited(cli, "nap").err
    assert "the signal 'price'" in waited(cli, "patient").err
    text = waited(cli, "approval").err
    assert "it waits for the awakeable" in text
    assert ".approved VALUE` gives it one" in text
    assert "runs it" in waited(cli, "slow", "600").err
    later = waited(cli, "greet", "--delay", "1h").err
    assert "it starts in " in later
    cli.ok("cancel", "--all", "--yes", "--force")


def test_what_fails_is_tried_now_by_resume(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "file"
    text = waited(cli, "unsteady", f'"{path}"').err
    invocation_id = text.split()[2]
    assert "tried again: ConnectionError: the bank is closed; attempt 2 begins in " in text
    assert f"`durable resume {invocation_id}` now" in text
    # Only earlier: it fails again, and that counts.
    assert cli.ok("resume", invocation_id).out.split() == [invocation_id, "pending"]
    until(lambda: cli.status(invocation_id) == "backing_off", "the second failure")
    assert cli.ok("get", invocation_id, "--json").json["attempt"] == 2
    path.write_text("open")
    # Filters choose it too.
    assert cli.ok("resume", "--handler", "unsteady", "--yes").out.split()[0] == invocation_id
    until(lambda: cli.status(invocation_id) == "completed", "its end")
    assert cli("resume", invocation_id).code == 5


def test_a_paused_invocation_shows_why(cli: Cli) -> None:
    invocation_id = cli.start("nap", "--idempotency-key", "paused", steps=2)
    cli.ok("pause", invocation_id, "--reason", "to look at it")
    done = cli("invoke", "nap", "--idempotency-key", "paused", "--timeout", "5s")
    assert done.code == 1
    assert "is paused: it is paused by " in done.err
    assert "to look at it; `durable resume" in done.err
    cli.ok("cancel", invocation_id, "--force")


def test_an_invocation_that_no_worker_serves_shows_it(cli: Cli, tmp_path: Path) -> None:
    module = tmp_path / "once_served.py"
    module.write_text(
        "import durable\n@durable.workflow\nasync def once_served(ctx: durable.Context) -> None: ..."
    )
    arguments = command("worker", str(module), "--address", cli.address, "--build-id", "build-7")
    with running(arguments, tmp_path / "log") as worker:

        def builds() -> list[str]:
            return [it["build_id"] for it in cli.ok("workers", "--json").json]

        until(lambda: "build-7" in builds(), "the worker with its build", worker)
        cli.ok("invoke", "once_served")
        assert worker.terminate() == 0
    until(lambda: "build-7" not in builds(), "the worker's end")
    text = waited(cli, "once_served").err
    assert "no worker serves once_served; start one: durable worker MODULE" in text
    cli.ok("cancel", "--handler", "once_served", "--yes")


def test_describe_shows_the_state_that_was_set(cli: Cli, tmp_path: Path) -> None:
    invocation_id = cli.start("approval", steps=2)
    text = cli.ok("describe", invocation_id).out
    (line,) = [it for it in text.splitlines() if "SET_STATE:asked" in it]
    assert "pending" not in line
    assert line.split()[-1] == "true"
    entries = cli.ok("describe", invocation_id, "--json").json["journal"]
    assert {it["kind"]: it["completed"] for it in entries} == {
        "SET_STATE": True,
        "AWAKEABLE": False,
    }
    cli.ok("cancel", invocation_id, "--force")


def test_describe_shows_steps_that_fail() -> None:
    found = invocation_pb2.Invocation(state=invocation_pb2.INVOCATION_STATE_BACKING_OFF)
    found.wake_time.FromJsonString("2030-01-01T00:01:00Z")
    step = found.failing_steps.add(
        index=3, kind=invocation_pb2.ENTRY_KIND_RUN, name="charge", failed_try_count=4
    )
    step.first_failure_time.FromJsonString("2030-01-01T00:00:00Z")
    step.last_failure_time.FromJsonString("2030-01-01T00:00:30Z")
    step.last_failure.type = "ConnectionError"
    step.last_failure.message = "the bank is closed"
    head, failure = map(click.unstyle, journal_lines.failing_lines(durable.Invocation(found)))
    assert head.startswith("  3 RUN:charge  4 tries failed  first 2030-01-01T00:00:00.000Z  last ")
    assert "next 2030-01-01T00:01:00.000Z" in head
    assert failure.strip() == "ConnectionError: the bank is closed"
    (data,) = durable.Invocation(found).to_dict()["failing_steps"]
    assert (data["step_number"], data["kind"], data["failed_try_count"]) == (3, "RUN", 4)
    assert data["last_failure"]["message"] == "the bank is closed"
    entry = invocation_pb2.JournalEntry(kind=invocation_pb2.ENTRY_KIND_RUN, failed_try_count=1)
    assert "after 1 try that failed" in journal_lines.entry_text(durable.JournalEntry(entry), None)


def test_resolve_prints_its_effect(cli: Cli) -> None:
    invocation_id = cli.start("approval")
    awakeable = f"{invocation_id}.approved"
    done = cli.ok("resolve", awakeable, '{"by": "ann"}')
    assert done.err == f"{awakeable} is resolved, for invocation {invocation_id}\n"
    again = cli.ok("resolve", awakeable, '{"by": "ann"}', "--json")
    assert "had been resolved with the same before" in again.err
    assert (again.json["result"], again.json["repeated"]) == ("resolved", True)
    other = cli("resolve", awakeable, "false")
    assert (other.code, other.out) == (5, "")
    assert 'another outcome, a value: {"by":"ann"}; the first one counts' in other.err
    assert other.err.count("\n") == 1
    rejected = cli("reject", awakeable, "no")
    assert rejected.code == 5
    early = cli.ok("resolve", "nobody-yet", "1")
    assert "no invocation has asked for it yet" in early.err
    assert cli("reject", "nobody-yet", "no").code == 5


def test_failures_are_found_by_their_type(cli: Cli) -> None:
    cli("invoke", "broken", '"sold out"', "--service", "typed")
    for text in ("TerminalError", "sold out", "TerminalError: sold"):
        found = cli.ok("list", "--failure", text, "--service", "typed", "--json").json
        assert len(found) == 1, text
    assert not cli.ok("list", "--failure", "ValueError", "--service", "typed", "--json").json


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("get", NOBODY[:8]), 2, "32 lower-case"),
        (("describe", NOBODY), 3, "no invocation"),
        (("resume", NOBODY), 3, "no invocation"),
        (("restart", NOBODY), 3, "no invocation"),
        (("purge", "x" * 5000), 2, "32 lower-case"),
        (("signal", NOBODY, "go"), 3, "no invocation"),
        (("invoke", "nobody"), 3, "start a worker"),
        (("invoke", "no body"), 2, "handler"),
        (("invoke", "cart.add", '"tea"'), 2, "key"),
        (("invoke", "greet", "--key", "k"), 2, "key"),
        (("state", "get", "nothing", "k"), 2, "nothing"),
        (("state", "set", "cart", "k", "x"), 2, "NAME=VALUE"),
        (("list", "--failure", "ab"), 2, "3"),
        (("resolve", ""), 2, "empty"),
    ],
)
def test_mistakes_at_three_in_the_morning(
    cli: Cli, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = cli(*arguments)
    assert (done.code, done.out) == (code, ""), done
    assert words in done.err
    assert done.err.count("\n") == 1, done.err
    assert len(done.err) < 1000


def test_the_port_of_http_is_not_that_of_grpc(cli: Cli, tmp_path: Path) -> None:
    with control_plane(tmp_path, "--http", "127.0.0.1:0"):
        http = json.loads((tmp_path / "server.ready").read_text())["http"]
        done = cli("list", "--address", http)
        assert done.code == 4, done
        assert done.err.count("\n") == 1
        assert f"what answers at {http} speaks HTTP/1, and no gRPC (give the address" in done.err
