"""The sync client is what `make gen` makes of the async one, and not edited by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_sync_client_is_up_to_date() -> None:
    command = [sys.executable, "gen/generate.py", "--only", "sync-client", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
