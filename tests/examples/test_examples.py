"""Each example as a user runs it: a process of its own, its real output against what is promised."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.process.processes import durable, running, until

ROOT = Path(__file__).resolve().parents[2]
GREETING = "Hello, {}! Welcome to Durable Execution on NATS JetStream."


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def environment() -> dict[str, str]:
    """Nothing runs yet, and HelloService has an address that no other test uses."""
    clean = {name: value for name, value in os.environ.items() if name != "DURABLE_ADDRESS"}
    return clean | {"HELLO_SERVICE": f"127.0.0.1:{free_port()}"}


def run(path: str, environment: dict[str, str], *arguments: str, code: int = 0) -> str:
    """Runs an example to its end; returns its standard output."""
    ended = subprocess.run(
        [sys.executable, str(ROOT / "examples" / path / "main.py"), *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=100,
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
    ("local", check_local),
]


@pytest.mark.parametrize(("path", "check"), EXAMPLES, ids=[path for path, _ in EXAMPLES])
def test_with_nothing_else_running(
    path: str, check: Callable[[str], None], environment: dict[str, str]
) -> None:
    before = {it.pid for it in psutil.process_iter()}
    check(run(path, environment))
    left = [
        it
        for it in psutil.process_iter(["cmdline"])
        if it.pid not in before and environment["HELLO_SERVICE"] in " ".join(it.info["cmdline"])
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


def test_many_at_once_with_progress(environment: dict[str, str]) -> None:
    out = run("concurrent_workflows", environment, "--count", "2000")
    assert "✅ Success: 2000" in out
    assert "❌ Failed: 0" in out
    assert "... and 1,997 more" in out


def test_children_end_with_an_example_that_is_killed(environment: dict[str, str]) -> None:
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "examples/async_/main.py")],
        env=environment,
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


@pytest.mark.parametrize("path", [path for path, _ in EXAMPLES])
def test_each_has_a_page_that_names_its_command(path: str) -> None:
    page = (ROOT / "examples" / path / "README.md").read_text()
    (command,) = re.findall(r"Run it: `make (run-[a-z-]+)`", page)
    assert re.search(rf"^{command}:", (ROOT / "Makefile").read_text(), flags=re.M)
