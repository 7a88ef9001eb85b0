"""Python: the package `durable_proto`, and the services of the examples.

The pinned grpcio-tools generates the stubs, and mypy-protobuf the type stubs beside them. The pin
matters to users: it sets the lowest grpcio and protobuf that the generated code runs with. The
recipe then changes two things: imports become relative, so that the package can be called
`durable_proto` while the descriptors keep their names `durable/v1/...`; and each folder becomes a
typed package. The protocol between nodes is generated here only: nothing but the control plane speaks
it.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

from . import PROTO, ROOT, Recipe, protoc

HEADER = '"""Generated from {source} by gen/generate.py. Do not edit."""\n'
EXAMPLES = ROOT / "examples/proto"


def make_relative(folder: Path, package: str) -> None:
    """Rewrites `from <package> import x_pb2` to a relative import in every file of `folder`.

    mypy-protobuf writes `import durable.v1.x_pb2` and then uses the dotted name; that becomes an
    alias, because the package has another name here.
    """
    dotted = re.escape(package)
    flat = package.replace(".", "_")
    for file in sorted(folder.glob("*_pb2*.py*")):
        text = file.read_text()
        text = re.sub(rf"^from {dotted} import (\w+)", r"from . import \1", text, flags=re.M)
        text = re.sub(
            rf"^import {dotted}\.(\w+) as (\w+)$", r"from . import \1 as \2", text, flags=re.M
        )
        names = sorted(set(re.findall(rf"^import {dotted}\.(\w+)$", text, flags=re.M)))
        for name in names:
            text = re.sub(
                rf"^import {dotted}\.{name}$",
                f"from . import {name} as _{flat}_{name}",
                text,
                flags=re.M,
            )
            text = re.sub(rf"\b{dotted}\.{name}\b", f"_{flat}_{name}", text)
        file.write_text(text)


def _package(proto_root: Path, package: str, out: Path, import_name: str) -> None:
    """Generates `package` (such as `durable.v1`) into the Python package `out/import_name`."""
    source = proto_root / package.replace(".", "/")
    files = [file.relative_to(proto_root).as_posix() for file in sorted(source.glob("*.proto"))]
    scripts = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as scratch:
        protoc(
            Path(scratch),
            f"--plugin=protoc-gen-mypy_grpc={scripts / 'protoc-gen-mypy_grpc'}",
            f"--python_out={scratch}",
            f"--pyi_out={scratch}",
            f"--grpc_python_out={scratch}",
            f"--mypy_grpc_out=quiet:{scratch}",
            files=files,
            paths=(proto_root, PROTO),
        )
        target = out / import_name.replace(".", "/")
        if target.exists():
            shutil.rmtree(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(Path(scratch) / package.replace(".", "/"), target)
    make_relative(target, package)
    label = source.relative_to(ROOT) if source.is_relative_to(ROOT) else source.name
    for folder in (target, target.parent) if target.parent != out else (target,):
        (folder / "__init__.py").write_text(HEADER.format(source=label))
        (folder / "py.typed").write_text("")


def _examples() -> list[str]:
    """The names of the examples' services."""
    return [proto.parent.name for proto in sorted(EXAMPLES.glob("*/v1"))]


def generate(root: Path) -> None:
    """Makes `gen/python/durable_proto` and `examples/services/*_v1`."""
    # The protocol between nodes first: the head of `durable_proto` names what is generated last.
    _package(PROTO, "durable.node.v1", root / "gen/python", "durable_proto.node_v1")
    _package(PROTO, "durable.v1", root / "gen/python", "durable_proto.v1")
    for name in _examples():
        _package(EXAMPLES, f"{name}.v1", root / "examples/services", f"{name}_v1")


RECIPE = Recipe(
    "python",
    (
        Path("gen/python/durable_proto"),
        *(Path(f"examples/services/{name}_v1") for name in _examples()),
    ),
    generate,
)
