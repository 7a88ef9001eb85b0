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


def code_of_ours() -> str:
    """The code, with the literals of each message joined."""
    said = [path.read_text() for room in ("sdk", "server") for path in (ROOT / room).rglob("*.py")]
    return re.sub(r'"\s+f?"', "", " ".join(said))


def quotations(section: str) -> list[str]:
    """The texts quoted in the first column of a section's tables, without metrics and commands."""
    start = TEXT.index(f"\n## {section}\n") + 4
    end = TEXT.find("\n## ", start)
    cells = re.findall(r"^\| (?!You see|---)(.+?) \| ", TEXT[start:end], flags=re.M)
    quoted = [it for cell in cells for it in re.findall(r"`([^`]+)`", cell)]
    return [
        it for it in quoted if not re.match(r"durable(_\w+|\b(?! dev)|$)|sum by|/health|--", it)
    ]


def test_each_line_about_a_cluster_is_in_the_code() -> None:
    code = code_of_ours()
    found = quotations("In a cluster")
    assert len(found) > 30
    wrong = [
        piece
        for text in found
        for piece in re.split(r"\s*\.\.\.[ ,;:()]*", text)
        if len(piece) > 1 and piece.rstrip(":,;(") not in code
    ]
    assert not wrong


def test_each_metric_is_documented() -> None:
    known = (ROOT / "docs/observability.md").read_text()
    named = set(re.findall(r"\bdurable_[a-z_]+", TEXT))
    assert len(named) > 8
    assert {it for it in named if f"`{it}" not in known} == set()


def test_quotations_are_in_the_code() -> None:
    code = code_of_ours()
    quoted = ("held up the whole worker for", "is damaged", "was acknowledged", "is full")
    for words in (*quoted, "which was applied, is missing", "has no FORMAT file", "is in use by"):
        assert words in TEXT
        assert words in code
