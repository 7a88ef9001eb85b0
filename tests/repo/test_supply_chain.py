"""What is installed is what was locked: versions, hashes, and what the wheel tells about them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from requirements import describe

LOCKED = describe.locked((describe.FOLDER / "lock.txt").read_text())


def installed() -> dict[str, str]:
    return {canonicalize_name(it.name): it.version for it in metadata.distributions()}


def test_all_that_the_project_needs_is_locked_in_an_allowed_version() -> None:
    table = describe.project()
    texts = list(table["dependencies"])
    texts += [it for extra in table["optional-dependencies"].values() for it in extra]
    for requirement in map(Requirement, texts):
        name = canonicalize_name(requirement.name)
        if name != describe.PROJECT:
            problem = f"{name} is not in requirements/lock.txt as needed; run: make lock"
            assert name in LOCKED, problem
            assert requirement.specifier.contains(LOCKED[name].version), problem


@pytest.mark.parametrize("name", ["lock.txt", "tools.txt"])
def test_each_locked_package_has_hashes_and_no_place(name: str) -> None:
    text = (describe.FOLDER / name).read_text()
    assert all(it.hashes for it in describe.locked(text).values())
    # A machine may use any index: the lock names none.
    assert "://" not in text
    options = [it for it in text.splitlines() if it.startswith("-")]
    assert options == []


def test_a_line_without_a_hash_is_noticed() -> None:
    good = "a==1 \\\n    --hash=sha256:" + "0" * 64 + "\n"
    assert set(describe.locked(good)) == {"a"}
    with pytest.raises(ValueError, match="2 packages are locked, and 1 of them with hashes"):
        describe.locked(good + "b==2\n")


def test_the_page_and_the_bill_of_materials_are_those_of_the_lock() -> None:
    here = installed()
    others = {it.name for it in LOCKED.values() if here.get(it.name, it.version) != it.version}
    if others:
        pytest.skip(f"not installed from the lock: {', '.join(sorted(others))}")
    message = "run: make sbom"
    assert describe.DOCUMENT.read_text() == describe.document(LOCKED), message
    assert describe.SBOM.read_text() == describe.sbom(LOCKED), message


def test_the_bill_of_materials_is_complete_in_itself() -> None:
    bill = json.loads(describe.SBOM.read_text())
    components = {it["bom-ref"]: it for it in bill["components"]}
    root = bill["metadata"]["component"]["bom-ref"]
    assert len(components) == len(bill["components"])
    for it in components.values():
        assert it["purl"] == it["bom-ref"] == f"pkg:pypi/{it['name']}@{it['version']}"
        assert {one["content"] for one in it["hashes"]} == set(LOCKED[it["name"]].hashes)
    edges = {it["ref"]: it["dependsOn"] for it in bill["dependencies"]}
    assert edges.keys() == {root, *components}
    reached, waiting = set[str](), [root]
    while waiting:
        ref = waiting.pop()
        if ref not in reached:
            reached.add(ref)
            waiting += edges[ref]
    assert reached == {root, *components}
    assert {"grpcio", "nats-py", "starlette"} <= {it["name"] for it in components.values()}
    assert "pytest" not in {it["name"] for it in components.values()}


def test_the_wheel_has_the_bill_of_materials(tmp_path: Path) -> None:
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-build-isolation")
    command = (*pip, "--no-deps", "--wheel-dir", str(tmp_path), str(describe.ROOT))
    subprocess.run(command, check=True, capture_output=True, timeout=100)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [it for it in archive.namelist() if "/sboms/" in it]
        assert archive.read(name) == describe.SBOM.read_bytes()
        assert not [it for it in archive.namelist() if it.startswith("requirements/")]


class Clone:
    """A project with a lock of one package, and an index that has one wheel of it."""

    def __init__(self, folder: Path, locked_hash: str) -> None:
        (folder / "requirements").mkdir(parents=True)
        self.script = folder / "requirements" / "install.py"
        self.script.write_bytes((describe.FOLDER / "install.py").read_bytes())
        lock = f"durable-locked-probe==1.0 \\\n    --hash=sha256:{locked_hash}\n"
        (folder / "requirements" / "lock.txt").write_text(lock)
        (folder / "pyproject.toml").write_text("[project]\nname = 'probe'\nversion = '1'\n")
        self.index = folder / "index"
        self.index.mkdir()

    def add_wheel(self) -> None:
        info = "durable_locked_probe-1.0.dist-info"
        with zipfile.ZipFile(self.index / f"{info[:-10]}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{info}/METADATA", "Name: durable-locked-probe\nVersion: 1.0\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")

    def install(self, mode: str) -> Any:
        environment = os.environ | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.index)}
        command = (sys.executable, str(self.script), mode)
        return subprocess.run(
            command, check=False, capture_output=True, text=True, env=environment, timeout=100
        )


@pytest.mark.parametrize("mode", ["auto", "require"])
def test_a_file_with_another_hash_is_never_installed(tmp_path: Path, mode: str) -> None:
    clone = Clone(tmp_path / "project", "0" * 64)
    clone.add_wheel()
    done = clone.install(mode)
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert "without hashes" not in done.stderr
    assert "durable-locked-probe" not in installed()


def test_what_the_index_does_not_have_is_said(tmp_path: Path) -> None:
    clone = Clone(tmp_path / "project", "0" * 64)
    assert "without hashes" not in clone.install("require").stderr
    told = clone.install("auto").stderr
    assert "No matching distribution found for durable-locked-probe==1.0" in told
    assert "lock.txt: the index has no such file for this platform and Python" in told
    assert "Installing without hashes, as pyproject.toml allows." in told


def test_a_mode_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    done = Clone(tmp_path / "project", "0" * 64).install("on")
    assert (done.returncode, done.stderr) == (
        1,
        "mode 'on' is not one of auto, require, off\n",
    )
