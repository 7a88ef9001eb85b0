"""Go: messages and clients for google.golang.org's runtime, in the module `durable.dev/gen/go`.

`gen/go/go.mod` is not generated. It requires the lowest runtime that the pinned generators need.
"""

from __future__ import annotations

from pathlib import Path

from . import Recipe, durable_protos, fetching, program, protoc, tools

MODULE = "durable.dev/gen/go"
MESSAGES = "google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.11"
SERVICES = "google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.0"


def _generators() -> Path:
    go = program("go")

    def fetch(folder: Path) -> None:
        for package in (MESSAGES, SERVICES):
            fetching([go, "install", package], folder, GOBIN=str(folder))

    pins = "-".join(package.rpartition("@")[2] for package in (MESSAGES, SERVICES))
    return tools(f"go-{pins}", fetch)


def generate(root: Path) -> None:
    """Makes `gen/go/durable`."""
    folder = _generators()
    out = root / "gen/go"
    protoc(
        out,
        f"--plugin=protoc-gen-go={folder / 'protoc-gen-go'}",
        f"--plugin=protoc-gen-go-grpc={folder / 'protoc-gen-go-grpc'}",
        f"--go_out={out}",
        f"--go_opt=module={MODULE}",
        f"--go-grpc_out={out}",
        f"--go-grpc_opt=module={MODULE}",
        files=durable_protos(),
    )


RECIPE = Recipe("go", (Path("gen/go/durable"),), generate)
