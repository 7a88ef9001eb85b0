"""`durable audit`, and `list_audit` of the client."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import durable
from tests.cli.conftest import Run, run
from tests.support.processes import control_plane, running, until
from tests.support.processes import durable as command


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with control_plane(tmp_path_factory.mktemp("audit"), "--audit-log") as (_, where):
        yield where


@pytest.fixture(scope="module")
def full(address: str) -> str:
    """The address, once it has the entries of three calls."""
    for subject, reason in (("first", "\x1b[31mred"), ("second", ""), ("third", "")):
        change(address, subject, reason)
    until(lambda: len(listed(address).json) == 3, "three entries")
    return address


def change(address: str, subject: str, reason: str = "") -> None:
    with durable.Client(address, timeout=5) as client, pytest.raises(durable.InvalidArgumentError):
        client.cancel(subject, reason=reason)


def listed(address: str, *options: str) -> Run:
    return run("audit", "--json", *options, address=address)


def subjects(found: Run) -> list[str]:
    assert found.code == 0, found.err
    return [it["subject"] for it in found.json]


def test_the_list_is_a_table_newest_first(full: str) -> None:
    found = run("audit", address=full)
    assert found.code == 0
    head, *rows = found.out.splitlines()
    assert head.split() == (
        ["TIME", "IDENTITY", "KIND", "METHOD", "SUBJECT", "RESULT", "FROM", "REASON"]
    )
    assert [it.split()[4] for it in rows] == ["third", "second", "first"]
    assert "Cancel" in rows[0]
    assert "INVALID_ARGUMENT/INVALID_FIELD" in rows[0]
    # A reason is a text of the caller, which must not reach the terminal as it is.
    assert "\\x1b[31mred" in rows[2]


def test_json_has_all_fields(full: str) -> None:
    (entry, *_) = listed(full).json
    assert set(entry) == set(durable.AuditEntry.__dataclass_fields__)
    assert (entry["method"], entry["source"], entry["kind"]) == ("Cancel", "127.0.0.1", "none")


def test_conditions_and_limits(full: str) -> None:
    assert subjects(listed(full, "--subject", "second", "--method", "Cancel")) == ["second"]
    assert subjects(listed(full, "--since", "1h", "--all")) == ["third", "second", "first"]
    found = run("audit", "--limit", "2", address=full)
    assert [it.split()[4] for it in found.out.splitlines()[1:]] == ["third", "second"]
    assert "the last 2" in found.err
    found = run("audit", "--identity", "nobody", "--since", "1h", address=full)
    assert (found.out, "no call matches" in found.err) == ("", True)


def test_the_client_reads_page_by_page(full: str) -> None:
    with durable.Client(full) as client:
        page = client.list_audit(page_size=2, method="Cancel")
        assert [it.subject for it in page.entries] == ["third", "second"]
        last = client.list_audit(page_size=2, method="Cancel", page_token=page.next_page_token)
    assert [it.subject for it in last.entries] == ["first"]
    assert last.next_page_token == ""
    assert last.to_dict()["entries"][0]["subject"] == "first"


def test_follow_goes_on_with_what_is_new(full: str, tmp_path: Path) -> None:
    output = tmp_path / "followed"
    arguments = command("audit", "--follow", "--json", "--limit", "1", "--address", full)
    with running(arguments, output, attended=True) as child:
        until(lambda: _subjects(output) == ["third"], "the last entry", child)
        change(full, "fourth")
        change(full, "fourth")
        change(full, "fifth")
        until(lambda: len(_subjects(output)) == 4, "the new entries", child)
        child.process.send_signal(signal.SIGINT)
        assert child.process.wait(20) == 130
    assert _subjects(output) == ["third", "fourth", "fourth", "fifth"]


def _subjects(output: Path) -> list[str]:
    lines = output.read_text().splitlines() if output.exists() else []
    return [json.loads(it)["subject"] for it in lines if it.startswith("{")]


def test_without_an_audit_the_command_says_how_to_keep_one(tmp_path: Path) -> None:
    with control_plane(tmp_path) as (_, where):
        found = run("audit", address=where)
    assert found.code == 1
    assert "--audit-log" in found.err
    assert len(found.err.splitlines()) == 1


def test_local_mode_has_no_audit() -> None:
    with durable.Client.local() as client, pytest.raises(durable.RpcError, match="keeps no audit"):
        client.list_audit()
