"""The client programs of other languages, built and run against a real control plane."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.clients.building import LANGUAGES, console, script
from tests.support.processes import Child
from tests.support.repository import ROOT

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


START = "durable dev examples/clients/workflows.py"
"""The README's commands that the fixture has run already."""
IN_PLACE = "pip install ./gen/betterproto"
"""Installed with the development tools, as that README says."""


def plain(text: str) -> str:
    """Each language spells gRPC's codes in its own way."""
    return re.sub(
        r"(?<=^refusal: )\S+", lambda it: it[0].replace("_", "").lower(), text, flags=re.M
    )


@pytest.mark.timeout(600)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_commands_of_the_readme(language: str, tmp_path: Path, dev: tuple[Child, str]) -> None:
    environment = LANGUAGES[language](tmp_path)
    first, *commands = console((ROOT / "examples/clients" / language / "README.md").read_text())
    assert first == START
    assert sum("127.0.0.1:50051" in it for it in commands) == 1
    _, address = dev
    here = [it.replace("127.0.0.1:50051", address) for it in commands if it != IN_PLACE]
    assert plain(script(tmp_path, here, **environment)).endswith(TOUR)


@pytest.mark.parametrize("language", LANGUAGES)
def test_readme_shows_what_the_program_prints(language: str) -> None:
    readme = (ROOT / "examples/clients" / language / "README.md").read_text()
    printed = re.findall(r"```console\n(.*?)```", readme, flags=re.S)
    assert any(TOUR in plain(block) for block in printed), readme
