"""betterproto2: the messages as dataclasses, in the optional package `gen/betterproto`.

Only messages are generated: betterproto2's clients and servers need grpclib, while its messages work
over a grpcio channel (`bytes(message)`, `Message.parse`).

The compiler, and the ruff that it formats with, are installed in a separate virtual environment, so
that their versions do not depend on those of the development tools.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from . import Recipe, durable_protos, fetching, protoc, tools

COMPILER = "betterproto2-compiler==0.10.1"
RUNTIME = "betterproto2==0.10.0"
FORMATTER = "ruff==0.14.14"
PACKAGE = "durable_betterproto"


def _generator() -> Path:
    def fetch(folder: Path) -> None:
        fetching([sys.executable, "-m", "venv", "it"], folder)
        pip = ["it/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        fetching([*pip, COMPILER, RUNTIME, FORMATTER], folder)

    pins = "-".join(it.partition("==")[2] for it in (COMPILER, FORMATTER))
    return tools(f"betterproto-{pins}", fetch)


def generate(root: Path) -> None:
    """Makes `gen/betterproto/durable_betterproto`."""
    scripts = _generator() / "it" / "bin"
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / PACKAGE
        protoc(
            out,
            f"--plugin=protoc-gen-betterproto={_launcher(Path(scratch), scripts)}",
            f"--betterproto_out={out}",
            "--betterproto_opt=client_generation=none,server_generation=none",
            files=durable_protos(),
        )
        shutil.copytree(out, root / "gen/betterproto" / PACKAGE)


def _launcher(folder: Path, scripts: Path) -> Path:
    """Writes a protoc plugin that runs the compiler with its own ruff first on the PATH.

    The plugin starts the interpreter, not the installed script: that script contains the path of the
    temporary folder in which it was installed.
    """
    path = folder / "protoc-gen-betterproto"
    path.write_text(
        f"#!{sys.executable}\n"
        "import os\n"
        f"os.chdir({str(folder)!r})\n"  # ruff reads settings from the working folder and its parents.
        f"os.environ['PATH'] = {str(scripts)!r} + os.pathsep + os.environ['PATH']\n"
        f"os.execv({str(scripts / 'python')!r}, ['python', '-m', 'betterproto2_compiler.plugin'])\n"
    )
    path.chmod(0o755)
    return path


RECIPE = Recipe("betterproto", (Path("gen/betterproto") / PACKAGE,), generate)
