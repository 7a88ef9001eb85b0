"""The default build id, in folders and git repositories made for it: what changes it, what does not."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from durable._worker.build_id import _git

SERVER = """
import json, os, sys
from durable import load_workflows
from durable._worker.build_id import default_build_id

for line in sys.stdin:
    folder, modules, environment = json.loads(line)
    child = os.fork()
    if not child:
        os.chdir(folder)
        sys.path.insert(0, folder)
        os.environ.update(environment)
        print(default_build_id(load_workflows(modules)), flush=True)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        print("failed", flush=True)
"""
"""Finds each id in a process of its own without workflows; the SDK is imported once, to save time."""

WORKFLOWS = """
import durable
from . import prices

@durable.workflow
async def order(ctx: durable.Context) -> int:
    return await ctx.run("price", prices.price)
"""


@functools.cache
def server() -> subprocess.Popen[str]:
    """Returns the process with SERVER; it ends with this one."""
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", SERVER], stdin=pipe, stdout=pipe, text=True)


@pytest.fixture(scope="module", autouse=True)
def stopped() -> Iterator[None]:
    """Ends the process with SERVER after the last test."""
    yield
    server().communicate()
    server.cache_clear()


def build_id(folder: Path, *modules: str, **environment: str) -> str:
    """Returns the default build id of some modules in a folder, found in a process of its own."""
    asked, answers = server().stdin, server().stdout
    assert asked is not None
    assert answers is not None
    asked.write(json.dumps([str(folder), modules or ("shop.workflows",), environment]) + "\n")
    asked.flush()
    found = answers.readline().strip()
    assert found != "failed"
    return found


def git(folder: Path, *arguments: str) -> str:
    """Runs git in a folder, as somebody without settings."""
    identity = ("-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false")
    command = ["git", *identity, *arguments]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return ended.stdout.strip()


def written(folder: Path) -> Path:
    """Writes a package with a workflow that uses another module, and one that nothing uses."""
    package = folder / "shop"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "workflows.py").write_text(WORKFLOWS)
    (package / "prices.py").write_text("def price() -> int:\n    return 5\n")
    (package / "unused.py").write_text("")
    return folder


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A folder outside of any checkout."""
    return written(tmp_path / "plain")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A checkout with everything committed."""
    folder = written(tmp_path / "repository")
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


def commit(folder: Path) -> str:
    """Commits everything in a checkout; returns the short commit."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "x")
    return git(folder, "rev-parse", "HEAD")[:12]


def change(folder: Path, value: int) -> None:
    """Changes the module that the workflow uses."""
    (folder / "shop" / "prices.py").write_text(f"def price() -> int:\n    return {value}\n")


def test_sources_without_git(plain: Path, tmp_path: Path) -> None:
    found = build_id(plain)
    assert found.startswith("src-")
    assert len(found) == 16
    shutil.copytree(plain, tmp_path / "elsewhere")
    assert build_id(tmp_path / "elsewhere") == found, "the folder's name does not count"
    assert build_id(plain, str(plain / "shop" / "workflows.py")) == found, "by its path"
    (plain / "shop" / "unused.py").write_text("a module that is not loaded")
    assert build_id(plain) == found
    for file in (plain / "shop").glob("*.py"):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert build_id(plain) == found, "line ends do not count"
    change(plain, 6)
    assert build_id(plain) != found


def test_a_name_counts(plain: Path) -> None:
    found = build_id(plain)
    shop = plain / "shop"
    (shop / "prices.py").rename(shop / "costs.py")
    (shop / "workflows.py").write_text(WORKFLOWS.replace("import prices", "import costs as prices"))
    assert build_id(plain) != found


def test_the_commit_of_a_checkout(repository: Path, tmp_path: Path) -> None:
    first = git(repository, "rev-parse", "HEAD")[:12]
    assert build_id(repository) == first
    (repository / "README").write_text("not a source")
    (repository / "shop" / "unused.py").write_text("x = 1\n")
    assert build_id(repository) == first
    git(tmp_path, "clone", "--quiet", str(repository), "clone")
    assert build_id(tmp_path / "clone") == first
    assert commit(repository) != first
    assert build_id(repository) == git(repository, "rev-parse", "HEAD")[:12]


def test_a_change_that_is_not_committed(repository: Path, plain: Path, tmp_path: Path) -> None:
    first = build_id(repository)
    change(repository, 6)
    six = build_id(repository)
    change(repository, 7)
    seven = build_id(repository)
    assert len({first, six, seven}) == 3
    assert six.startswith(f"{first}-")
    assert seven.startswith(f"{first}-")
    shutil.copytree(repository, tmp_path / "copy")
    assert build_id(tmp_path / "copy") == seven
    git(repository, "add", "--all")
    assert build_id(repository) == seven, "staged is not committed"
    change(plain, 7)
    assert build_id(plain) == f"src-{seven.partition('-')[2]}", "the hash is of the same sources"
    assert commit(repository) == build_id(repository)


def test_a_new_source_that_git_does_not_have(repository: Path) -> None:
    first = build_id(repository)
    shop = repository / "shop"
    (shop / "taxes.py").write_text("")
    assert build_id(repository) == first, "it is not loaded"
    (shop / "prices.py").write_text("def price() -> int:\n    return 5\n\nfrom . import taxes\n")
    second = commit(repository)
    assert build_id(repository) == second
    (repository / ".gitignore").write_text("taxes.py\n")
    git(repository, "rm", "--quiet", "--cached", "shop/taxes.py")
    third = commit(repository)
    assert build_id(repository).startswith(f"{third}-"), "git ignores it, so the commit lacks it"


