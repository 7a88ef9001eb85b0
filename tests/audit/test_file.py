"""The audit in a file: rights, rotation, full disks, several writers."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from durable_server.audit.collector import AuditWriteError, Batch
from durable_server.audit.file import AuditFile

from .calls import call, lines


def write(file: AuditFile, *subjects: str) -> None:
    batch = Batch("1", [call(it) for it in subjects])
    asyncio.run(file.write(batch))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit"


def subjects(path: Path) -> list[str]:
    return [it["subject"] for it in lines(path)]


def test_a_new_file_is_for_this_user_only_and_an_old_one_is_kept(path: Path) -> None:
    first = AuditFile(path)
    write(first, "1", "2")
    first.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    again = AuditFile(path)
    write(again, "3")
    again.close()
    assert subjects(path) == ["1", "2", "3"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("how", ["moved", "removed", "moved and made again"])
def test_a_file_that_was_moved_is_opened_anew(path: Path, how: str) -> None:
    file = AuditFile(path)
    write(file, "1")
    if how == "removed":
        path.unlink()
    else:
        path.rename(path.with_suffix(".1"))
        assert how == "moved" or path.write_bytes(b"") == 0
    write(file, "2")
    file.close()
    assert subjects(path) == ["2"]
    assert how == "removed" or subjects(path.with_suffix(".1")) == ["1"]


def test_a_signal_opens_it_anew(path: Path) -> None:
    file = AuditFile(path)
    file.open()
    opened = os.listdir(f"/proc/{os.getpid()}/fd")
    file.reopen()
    write(file, "1")
    assert len(os.listdir(f"/proc/{os.getpid()}/fd")) == len(opened)
    file.close()
    assert subjects(path) == ["1"]


def test_a_line_that_is_broken_off_is_followed_by_a_new_one(path: Path) -> None:
    path.write_bytes(b'{"time":"2026-')
    file = AuditFile(path)
    write(file, "1")
    file.close()
    broken, whole = path.read_bytes().splitlines()
    assert broken == b'{"time":"2026-'
    assert json.loads(whole)["subject"] == "1"


def test_a_full_disk_is_an_error_that_says_how_much_is_written(path: Path) -> None:
    """The limit on the size of files stops a write in the middle, as the end of a disk does."""
    size = len((_written(path, "1")).splitlines()[0]) + 1
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    file = AuditFile(path)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3 * size + size // 2, limits[1]))
        with pytest.raises(AuditWriteError, match="File too large") as caught:
            write(file, "2", "3", "4", "5")
        assert caught.value.written == 2
        with pytest.raises(AuditWriteError):
            write(file, "4", "5")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    write(file, "4", "5")
    file.close()
    whole = [it for it in path.read_bytes().splitlines() if it.endswith(b"}")]
    assert [json.loads(it)["subject"] for it in whole] == ["1", "2", "3", "4", "5"]


def _written(path: Path, *given: str) -> bytes:
    file = AuditFile(path)
    write(file, *given)
    file.close()
    return path.read_bytes()


def test_a_device_that_is_full_is_an_error() -> None:
    file = AuditFile(Path("/dev/full"))
    with pytest.raises(AuditWriteError, match="No space left"):
        write(file, "1")
    file.close()


_WRITER = """
import asyncio, sys
from pathlib import Path
from durable_server.audit.collector import Batch
from durable_server.audit.file import AuditFile
from tests.audit.calls import call

async def main():
    path = None if sys.argv[2] == "-" else Path(sys.argv[2])
    file = AuditFile(path)
    for number in range(100):
        await file.write(Batch("1", [call(f"{sys.argv[1]}-{number}-{it}") for it in range(60)]))

asyncio.run(main())
"""


@pytest.mark.parametrize("where", ["file", "pipe"])
def test_several_processes_do_not_mix_their_lines(path: Path, where: str) -> None:
    reading, writing = os.pipe()
    place = "-" if where == "pipe" else str(path)
    stdout = writing if where == "pipe" else subprocess.DEVNULL
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITER, str(it), place], stdout=stdout)
        for it in range(3)
    ]
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    assert [it.wait(60) for it in writers] == [0, 0, 0]
    found = data.splitlines() if where == "pipe" else path.read_bytes().splitlines()
    got = [json.loads(it)["subject"] for it in found]
    assert sorted(got) == sorted(
        f"{writer}-{number}-{it}"
        for writer in range(3)
        for number in range(100)
        for it in range(60)
    )


def test_a_pipe_that_nobody_reads_holds_nobody_up(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    file = AuditFile(path)
    batch = Batch("1", [call(f"{it:04}") for it in range(2000)])
    failures: list[AuditWriteError] = []

    def fill() -> None:
        try:
            asyncio.run(file.write(batch))
        except AuditWriteError as error:
            failures.append(error)

    # asyncio.run waits for the thread that writes, as the end of the process does.
    writing = threading.Thread(target=fill, daemon=True)
    writing.start()
    writing.join(30)
    assert not writing.is_alive()
    (failure,) = failures
    assert 0 < failure.written < len(batch.calls)
    data = os.read(reader, 1 << 20)
    asyncio.run(file.write(batch._replace(calls=batch.calls[failure.written :][:10])))
    data += os.read(reader, 1 << 20)
    file.close()
    os.close(reader)
    read = [json.loads(it)["subject"] for it in data.splitlines()]
    assert read == [it.subject for it in batch.calls[: failure.written + 10]]
