"""The repository's files, as git lists them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

GENERATED = (
    "gen/betterproto/durable_betterproto/",
    "gen/go/durable/",
    "gen/java/src/",
    "gen/openapi/",
    "gen/python/",
    "gen/typescript/durable/",
    "gen/typescript/google/",
    "examples/services/",
)


def files() -> list[Path]:
    """Every file that is tracked, or would be with `git add --all`; skips outside a git clone."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs git and a clone")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def name(path: Path) -> str:
    """A file's name from the root, with forward slashes."""
    return path.relative_to(ROOT).as_posix()


def is_generated(path: Path) -> bool:
    """Whether `make gen` writes this file."""
    return name(path).startswith(GENERATED)
