"""The protos against those of each release: no breaking change."""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from tests.formats import recordings
from tests.support.repository import ROOT

BUF = Path(sysconfig.get_path("scripts")) / "buf"


def breaking(against: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [str(BUF), "breaking", "--against", str(against)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


RELEASED = sorted((ROOT / "proto/released").glob("*.binpb"))


@pytest.mark.parametrize("base", RELEASED, ids=lambda it: it.stem)
def test_nothing_breaks_since_a_release(base: Path) -> None:
    done = breaking(base, ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_release_has_kept_its_protos_and_a_recording() -> None:
    releases = re.findall(
        r"^## (\d+\.\d+\.\d+) - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert releases
    assert sorted(releases) == [it.stem for it in RELEASED]
    assert set(releases) <= set(recordings.names())


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
