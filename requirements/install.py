"""The installer of the development tools: the files of `lock.txt`, whose hashes pip checks.

    python requirements/install.py [auto|require|off]

It installs into the Python that runs it. `lock.txt` has the hashes of all files of each package, for
all platforms and for Python 3.11 and newer, so whichever index or folder serves them, they are those
that `make lock` has seen. Only wheels are taken, because building anything else runs code of packages
that nobody has locked.

A file with another hash always ends it with an error. If the index does not have a locked file for this
platform, or `pyproject.toml` needs what is not locked yet, `auto` says so and installs what
`pyproject.toml` allows, without hashes; `require` ends with an error. `off` does not use the lock.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "lock.txt"
MODES = ("auto", "require", "off")
_PIP = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
_UNLOCKED = (*_PIP, "--editable", f"{ROOT}[dev]")
_LOCKED = (*_PIP, "--require-hashes", "--only-binary", ":all:", "--requirement", str(LOCK))
_PROJECT = (*_PIP, "--no-index", "--no-build-isolation", "--editable", f"{ROOT}[dev]")
"""Installs the project, and fails if something that it needs is not installed."""
_NOT_THERE = ("No matching distribution found", "Could not find a version that satisfies")
"""How pip says that neither the index nor this Python has what was asked for."""


def install(mode: str) -> int:
    """Installs everything; returns the exit code."""
    if mode == "off":
        return subprocess.run(_UNLOCKED, check=False).returncode
    for command, problem in (
        (_LOCKED, "the index has no such file for this platform and Python"),
        (_PROJECT, "pyproject.toml needs what is not in the lock; run: make lock"),
    ):
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode == 0:
            continue
        lines = [it for it in done.stderr.splitlines() if any(text in it for text in _NOT_THERE)]
        if not lines or mode == "require":
            sys.stderr.write(done.stdout + done.stderr)
            return done.returncode
        print(f"{lines[-1]}\n{LOCK.name}: {problem}", file=sys.stderr)
        print("Installing without hashes, as pyproject.toml allows.", file=sys.stderr)
        return subprocess.run(_UNLOCKED, check=False).returncode
    return 0


if __name__ == "__main__":
    chosen = sys.argv[1] if len(sys.argv) > 1 else "auto"
    if chosen not in MODES:
        sys.exit(f"mode {chosen!r} is not one of {', '.join(MODES)}")
    sys.exit(install(chosen))