def test_the_script_of_an_environment_within_the_checkout(repository: Path) -> None:
    venv.create(repository / ".venv", symlinks=True)
    script = repository / ".venv" / "bin" / "start"
    script.write_text(
        "from durable import load_workflows\n"
        "from durable._worker.build_id import default_build_id\n"
        "print(default_build_id(load_workflows(['shop.workflows'])))\n"
    )
    (repository / ".gitignore").write_text(".venv\n")
    expected = commit(repository)
    ended = subprocess.run(
        [repository / ".venv" / "bin" / "python", script],
        cwd=repository,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([".", *sys.path])},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert ended.stdout.strip() == expected


def test_line_ends_that_git_has_changed(repository: Path) -> None:
    first = build_id(repository)
    for file in (repository / "shop").glob("*.py"):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert build_id(repository) == first


def test_a_repository_with_the_other_hash(tmp_path: Path) -> None:
    folder = written(tmp_path / "sha256")
    git(folder, "init", "--quiet", "--object-format=sha256")
    first = commit(folder)
    assert build_id(folder) == first
    change(folder, 6)
    assert build_id(folder).startswith(f"{first}-")


def test_a_folder_of_a_larger_checkout(repository: Path) -> None:
    written(repository / "deep" / "services")
    first = commit(repository)
    deep = repository / "deep" / "services"
    assert build_id(deep) == first
    change(deep, 6)
    assert build_id(deep).startswith(f"{first}-")


@pytest.mark.parametrize("folder", ["lib/site-packages", "lib/dist-packages"])
def test_an_installed_package(repository: Path, tmp_path: Path, folder: str) -> None:
    (repository / ".gitignore").write_text("lib/\n")
    commit(repository)
    installed = written(repository / folder)
    (installed / "other.py").write_text("x = 1\n")
    found = build_id(installed)
    assert found.startswith("src-"), "the checkout around it is not its own"
    elsewhere = written(tmp_path / folder)
    assert build_id(elsewhere) == found
    (installed / "shop" / "workflows.py").write_text("import other\n" + WORKFLOWS)
    changed = build_id(installed)
    assert changed != found
    (installed / "other.py").write_text("x = 2\n")
    assert build_id(installed) == changed, "another installed package does not count"


def test_a_file_outside_of_packages(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(WORKFLOWS.replace("from . ", ""))
    (tmp_path / "prices.py").write_text("price = int\n")
    found = build_id(tmp_path, "main.py")
    (tmp_path / "prices.py").write_text("price = float\n")
    assert build_id(tmp_path, "main.py") != found


def test_two_roots(plain: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "more.py").write_text(
        "import durable\n@durable.workflow\nasync def more(ctx): return 1"
    )
    modules = ("shop.workflows", str(other / "more.py"))
    found = build_id(plain, *modules)
    assert found != build_id(plain)
    (other / "more.py").write_text(
        "import durable\n@durable.workflow\nasync def more(ctx): return 2"
    )
    assert build_id(plain, *modules) != found


def test_the_environment_of_a_hook_of_git(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "other")
    commit(tmp_path / "other")
    hook = {"GIT_DIR": str(tmp_path / "other" / ".git"), "GIT_WORK_TREE": str(tmp_path / "other")}
    assert build_id(repository, **hook) == build_id(repository)


def test_no_git_and_a_slow_git(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    without = build_id(repository, PATH=str(folder))
    assert without.startswith("src-")
    slow = folder / "git"
    slow.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(3600)\n")
    slow.chmod(0o755)
    assert build_id(repository, PATH=str(folder)) == without


def test_a_slow_git_is_logged(plain: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert _git(plain, time.monotonic(), "version") is None
    assert "git has not answered within 2 s" in caplog.text


def test_a_checkout_without_a_commit(plain: Path) -> None:
    found = build_id(plain)
    git(plain, "init", "--quiet")
    git(plain, "add", "--all")
    assert build_id(plain) == found


def test_nothing_of_a_repository_is_run_or_written(repository: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    hostile = tmp_path / "hostile"
    hostile.write_text(f"#!/bin/sh\ntouch {ran}\ncat\n")
    hostile.chmod(0o755)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-index-change", "reference-transaction", "post-checkout"):
        shutil.copy(hostile, hooks / name)
    (repository / ".gitattributes").write_text("*.py filter=x diff=x\n")
    first = commit(repository)
    for setting in (
        "core.fsmonitor",
        "filter.x.clean",
        "filter.x.process",
        "diff.x.textconv",
        "diff.external",
        "core.pager",
        "core.sshCommand",
        "credential.helper",
    ):
        git(repository, "config", setting, str(hostile))
    git(repository, "config", "core.hooksPath", str(hooks))
    # A partial clone from a place that runs a command when something is fetched.
    git(repository, "config", "core.repositoryFormatVersion", "1")
    git(repository, "config", "extensions.partialClone", "origin")
    git(repository, "config", "remote.origin.url", f"ext::{hostile}")
    git(repository, "config", "remote.origin.promisor", "true")
    git(repository, "config", "protocol.ext.allow", "always")
    # An index that `git status` would write anew, and would filter the sources for.
    for file in (repository / "shop").glob("*.py"):
        os.utime(file, (1, 1))
    index = (repository / ".git" / "index").read_bytes()
    assert build_id(repository) == first
    tree = git(repository, "rev-parse", "HEAD:shop")
    assert not ran.exists()
    assert (repository / ".git" / "index").read_bytes() == index
    # An object that is missing.
    (repository / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    assert build_id(repository).startswith("src-")
    assert not ran.exists()
