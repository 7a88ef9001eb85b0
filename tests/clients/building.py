"""Builds what is written in other languages: copied out of the repository, with its own tools.

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
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.repo.tree import ROOT

BUILD_SECONDS = 240
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


def go(workspace: Path) -> list[str]:
    """Builds the stubs and the Go client; returns the command that runs it."""
    needs("go")
    copied(workspace, "gen/go", "examples/clients/go")
    run(["go", "vet", "./..."], workspace / "gen/go", GOFLAGS="-mod=readonly")
    run(["go", "vet", "./..."], workspace / "examples/clients/go", GOFLAGS="-mod=readonly")
    program = workspace / "client"
    run(["go", "build", "-o", str(program), "."], workspace / "examples/clients/go")
    return [str(program)]


def typescript(workspace: Path) -> list[str]:
    """Builds the TypeScript client, and compiles against every module of the stubs."""
    needs("node", "npm")
    copied(workspace, "gen/typescript", "examples/clients/typescript")
    folder = workspace / "examples/clients/typescript"
    run(["npm", "ci", "--no-audit", "--no-fund"], folder)
    run(["npm", "run", "build"], folder)
    stubs = workspace / "gen/typescript"
    modules = sorted(path.relative_to(stubs).as_posix() for path in stubs.rglob("*_pb.js"))
    assert modules
    lines = [f'export * as m{n} from "durable-proto/{it}";\n' for n, it in enumerate(modules)]
    (folder / "all.ts").write_text("".join(lines))
    options = ["--strict", "--target", "es2022", "--module", "node16", "--noEmit"]
    run(["npx", "--no-install", "tsc", *options, "all.ts"], folder)
    return ["node", str(folder / "dist/main.js")]


REACTOR = """<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><packaging>pom</packaging>
<groupId>test</groupId><artifactId>all</artifactId><version>1</version>
<modules><module>gen/java</module><module>examples/clients/java</module></modules>
</project>"""


def java(workspace: Path) -> list[str]:
    """Builds stubs and client in one Maven run, so that nothing is installed."""
    needs("java", "javac", "mvn")
    copied(workspace, "gen/java", "examples/clients/java")
    (workspace / "pom.xml").write_text(REACTOR)
    classpath = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath"
    run(["mvn", "-q", "-B", "compile", classpath, "-Dmdep.outputFile=classpath"], workspace)
    folder = workspace / "examples/clients/java"
    entries = [str(folder / "target/classes"), (folder / "classpath").read_text()]
    return ["java", "-cp", os.pathsep.join(entries), "dev.durable.example.Tour"]


def betterproto(workspace: Path) -> list[str]:
    """Nothing to build; returns the command that runs it."""
    return [sys.executable, str(ROOT / "examples/clients/betterproto/main.py")]


LANGUAGES = {"go": go, "typescript": typescript, "java": java, "betterproto": betterproto}
