"""Documents match the code: make targets, limits, links, options, the README's example."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from durable_cli import errors
from durable_cli.main import cli
from durable_server.core.limits import Limits
from tests.support.processes import durable, running, until
from tests.support.repository import ROOT, files, name

README = (ROOT / "README.md").read_text()
SENTENCE = (
    "Outside side effects are at-least-once; their results are journaled exactly once. Every outgoing "
    "durable call carries `durable-idempotency-key: <invocation_id>/<step>` as metadata, so that a "
    "service can make it exactly-once."
)


def _targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text()
    return set(re.findall(r"^([a-z][a-z-]*):", makefile, flags=re.M))


def test_make_commands_of_documents_are_targets() -> None:
    documents = [path for path in files() if path.suffix in (".md", ".yml", ".yaml")]
    used = {
        (name(path), target)
        for path in documents
        for target in re.findall(r"(?:\$ |`)make ([a-z][a-z-]*)", path.read_text())
    }
    assert {target for _, target in used} >= {"test", "check", "gen", "run-simple"}
    targets = _targets()
    assert not {(where, target) for where, target in used if target not in targets}


def test_targets_named_in_passing_exist() -> None:
    named = set(re.findall(r"\brun-[a-z-]+", README))
    assert named <= _targets()


def test_every_target_has_its_line_in_help() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")}
    assert listed == _targets()


def test_documented_limits_are_the_limits() -> None:
    text = (ROOT / "docs/limits.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+) \| (.+) \| (.+) \|$", text, flags=re.M)
    documented = {limit: int(default.replace(",", "")) for limit, default, _, _ in rows}
    assert list(documented.items()) == list(Limits()._asdict().items())


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        f"{name(path)}: {target}"
        for path in files()
        if path.suffix == ".md"
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text())
        if "://" not in target and not (path.parent / target).exists()
    ]
    assert not broken


def test_the_promise_about_side_effects_is_in_these_words() -> None:
    assert SENTENCE in re.sub(r"\s+", " ", README)


@pytest.mark.parametrize("command", ["server", "dev", "worker"])
def test_options_in_the_readme_are_the_options(command: str) -> None:
    found = cli.get_command(click.Context(cli), command)
    assert found is not None
    offered = {
        option for parameter in found.params for option in parameter.opts if option.startswith("--")
    }
    table = re.findall(r"^\| `(--[\w-]+)[^`]*` \| ([\w, ]+) \|", README, flags=re.M)
    documented = {option for option, commands in table if command in commands.split(", ")}
    assert documented == offered
    assert CliRunner().invoke(cli, [command, "--help"]).exit_code == 0


def test_every_command_and_exit_code_is_in_the_readme() -> None:
    commands = re.findall(r"^\| (`durable .*?) \| ", README, flags=re.M)
    named = {word for line in commands for word in re.findall(r"`(?:durable )?([a-z]+)", line)}
    assert set(cli.list_commands(click.Context(cli))) <= named
    codes = {int(code) for code in re.findall(r"^\| (\d+) \| ", README, flags=re.M)}
    known = {value for value in vars(errors).values() if isinstance(value, int)}
    assert codes == {0, *known}


def test_example_of_the_readme_runs(tmp_path: Path) -> None:
    example, *_ = re.findall(r"```python\n(.*?)```", README, flags=re.S)
    (tmp_path / "hello.py").write_text(example)
    ready = tmp_path / "ready"
    command = durable(
        "dev", str(tmp_path / "hello.py"), "--no-reload", "--no-http", "--listen", "127.0.0.1:0",
        "--data-dir", str(tmp_path / "data"), "--ready-file", str(ready),
    )  # fmt: skip
    with running(command, tmp_path / "dev.log") as child:
        until(ready.exists, "ready file", child)
        address = re.findall(r"ready on (\S+)", child.text())[0]
        done = subprocess.run(
            [sys.executable, "hello.py"],
            cwd=tmp_path,
            env={**os.environ, "DURABLE_ADDRESS": address},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout == "Hello, you!\n", done.stderr
        assert child.terminate() == 0
