"""Each example as a user runs it: as a process, with its real output."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.support.processes import durable, free_port, running, until
from tests.support.repository import ROOT

GREETING = "Hello, {}! Welcome to Durable Execution on NATS JetStream."


@pytest.fixture
def environment() -> dict[str, str]:
    """Nothing runs yet, and the services have addresses that no other test uses."""
    clean = {name: value for name, value in os.environ.items() if name != "DURABLE_ADDRESS"}
    return clean | {
        "HELLO_SERVICE": f"127.0.0.1:{free_port()}",
        "TICKET_SERVICE": f"127.0.0.1:{free_port()}",
        "DURABLE_HTTP": f"127.0.0.1:{free_port()}",
    }


def run(
    path: str, environment: dict[str, str], *arguments: str, code: int = 0, seconds: float = 100
) -> str:
    """Runs an example to its end; returns its standard output."""
    ended = subprocess.run(
        [sys.executable, str(ROOT / "examples" / path / "main.py"), *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=seconds,
    )
    assert ended.returncode == code, ended.stderr
    return ended.stdout


def check_simple(out: str) -> None:
    assert out == GREETING.format("World") + "\n"


def check_async(out: str) -> None:
    first, second = out.splitlines()
    assert re.fullmatch(r"Submitted: [0-9a-f]{32}", first)
    assert second == GREETING.format("World")


def check_typed(out: str) -> None:
    assert out == GREETING.format("TypeSafe World") + "\n"


def check_multi_service(out: str) -> None:
    assert out.splitlines() == [
        "Multi-Service Workflow Results:",
        "1️⃣  " + GREETING.format("Durable Execution (English)"),
        "2️⃣  " + GREETING.format("Durable Execution (Spanish)"),
        "3️⃣  " + GREETING.format("Durable Execution (French)"),
        "📊 " + GREETING.format("Summary"),
        "Total service calls: 4",
    ]


def check_concurrent(out: str) -> None:
    lines = out.splitlines()
    assert lines[:3] == [
        "Concurrent Workflow Invocations (N=10)",
        "========================================",
        "🚀 Submitting 10 workflow invocations...",
    ]
    for number in range(1, 11):
        assert f"📤 [Invoke {number}] Submitting workflow for user-{number:03d}" in lines
        assert f"✅ [Invoke {number}] Completed for user-{number:03d}" in lines
        assert f"AsyncWorkflow[user-{number:03d}] completed:" in lines
        assert f"  Step3: {GREETING.format(f'Confirm:user-{number:03d}')}" in lines
    assert lines[-5:-2] == ["Total Invocations: 10", "✅ Success: 10", "❌ Failed: 0"]
    assert re.fullmatch(r"⏱️  Total Time: \d+ms", lines[-2])
    assert re.fullmatch(r"📊 Avg Time per Workflow: [\d.]+ms", lines[-1])


def check_retry_failures(out: str) -> None:
    lines = out.splitlines()
    for number in (1, 2):
        at = lines.index(f"  Workflow: task-success-{number}")
        assert lines[at + 1] == "    Status: completed ✅ SUCCESS"
        at = lines.index(f"  Workflow: task-flaky-{number}")
        assert lines[at + 1] == "    Status: failed ❌ FAILED"
        at = lines.index(f"  Retrying: task-flaky-{number} → task-flaky-{number}-retry")
        assert re.fullmatch(
            r"    ✓ Resubmitted \(invocation_id: [0-9a-f]{8}\.\.\.\)", lines[at + 1]
        )
        at = lines.index(f"  Retry: task-flaky-{number}-retry")
        assert lines[at + 1] == "    Status: completed ✅ RETRY SUCCEEDED!"
    assert len(set(re.findall(r"invocation_id: (\w+)", out))) == 6
    assert lines[-1] == "Overall Success Rate: 4/4 (100.0%)"


def check_saga(out: str) -> None:
    assert out.splitlines() == [
        "✅ alice has SEAT-1",
        "❌ bob has nothing: SEAT-1 is sold",
        *["   TicketService.Reserve"] * 3,
        *["   TicketService.Release"] * 3,
        "✅ carol has SEAT-2, SEAT-3",
    ]


def check_pause_cancel(out: str) -> None:
    lines = [line for line in out.splitlines() if line]
    assert lines[0] == "📋 DEMO 1: Pause & Resume"
    assert lines[2:5] == ["⏸️  PAUSING workflow...", "✓ Workflow paused", "Status check: paused"]
    entries, later = (int(it.rpartition(" ")[2]) for it in lines[5:7])
    assert 0 < entries == later < 12
    assert lines[7:13] == [
        "▶️  RESUMING workflow...",
        "✓ Workflow resumed",
        "✅ Final Status: completed",
        "Journal entries: 12",
        "Result: my-task: all 6 steps are done",
        "📋 DEMO 2: Cancel Workflow",
    ]
    assert lines[14:] == [
        "🛑 CANCELLING workflow...",
        "✓ Workflow cancelled",
        "✅ Final Status: cancelled",
        "Reason: nobody wants it any more",
    ]


def check_ticket_cart(out: str) -> None:
    assert out.splitlines() == [
        "🎫 user-1 adds TICKET-001: reserved",
        "🎫 user-1 adds TICKET-002: reserved",
        "🎫 user-2 adds TICKET-001: not available",
        "🛒 Cart of user-1: TICKET-001, TICKET-002",
        "🛒 Cart of user-2: empty",
        "⏳ Waiting for TICKET-001 to expire...",
        "🛒 Cart of user-1: TICKET-002",
        "🎫 user-2 adds TICKET-001: reserved",
    ]


def check_delayed_execution(out: str) -> None:
    lines = out.splitlines()
    assert lines[:4] == [
        "Scheduled greeting for future execution",
        "Status: scheduled",
        "⏳ Waiting for the delayed greeting...",
        "✅ " + GREETING.format("Hello from the past"),
    ]
    waited = re.fullmatch(r"It began ([\d.]+) s after it was scheduled", lines[4])
    assert waited is not None
    assert float(waited[1]) >= 3


def check_query_api(out: str) -> None:
    lines = [line for line in out.splitlines() if line]
    assert lines[:5] == [
        "📊 Stats of order_workflow: completed 1, failed 1, suspended 1",
        "🔎 completed: order-1",
        "🔎 failed: order-2",
        "   order-2 is out of stock",
        "🔎 suspended: order-3",
    ]
    assert lines[5:8] == [
        "📖 Journal of order-3",
        "   0 HelloService.SayHello",
        "   1 SET_STATE:cart",
    ]
    waits = re.fullmatch(r"   2 AWAKEABLE:(payment-[0-9a-f]{32})", lines[8])
    assert waits is not None
    assert lines[9:11] == [
        "📦 State of order-3: {'cart': ['order-3']}",
        f"🔔 order-3 waits for {waits[1]}",
    ]
    for line, answer in zip(lines[11::2], lines[12::2], strict=True):
        assert line.startswith('$ curl "http://127.0.0.1:')
        assert json.loads(answer)


def check_restate_style(out: str) -> None:
    assert out.splitlines() == [
        "1. Typed invocation",
        "   " + GREETING.format("Restate-Style"),
        "2. Workflow reference",
        "   " + GREETING.format("Remote"),
        "3. Reference by name",
        "   " + GREETING.format("Named"),
        "4. Workflow composition",
        *["   " + GREETING.format(name) for name in ("Alice", "Bob", "Charlie")],
    ]


def check_grpc_direct(out: str) -> None:
    assert out.splitlines() == [
        "Direct:  " + GREETING.format("Direct"),
        "Durable: " + GREETING.format("Durable"),
    ]


def check_webhook(out: str) -> None:
    first, *rest = out.splitlines()
    assert re.fullmatch(
        r"🔗 order-17 can be paid at http://127\.0\.0\.1:\d+/webhooks/\.\.\.", first
    )
    assert rest == [
        "🦹 Somebody else posts there: 401 no v1 signature of the Stripe-Signature header fits",
        "🏦 The provider posts there: 200 resolved",
        "🏦 It is not sure and posts again: 200 resolved",
        "✅ order-17 is paid: 1250 cents (pay-1)",
    ]


def check_local(out: str) -> None:
    assert out.splitlines() == [
        "✓ Executed locally!",
        "Result: " + GREETING.format("Local World"),
    ]


EXAMPLES = [
    ("simple", check_simple),
    ("async_", check_async),
    ("typed", check_typed),
    ("multi_service", check_multi_service),
    ("concurrent_workflows", check_concurrent),
    ("retry_failures", check_retry_failures),
    ("saga", check_saga),
    ("pause_cancel", check_pause_cancel),
    ("ticket_cart", check_ticket_cart),
    ("delayed_execution", check_delayed_execution),
    ("query_api", check_query_api),
    ("restate_style", check_restate_style),
    ("grpc_direct", check_grpc_direct),
    ("local", check_local),
]


@pytest.mark.parametrize(("path", "check"), EXAMPLES, ids=[path for path, _ in EXAMPLES])
def test_with_nothing_else_running(
    path: str, check: Callable[[str], None], environment: dict[str, str]
) -> None:
    before = {it.pid for it in psutil.process_iter()}
    marks = (environment["HELLO_SERVICE"], environment["TICKET_SERVICE"])
    check(run(path, environment))
    left = [
        it
        for it in psutil.process_iter(["cmdline"])
        # The command line is None for a process that is just ending, whosever it is.
        if it.pid not in before
        and any(mark in " ".join(it.info["cmdline"] or []) for mark in marks)
    ]
    assert not left


def test_against_a_control_plane_that_runs(tmp_path: Path, environment: dict[str, str]) -> None:
    ready = tmp_path / "ready"
    command = durable(
        "server", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data"),
        "--ready-file", str(ready),
    )  # fmt: skip
    with running(command, tmp_path / "server.log") as child:
        until(ready.exists, "ready file", child)
        address = json.loads(ready.read_text())["address"]
        environment["DURABLE_ADDRESS"] = address
        for path, check in EXAMPLES:
            check(run(path, environment))


def test_a_webhook_that_the_provider_signs(environment: dict[str, str], tmp_path: Path) -> None:
    check_webhook(run("webhook_payment", environment))
    (tmp_path / "payments").write_text("whsec_shared\n")
    ready = tmp_path / "ready"
    command = durable(
        "server", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data-dir",
        str(tmp_path / "data"), "--webhook-secrets-dir", str(tmp_path), "--ready-file", str(ready),
    )  # fmt: skip
    with running(command, tmp_path / "server.log") as child:
        until(ready.exists, "ready file", child)
        address = json.loads(ready.read_text())["address"]
        there = {"DURABLE_ADDRESS": address, "WEBHOOK_SECRETS_DIR": str(tmp_path)}
        check_webhook(run("webhook_payment", environment | there))


def test_encrypted_values(environment: dict[str, str]) -> None:
    assert run("encryption", environment).splitlines() == [
        "🔑 A client with the codec reads: a cold",
        "🔒 A client without it: value cannot be decoded: it is encoded"
        " (application/x-durable-encrypted)",
        "🔁 After a rotation, a new bill: a cough",
        "🔁 and the old one: a cold",
        '🧑 A person with the codec endpoint: {"account":"account of Eve","for":"a cut"}',
    ]


def test_invoking_over_rest(environment: dict[str, str]) -> None:
    curl, *answer = run("rest_invoke", environment).splitlines()
    assert re.fullmatch(
        r"""curl -X POST http://127.0.0.1:\d+/api/workflows/greeting/invoke -d '"REST"'""", curl
    )
    assert answer == ["Status: completed", "Result: " + GREETING.format("REST")]


