"""What it takes to generate one language: a `Recipe` says where it writes, and how.

Each language has a module here. A recipe needs nothing but its language's own toolchain; the
generators themselves are pinned, fetched from the language's own registry, and kept in `gen/.tools`
under a name with their version, so that a new pin never meets an old program.

A recipe whose toolchain is absent, or whose registry does not answer, raises `MissingError`: the
command says so and goes on with the next language.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files as resources
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PROTO = ROOT / "proto"
TOOLS = ROOT / "gen" / ".tools"
FETCH_SECONDS = 300

WELL_KNOWN = Path(str(resources("grpc_tools"))) / "_proto"
"""Where google/protobuf/*.proto are; only the protoc of grpcio-tools finds them by itself."""


class MissingError(Exception):
    """This language cannot be generated here; the message says what is missing."""


@dataclass(frozen=True)
class Recipe:
    """How one language's files are made."""

    name: str
    folders: tuple[Path, ...]
    """What it owns, relative to the root: all files there are generated."""
    generate: Callable[[Path], None]
    """Makes the folders below the given root; raises MissingError."""


def durable_protos() -> list[str]:
    """The files of our own package, as protoc wants them named."""
    return [
        file.relative_to(PROTO).as_posix()
        for file in sorted((PROTO / "durable/v1").glob("*.proto"))
    ]


def protoc(
    out: Path,
    *options: str,
    files: Sequence[str],
    paths: Sequence[Path] = (PROTO,),
    program: Sequence[str] = (sys.executable, "-m", "grpc_tools.protoc"),
) -> None:
    """Runs protoc, by default that of grpcio-tools; `paths` is where it looks for `files`."""
    out.mkdir(parents=True, exist_ok=True)
    roots = [f"--proto_path={path}" for path in (*paths, WELL_KNOWN)]
    subprocess.run([*program, *roots, *options, *files], check=True)


def program(name: str) -> str:
    """The path of a program of the toolchain; raises MissingError."""
    found = shutil.which(name)
    if found is None:
        raise MissingError(f"no `{name}` on the PATH")
    return found


def tools(name: str, fetch: Callable[[Path], None]) -> Path:
    """The folder `name` of the tools; `fetch` fills it the first time, all or nothing."""
    target = TOOLS / name
    if not target.exists():
        TOOLS.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=TOOLS) as scratch:
            fetched = Path(scratch) / "it"
            fetched.mkdir()
            fetch(fetched)
            if not target.exists():
                fetched.rename(target)
    return target


def fetching(command: Sequence[str], folder: Path, **environment: str) -> None:
    """Runs a command that needs a registry, twice if it must; raises MissingError."""
    said = ""
    for _ in range(2):
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env={**os.environ, **environment},
                capture_output=True,
                text=True,
                timeout=FETCH_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            said = f"no end after {FETCH_SECONDS} s"
            continue
        if done.returncode == 0:
            return
        said = (done.stderr + done.stdout).strip()[-400:]
    raise MissingError(f"`{' '.join(command[:3])}` failed: {said}")
