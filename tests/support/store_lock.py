"""Another process that has a store's file open in a transaction, as a person's SQLite shell might."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

READING = "BEGIN; SELECT count(*) FROM invocations"
WRITING = "BEGIN IMMEDIATE; SELECT 1"

_PROGRAM = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2].split(";"):
    db.execute(statement).fetchall()
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(path: Path, statements: str) -> Iterator[subprocess.Popen[str]]:
    """Runs statements in another process, which keeps its transaction open until the block ends."""
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(path), statements],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()
