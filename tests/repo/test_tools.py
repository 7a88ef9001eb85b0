"""The tools of `make check` on generated code, protos and imports.

They are tests too, so that a run of only the tests finds such errors.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.support.repository import ROOT

SCRIPTS = Path(sysconfig.get_path("scripts"))
COMMANDS = {
    "generated code is up to date": [sys.executable, "gen/generate.py", "--check"],
    "buf lint": [str(SCRIPTS / "buf"), "lint"],
    "buf format": [str(SCRIPTS / "buf"), "format", "--diff", "--exit-code"],
    "import contracts": [str(SCRIPTS / "lint-imports"), "--no-cache", "--no-logo"],
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_tool_reports_nothing(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
