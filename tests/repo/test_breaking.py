"""The protos against those of the last release: no breaking change."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from tests.support.repository import ROOT

BUF = Path(sysconfig.get_path("scripts")) / "buf"


def breaking(against: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [str(BUF), "breaking", "--against", str(against)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def last_tag() -> str:
    command = ["git", "describe", "--tags", "--abbrev=0", "--match", "v*"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        pytest.skip("needs git")
    if done.returncode:
        pytest.skip("there is no release tag yet (or the clone is shallow)")
    return done.stdout.strip()


def test_nothing_breaks_since_the_last_tag(tmp_path: Path) -> None:
    tag = last_tag()
    archive = ["git", "archive", "--format=tar", tag, "buf.yaml", "proto"]
    with (tmp_path / "then.tar").open("wb") as file:
        subprocess.run(archive, cwd=ROOT, stdout=file, check=True)
    done = breaking(tmp_path / "then.tar", ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        ("string item = 1;", "string item = 2;", "Previously present field"),
        ("string item = 1;", "string thing = 1;", "changed name"),
        ("string item = 1;", "bytes item = 1;", "changed type"),
        ("  A_ONE = 1;", "", "enum value"),
    ],
)
def test_the_check_sees_what_breaks(before: str, after: str, rule: str, tmp_path: Path) -> None:
    proto = (
        'syntax = "proto3";\npackage durable.v1;\n'
        "message It {\n  string item = 1;\n}\nenum A {\n  A_UNSPECIFIED = 0;\n  A_ONE = 1;\n}\n"
    )
    for name, text in (("then", proto), ("now", proto.replace(before, after))):
        folder = tmp_path / name / "proto/durable/v1"
        folder.mkdir(parents=True)
        (folder / "it.proto").write_text(text)
        shutil.copy(ROOT / "buf.yaml", tmp_path / name)
    done = breaking(tmp_path / "then", tmp_path / "now")
    assert done.returncode == 100
    assert rule in done.stdout
