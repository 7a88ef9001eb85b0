"""`durable export`, `replay` and `preflight`: against a control plane, from files, in a debugger."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from durable_cli.main import run

from .conftest import Cli, Run
from .test_terminal import Terminal

Here = Callable[..., Run]
SAME = '''
import durable

@durable.workflow
async def nap(ctx: durable.Context, seconds: float = 600) -> str:
    """Another text, and the same operations."""
    slept = 41
    place = await ctx.run("before", lambda: "not called")
    slept += 1
    await ctx.sleep(seconds)
    return "rested"
'''
CHANGED = SAME.replace('"before"', '"prepare"')
STOPS = SAME.replace("slept += 1", "breakpoint()")


@pytest.fixture(scope="module")
def nap(cli: Cli) -> str:
    return cli.start("nap", "600", steps=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, cli: Cli, nap: str) -> Path:
    """A folder with three versions of the code, and an exported run."""
    folder = tmp_path_factory.mktemp("code")
    for name, code in (("same", SAME), ("changed", CHANGED), ("stops", STOPS)):
        (folder / f"{name}.py").write_text(code)
    (folder / "run.json").write_text(cli.ok("export", nap).out)
    return folder


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Here:
    """Runs a command that reads files, in this process."""
    monkeypatch.setenv("DURABLE_ADDRESS", "127.0.0.1:1")

    def command(*arguments: str) -> Run:
        capsys.readouterr()
        code = run(arguments)
        return Run(code, *capsys.readouterr())

    return command


def test_an_export_is_a_line_for_each(cli: Cli, nap: str) -> None:
    other = cli.start("nap", "601", steps=2)
    done = cli.ok("export", nap, other)
    assert done.err == ""
    first, second = map(json.loads, done.out.splitlines())
    assert first["format"] == "durable.run/1"
    assert [it["invocation"]["invocation_id"] for it in (first, second)] == [nap, other]
    assert [it["name"] for it in first["start"]["journal"][:1]] == ["before"]
    listed = cli.ok("export", "--handler", "nap", "--limit", "2", "--redact")
    redacted = {json.loads(it)["invocation"]["invocation_id"]: it for it in listed.out.splitlines()}
    assert redacted.keys() == {nap, other}
    assert first["start"]["input"] == {"data": "NjAw"}
    assert json.loads(redacted[nap])["start"]["input"] == {"data": "MA=="}
    unknown = cli("export", "0" * 32)
    assert (unknown.code, unknown.out) == (3, "")
    assert "0" * 32 in unknown.err
    nothing = cli.ok("export", "--handler", "absent")
    assert (nothing.out, nothing.err) == ("", "no invocation matches\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "say what to export"),
        (("0" * 32, "--all"), "not both"),
        (("0" * 32, "--decode"), "--decode needs --codec-endpoint"),
    ],
)
def test_wrong_usage_of_export(here: Here, arguments: tuple[str, ...], says: str) -> None:
    done = here("export", *arguments)
    assert (done.code, done.out) == (2, "")
    assert says in done.err


def test_preflight_of_live_ones(cli: Cli, nap: str, folder: Path) -> None:
    here = ("--handler", "nap")
    good = cli.ok("preflight", str(folder / "same.py"), *here)
    assert re.fullmatch(r"\d+ invocations? replayed, 0 with a problem\n", good.out)
    bad = cli("preflight", str(folder / "changed.py"), *here, "--json")
    assert bad.code == 1
    (problem,) = bad.json["problems"]
    assert (problem["verdict"], problem["expected"], problem["got"]) == (
        *("held", "RUN 'before'", "RUN 'prepare'"),
    )
    assert problem["place"] == f"{folder / 'changed.py'}:8"
    assert "would not go on with this code" in bad.err
    one = cli("preflight", str(folder / "changed.py"), "--id", nap)
    assert one.code == 1
    assert "1 of nap would be held" in one.out
    assert "operation 0: the journal has RUN 'before', the program has RUN 'prepare'" in one.out
    assert cli.ok("preflight", str(folder / "same.py"), *here, "--sample", "1").out.startswith("1 ")
    # The worker has not noticed.
    assert cli.ok("get", nap, "--json").json["attempt"] == 1


def test_preflight_of_handlers_that_are_gone(cli: Cli, folder: Path) -> None:
    invocation_id = cli.ok("invoke", "patient", "--async").out.strip()
    gone = cli("preflight", str(folder / "same.py"), "--handler", "patient")
    assert gone.code == 1
    assert "1 of patient would find no handler" in gone.out
    cli.ok("preflight", str(folder / "same.py"), "--only-served")
    cli.ok("cancel", invocation_id)


def test_preflight_of_a_file_needs_no_control_plane(folder: Path, here: Here) -> None:
    file = str(folder / "run.json")
    good = here("preflight", str(folder / "same.py:nap"), "--file", file)
    assert (good.code, good.out) == (0, "1 invocation replayed, 0 with a problem\n")
    assert here("preflight", str(folder / "changed.py"), "--file", file).code == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("same.py", "--file", "same.py"), "has no exported runs: line 2 is not JSON"),
        (("same.py:lunch", "--file", "run.json"), "no handler 'lunch' in"),
        (("same.py", "--file", "run.json", "--limit", "2"), "do not apply"),
        (("same.py", "--limit", "2", "--sample", "2"), "not both"),
        (("same.py", "--file", "absent"), "does not exist"),
        (("same.py", "--file", "run.json", "--replay-timeout", "0s"), "give 1s or more"),
    ],
)
def test_wrong_usage_of_preflight(
    folder: Path, here: Here, arguments: tuple[str, ...], says: str
) -> None:
    given = [
        str(folder / it) if it.endswith(("json", "absent")) or ".py" in it else it
        for it in arguments
    ]
    done = here("preflight", *given)
    assert done.code == 2, done
    assert says in done.err
    assert done.out == ""


def test_a_replay_shows_each_operation_and_where_it_stands(
    folder: Path, nap: str, here: Here
) -> None:
    same = here("replay", str(folder / "run.json"), str(folder / "same.py"))
    assert same.code == 0, same
    head, first, second, standing = same.out.splitlines()
    assert head.startswith(f"{nap} nap, attempt 1, exported 20")
    assert re.match(r'  0 RUN:before  \+.*  "lie down"  .*/same.py:8$', first)
    assert re.match(r"  1 SLEEP  .*pending, due .*  .*/same.py:10$", second)
    assert standing == f"ok: waits for SLEEP #1  at {folder / 'same.py'}:10"

    changed = here("replay", str(folder / "run.json"), str(folder / "changed.py"))
    assert changed.code == 1
    assert changed.out.splitlines()[-1].startswith("held: durable.DeterminismError: operation 0")
    as_json = here("replay", str(folder / "run.json"), str(folder / "changed.py"), "--json")
    assert (as_json.code, as_json.json["got"]) == (1, "RUN 'prepare'")

    shown = here("replay", str(folder / "run.json"))
    assert shown.code == 0
    assert "RUN:before" in shown.out
    assert here("replay", str(folder / "run.json"), "--pdb").code == 2
    other = here("replay", str(folder / "run.json"), "tests.cli.flows", "--id", "f" * 32)
    assert other.code == 2
    assert nap in other.err


def _debug(folder: Path, module: str, *dialogue: tuple[str, str], pdb: bool = True) -> Terminal:
    """Replays in a terminal; each line is typed when the text before it has come."""
    offline = Cli("", folder)
    options = ("--pdb",) if pdb else ()
    files = (str(folder / "run.json"), str(folder / module))
    terminal = Terminal(offline, "replay", *files, *options, columns=200)
    seen = 0
    for awaited, typed in dialogue:

        def came(text: str, awaited: str = awaited, seen: int = seen) -> bool:
            at = text.find(awaited, seen)
            return at >= 0 and text.endswith("(Pdb) ")

        terminal.until(came)
        seen = len(terminal.text)
        terminal.write(typed + "\n")
    return terminal


def test_the_debugger_stops_at_the_first_line(folder: Path) -> None:
    terminal = _debug(
        *(folder, "same.py"),
        ("slept = 41", "p seconds"),
        ("600", "n"),
        ('ctx.run("before"', "n"),
        ("slept += 1", "n"),
        ("ctx.sleep", "p (place, slept)"),
        ("('lie down', 42)", "c"),
    )
    assert terminal.end() == 0
    assert "waits for SLEEP #1" in terminal.text


def test_a_breakpoint_in_the_code_works(folder: Path) -> None:
    # Before Python 3.13 it stops at the line after the call.
    stops = [("breakpoint()", "n")] if sys.version_info >= (3, 13) else []
    terminal = _debug(
        *(folder, "stops.py", *stops), ("ctx.sleep", "p (place, slept)"), ("41)", "c"), pdb=False
    )
    assert terminal.end() == 0
    assert "('lie down', 41)" in terminal.text


def test_the_debugger_shows_the_program_where_it_differs(folder: Path) -> None:
    terminal = _debug(
        *(folder, "changed.py"),
        ("slept = 41", "c"),
        ('ctx.run("prepare"', "p (slept, seconds)"),
        ("(41, 600", "w"),
        ("nap()", "q"),
    )
    assert terminal.end() == 1
    assert "DeterminismError: operation 0 of nap" in terminal.text
    assert "_engine" not in terminal.text, "only the program's own frames are shown"


def test_a_debugger_that_is_left_says_no_more(folder: Path) -> None:
    terminal = _debug(folder, "same.py", ("slept = 41", "q"))
    assert terminal.end() == 0
    assert "held" not in terminal.text
