"""The checks of `durable doctor` for a control plane on this machine.

The log syncs to disk before the control plane responds, so the time of one sync bounds every
response. The checks write only a temporary file to the data dir.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from .checks import FAIL, OK, WARN, Check
from .errors import SERVER_PACKAGES

_SYNCS: Final = 20
_SYNC_BYTES: Final = 4096
_SYNC_MS_WARN: Final = 20.0
_SYNC_MS_FAIL: Final = 500.0
_FREE_BYTES_WARN: Final = 2 * 1024**3
_FREE_BYTES_FAIL: Final = 256 * 1024**2


def local_checks(data_dir: Path) -> Iterator[Check]:
    """Checks nats-server and the data dir; neither where only a client is installed."""
    missing = [name for name in SERVER_PACKAGES if find_spec(name) is None]
    if missing:
        text = f"the control plane is not installed here ({missing[0]} is missing), only the client"
        yield Check(OK, "nats-server", text, "to run one: pip install 'durable-grpc[server]'")
        return
    yield _nats_server()
    folder = data_dir.resolve()
    while not folder.exists():  # a new folder will be on the disk of its parent
        folder = folder.parent
    yield _space(folder)
    yield _sync_speed(folder)


def _nats_server() -> Check:
    # By name, because this package must not import the control plane.
    binary = import_module("durable_server.nats.binary")
    try:
        found = binary.find_nats_server()
    except binary.NatsBinaryError as error:
        return Check(FAIL, "nats-server", str(error), "")
    return Check(OK, "nats-server", f"{'.'.join(map(str, found.version))} at {found.path}", "")


def _space(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    text = f"{free / 1024**3:.1f} GiB free at {folder}"
    if free < _FREE_BYTES_WARN:
        verdict = FAIL if free < _FREE_BYTES_FAIL else WARN
        return Check(
            verdict, "disk space", text, "free some, or name another place with --data-dir"
        )
    return Check(OK, "disk space", text, "")


def _sync_speed(folder: Path) -> Check:
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".durable-doctor-") as file:
            times = []
            for _ in range(_SYNCS):
                file.write(b"\0" * _SYNC_BYTES)
                file.flush()
                began = time.perf_counter()
                os.fsync(file.fileno())
                times.append((time.perf_counter() - began) * 1000)
    except OSError as error:
        return Check(FAIL, "disk sync", f"{folder} cannot be written: {error}", "see --data-dir")
    middle = statistics.median(times)
    text = f"{middle:.2f} ms for one, {max(times):.1f} ms at worst, at {folder}"
    if middle > _SYNC_MS_WARN:
        verdict = FAIL if middle > _SYNC_MS_FAIL else WARN
        return Check(verdict, "disk sync", text, "every answer waits for one: use a local SSD")
    return Check(OK, "disk sync", text, "")
