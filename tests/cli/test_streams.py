"""Closed or full streams, invalid arguments: one line of error, and the right exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from durable_cli import main

from .conftest import Cli

COMMANDS = (
    ("list",),
    ("get", "0" * 32),
    ("handlers", "--json"),
    ("invoke", "greet"),
    ("doctor", "--data-dir", "/nonexistent"),
    ("--help",),
    ("worker", "--help"),
)
ASCII = {"PYTHONIOENCODING": "ascii"}
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
"""That of a user: output is buffered, and Python writes the rest of it at exit."""


def shell(cli: Cli, line: str, *arguments: str, **environment: str) -> tuple[int, str]:
    """Runs `durable ARGUMENTS` with redirections as a shell does; gives the code and the output."""
    command = " ".join([sys.executable, "-m", "durable_cli", '"$@"', line])
    done = subprocess.run(
        ["sh", "-c", command, "sh", *arguments],
        env={**ENVIRONMENT, "DURABLE_ADDRESS": cli.address, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_streams_that_are_closed_or_full(cli: Cli, arguments: tuple[str, ...]) -> None:
    usual, _ = shell(cli, "", *arguments)
    # What is closed is nothing; what is full cannot have the answer.
    for line, codes in (
        ("<&-", {usual}),
        (">&-", {usual}),
        ("2>&-", {usual}),
        ("<&- >&- 2>&-", {usual}),
        ("2>/dev/full", {usual}),
        (">/dev/full", {usual, 1}),
    ):
        code, output = shell(cli, line, *arguments)
        assert code in codes, (line, code, output)
        assert "Traceback" not in output, output
        assert "Exception ignored" not in output, output
        if line == ">/dev/full" and code != usual:
            assert output == "durable: cannot write: No space left on device\n"


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_reader_that_leaves_has_what_it_wanted(cli: Cli, arguments: tuple[str, ...]) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "durable_cli", *arguments],
            env={**ENVIRONMENT, "DURABLE_ADDRESS": cli.address},
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(theirs)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert "pipe" not in done.stderr.lower()
    assert done.returncode == shell(cli, "", *arguments)[0] or done.returncode == 0


def test_what_a_terminal_cannot_show_is_escaped(cli: Cli) -> None:
    text = '"\\u00e9 \\u20ac \\ud83d\\ude00"'
    code, output = shell(cli, "", "invoke", "greet", text, **ASCII)
    assert (code, output) == (0, "Hello, \\xe9 \\u20ac \\U0001f600!\n")
    code, output = shell(cli, "", "invoke", "greet", text, "--json", **ASCII)
    assert (code, json.loads(output)["value"]) == (0, "Hello, é € 😀!")
    code, output = shell(cli, "", "invoke", "broken", text, **ASCII)
    assert code == 1
    assert "\\u20ac" in output
    posix: Mapping[str, str] = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    for arguments in (("list",), ("list", "--json"), ("invoke", "greet", text)):
        code, output = shell(cli, "", *arguments, **posix)
        assert (code, "Traceback" in output) == (0, False), output


def test_json_is_read_as_utf_8_whatever_the_locale(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "input.json").write_bytes(b"\xef\xbb\xbf" + '"é"'.encode())
    code, output = shell(cli, "", "invoke", "greet", f"@{tmp_path}/input.json", LC_ALL="C")
    assert (code, output) == (0, "Hello, é!\n")
    (tmp_path / "input.json").write_bytes(b'"\xe9"')
    for line, value in ((f"<{tmp_path}/input.json", "-"), ("", f"@{tmp_path}/input.json")):
        code, output = shell(cli, line, "invoke", "greet", value)
        assert code == 2
        assert "cannot be read: 'utf-8' codec" in output
        assert output.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("get", "caf\udce9"),
        ("invoke", "greet", '"caf\udce9"'),
        ("invoke", "caf\udce9"),
        ("list", "--handler", "\udcff"),
        ("resolve", "\udcff"),
        ("state", "get", "cart", "\udcff"),
        ("sql", "SELECT '\udcff'"),
        ("worker", "\udcff.py"),
        ("server", "--listen", "\udcff"),
        ("dev", "\udcff"),
        ("\udcff",),
        ("list", "--\udcff"),
    ],
)
def test_arguments_that_are_no_unicode(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("Error: argument ")
    assert "is not UTF-8" in said.err
    assert said.err.count("\n") == 1


def test_bytes_of_the_shell_that_are_no_unicode(cli: Cli) -> None:
    code, output = shell(cli, "$(printf 'caf\\351')", "get")
    assert (code, output.count("\n")) == (2, 1)
    assert "argument 2 is not UTF-8: 'caf\\udce9'" in output


HUGE = "9" * 30
LONG = "9" * 5000
NUMBERS = (
    *(("list", "--limit", it) for it in ("nan", "-1", "0", "1e3", "1e400", "inf", "")),
    *(("sql", "SELECT 1", "--limit", it) for it in ("nan", "-1", "inf")),
    *(("sql", "SELECT 1", "--timeout", it) for it in (HUGE, LONG, "1e400", "nan", "-1s")),
    *(("invoke", "greet", "--timeout", it) for it in (HUGE, LONG, "1e400", "nan", "-1", "inf")),
    *(("invoke", "greet", "--delay", it) for it in (HUGE, LONG, f"{HUGE}d", "nan", "-1s")),
    *(("invoke", "greet", "--at", it) for it in (HUGE, "0001-01-01T00:00+14:00", "nan")),
    *(("invoke", "greet", "--priority", it) for it in (HUGE, LONG, "2147483648", "nan", "1.5")),
    *(("list", "--since", it) for it in (HUGE, f"{LONG}d", "0001-01-01T00:00+14:00", "nan")),
    *(("list", "--until", it) for it in (HUGE, "9999-12-31T23:59-14:00")),
    *(("describe", "0" * 32, "--depth", it) for it in ("-1", "nan", "1.5")),
    *(("restart", "0" * 32, "--from-index", it) for it in ("-1", HUGE, "2147483648", "nan")),
    *(("pause", "0" * 32, "--wait", it) for it in (HUGE, "nan", "-1")),
    *(("reject", "a", "no", "--code", it) for it in (HUGE, "2147483648", "nan", "E42")),
    *(("webhook", "a", "--expires", it) for it in (HUGE, "nan", "-1s")),
    *(("log", "--from", it) for it in (HUGE, "-1", "nan")),
    *(("log", "--to", it) for it in (HUGE, "-1", "nan")),
    *(("worker", "m", "--max-concurrent", it) for it in ("0", "-1", HUGE, "nan", "100001")),
    *(("worker", "m", "--drain-timeout", it) for it in (HUGE, "nan", "-1")),
    *(("worker", "m", "--suspend-after", it) for it in (HUGE, "nan", "-1", "none")),
    *(("dev", "m", "--drain-timeout", it) for it in (HUGE, "nan")),
    *(("dev", "m", "--max-concurrent", it) for it in ("0", HUGE)),
    *(("server", "--replicas", it) for it in ("2", HUGE, "-1", "nan")),
    *(("server", "--partitions", it) for it in ("257", HUGE, "-1", "nan")),
    *(("server", "--listen", f"127.0.0.1:{it}") for it in ("65536", HUGE, LONG, "-1", "nan", "²")),
    *(("server", "--http", f"127.0.0.1:{it}") for it in ("65536", LONG, "nan")),
    *(("list", "--address", f"127.0.0.1:{it}") for it in ("65536", HUGE, LONG, "-1", "²")),
    *(("invoke", "greet", it) for it in ("1e400", "-1e400", "NaN", LONG, "[" * 100_000)),
    ("invoke", "greet", '"\\ud800"'),
)


@pytest.mark.parametrize("arguments", NUMBERS, ids=lambda it: " ".join(it)[:60])
def test_numbers_that_cannot_be(
    arguments: tuple[str, ...],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    if arguments[0] in ("server", "sql", "log"):
        arguments = (*arguments, "--data-dir", str(tmp_path))
    for stream in ("stdout", "stderr"):  # commands that serve put others in their place
        monkeypatch.setattr(sys, stream, getattr(sys, stream))
    code = main.run(arguments)
    said = capfd.readouterr()
    assert (code, said.out) == (2, ""), said
    assert said.err.startswith("Error: ")
    assert said.err.count("\n") == 1
    assert len(said.err) < 1000


def test_a_limit_beyond_all_there_is_is_no_limit(cli: Cli) -> None:
    cli.ok("invoke", "greet")
    assert cli.ok("list", "--limit", HUGE, "--json").json
    data_dir = ("--data-dir", str(cli.data_dir))
    rows = cli.ok("sql", "SELECT 1 AS one", "--limit", HUGE, "--json", *data_dir)
    assert rows.json == [{"one": 1}]
    invocation_id = cli.start("parent", steps=1)
    assert cli.ok("describe", invocation_id, "--depth", HUGE, "--json").json["children"]
