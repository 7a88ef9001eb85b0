"""`durable fork` and `durable diff`, as a person uses them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .conftest import Cli, run
from .test_terminal import COLOUR, Terminal

QUOTE = ("invoke", "quoted", '"tea"', "--json")
FIRST = "> "


@pytest.fixture(scope="module")
def source(cli: Cli) -> str:
    """A run with three steps that has ended."""
    found: str = cli.ok(*QUOTE).json["invocation_id"]
    return found


def forked(cli: Cli, *arguments: str) -> str:
    """Forks; returns the new id."""
    return cli.ok("fork", *arguments).out.split()[-1]


def wait(cli: Cli, invocation_id: str) -> Any:
    """Returns an invocation when it has ended."""
    cli("watch", invocation_id)
    return cli.ok("get", invocation_id, "--json").json


def test_a_fork_goes_on_with_another_result(cli: Cli, source: str) -> None:
    done = cli.ok("fork", source, "--set", 'result.1={"amount": 9}', "--reason", "what if")
    new_id = done.out.split()[-1]
    assert "keeps  steps 0 to 1\n" in done.out
    assert 'edits  1 RUN:price  {"amount":7} -> {"amount":9}' in done.out
    assert f"durable diff {source} {new_id}" in done.err
    found = wait(cli, new_id)
    assert found["output"].startswith("asked for tea, tea for 9 with ")
    assert (found["source_invocation_id"], found["source_index"]) == (source, 2)
    # The same random number: the steps that are kept may have been made with others before it.
    before = cli.ok("get", source, "--json").json
    assert found["output"].split()[-1] == before["output"].split()[-1]
    assert f"{source}, before its step 2" in cli.ok("get", new_id).out


def test_a_fork_with_a_failure_and_another_input(cli: Cli, source: str) -> None:
    new_id = forked(cli, source, "--fail", "1=no stock", "--input", '"coffee"')
    assert wait(cli, new_id)["output"] == "coffee: price: durable.Edited: no stock"


def test_a_fork_of_one_that_goes_on(cli: Cli) -> None:
    going = cli.start("nap", steps=2)
    done = cli.ok("fork", going)
    assert "keeps  step 0; those not complete begin anew: 1\n" in done.out
    as_json = cli.ok("fork", going, "--at", "0", "--json").json
    assert (as_json["source_index"], as_json["kept"], as_json["edited"]) == (0, [], [])
    assert cli.status(going) in ("running", "suspended")
    refused = cli("fork", going, "--set", "result.1=3")
    assert (refused.code, "entry 1, SLEEP, is not complete" in refused.err) == (2, True)
    cli.ok("cancel", going, done.out.split()[-1], as_json["invocation_id"], "--force")


def test_what_cannot_be_forked_is_said(cli: Cli, source: str) -> None:
    for arguments, words in (
        (("--at", "9"), "--at is past the end: the journal has the steps 0 to 2"),
        (
            ("--set", "result.7=1"),
            "an edited step is past the end: the journal has the steps 0 to 2",
        ),
        (("--at", "1", "--set", "result.1=1"), "step 1 is edited but not kept: --at is 1"),
    ):
        done = cli("fork", source, *arguments)
        assert (done.code, done.out) == (2, "")
        assert words in done.err
    assert cli("fork", "0" * 32).code == 3


def test_a_diff_marks_the_first_difference(cli: Cli, source: str) -> None:
    new_id = forked(cli, source, "--set", 'result.1={"amount": 9}')
    wait(cli, new_id)
    done = cli("diff", source, new_id)
    assert done.code == 1
    assert "they differ: first in step 1 (value)" in done.err
    marked = [line for line in done.out.splitlines() if line.startswith(FIRST)]
    assert len(marked) == 1
    assert marked[0].split() == [">", "1", "RUN:price", '{"amount":7}', "RUN:price", '{"amount":9}']
    found = cli("diff", source, new_id, "--json")
    assert found.code == 1
    assert found.json["equal"] is False
    assert found.json["second"]["source_invocation_id"] == source
    assert found.json["first_difference"]["step_number"] == 1
    assert [it["differs"] for it in found.json["rows"]] == [
        [],
        [],
        ["value"],
        ["value"],
        ["output"],
    ]


def test_a_diff_of_equal_runs_folds_their_steps(cli: Cli, source: str) -> None:
    again = forked(cli, source)
    wait(cli, again)
    done = cli.ok("diff", source, again)
    assert "… 3 equal steps, from 0 to 2" in done.out
    assert done.err == "they are equal\n"
    assert "RUN:price" in cli.ok("diff", source, again, "--all").out
    assert cli("diff", source).code == 2
    assert cli("diff", source, "0" * 32).code == 3


def test_a_diff_reads_exported_files(cli: Cli, source: str, tmp_path: Path) -> None:
    new_id = forked(cli, source, "--set", 'result.1={"amount": 9}')
    wait(cli, new_id)
    file = tmp_path / "run.json"
    file.write_text(cli.ok("export", source).out)
    assert cli("diff", str(file), source).code == 0
    assert "first in step 1 (value)" in cli("diff", str(file), new_id).err
    assert run("diff", str(file), str(file), address="127.0.0.1:1").code == 0
    file.write_text(cli.ok("export", source, new_id).out)
    assert "has 2 invocations; export the one that you mean" in cli("diff", str(file), source).err
    file.write_text("{}")
    assert cli("diff", str(file), source).code == 2


def test_a_diff_fits_a_terminal(cli: Cli, source: str) -> None:
    new_id = forked(cli, source, "--set", "result.0=" + '"' + "long " * 20 + '"')
    wait(cli, new_id)
    terminal = Terminal(cli, "diff", source, new_id, columns=90)
    assert terminal.end() == 1
    lines = [COLOUR.sub("", it) for it in terminal.text.splitlines()]
    assert max(map(len, lines)) <= 90
    # What differs is not cut.
    assert "".join(line[47:].strip() + " " for line in lines).count("long") >= 20
