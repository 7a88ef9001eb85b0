"""Each command as a process against a real control plane: what it prints, and its exit code."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from durable_server.webhooks.tokens import Keyring
from tests.support.processes import control_plane, until

from .conftest import Cli, run

NOBODY = "0" * 32


def test_invoke_prints_the_value(cli: Cli, tmp_path: Path) -> None:
    assert cli.ok("invoke", "greet").out == "Hello, World!\n"
    assert cli.ok("invoke", "greet", "-", stdin='"stdin"').out == "Hello, stdin!\n"
    (tmp_path / "order.json").write_text('{"item": "tea", "count": 2}')
    done = cli.ok("invoke", "order", f"@{tmp_path}/order.json")
    assert json.loads(done.out) == {"item": "tea", "count": 2}
    assert done.err == ""
    whole = cli.ok("invoke", "greet", "--json").json
    assert (whole["status"], whole["value"]) == ("completed", "Hello, World!")


def test_invoke_with_everything(cli: Cli) -> None:
    where = ("--partition-key", "p")
    invocation_id = cli.ok(
        "invoke", "greet", '"x"', "--async", "--delay", "1h", "--idempotency-key", "once",
        "--header", "tenant=a=b", "--service", "shop", "--priority", "-3", *where,
    ).out.strip()  # fmt: skip
    found = cli.ok("get", invocation_id, "--json").json
    assert found["status"] == "scheduled"
    assert found["headers"] == {"tenant": "a=b"}
    assert (found["service"], found["partition_key"], found["priority"]) == ("shop", "p", -3)
    again = cli.ok("invoke", "greet", '"x"', "--async", "--idempotency-key", "once", *where)
    assert again.out.strip() == invocation_id
    other = cli("invoke", "greet", '"y"', "--async", "--idempotency-key", "once", *where)
    assert other.code == 5
    at = cli.start("greet", "--at", "2199-01-01T00:00:00+00:00")
    assert cli.ok("get", at, "--json").json["wake_time"] == "2199-01-01T00:00:00Z"
    assert cli("invoke", "greet", "--at", "2199-01-01", "--delay", "1s").code == 2
    cli.ok("cancel", invocation_id, at)


def test_work_that_fails_or_goes_on(cli: Cli) -> None:
    failed = cli("invoke", "broken", '"no \\u001b[31mstock"')
    assert failed.code == 1
    assert failed.out == ""
    (line,) = failed.err.splitlines()
    assert "has failed: " in line
    assert r"no \x1b[31mstock" in line
    assert "durable describe" in line
    as_json = cli("invoke", "broken", "--json")
    assert as_json.code == 1
    assert as_json.json["failure"]["code"] == 409
    going = cli("invoke", "nap", "--timeout", "200ms")
    assert going.code == 6
    assert "goes on" in going.err
    cli.ok("cancel", "--handler", "nap", "--force", "--yes")


def test_errors_are_one_line_with_a_hint_and_a_code(cli: Cli) -> None:
    for arguments, code, words in (
        (("get", NOBODY), 3, "retention"),
        (("get", "nonsense"), 2, "32 lower-case"),
        (("invoke", "nobody"), 3, "start a worker"),
        (("cancel", NOBODY), 3, "no invocation"),
        (("resolve", f"{NOBODY}.x"), 3, "awakeable"),
        (("watch", NOBODY), 3, "no invocation"),
        (("state", "get", "cart", "k", "--name", "x"), 3, "no 'x'"),
    ):
        done = cli(*arguments)
        assert (done.code, done.out) == (code, ""), done
        (line,) = done.err.splitlines()
        assert line.startswith("durable: ")
        assert words in line


def test_no_server_answers() -> None:
    done = run("list", "--address", "127.0.0.1:1")
    assert done.code == 4
    (line,) = done.err.splitlines()
    assert "no control plane answers at 127.0.0.1:1" in line
    assert "durable dev" in line
    trace = run("list", "--address", "127.0.0.1:1", "--debug")
    assert "Traceback" in trace.err


def test_several_addresses(cli: Cli) -> None:
    """As long as one of them serves, commands work."""
    for addresses in (f"127.0.0.1:1,{cli.address}", f"{cli.address},127.0.0.1:1"):
        assert run("handlers", "--address", addresses).code == 0
        assert run("handlers", address=addresses).code == 0
    away = run("list", "--address", "127.0.0.1:1,127.0.0.1:2")
    assert away.code == 4
    (line,) = away.err.splitlines()
    assert line.count("127.0.0.1:1") == line.count("127.0.0.1:2") == 1
    assert "durable dev" in line
    wrong = run("list", "--address", "127.0.0.1:1,,127.0.0.1:2")
    assert wrong.code == 2
    assert "is a list with an empty part, number 2" in wrong.err
    remote = run("list", "--address", "127.0.0.1:1,node-b:1")
    assert "'node-b:1' is not on this machine" in remote.err
    assert "add --insecure" in remote.err


def test_get_and_describe(cli: Cli) -> None:
    invocation_id = cli.start("parent", steps=1)
    until(lambda: cli.status(invocation_id) == "completed", "its end")
    got = cli.ok("get", invocation_id).out
    assert "handler  parent" in got
    described = cli.ok("describe", invocation_id).out
    assert "└─  0 INVOKE:greet" in described
    assert "      greet completed" in described
    assert "   └─  0 RUN:greeting" in described
    data = cli.ok("describe", invocation_id, "--json").json
    assert [it["handler"] for it in data["children"]] == ["greet"]
    assert data["journal"][0]["target_invocation_id"] == data["children"][0]["invocation_id"]
    failed = cli("invoke", "broken", "--json").json["invocation_id"]
    text = cli.ok("describe", failed).out
    assert "code 409" in text
    assert "item=tea" in text
    assert "flows.py" in text
    waiting = cli.start("approval", steps=2)
    text = cli.ok("describe", waiting).out
    assert f"{waiting}.approved  pending" in text
    assert "asked  true" in text
    cli.ok("cancel", waiting)


def test_describe_shows_an_invocation_that_refers_to_itself_once(cli: Cli) -> None:
    invocation_id = cli.start("reminder", steps=2)
    described = cli.ok("describe", invocation_id).out
    assert described.count("0 RESOLVE:note") == 1


def test_describe_shows_when_a_step_began_and_how_long_it_took(cli: Cli) -> None:
    invocation_id = cli.start("slow", "0.05", steps=2)
    (step,) = [
        it for it in cli.ok("describe", invocation_id).out.splitlines() if "0 RUN:work" in it
    ]
    shown = re.search(r"RUN:work  \+(\d+) ms  took (\d+) ms", step)
    assert shown is not None, step
    entry = cli.ok("describe", invocation_id, "--json").json["journal"][0]
    began, ended = (datetime.fromisoformat(entry[it]) for it in ("create_time", "complete_time"))
    assert (ended - began) // timedelta(milliseconds=1) == int(shown[2])
    cli.ok("cancel", invocation_id)


def test_list_filters_and_limits(cli: Cli) -> None:
    for _ in range(3):
        cli.ok("invoke", "greet", "--service", "listed")
    assert len(cli.ok("list", "--service", "listed", "--json").json) == 3
    limited = cli.ok("list", "--service", "listed", "--limit", "2")
    assert len(limited.out.splitlines()) == 3
    assert "--all" in limited.err
    everything = cli.ok("list", "--service", "listed", "--all", "--json").json
    oldest = cli.ok("list", "--service", "listed", "--oldest-first", "--limit", "1", "--json").json
    ended = cli.ok("list", "--service", "listed", "--sort", "ended", "--json").json
    times = [it["complete_time"] for it in ended]
    assert times == sorted(times, reverse=True)
    assert oldest[0]["invocation_id"] == everything[-1]["invocation_id"]
    assert cli.ok("list", "--service", "listed", "--status", "failed", "--json").json == []
    assert cli.ok("list", "--service", "listed", "--until", "1h", "--json").json == []
    assert len(cli.ok("list", "--service", "listed", "--since", "1h", "--json").json) == 3
    # Plain in a pipe: no colours, nothing cut, absolute times.
    assert "\x1b" not in limited.out
    assert "Z  " in limited.out
    assert cli.ok("list", "--handler", "none").out == ""


def test_steering_of_one(cli: Cli) -> None:
    invocation_id = cli.start("nap", steps=2)
    assert cli.ok("pause", invocation_id, "--reason", "to look").out.split()[1] == "paused"
    assert "to look" in cli.ok("get", invocation_id).out
    refused = cli("purge", invocation_id)
    assert refused.code == 5
    restarted = cli.ok("restart", invocation_id, "--from-index", "1").out.split()[1]
    assert cli.ok("resume", invocation_id, "--json").json["results"][0]["error"] is None
    assert cli("resume", invocation_id).code == 5
    cli.ok("cancel", invocation_id, "--reason", "enough")
    until(lambda: cli.status(invocation_id) == "cancelled", "its end")
    assert cli.ok("cancel", restarted, "--force").out.split()[1] == "cancelled"
    cli.ok("purge", invocation_id, restarted)
    assert cli("get", invocation_id).code == 3


def test_steering_of_many(cli: Cli) -> None:
    ids = {cli.start("nap", "--service", "many") for _ in range(3)}
    plan = cli.ok("pause", "--service", "many", "--dry-run")
    assert "would pause 3" in plan.err
    assert ids == {it.split()[0] for it in plan.out.splitlines()[1:]}
    assert {cli.status(it) for it in ids} <= {"running", "pending", "suspended"}
    unasked = cli("pause", "--service", "many")
    assert unasked.code == 2
    assert "--yes" in unasked.err
    assert cli("pause").code == 2
    assert cli("pause", next(iter(ids)), "--service", "many").code == 2
    done = cli.ok("pause", "--service", "many", "--yes", "--json").json
    assert {it["invocation_id"] for it in done["results"]} == ids
    assert {it["result"] for it in done["results"]} == {"paused"}
    # Only invocations that can be paused are chosen; all of these are paused already.
    assert cli.ok("pause", "--service", "many", "--yes", "--json").json["results"] == []
    mixed = cli("resume", *ids, NOBODY)
    assert mixed.code == 3
    assert "1 of 4 refused" in mixed.err
    cli.ok("cancel", "--service", "many", "--yes", "--force")
    assert len(cli.ok("purge", "--service", "many", "--yes", "--json").json["results"]) == 3
    assert cli.ok("list", "--service", "many", "--json").json == []


def test_resolve_reject_signal(cli: Cli) -> None:
    approved = cli.start("approval")
    assert cli.ok("resolve", f"{approved}.approved", '{"by": "ann"}').out == ""
    until(lambda: cli.status(approved) == "completed", "its end")
    assert cli.ok("get", approved, "--json").json["output"] == {"by": "ann"}
    assert cli("reject", f"{approved}.approved", "too late").code == 5
    rejected = cli.start("approval")
    cli.ok("reject", f"{rejected}.approved", "no budget", "--code", "402")
    until(lambda: cli.status(rejected) == "failed", "its end")
    priced = cli.start("patient")
    cli.ok("signal", priced, "price", "3")
    assert cli.ok("signal", priced, "price", "--json").json["value"] is None
    until(lambda: cli.status(priced) == "completed", "its end")
    assert cli.ok("get", priced, "--json").json["output"] == [3, None]


def test_an_error_does_not_bring_texts_of_others_to_the_terminal(cli: Cli) -> None:
    cli.ok("reject", "early-2", "no \x1b[31mbudget")
    refused = cli("resolve", "early-2", "1")
    assert refused.code == 5
    assert r"no \x1b[31mbudget" in refused.err
    assert "\x1b" not in refused.err


def test_webhook(cli: Cli, tmp_path: Path) -> None:
    refused = cli("webhook", "early-1")
    assert (refused.code, refused.out) == (5, "")
    assert "--http HOST:PORT" in refused.err
    (tmp_path / "shop").write_text("whsec_1")
    key = "k" * 64
    options = ("--http", "127.0.0.1:0", "--public-url", "https://pay.example.com")
    options += ("--webhook-secrets-dir", str(tmp_path))
    environment = {"DURABLE_WEBHOOK_KEY": key}
    with control_plane(tmp_path, *options, environment=environment) as (child, address):
        served = Cli(address, tmp_path / "data")
        url = served.ok("webhook", "early-1", "--expires", "1h").out.strip()
        assert url.startswith("https://pay.example.com/webhooks/")
        claim = Keyring([key.encode()]).read(url.rpartition("/")[2])
        assert claim is not None
        assert claim.awakeable_id == "early-1"
        signed = ("--scheme", "github", "--secret", "shop")
        made = served.ok("webhook", "early-1", *signed, "--json").json
        assert made.keys() == {"url", "expire_time", "webhook_id"}
        revoked = served.ok("webhooks", "revoke", made["webhook_id"], "--json").json
        assert revoked == {"awakeable_id": "early-1", "invocation_id": "", "resolved": False}
        # A URL is a secret, which other users of the machine cannot see on standard input.
        assert "revoked" in served.ok("webhooks", "revoke", "-", stdin=url).err
        assert "all webhooks" in served.ok("webhooks", "revoke", "--all", "early-1").err
        wrong = served("webhooks", "revoke", url[:-1])
        assert (wrong.code, wrong.out) == (2, "")
        assert url[:-1] not in wrong.err
        assert served("webhooks", "revoke").code == 2
        assert served("webhooks", "revoke", f"{NOBODY}-0#{'0' * 24}").code == 3
        assert served("webhook", "early-1", "--scheme", "github").code == 2
        assert served("webhook", "early-1", "--expires", "soon").code == 2
        # Only the control plane can read the key.
        assert key not in child.text()
        for one in child.descendants():
            assert key not in " ".join(one.cmdline())
            assert "DURABLE_WEBHOOK_KEY" not in one.environ()
    assert not (tmp_path / "data" / "webhook.key").exists()


def test_state(cli: Cli) -> None:
    assert cli.ok("invoke", "cart.add", '"tea"', "--key", "ann").out == "1\n"
    assert cli.ok("state", "get", "cart", "ann", "--json").json == {"tea": 1}
    cli.ok("state", "set", "cart", "ann", "tea=5", 'note="a=b"')
    assert cli.ok("state", "get", "cart", "ann", "--name", "note").json == "a=b"
    assert "tea   5" in cli.ok("state", "get", "cart", "ann").out
    assert cli("state", "clear", "cart", "ann").code == 2
    cli.ok("state", "clear", "cart", "ann", "note")
    assert cli.ok("state", "get", "cart", "ann", "--json").json == {"tea": 5}
    cli.ok("state", "clear", "cart", "ann", "--all")
    assert cli.ok("state", "get", "cart", "ann", "--json").json == {}
    assert cli("state", "set", "cart", "ann", "tea=five").code == 2


def test_overviews(cli: Cli) -> None:
    cli.ok("invoke", "greet")
    stats = cli.ok("stats", "--json").json
    assert stats["by_handler"]["greet"]["completed"] >= 1
    assert "greet" in cli.ok("stats").out
    names = [it["name"] for it in cli.ok("handlers", "--json").json]
    assert {"greet", "cart.add"} <= set(names)
    assert "Greets." in cli.ok("handlers").out
    by_name = {it["name"]: it["versioning"] for it in cli.ok("handlers", "--json").json}
    assert by_name["greet"] == "pinned"
    assert by_name["cart.add"] == "auto"
    (worker,) = cli.ok("workers", "--json").json
    assert worker["slot_count"] == 1000
    assert worker["worker_id"] in cli.ok("workers").out


def test_watch_ends_with_the_work(cli: Cli) -> None:
    invocation_id = cli.start("approval", steps=2)
    command = [sys.executable, "-m", "durable_cli", "watch", invocation_id, "--json"]
    command += ["--address", cli.address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        first = json.loads(watching.stdout.readline())
        assert [it["kind"] for it in first["journal"]] == ["SET_STATE", "AWAKEABLE"]
        cli.ok("resolve", f"{invocation_id}.approved", "1")
        rest = [json.loads(line) for line in watching.stdout]
        assert watching.wait(20) == 0
    assert rest[-1]["status"] == "completed"
    text = cli.ok("watch", invocation_id).out
    assert "AWAKEABLE" in text
    assert "  completed" in text.splitlines()[-1]  # a suspension may come before it
    failed = cli("invoke", "broken", "--json").json["invocation_id"]
    assert cli("watch", failed).code == 1


def test_interrupting_the_wait_leaves_the_work(cli: Cli) -> None:
    invocation_id = cli.start("nap", steps=2)
    command = [sys.executable, "-m", "durable_cli", "watch", invocation_id]
    command += ["--address", cli.address]
    # A shell that runs the tests in the background may ignore SIGINT, and children inherit that.
    attended = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, **attended) as watching:
        try:
            assert watching.stdout is not None
            watching.stdout.readline()
            watching.send_signal(signal.SIGINT)
            assert watching.wait(20) == 130
            assert watching.stderr is not None
            assert b"Traceback" not in watching.stderr.read()
        finally:
            watching.kill()
    assert cli.status(invocation_id) in ("running", "suspended")
    cli.ok("cancel", invocation_id, "--force")


def test_doctor(cli: Cli, tmp_path: Path) -> None:
    checks = cli.ok("doctor", "--data-dir", str(tmp_path / "to" / "be"), "--json").json
    verdicts = {it["name"]: it["verdict"] for it in checks}
    assert {"server", "protocol", "clock", "workers", "nats-server", "disk sync"} <= set(verdicts)
    assert "fail" not in verdicts.values()
    assert not (tmp_path / "to").exists()
    both = run("doctor", "--address", f"127.0.0.1:1,{cli.address}", "--data-dir", str(tmp_path))
    assert both.code == 0
    assert "warn  server        no control plane answers at 127.0.0.1:1: " in both.out
    assert f"ok    protocol      {cli.address}: worker protocol" in both.out
    neither = run("doctor", "--address", "127.0.0.1:1,127.0.0.1:2", "--data-dir", str(tmp_path))
    assert neither.code == 1
    assert neither.out.count("fail  server") == 2
    away = run("doctor", "--address", "127.0.0.1:1", "--data-dir", str(tmp_path))
    assert away.code == 1
    assert "fail  server" in away.out
    assert "server" in away.err


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion(shell: str) -> None:
    done = run("completion", shell)
    assert done.code == 0
    assert "_DURABLE_COMPLETE" in done.out


def test_a_reader_that_leaves_early_is_no_error(cli: Cli) -> None:
    command = f"{sys.executable} -m durable_cli list --all --address {cli.address} | true"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
