"""`durable dev` and `durable worker` find the user's modules, by path or by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import durable
from tests.support.processes import durable as command
from tests.support.processes import running, until

FLOW = """
import durable

@durable.workflow
async def word(ctx: durable.Context) -> str:
    return await ctx.run("step", lambda: "served")
"""
SCRIPT = str(Path(sys.executable).with_name("durable"))
"""The console script, which does not have the current folder in its search."""


def answers(folder: Path, program: list[str], module: str, *options: str) -> str:
    """Runs `durable dev` in a folder; returns what its workflow gives."""
    ready = folder / "ready"
    arguments = [
        *program, "dev", module, "--listen", "127.0.0.1:0", "--no-http",
        "--data-dir", str(folder / "data"), "--ready-file", str(ready), *options,
    ]  # fmt: skip
    # As a shell starts it there.
    arguments = ["sh", "-c", 'cd "$1"; shift; exec "$@"', "sh", str(folder), *arguments]
    with running(arguments, folder / "dev.log") as child:
        until(ready.exists, "ready file", child)
        with durable.Client(json.loads(ready.read_text())["address"]) as client:
            value: str = client.invoke("word").value()
        assert child.terminate() == 0, child.text()
    return value


@pytest.mark.parametrize("program", [[SCRIPT], command()], ids=["script", "-m"])
@pytest.mark.parametrize("module", ["shop.flows.orders", "logging.py", "grpc.py", "durable.py"])
def test_dev_serves_what_is_in_the_current_folder(
    tmp_path: Path, program: list[str], module: str
) -> None:
    path = tmp_path / (module if module.endswith(".py") else f"{module.replace('.', '/')}.py")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(FLOW)
    assert answers(tmp_path, program, module, "--drain-timeout", "1s") == "served"


def test_a_slow_import_is_reported(tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    os.mkfifo(opened)
    module = tmp_path / "slow_flows.py"
    module.write_text(f"open({str(opened)!r}).read()\n" + FLOW)
    ready = tmp_path / "ready"
    arguments = command(
        "dev", str(module), "--listen", "127.0.0.1:0", "--no-http",
        "--data-dir", str(tmp_path / "data"), "--ready-file", str(ready),
    )  # fmt: skip
    with running(arguments, tmp_path / "dev.log") as child:
        until(lambda: "takes a while; nothing is served yet" in child.text(), "word", child)
        assert not ready.exists()
        opened.write_text("")
        until(ready.exists, "ready file", child)
        assert child.terminate() == 0


@pytest.mark.parametrize("program", [[SCRIPT], command()], ids=["script", "-m"])
@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("grpc", "'grpc.py' is hidden by the module 'grpc' of "),
        ("logging", "'logging.py' is hidden by the module 'logging' of "),
        ("uses", "'grpc.py' is hidden by the module 'grpc' of "),
        ("lacks", "'grpc.py' is hidden by the module 'grpc' of "),
        ("quits", "below `if __name__ == '__main__':`"),
    ],
)
def test_a_module_that_an_installed_one_shadows_is_reported(
    tmp_path: Path, program: list[str], module: str, words: str
) -> None:
    for name in ("grpc", "logging"):
        (tmp_path / f"{name}.py").write_text(FLOW + "helper = 1\n")
    (tmp_path / "uses.py").write_text("from grpc import helper\n" + FLOW)
    (tmp_path / "lacks.py").write_text("import grpc\ngrpc.helper\n" + FLOW)
    (tmp_path / "quits.py").write_text("import sys\nsys.exit(3)\n")
    ended = subprocess.run(
        [*program, "worker", module, "--address", "127.0.0.1:1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("durable: ")
    assert words in line
