"""The examples of docs/testing.md and docs/failures.md are tests that pass."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.repository import ROOT


@pytest.mark.parametrize(
    ("document", "count", "tests"), [("testing.md", 5, 7), ("failures.md", 2, 2)]
)
def test_examples_of_the_guide_run(tmp_path: Path, document: str, count: int, tests: int) -> None:
    examples = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / document).read_text(), flags=re.S
    )
    assert len(examples) == count
    for number, example in enumerate(examples):
        (tmp_path / f"test_example_{number}.py").write_text(example)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert f"{tests} passed" in done.stdout
