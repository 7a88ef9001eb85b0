"""`make gen` with a missing toolchain, and `--check` with out-of-date files."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.repository import ROOT


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of the generators' inputs and outputs, without their tools."""
    for folder in ("gen", "proto", "examples/proto", "examples/services"):
        ignored = shutil.ignore_patterns(".tools", "__pycache__", "node_modules", "target")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    return tmp_path


def generate(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the command as on a machine that has nothing but Python."""
    return subprocess.run(
        [sys.executable, "gen/generate.py", *arguments],
        cwd=clone,
        env={"PATH": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_missing_toolchain_is_named_and_nothing_of_it_is_touched(clone: Path) -> None:
    before = {path: path.read_bytes() for path in (clone / "gen/go").rglob("*") if path.is_file()}
    for arguments in ((), ("--check",)):
        done = generate(clone, "--only", "go", *arguments)
        assert done.returncode == 1
        assert done.stdout == "go: SKIPPED, no `go` on the PATH\n"
    assert before == {path: path.read_bytes() for path in before}


def test_drift_is_named_by_its_file_and_mended(clone: Path) -> None:
    changed = clone / "gen/python/durable_proto/v1/errors_pb2.py"
    kept = changed.read_text()
    changed.write_text(kept + "\n")
    stray = clone / "gen/python/durable_proto/v1/stray_pb2.py"
    stray.write_text("")
    done = generate(clone, "--only", "python", "--check")
    assert done.returncode == 1
    assert "errors_pb2.py: differs" in done.stdout
    assert "stray_pb2.py: not generated any more" in done.stdout
    assert generate(clone, "--only", "python").returncode == 0
    assert changed.read_text() == kept
    assert not stray.exists()
    assert generate(clone, "--only", "python", "--check").returncode == 0
