"""Rules for every file of the repository."""

from __future__ import annotations

import re

from tests.support.repository import ROOT, files, is_generated, name

# Written so that this file does not mention one itself.
MACHINE_PATH = re.compile(rb"(?<![\w.~}\])-])/(?:root|work|home)/")


def test_no_file_mentions_a_path_of_a_developers_machine() -> None:
    found = [
        f"{name(path)}: {match.group().decode()}"
        for path in files()
        if (match := MACHINE_PATH.search(path.read_bytes()))
    ]
    assert not found


def test_modules_have_a_docstring() -> None:
    """An own module begins with its docstring; only empty `__init__` files have none."""
    silent = [
        name(path)
        for path in files()
        if path.suffix == ".py"
        and not is_generated(path)
        and (text := path.read_text())
        and not text.startswith(('"""', 'r"""', "#!"))
    ]
    assert not silent


def test_ci_runs_what_people_run() -> None:
    script = (ROOT / ".ci/run").read_text()
    commands = [line for line in script.splitlines() if line.startswith("make ")]
    assert commands == ["make check", "make test"]
    assert (ROOT / ".ci/run").stat().st_mode & 0o111
