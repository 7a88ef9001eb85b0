"""Parsing of what users type: times, durations, values, help texts. No server."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import click
import pytest
from click.testing import CliRunner

from durable_cli import errors, times, values
from durable_cli.main import cli


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("1.5s", 1.5),
        ("250ms", 0.25),
        ("5m", 300),
        ("1h30m", 5400),
        ("2d", 172800),
        ("1w", 604800),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert times.parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "m", "5 m", "5x", "-5s", "1h-30m", "s5"])
def test_what_is_no_duration(text: str) -> None:
    assert times.parse_duration(text) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.34, "340 ms"),
        (0.9999, "1.0 s"),
        (59.94, "59.9 s"),
        (59.99, "1m"),
        (303, "5m 3s"),
        (7200, "2h"),
        (187200, "2d 4h"),
        (-90, "-1m 30s"),
    ],
)
def test_lengths(seconds: float, text: str) -> None:
    assert times.length_text(timedelta(seconds=seconds)) == text


def test_times_seen_from_now() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert times.relative(now, now) == "now"
    assert times.relative(now - timedelta(seconds=5), now) == "5s ago"
    assert times.relative(now - timedelta(hours=3, minutes=5), now) == "3h ago"
    assert times.relative(now + timedelta(days=2), now) == "in 2d"
    assert times.absolute(now) == "2026-01-01T00:00:00.000Z"


def test_values() -> None:
    assert values.parse_value('{"a": [1, null]}') == {"a": [1, None]}
    for text, words in (
        ("you", "'\"you\"'"),
        ("NaN", "NaN is not in JSON"),
        ("@/no/such/file", "cannot be read"),
    ):
        with pytest.raises(click.UsageError) as caught:
            values.parse_value(text)
        assert words in caught.value.message
    assert values.parse_pairs(["a=b=c", "d="], "--header") == {"a": "b=c", "d": ""}
    with pytest.raises(click.UsageError, match="--header 'x' is not NAME=VALUE"):
        values.parse_pairs(["x"], "--header")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["list", "--since", "soon"], "duration such as 2h"),
        (["list", "--limit", "0"], "x>=1"),
        (["invoke", "x", "--delay", "soon"], "no duration"),
        (["invoke", "x", "--idempotency-key", ""], "is empty: give a value, or leave it out"),
        (["fork", "x", "--set", "1=1"], "'1=1' is not result.N=JSON"),
        (["fork", "x", "--set", "result.1=no"], "--set result.1 is no JSON"),
        (["fork", "x", "--fail", "no"], "'no' is not N=MESSAGE"),
        (["fork", "x", "--set", "result.0=1", "--fail", "0=no"], "step 0 is edited twice"),
        (["get", "x", "--address", "https://host"], "speaks gRPC"),
        (["get", "x", "--address", "10.0.0.1:1"], "--insecure"),
    ],
)
def test_wrong_usage(arguments: list[str], words: str) -> None:
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == errors.USAGE, done.output
    assert words in done.output


def test_every_command_has_help_and_json() -> None:
    context = click.Context(cli)
    groups = {"state", "token", "webhooks"}
    without = {"server", "dev", "worker", "sql", "log", "certs", "completion", *groups}
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert CliRunner().invoke(cli, [name, "--help"]).exit_code == 0
        options = {option for it in command.params for option in it.opts}
        if name not in without:
            needed = {"--json", "--debug"}
            if name not in ("backup", "restore"):  # They need no control plane.
                needed.add("--address")
            assert needed <= options, name


def test_help_needs_no_heavy_import() -> None:
    program = (
        "import sys, runpy; sys.argv = ['durable', '--help']\n"
        "try: runpy.run_module('durable_cli', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "heavy = {'grpc', 'durable', 'asyncio', 'google.protobuf', 'nats'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
