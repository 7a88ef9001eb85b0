"""TypeScript: JavaScript with type declarations, for @bufbuild/protobuf and Connect.

The output is JavaScript, so that a project can depend on the package by its path without a build. It
includes the files of google.api that our protos import, and google.rpc.ErrorInfo, which our errors
contain, because npm has no package of them. The generator is a locked npm package.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from . import PROTO, Recipe, durable_protos, fetching, program, protoc, tools

HERE = Path(__file__).resolve().parent
PACKAGE = HERE / "typescript_tools"
VENDORED = HERE / "vendored"
GOOGLE = (
    "google/api/annotations.proto",
    "google/api/field_behavior.proto",
    "google/api/http.proto",
    "google/rpc/error_details.proto",
)


def _generator() -> Path:
    program("node")
    npm = program("npm")

    def fetch(folder: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PACKAGE / name, folder)
        fetching([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)

    lock = hashlib.sha256((PACKAGE / "package-lock.json").read_bytes()).hexdigest()[:12]
    return tools(f"typescript-{lock}", fetch) / "node_modules/.bin/protoc-gen-es"


def generate(root: Path) -> None:
    """Makes `gen/typescript/durable` and `gen/typescript/google`."""
    generator = _generator()
    out = root / "gen/typescript"
    protoc(
        out,
        f"--plugin=protoc-gen-es={generator}",
        f"--es_out={out}",
        "--es_opt=target=js+dts,import_extension=js",
        files=(*durable_protos(), *GOOGLE),
        paths=(PROTO, VENDORED),
    )


RECIPE = Recipe(
    "typescript", (Path("gen/typescript/durable"), Path("gen/typescript/google")), generate
)
