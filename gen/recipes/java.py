"""Java: messages by protoc and services by grpc-java, in the Maven project `gen/java`.

The protoc of grpcio-tools cannot write Java, so both programs come from Maven Central, where they are
artifacts of the type `exe`, one per platform. Their versions are those of the runtime in
`gen/java/pom.xml`, which is not generated.
"""

from __future__ import annotations

import platform
import re
from pathlib import Path

from . import ROOT, MissingError, Recipe, durable_protos, fetching, program, protoc, tools

POM = ROOT / "gen/java/pom.xml"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
SYSTEMS = {"Linux": "linux", "Darwin": "osx", "Windows": "windows"}
MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch_64", "arm64": "aarch_64"}


def _classifier() -> str:
    """What Maven Central calls this platform."""
    try:
        return f"{SYSTEMS[platform.system()]}-{MACHINES[platform.machine().lower()]}"
    except KeyError as error:
        raise MissingError(f"no protoc on Maven Central for {error}") from None


def _pin(name: str) -> str:
    found = re.search(rf"<{name}\.version>(.+)</{name}\.version>", POM.read_text())
    assert found, name
    return found[1]


def _generators() -> Path:
    mvn, classifier = program("mvn"), _classifier()
    wanted = {
        "protoc": f"com.google.protobuf:protoc:{_pin('protobuf')}:exe:{classifier}",
        "protoc-gen-grpc-java": f"io.grpc:protoc-gen-grpc-java:{_pin('grpc')}:exe:{classifier}",
    }

    def fetch(folder: Path) -> None:
        for name, artifact in wanted.items():
            out = folder / f"{name}.d"
            command = [mvn, "--batch-mode", "-q", COPY, f"-Dartifact={artifact}"]
            fetching([*command, f"-DoutputDirectory={out}"], folder)
            (copied,) = out.iterdir()
            copied.chmod(0o755)
            copied.rename(folder / name)
            out.rmdir()

    return tools(f"java-{_pin('protobuf')}-{_pin('grpc')}", fetch)


def generate(root: Path) -> None:
    """Makes `gen/java/src`."""
    folder = _generators()
    out = root / "gen/java/src/main/java"
    protoc(
        out,
        f"--plugin=protoc-gen-grpc-java={folder / 'protoc-gen-grpc-java'}",
        f"--java_out={out}",
        f"--grpc-java_out=@generated=omit:{out}",
        files=durable_protos(),
        program=[str(folder / "protoc")],
    )


RECIPE = Recipe("java", (Path("gen/java/src"),), generate)
