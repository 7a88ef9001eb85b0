"""The wheel, installed from its file: what users get runs without this checkout."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.support.repository import ROOT

WORKFLOWS = """
import durable


@durable.workflow
async def greet(ctx: durable.Context, name: str) -> str:
    return await ctx.run("greet", lambda: f"Hello, {name}!")
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts folder of an environment that has the wheel, and its dependencies from here."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    made = ("wheel", "--no-index", "--no-build-isolation", "--no-deps", "--wheel-dir", str(folder))
    subprocess.run((*pip, *made, str(ROOT)), check=True, timeout=100)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env", with_pip=False, symlinks=True)
    python = folder / "env/bin/python"
    to = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    )
    # The .pth files there, by which this checkout is installed, are not read from a .pth file.
    here = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (Path(to.stdout.strip()) / "dependencies.pth").write_text("\n".join(sorted(here)))
    options = ("install", "--no-index", "--no-deps", "--ignore-installed", str(wheel))
    subprocess.run((*pip, "--python", str(python), *options), check=True, timeout=100)
    return python.parent


def run(installed: Path, *command: str, cwd: Path) -> str:
    environment = {"PATH": f"{installed}{os.pathsep}{os.environ['PATH']}", "HOME": str(cwd)}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_packages_are_those_of_the_wheel(installed: Path, tmp_path: Path) -> None:
    code = (
        "import json, durable, durable_cli, durable_proto, durable_server;"
        "print(json.dumps([it.__file__ for it in"
        " (durable, durable_cli, durable_proto, durable_server)]))"
    )
    places = json.loads(run(installed, str(installed / "python"), "-c", code, cwd=tmp_path))
    assert all(Path(it).is_relative_to(installed.parent) for it in places), places
    version = (ROOT / "server/durable_server/__init__.py").read_text().split('"')[-2]
    assert version in run(installed, "durable", "--version", cwd=tmp_path)


def test_a_workflow_runs(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "greetings.py").write_text(WORKFLOWS)
    (tmp_path / "main.py").write_text(
        "import durable\nfrom greetings import greet\n"
        "with durable.Client.local() as client:\n"
        "    client.register(greet)\n    client.serve_handlers()\n"
        "    print(client.invoke(greet, 'you'))\n"
    )
    said = run(installed, str(installed / "python"), "main.py", cwd=tmp_path)
    assert said == "Hello, you!\n"
    # What the command says first is the address that was free.
    command = [installed / "durable", "dev", "greetings", "--listen", "127.0.0.1:0", "--no-http"]
    with subprocess.Popen(
        [*command, "--data-dir", tmp_path / "data"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    ) as plane:
        try:
            assert plane.stdout is not None
            address = ""
            for line in plane.stdout:
                if found := re.search(r"127\.0\.0\.1:\d+", line):
                    address = found[0]
                    break
            assert address, "durable dev has ended"
            invoke = ("durable", "invoke", "greet", '"you"', "--address", address)
            assert run(installed, *invoke, cwd=tmp_path).strip() == "Hello, you!"
        finally:
            plane.terminate()
            plane.communicate(timeout=30)
