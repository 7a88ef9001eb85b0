"""The curl lines that users of the first version know, each run as it was written.

Real `curl`, against a real `durable dev` with a real service. Only the address differs, and
`{invocation_id}` and `<ID>` are replaced by the id. A line is followed by what its answer must contain.
`bin/check-curl` runs this test and prints each line.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.processes import durable, running, until

ROOT = Path(__file__).resolve().parents[2]


class Line(NamedTuple):
    """A line as it is on the page, and what comes back; `...` stands for any value."""

    command: str
    shows: Any
    settles: str = ""
    """The awakeable that it resolves or rejects."""


ONE = {"invocation_id": ..., "handler": "expense_approval", "status": ...}
LIST = {"workflows": [ONE]}
LINES = (
    Line("curl http://localhost:8080/api/workflows", LIST),
    Line(
        "curl http://localhost:8080/api/workflows/{invocation_id}",
        {
            "invocation_id": ...,
            "handler": "expense_approval",
            "status": "running",
            "state": "suspended",
            "total_steps": 3,
            "current_step": 2,
            "current_step_type": "AWAKEABLE:approval-xyz",
            "journal": [
                {"step_number": 0, "step_type": "HelloService.SayHello"},
                {"step_number": 1, "step_type": "AWAKEABLE:approval-xyz"},
                {"step_number": 2, "step_type": "SET_STATE:cart"},
            ],
            "workflow_state": {"cart": '["TICKET-001","TICKET-002"]'},
            "awakeables": {"approval-xyz": {"resolved": False, "created_at": ...}},
        },
    ),
    Line(
        "curl http://localhost:8080/api/workflows/stats",
        {
            "total": ...,
            "by_status": {
                "pending": 0, "running": 1, "paused": 0, "completed": ..., "failed": ...,
                "cancelled": 0,
            },
            "by_state": {"suspended": 1},
            "by_handler": {"expense_approval": {"running": 1}},
            "workers": 1,
        },
    ),
    Line('curl "http://localhost:8080/api/workflows?status=completed"', {"workflows": ...}),
    Line('curl "http://localhost:8080/api/workflows?status=failed"', {"workflows": ...}),
    Line('curl "http://localhost:8080/api/workflows?handler=expense_approval"', LIST),
    Line('curl "http://localhost:8080/api/workflows?limit=10"', LIST),
    Line(
        r"""curl -X POST http://localhost:8080/api/awakeables/approval-abc123/resolve \
  -H 'Content-Type: application/json' \
  -d '{"result": "{\"approved\": true, \"comments\": \"Looks good!\"}"}'""",
        {"awakeable_id": "approval-abc123", "invocation_id": ..., "status": "resolved"},
        "approval-abc123",
    ),
    Line(
        r"""curl -X POST http://localhost:8080/api/awakeables/approval-abc123/reject \
  -H 'Content-Type: application/json' \
  -d '{"error": "Amount too high"}'""",
        {"awakeable_id": "approval-abc123", "invocation_id": ..., "status": "rejected"},
        "approval-abc123",
    ),
    Line(
        r"""curl -X POST http://localhost:8080/api/awakeables/approval-<ID>/resolve \
  -H 'Content-Type: application/json' \
  -d '{"result": "{\"approved\": true, \"comments\": \"Approved!\"}"}'""",
        {"awakeable_id": "approval-5f0c", "invocation_id": ..., "status": "resolved"},
        "approval-5f0c",
    ),
    Line(
        r"""  curl -X POST http://localhost:8080/api/awakeables/approval-<ID>/resolve \
    -H 'Content-Type: application/json' \
    -d '{"result": "{\"approved\": true, \"comments\": \"OK!\"}"}'""",
        {"awakeable_id": "approval-5f0c", "invocation_id": ..., "status": "resolved"},
        "approval-5f0c",
    ),
    Line('curl "http://localhost:8080/api/workflows?status=running"', LIST),
)  # fmt: skip
ENDS = {"resolved": ("completed", "result"), "rejected": ("failed", "error")}


class Served(NamedTuple):
    """A control plane with an invocation that waits for `approval-xyz`."""

    base: str
    invocation_id: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("curl")) as it:
        yield it


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """Runs `durable dev` and the service, and brings one invocation to where it waits."""
    hello, dev = folder / "hello.ready", folder / "dev.ready"
    service = str(ROOT / "examples/hello_service.py")
    command = [sys.executable, service, "--listen", "127.0.0.1:0", "--ready-file", str(hello)]
    with running(command, folder / "hello.log") as child:
        until(hello.exists, "ready file", child)
        where = json.loads(hello.read_text())["address"]
        command = durable(
            "dev", "tests.http.flows", "--no-reload", "--listen", "127.0.0.1:0",
            "--http", "127.0.0.1:0", "--data-dir", str(folder / "data"),
            "--ready-file", str(dev), "--service", f"HelloService={where}",
        )  # fmt: skip
        with running(command, folder / "dev.log") as child:
            until(dev.exists, "ready file", child)
            base = f"http://{json.loads(dev.read_text())['http']}"
            invocation_id = begin(base, "approval-xyz")
            show = f"curl {base}/api/workflows/{invocation_id}"
            until(lambda: run(show)[0]["state"] == "suspended", "suspension", child)
            yield Served(base, invocation_id)


@pytest.mark.parametrize("line", LINES, ids=lambda it: it.command.split(" http")[-1][:60])
def test_a_line_is_answered_as_ever(served: Served, line: Line) -> None:
    check(served, line)


def check(served: Served, line: Line) -> None:
    """Runs one line and compares; an invocation whose awakeable it settles must go on."""
    base, invocation_id = served
    if line.settles:
        invocation_id = begin(base, line.settles)
    command = line.command.replace("http://localhost:8080", base)
    command = command.replace("{invocation_id}", invocation_id).replace("<ID>", "5f0c")
    shown, code = run(command)
    assert code == 200, shown
    compare(shown, line.shows, "$")
    if line.settles:
        status, field = ENDS[shown["status"]]
        show = f"curl {base}/api/workflows/{invocation_id}"
        until(lambda: run(show)[0]["status"] == status, status)
        assert field in run(show)[0]
        run(f"curl -X DELETE {base}/v1/invocations/{invocation_id}")  # and its awakeable


def begin(base: str, awakeable_id: str) -> str:
    """Starts an invocation that waits for an awakeable; returns its id."""
    path = "/api/workflows/expense_approval/invoke?async=true"
    begun, code = run(f"curl -d '\"{awakeable_id}\"' '{base}{path}'")
    assert code == 202
    show = f"curl {base}/api/workflows/{begun['invocation_id']}"
    until(lambda: run(show)[0]["awakeables"], "awakeable")
    return str(begun["invocation_id"])


def run(command: str) -> tuple[Any, int]:
    """Runs a line in a shell; returns its JSON and its status."""
    asks = "curl -sS --noproxy '*' -w '\\n%{http_code}' "
    line = command.strip().replace("curl ", asks, 1)
    said = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    body, _, code = said.stdout.rpartition("\n")
    return json.loads(body), int(code)


def compare(shown: Any, expected: Any, place: str) -> None:
    """Holds an answer to what it must show; it may show more."""
    if isinstance(expected, dict):
        for name, value in expected.items():
            assert name in shown, f"{place}.{name} is missing"
            compare(shown[name], value, f"{place}.{name}")
    elif isinstance(expected, list):
        assert len(shown) == len(expected), place
        for number, (one, value) in enumerate(zip(shown, expected, strict=True)):
            compare(one, value, f"{place}[{number}]")
    elif expected is not ...:
        assert shown == expected, place


def main(folder: Path) -> None:
    """Runs all lines and prints each."""
    with serving(folder) as served:
        for line in LINES:
            check(served, line)
            print(f"as ever: {line.command.strip()}", flush=True)


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        main(Path(scratch))
