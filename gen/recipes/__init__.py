"""Recipes: how the code of each language is generated, one module per language.

A recipe needs only the toolchain of its language. It fetches its generators, at pinned versions,
from the language's registry into `gen/.tools`, in a folder named after the versions: a new pin
never uses an old program.

A recipe raises `MissingError` when its toolchain is missing or its registry does not answer. The
command prints that and continues with the next language.
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
"""The folder of google/protobuf/*.proto. Only the protoc of grpcio-tools finds it without an option."""


class MissingError(Exception):
    """This language cannot be generated here; the message says what is missing."""


@dataclass(frozen=True)
class Recipe:
    """How one language's files are made."""

    name: str
    folders: tuple[Path, ...]
    """The folders that it owns, relative to the root: every file in them is generated."""
    generate: Callable[[Path], None]
    """Generates the folders below the given root; raises MissingError."""


def durable_protos() -> list[str]:
    """The proto files of durable.v1, as paths relative to the proto root."""
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
    """The folder `name` below `gen/.tools`. `fetch` fills it the first time, entirely or not at all."""
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
    """Runs a command that needs a registry, and retries it once; raises MissingError."""
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
