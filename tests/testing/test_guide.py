"""The examples of docs/testing.md are tests that pass."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.repo.tree import ROOT


def test_examples_of_the_guide_run(tmp_path: Path) -> None:
    examples = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs/testing.md").read_text(), flags=re.S
    )
    assert len(examples) == 4
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
    assert "6 passed" in done.stdout
