"""The data directory: its lock and its format."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from durable_server.nats.datadir import DataDir, DataDirBusyError, DataDirError
from durable_server.nats.routes import Routes

from .processes import runs

HOLD = """
import sys
from durable_server.nats.datadir import DataDir
with DataDir(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""
HOLD_WITH_CHILD = """
import subprocess, sys
from durable_server.nats.datadir import DataDir
with DataDir(sys.argv[1]):
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"])
    print(child.pid, flush=True)
    child.wait()
"""


def test_it_is_made_private_with_a_format(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    with DataDir(path) as data:
        assert data.path == path
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert (path / "FORMAT").read_text() == "1\n"
        assert (path / "lock").read_text() == f"{os.getpid()}\n"
    assert (path / "lock").read_text() == ""


def test_a_second_taker_is_told_who_has_it(tmp_path: Path) -> None:
    path = tmp_path / "data"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(DataDirBusyError) as caught:
        DataDir(path)
    assert caught.value.pid == holder.pid
    assert str(caught.value) == (
        f"data directory {path} is in use by process {holder.pid};"
        " stop it, or give this one another --data-dir"
    )
    # However the holder goes, the lock goes with it.
    holder.kill()
    holder.communicate()
    DataDir(path).close()


def test_the_same_process_cannot_take_it_twice(tmp_path: Path) -> None:
    with DataDir(tmp_path / "data"), pytest.raises(DataDirBusyError):
        DataDir(tmp_path / "data")
    data = DataDir(tmp_path / "data")
    data.close()
    data.close()


def test_a_child_does_not_inherit_the_lock(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_WITH_CHILD, str(tmp_path / "data")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    child = int(holder.stdout.readline())
    holder.kill()
    holder.wait()
    assert runs(child)
    DataDir(tmp_path / "data").close()
    holder.communicate()  # the end of the shared standard input ends the child


def test_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data"
    DataDir(path).close()
    (path / "FORMAT").write_text("2\n")
    with pytest.raises(DataDirError, match="has format '2', this program reads 1; use the version"):
        DataDir(path)


def test_somebody_elses_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(DataDirError, match="is not empty and has no FORMAT file"):
        DataDir(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["thesis.tex"]


def test_a_crash_before_the_format_was_written_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    (tmp_path / "FORMAT.new").write_text("")
    DataDir(tmp_path).close()
    assert (tmp_path / "FORMAT").read_text() == "1\n"


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(DataDirError, match="cannot be used: File exists"):
        DataDir(tmp_path / "data")


PEERS = {"a": "127.0.0.1:1", "b": "127.0.0.1:2", "c": "127.0.0.1:3"}
NODE_A = Routes("green", "a", PEERS)


@pytest.mark.parametrize(
    ("first", "then", "has", "asked"),
    [
        (None, NODE_A, "a server on its own", "node a of the cluster green"),
        (NODE_A, None, "node a of the cluster green", "a server on its own"),
        (NODE_A, Routes("green", "b", PEERS), "node a of", "node b of the cluster green"),
        (NODE_A, Routes("blue", "a", PEERS), "node a of", "node a of the cluster blue"),
    ],
)
def test_the_store_of_nats_keeps_its_mode(
    first: Routes | None, then: Routes | None, has: str, asked: str, tmp_path: Path
) -> None:
    with DataDir(tmp_path / "data") as data:
        data.keep_nats_mode(first)
    with DataDir(tmp_path / "data") as data:
        data.keep_nats_mode(first)
        with pytest.raises(DataDirError, match=f"{has}.* cannot be used for {asked}.*restore"):
            data.keep_nats_mode(then)


def test_a_store_without_a_mode_is_of_a_server_on_its_own(tmp_path: Path) -> None:
    with DataDir(tmp_path / "data") as data:
        (data.path / "nats" / "jetstream").mkdir(parents=True)
        with pytest.raises(DataDirError, match="a server on its own"):
            data.keep_nats_mode(NODE_A)
        data.keep_nats_mode(None)
