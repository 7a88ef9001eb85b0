"""Mistakes of new users: each is reported in one line that says what to do."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

import durable
from durable_cli import doctor
from tests.cli.conftest import run
from tests.operator.conftest import FLOWS, Deployment
from tests.support.processes import running, until


def test_an_attempt_that_fails_is_told_where_the_worker_runs(deployment: Deployment) -> None:
    invocation_id = deployment.cli.start("flaky")
    line = f"flaky [{invocation_id}] attempt 1 failed: ValueError: the bank is closed (File "
    until(lambda: line in deployment.worker.text(), "warning", deployment.worker)
    deployment.cli.ok("cancel", invocation_id, "--force")


def test_code_that_blocks_all_others_is_told(deployment: Deployment) -> None:
    deployment.cli.ok("invoke", "blocking")
    until(
        lambda: "held up the whole worker for" in deployment.worker.text(),
        "warning",
        deployment.worker,
    )
    assert "ctx.run" in deployment.worker.text()


def test_a_sleep_that_nobody_awaits_is_told(deployment: Deployment) -> None:
    deployment.cli.ok("invoke", "unawaited")
    until(lambda: "write `await`" in deployment.worker.text(), "warning", deployment.worker)


@pytest.mark.parametrize(
    ("handler", "advice"), [("returned", "write `await` in front of it"), ("thing", "dataclass")]
)
def test_a_value_without_json_says_what_to_do(
    deployment: Deployment, handler: str, advice: str
) -> None:
    done = deployment.cli("invoke", handler)
    assert done.code == 1
    assert advice in done.err
    assert done.err.count("\n") == 1


def test_waiting_for_what_will_not_come_says_why(deployment: Deployment, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "durable_cli", "invoke", "flaky"]
    command += ["--address", deployment.cli.address]
    with running(command, tmp_path / "out") as waiting:
        until(lambda: "tried again: ValueError: the bank" in waiting.text(), "reason", waiting)
    deployment.cli.ok("cancel", "--handler", "flaky", "--yes", "--force")


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("{'name': 'you'}", "in double quotes"),
        ("{name: you}", "in double quotes"),
        ("you", "for a text write '\"you\"'"),
    ],
)
def test_what_the_shell_makes_of_json(deployment: Deployment, text: str, advice: str) -> None:
    done = deployment.cli("invoke", "flaky", text)
    assert done.code == 2
    assert advice in done.err


def test_a_worker_is_told_of_a_bad_address_as_others_are() -> None:
    done = run("worker", FLOWS, "--address", "10.0.0.1:50051")
    assert done.code == 2
    assert "--insecure" in done.err
    assert "insecure=True" not in done.err


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        ("def hello(ctx): ...", "hello must be an `async def` function (`python "),
        ("async def hello(name: str): ...", "must be the context, not name: str (`python "),
    ],
)
def test_a_module_that_does_not_load_says_what_is_wrong(
    tmp_path: Path, function: str, problem: str
) -> None:
    path = tmp_path / "wrong.py"
    path.write_text(f"import durable\n@durable.workflow\n{function}\n")
    done = run("worker", str(path))
    assert done.code == 1
    assert problem in done.err


def test_whoever_reads_may_stop_reading(deployment: Deployment) -> None:
    command = f"{sys.executable} -m durable_cli log --json --data-dir {deployment.cli.data_dir}"
    done = subprocess.run(
        f"{command} --from 1 | head -c 1", shell=True, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""


def test_doctor_of_a_machine_that_has_only_the_client(
    deployment: Deployment, tmp_path: Path
) -> None:
    program = "import sys; sys.modules['nats'] = None; from durable_cli.main import main; main()"
    command = [sys.executable, "-c", program, "doctor", "--address", deployment.cli.address]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    assert "nats-server   the control plane is not installed here (nats is missing)" in done.stdout
    assert "disk" not in done.stdout


@pytest.mark.parametrize(
    ("ahead", "verdict"), [(90, "90 s ahead of"), (-90, "90 s behind"), (1, "within 2 s")]
)
def test_doctor_sees_a_clock_that_is_wrong_on_either_side(
    deployment: Deployment, ahead: int, verdict: str
) -> None:
    with durable.Client(deployment.cli.address) as client:
        info = client.server_info()
    assert info.time is not None
    assert verdict in doctor.check_clock(info, info.time - timedelta(seconds=ahead)).found
