"""Error messages of the command line: one line, a hint, the right exit code."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.processes import durable


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(durable(*arguments), capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["worker", "no_such_module"], 1, "no_such_module"),
        (["worker", "json"], 1, "no workflow"),
        (["worker", "missing.py"], 1, "missing.py"),
        (["worker", "tests.process.flows", "--address", "nowhere"], 2, "host:port"),
        (["worker", "tests.process.flows", "--address", "10.0.0.1:1"], 2, "plain text"),
        (["worker", "tests.process.flows", "--service", "Hello"], 2, "NAME=HOST:PORT"),
        (["server", "--listen", "50051"], 2, "HOST:PORT"),
        (["server", "--listen", "127.0.0.1:0", "--http", "8080"], 2, "--http '8080' is not"),
        (["server", "--listen", "127.0.0.1:0", "--http", "0.0.0.0:0"], 2, "--insecure"),
        (["serve"], 2, "No such command"),
        (["dev", "no_such_module", "--listen", "127.0.0.1:0", "--no-http"], 2, "no_such_module"),
        (["dev", "tests.nothing", "--listen", "127.0.0.1:0", "--no-http"], 2, "'tests.nothing'"),
        (["dev", "missing.py", "--listen", "127.0.0.1:0", "--no-http"], 2, "no file 'missing.py'"),
        (["dev", "", "--listen", "127.0.0.1:0", "--no-http"], 2, "no module ''"),
    ],
)
def test_an_error_is_one_line_with_a_hint(
    arguments: list[str], code: int, words: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if arguments[0] in ("dev", "server"):
        arguments = [*arguments, "--data-dir", str(tmp_path_factory.mktemp("data"))]
    ended = run(*arguments)
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr
    (line,) = ended.stderr.splitlines()
    assert words.lower() in line.lower()
    assert line.startswith("durable: " if code == 1 else "Error: ")


def test_help_and_version() -> None:
    assert "Durable execution behind gRPC" in run("--help").stdout
    assert run("--version").stdout.startswith("durable, version ")
