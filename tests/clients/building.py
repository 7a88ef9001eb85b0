"""Builds programs in other languages from a copy of the repository, with each language's own tools.

The copies keep their places to one another, since the programs name the stubs by a relative path.
Modules come from the language's registry into the language's own cache. A test skips, and says so,
where the toolchain is absent or the registry does not answer; what does not compile fails.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.support.repository import ROOT

BUILD_SECONDS = 480
UNREACHABLE = re.compile(
    r"dial tcp|i/o timeout|no such host|TLS handshake|EAI_AGAIN|ENOTFOUND|ETIMEDOUT|ECONNRE"
    r"|Could not transfer artifact|\b50[234] (Bad Gateway|Service|Gateway)"
)
LEFTOVERS = shutil.ignore_patterns("node_modules", "target", "dist")


def needs(*programs: str) -> None:
    """Skips where one of these programs is absent."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"no `{program}` on the PATH")


def copied(workspace: Path, *folders: str) -> None:
    """Copies folders of the repository to the same places in a workspace."""
    for folder in folders:
        shutil.copytree(ROOT / folder, workspace / folder, ignore=LEFTOVERS)


def run(command: Sequence[str], folder: Path, **environment: str) -> str:
    """Runs a command of a toolchain; returns what it printed."""
    for last in (False, True):
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
        said = done.stdout + done.stderr
        if done.returncode == 0:
            return done.stdout
        if not UNREACHABLE.search(said):
            raise AssertionError(f"{' '.join(command)}\n{said}")
        if last:
            pytest.skip(f"the registry of `{command[0]}` does not answer: {said[-300:]}")
    raise AssertionError


def console(readme: str) -> list[str]:
    """The commands of a README's first console block, in order."""
    block = re.search(r"```console\n(.*?)```", readme, flags=re.S)
    assert block, readme
    return re.findall(r"^\$ (.*?)\s*(?:#.*)?$", block[1], flags=re.M)


def script(workspace: Path, commands: Sequence[str], **environment: str) -> str:
    """Runs commands as a person types them, one after the other in one shell, up to the first that
    fails; returns what they printed, without colours."""
    printed = run(["bash", "-ec", "\n".join(commands)], workspace, **environment)
    return re.sub(r"\x1b\[[0-9;]*m", "", printed)


def go(workspace: Path) -> dict[str, str]:
    """Copies stubs and client, and has Go's own checker read them."""
    needs("go")
    copied(workspace, "gen/go", "examples/clients/go")
    run(["go", "vet", "./..."], workspace / "gen/go", GOFLAGS="-mod=readonly")
    run(["go", "vet", "./..."], workspace / "examples/clients/go", GOFLAGS="-mod=readonly")
    return {}


def typescript(workspace: Path) -> dict[str, str]:
    """Copies stubs and client, and compiles against every module of the stubs."""
    needs("node", "npm")
    copied(workspace, "gen/typescript", "examples/clients/typescript")
    folder = workspace / "examples/clients/typescript"
    run(["npm", "ci", "--no-audit", "--no-fund"], folder)
    stubs = workspace / "gen/typescript"
    modules = sorted(path.relative_to(stubs).as_posix() for path in stubs.rglob("*_pb.js"))
    assert modules
    lines = [f'export * as m{n} from "durable-proto/{it}";\n' for n, it in enumerate(modules)]
    (folder / "all.ts").write_text("".join(lines))
    options = ["--strict", "--target", "es2022", "--module", "node16", "--noEmit"]
    run(["npx", "--no-install", "tsc", *options, "all.ts"], folder)
    (folder / "all.ts").unlink()
    return {}


def java(workspace: Path) -> dict[str, str]:
    """Copies stubs and client, and gives Maven a repository that does not know our artifacts.

    What comes from Maven Central stays there for the next run; the person's own is not touched.
    """
    needs("java", "javac", "mvn")
    copied(workspace, "gen/java", "examples/clients/java")
    repository = ROOT / "gen/.tools/maven"
    shutil.rmtree(repository / "dev/durable", ignore_errors=True)
    return {"MAVEN_OPTS": f"-Dmaven.repo.local={repository}"}


def betterproto(workspace: Path) -> dict[str, str]:
    """Copies the program, and finds the Python that has the development environment."""
    copied(workspace, "examples/clients/betterproto")
    return {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


LANGUAGES: dict[str, Callable[[Path], dict[str, str]]] = {
    "go": go,
    "typescript": typescript,
    "java": java,
    "betterproto": betterproto,
}
"""What must be in place before the README's commands run; returns their environment."""


def go_worker(workspace: Path) -> str:
    """Builds the worker in Go in a workspace; returns the program."""
    needs("go")
    copied(workspace, "gen/go", "examples/clients/go")
    built = workspace / "worker"
    run(["go", "build", "-o", str(built), "./worker"], workspace / "examples/clients/go")
    return str(built)