def test_many_at_once_with_progress(environment: dict[str, str]) -> None:
    out = run("concurrent_workflows", environment, "--count", "2000")
    assert "✅ Success: 2000" in out
    assert "❌ Failed: 0" in out
    assert "... and 1,997 more" in out


@pytest.mark.timeout(240)
def test_each_wrong_credential_is_refused(environment: dict[str, str]) -> None:
    lines = run("secure", environment, seconds=220).splitlines()
    cases = [it for it in lines if it[0] in "✅❌"]
    assert lines[-1] == f"{len(cases)} of {len(cases)} were answered as they should be"
    assert {it.split()[0] for it in cases} == {"✅"}
    assert sum("permitted" in it for it in cases) == 5
    assert any("revoked" in it and "refused" in it for it in cases)


@pytest.mark.timeout(300)
def test_nothing_is_held_or_lost_when_the_code_changes(environment: dict[str, str]) -> None:
    lines = run("deploy", environment, seconds=280).splitlines()
    assert not [it for it in lines if it.startswith("❌")]
    assert sum(it.startswith("✅") for it in lines) == 20
    assert lines[-1] == "✅ Nothing was held, nothing was lost"


def test_a_node_of_a_cluster_is_killed(environment: dict[str, str]) -> None:
    lines = run("cluster", environment, "--count", "60").splitlines()
    assert re.fullmatch(r"💥 \d+ orders are done: SIGKILL for node [abc]", lines[3])
    moved = r"   partition (\d+) moved to node [abc] after \d+\.\d s"
    assert len({found[1] for it in lines if (found := re.fullmatch(moved, it))}) == 4
    assert lines[-3:] == [
        "📦 60 started, 60 completed",
        "🧾 120 side effects, 0 lost, 0 doubled",
        "✅ Nothing is lost, nothing is doubled",
    ]


