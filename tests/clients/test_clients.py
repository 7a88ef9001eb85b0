"""The client programs of other languages, built and run against a real control plane."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.building import LANGUAGES, run
from tests.process.processes import Child
from tests.repo.tree import ROOT

TOUR = """\
greeting: Hello, Ada! 3
pause: paused
resolve: book, approved by Grace
reject: lamp: out of stock
cancel: cancelled
query: 3 orders on 2 pages
refusal: notfound HANDLER_NOT_FOUND nobody
refusal: failedprecondition INVALID_STATE resume
"""


def plain(text: str) -> str:
    """Each language spells gRPC's codes in its own way."""
    return re.sub(
        r"(?<=^refusal: )\S+", lambda it: it[0].replace("_", "").lower(), text, flags=re.M
    )


@pytest.mark.timeout(600)
@pytest.mark.parametrize("language", LANGUAGES)
def test_tour(language: str, tmp_path: Path, dev: tuple[Child, str]) -> None:
    build: Callable[[Path], list[str]] = LANGUAGES[language]
    command = build(tmp_path)
    _, address = dev
    assert plain(run([*command, address], tmp_path)) == TOUR


@pytest.mark.parametrize("language", LANGUAGES)
def test_readme_shows_what_the_program_prints(language: str) -> None:
    readme = (ROOT / "examples/clients" / language / "README.md").read_text()
    printed = re.findall(r"```console\n(.*?)```", readme, flags=re.S)
    assert any(TOUR in plain(block) for block in printed), readme
