"""The lock of a store: one process at a time, and the end of one that keeps it."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from durable_server.node.store_lock import StoreHeldError, StoreLock

HOLDS = """
import sys
from pathlib import Path
from durable_server.node.store_lock import StoreLock
lock = StoreLock.take(Path(sys.argv[1]), make=True)
exec(sys.argv[2])
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(store: Path, then: str = "") -> Iterator[subprocess.Popen[str]]:
    """Another process has the lock; `then` is what else it does."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(store), then],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder
        holder.kill()


def test_one_process_at_a_time_has_a_store(tmp_path: Path) -> None:
    store = tmp_path / "partition-3.db"
    with held(store) as holder:
        with pytest.raises(
            StoreHeldError, match=f"partition-3.db is held by process {holder.pid}:"
        ):
            StoreLock.take(store, make=True)
        StoreLock.take(tmp_path / "partition-4.db", make=True).release()
        holder.kill()
        holder.wait()
        StoreLock.take(store, make=True).release()
    lock = StoreLock.take(store, make=True)
    with pytest.raises(StoreHeldError):
        StoreLock.take(store, make=True)
    lock.release()
    lock.release()
    StoreLock.take(store, make=True).release()


def test_a_process_on_its_own_takes_a_lock_only_where_there_was_one(tmp_path: Path) -> None:
    store = tmp_path / "partition-0.db"
    StoreLock.take(store, make=False).release()
    assert list(tmp_path.iterdir()) == []
    with held(store), pytest.raises(StoreHeldError, match="end it, and start again"):
        StoreLock.take(store, make=False)


def test_a_process_that_has_given_a_lock_back_is_not_killed_for_the_next_holder(
    tmp_path: Path,
) -> None:
    """The next one has the lock for a moment before its own number is in the file."""
    store = tmp_path / "partition-0.db"
    with held(store, "lock.release()\n") as before, store.with_suffix(".lock").open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(StoreHeldError, match="held by another process:") as caught:
            StoreLock.take(store, make=True)
        caught.value.end_holder()
        assert before.poll() is None


def test_the_holder_is_killed_if_it_still_has_the_store(tmp_path: Path) -> None:
    store = tmp_path / "partition-0.db"
    with held(store) as holder:
        with pytest.raises(StoreHeldError) as caught:
            StoreLock.take(store, make=True)
        holder.send_signal(signal.SIGSTOP)
        caught.value.end_holder()
        assert holder.wait() == -signal.SIGKILL
    with held(store) as holder:
        with pytest.raises(StoreHeldError) as caught:
            StoreLock.take(store, make=True)
        assert holder.stdin is not None
        holder.stdin.close()
        holder.wait()
        # Nobody has it any more, or this process.
        caught.value.end_holder()
        lock = StoreLock.take(store, make=True)
        caught.value.end_holder()
        lock.release()