def test_children_end_with_an_example_that_is_killed(environment: dict[str, str]) -> None:
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "examples/async_/main.py")],
        # Its first line must come while it runs, and output to a pipe is buffered.
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("Submitted: ")
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) == 4
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()

    def gone() -> bool:
        return not any(it.is_running() and it.status() != psutil.STATUS_ZOMBIE for it in children)

    until(gone, "end of the children")


@contextmanager
def waiting_for_approval(environment: dict[str, str]) -> Iterator[tuple[str, Callable[[], str]]]:
    """Runs the approval example; gives its output up to the decision, and a function for the rest."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "examples/approval_workflow/main.py")],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    out = process.stdout
    assert out is not None

    def rest() -> str:
        text = out.read()
        assert process.wait(30) == 0
        return text

    try:
        said = ""
        while "resolve_awakeable" not in said:
            line = out.readline()
            assert line, said
            said += line
        yield said, rest
    finally:
        process.terminate()
        process.wait(30)
        out.close()


APPROVED = "✅ Approved: $1250.00 for emp-123 (OK!)"
REJECTED = "❌ Rejected: $1250.00 for emp-123 (Amount too high)"


def shell(line: str, environment: dict[str, str]) -> None:
    """Runs lines that an example printed, as they are."""
    ended = subprocess.run(
        ["bash", "-ec", line],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr + ended.stdout


def test_approval_through_the_printed_python(environment: dict[str, str]) -> None:
    with waiting_for_approval(environment) as (said, rest):
        assert re.search(r"^⏳ Waiting for manager approval \(ID: approval-\w+\)$", said, re.M)
        shell(said[said.index(f"  {sys.executable} -c") :], environment)
        assert rest().strip() == APPROVED


@pytest.mark.parametrize(("action", "end"), [("resolve", APPROVED), ("reject", REJECTED)])
def test_approval_through_the_printed_curl(
    action: str, end: str, environment: dict[str, str]
) -> None:
    with waiting_for_approval(environment) as (said, rest):
        commands = re.findall(r"^  curl .*?\n\n", said, flags=re.M | re.S)
        if not commands:
            pytest.skip("the control plane serves no HTTP")
        (command,) = (it for it in commands if f"/{action} " in it)
        shell(command.replace("curl ", "curl --fail-with-body ", 1), environment)
        assert rest().strip() == end


@pytest.mark.parametrize(("decision", "end"), [("approve", APPROVED), ("reject", REJECTED)])
def test_approval_through_the_client(decision: str, end: str, environment: dict[str, str]) -> None:
    out = run("approval_workflow", environment, "--decide", decision)
    assert out.splitlines()[-1] == end


@pytest.mark.parametrize(
    "path", [*(path for path, _ in EXAMPLES), "approval_workflow", "cluster", "deploy", "secure"]
)
def test_each_has_a_page_that_names_its_command(path: str) -> None:
    page = (ROOT / "examples" / path / "README.md").read_text()
    (command,) = re.findall(r"Run it: `make (run-[a-z-]+)`", page)
    assert re.search(rf"^{command}:", (ROOT / "Makefile").read_text(), flags=re.M)
