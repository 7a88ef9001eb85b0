"""docs/troubleshooting.md: its commands exist, and its quotations are our texts."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.operator.conftest import Deployment
from tests.support.processes import running, until

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/troubleshooting.md").read_text()
COMMANDS = re.findall(r"^\$ durable (.+)$", TEXT, flags=re.M)
LOCAL = ("doctor", "log", "sql")
"""Commands that look at a data dir."""


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_works(deployment: Deployment, tmp_path: Path, command: str) -> None:
    invocation_id = deployment.cli.start("flaky")
    arguments = shlex.split(command.replace("$ID", invocation_id))
    if arguments[0] in LOCAL:
        arguments += ["--data-dir", str(deployment.cli.data_dir)]
    if arguments[0] == "watch":
        whole = [
            sys.executable,
            "-m",
            "durable_cli",
            *arguments,
            "--address",
            deployment.cli.address,
        ]
        with running(whole, tmp_path / "out") as watching:
            until(lambda: "the bank is closed" in watching.text(), "failure", watching)
    else:
        deployment.cli.ok(*arguments)
    deployment.cli("cancel", invocation_id, "--force")


def test_quotations_are_in_the_code() -> None:
    said = [path.read_text() for room in ("sdk", "server") for path in (ROOT / room).rglob("*.py")]
    code = re.sub(r'"\s+f?"', "", " ".join(said))
    quoted = ("held up the whole worker for", "is damaged", "was acknowledged", "is full")
    for words in (*quoted, "which was applied, is missing", "has no FORMAT file", "is in use by"):
        assert words in TEXT
        assert words in code
