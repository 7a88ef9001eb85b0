"""The client programs of other languages, built and run against a real control plane."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.building import LANGUAGES, run
from tests.process.processes import durable, running, until
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
def test_tour(language: str, tmp_path: Path) -> None:
    build: Callable[[Path], list[str]] = LANGUAGES[language]
    command = build(tmp_path)
    ready = tmp_path / "ready"
    dev = durable(
        "dev", str(ROOT / "examples/clients/workflows.py"), "--no-reload", "--no-http",
        "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data"), "--ready-file", str(ready),
    )  # fmt: skip
    with running(dev, tmp_path / "dev.log") as child:
        until(ready.exists, "ready file", child)
        address = json.loads(ready.read_text())["address"]
        assert plain(run([*command, address], tmp_path)) == TOUR


@pytest.mark.parametrize("language", LANGUAGES)
def test_readme_shows_what_the_program_prints(language: str) -> None:
    readme = (ROOT / "examples/clients" / language / "README.md").read_text()
    printed = re.findall(r"```console\n(.*?)```", readme, flags=re.S)
    assert any(TOUR in plain(block) for block in printed), readme
