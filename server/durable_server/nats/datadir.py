"""The data directory: owned by one control plane, through a lock that ends with the process.

    <dir>/lock      flock held for the life of the process; the pid in it is for people and for the
                    error message
    <dir>/FORMAT    the version of the layout, written once
    <dir>/nats/     the embedded server (see `embedded`); in it
    <dir>/nats/MODE     whether its store is that of a server on its own, or of a node of a cluster
    <dir>/partition-0.db    the store of partition 0; each partition has one
    <dir>/webhook.key   signs webhooks, when HTTP is served (see `webhooks.files`)
    <dir>/system.json   to which system the stores belong (see `cluster.identity`)
    <dir>/RESTORING     there while `durable restore` fills the directory; without it, it is complete

nats-server takes no lock on its store, and two servers on one store destroy it; SQLite and the fence
would survive two processes, that store would not. So the lock is taken before anything else. A flock
belongs to the open file and not to the pid: it is released when the process ends, in whatever way, and
child processes do not inherit it because Python closes the descriptor on exec. It works on local file
systems; on a network file system it is only as reliable as the mount.

The store of a server on its own loses its streams when it is started in a cluster, because no other
server knows of them, and that of a cluster cannot be used alone. So a directory belongs to one mode for
good, and a cluster and a node are part of that mode. A store from before MODE is that of a server on
its own.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from .routes import Routes

FORMAT = 1
"""The layout that this program reads and writes."""
RESTORING = "RESTORING"
"""The file that marks a directory whose restore has not ended."""
_OWN_NAMES = {"lock", "FORMAT", "FORMAT.new"}
_ALONE = "alone"
"""The mode of a server that is in no cluster."""


class DataDirError(Exception):
    """The directory cannot be used. The message is one line: what is wrong and what to do."""


class DataDirBusyError(DataDirError):
    """Another process holds the directory."""

    def __init__(self, path: Path, pid: int | None) -> None:
        self.path = path
        self.pid = pid
        who = f"process {pid}" if pid else "another process"
        super().__init__(
            f"data directory {path} is in use by {who}; stop it, or give this one another"
            " --data-dir"
        )


class DataDir:
    """An owned data directory; a context manager. Created with mode 0700 when it does not exist.

    With `restoring` it is for a restore: it must be empty, or of a restore that was interrupted.
    Without, one of an interrupted restore is refused.

    Raises DataDirBusyError when another process (or another DataDir of this one) holds it,
    DataDirError when it has another format, or is not empty and not ours.
    """

    def __init__(self, path: str | os.PathLike[str], *, restoring: bool = False) -> None:
        self.path = Path(path).expanduser().resolve()
        self._restoring = restoring
        self._lock: int | None = None
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check_ours()
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise DataDirError(
                f"data directory {self.path} cannot be used: {error.strerror}"
            ) from error
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DataDirBusyError(self.path, _read_pid(lock)) from None
            os.ftruncate(lock, 0)
            os.pwrite(lock, b"%d\n" % os.getpid(), 0)
            self._check_restore()
            self._check_format()
        except BaseException:
            os.close(lock)
            raise
        self._lock = lock

    def keep_nats_mode(self, routes: Routes | None) -> None:
        """Sets the mode of the embedded server's store: part of a cluster, or None for alone.

        Raises DataDirError when the store has another mode.
        """
        mode = _ALONE
        if routes is not None:
            mode = f"node {routes.node} of the cluster {routes.cluster}"
        folder = self.path / "nats"
        try:
            found = (folder / "MODE").read_text().strip()
        except FileNotFoundError:
            found = _ALONE if (folder / "jetstream").exists() else ""
        if found not in ("", mode):
            raise DataDirError(
                f"data directory {self.path} has the log of {_words(found)}, and cannot be used for"
                f" {_words(mode)}: start it as before, or give another --data-dir and move the system"
                " with `durable backup` and `durable restore`"
            )
        if not (folder / "MODE").exists():
            folder.mkdir(mode=0o700, exist_ok=True)
            _write_synced(folder / "MODE", mode)

    def close(self) -> None:
        """Releases the directory. May be called more than once."""
        if self._lock is not None:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> DataDir:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _check_ours(self) -> None:
        """Refuses a directory with other files: a mistyped --data-dir may name a home directory."""
        names = set(os.listdir(self.path))
        if "FORMAT" not in names and names - _OWN_NAMES:
            raise DataDirError(
                f"{self.path} is not empty and has no FORMAT file, so it is not a data directory"
                " of ours;"
                " give an empty or a new one"
            )

    def _check_restore(self) -> None:
        """Refuses a directory that a restore has not completed, or that a restore would destroy."""
        names = set(os.listdir(self.path))
        if self._restoring and RESTORING not in names and names - _OWN_NAMES:
            raise DataDirError(
                f"data directory {self.path} holds a system already; give --data-dir a new directory"
            )
        if not self._restoring and RESTORING in names:
            raise DataDirError(
                f"a restore into data directory {self.path} has not ended; run `durable restore` again"
            )

    def _check_format(self) -> None:
        file = self.path / "FORMAT"
        try:
            text = file.read_text().strip()
        except FileNotFoundError:
            _write_synced(file, str(FORMAT))
            return
        if text != str(FORMAT):
            raise DataDirError(
                f"data directory {self.path} has format {text!r}, this program reads {FORMAT};"
                " use the version that wrote it, or another --data-dir"
            )


def _words(mode: str) -> str:
    return "a server on its own" if mode == _ALONE else mode


def _write_synced(path: Path, text: str) -> None:
    """Writes a file of one line so that it is there whole or not at all."""
    new = path.with_name(f"{path.name}.new")
    with open(new, "w") as out:
        out.write(f"{text}\n")
        out.flush()
        os.fsync(out.fileno())
    new.rename(path)


def _read_pid(lock: int) -> int | None:
    text = os.pread(lock, 32, 0).strip()
    return int(text) if text.isdigit() else None
