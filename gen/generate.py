"""Makes every generated file of the repository: `python gen/generate.py`.

Python stubs come from the pinned grpcio-tools (whoever generates sets the floor of the runtime that
users need) with typed stubs beside them from mypy-protobuf. Two things are changed afterwards: the
imports become relative, so that the package can be called `durable_proto` while the descriptors keep
their names `durable/v1/...`; and each folder becomes a typed package.

`--check` makes everything in a scratch folder and says what differs from what is committed.
"""

from __future__ import annotations

import argparse
import filecmp
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADER = '"""Generated from {source} by gen/generate.py. Do not edit."""\n'


def protoc(proto_root: Path, files: list[Path], out: Path) -> None:
    """Runs the Python generators over `files` into `out`; raises CalledProcessError on failure."""
    out.mkdir(parents=True, exist_ok=True)
    scripts = Path(sys.executable).parent
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        f"--proto_path={proto_root}",
        f"--proto_path={ROOT / 'proto'}",
        f"--plugin=protoc-gen-mypy_grpc={scripts / 'protoc-gen-mypy_grpc'}",
        f"--python_out={out}",
        f"--pyi_out={out}",
        f"--grpc_python_out={out}",
        f"--mypy_grpc_out=quiet:{out}",
        *(str(file.relative_to(proto_root)) for file in files),
    ]
    subprocess.run(command, check=True)


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


def python_package(proto_root: Path, package: str, out: Path, import_name: str) -> None:
    """Generates `package` (such as `durable.v1`) into the Python package `out/import_name`."""
    source = proto_root / package.replace(".", "/")
    files = sorted(source.glob("*.proto"))
    with tempfile.TemporaryDirectory() as scratch:
        protoc(proto_root, files, Path(scratch))
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


def generate(root: Path) -> list[Path]:
    """Makes everything below `root`; returns the folders that it made, relative to `root`."""
    python_package(ROOT / "proto", "durable.v1", root / "gen/python", "durable_proto.v1")
    made = [Path("gen/python/durable_proto")]
    for proto in sorted((ROOT / "examples/proto").glob("*/v1")):
        name = proto.parent.name
        python_package(
            ROOT / "examples/proto", f"{name}.v1", root / "examples/services", f"{name}_v1"
        )
        made.append(Path(f"examples/services/{name}_v1"))
    return made


def differences(made: list[Path], scratch: Path) -> list[str]:
    """Names the files that differ between the committed folders and freshly made ones."""
    found: list[str] = []
    for folder in made:
        fresh = {p.relative_to(scratch) for p in (scratch / folder).rglob("*") if p.is_file()}
        kept = {
            p.relative_to(ROOT)
            for p in (ROOT / folder).rglob("*")
            if p.is_file() and "__pycache__" not in p.parts
        }
        found += [f"{path}: missing" for path in sorted(fresh - kept)]
        found += [f"{path}: not generated any more" for path in sorted(kept - fresh)]
        found += [
            f"{path}: differs"
            for path in sorted(fresh & kept)
            if not filecmp.cmp(scratch / path, ROOT / path, shallow=False)
        ]
    return found


def main() -> int:
    """Runs the command line; the exit code is 1 when `--check` finds a difference."""
    parser = argparse.ArgumentParser(description="Make the generated files of the repository.")
    parser.add_argument("--check", action="store_true", help="only say what is out of date")
    if not parser.parse_args().check:
        for folder in generate(ROOT):
            print(f"made {folder}")
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        found = differences(generate(Path(scratch)), Path(scratch))
    for line in found:
        print(line)
    print("gen/ is out of date: run python gen/generate.py" if found else "gen/ is up to date")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
