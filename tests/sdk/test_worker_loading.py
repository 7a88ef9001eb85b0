"""Loading workflows from modules and files, and the one-line error when there are none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import durable
from durable._definitions.loading import LoadError, load_workflows

ONE = """
import durable

@durable.workflow
async def one(ctx: durable.Context) -> int:
    return 1

async def no_workflow() -> None: ...
"""


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test runs in its own working directory and leaves no module loaded."""
    before = dict(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in set(sys.modules) - set(before):
        del sys.modules[name]


def names(*modules: str) -> list[str]:
    return [workflow.name for workflow in load_workflows(modules)]


def test_a_module_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "flows_by_name.py").write_text(ONE)
    assert names("flows_by_name") == ["one"]


def test_a_file_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "helper_of_main.py").write_text("VALUE = 1")
    (tmp_path / "app" / "main.py").write_text("import helper_of_main\n" + ONE)
    assert names("app/main.py") == ["one"]
    # The same file again is the same module.
    assert names("app/main.py", "./app/main.py") == ["one"]


def test_files_of_the_same_name(tmp_path: Path) -> None:
    for folder, word in (("a", "one"), ("b", "two")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "json.py").write_text(ONE.replace("def one", f"def {word}"))
    assert names("a/json.py", "b/json.py") == ["one", "two"]


def test_a_file_in_a_package_keeps_its_name_and_relative_imports(tmp_path: Path) -> None:
    package = tmp_path / "shop" / "orders"
    package.mkdir(parents=True)
    (tmp_path / "shop" / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "flows.py").write_text(ONE)
    (package / "all.py").write_text("from .flows import one\nfrom .flows import one as again\n")
    assert names("shop/orders/all.py", "shop.orders.flows") == ["one"]
    assert "shop.orders.flows" in sys.modules


@pytest.mark.parametrize(
    ("module", "problem"),
    [
        ("no_such_module", "no module 'no_such_module': give an importable name"),
        ("no.such.module", "no module 'no.such.module'"),
        ("nothing.py", "no file 'nothing.py': check the path"),
        ("empty_flows", "no workflows in 'empty_flows': decorate"),
        ("empty_flows.py", "no workflows in 'empty_flows.py': decorate"),
        ("broken_flows", "importing 'broken_flows' failed with ZeroDivisionError"),
        ("missing_import", "failed with ModuleNotFoundError: No module named 'absent_thing'"),
        ("", "'' is no module's name: give an importable name"),
        (".", "'.' is no module's name: give an importable name"),
        ("parted/flows.py", "__init__.py beside it, or give its name with that of its package"),
        ("broken_flows.py", "importing 'broken_flows.py' failed with ZeroDivisionError"),
    ],
)
def test_errors_are_one_line_with_a_hint(tmp_path: Path, module: str, problem: str) -> None:
    (tmp_path / "empty_flows.py").write_text("x = 1")
    (tmp_path / "broken_flows.py").write_text("1 / 0")
    (tmp_path / "missing_import.py").write_text("import absent_thing")
    (tmp_path / "parted").mkdir()
    (tmp_path / "parted" / "flows.py").write_text("from . import other")
    with pytest.raises(LoadError) as caught:
        load_workflows([module])
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, durable.DurableError)


def test_two_workflows_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "first_flows.py").write_text(ONE)
    (tmp_path / "second_flows.py").write_text(ONE)
    with pytest.raises(LoadError, match="two workflows are named 'one', in 'first_flows' and"):
        load_workflows(["first_flows", "second_flows"])


def test_a_worker_checks_its_workflows(tmp_path: Path) -> None:
    (tmp_path / "one_flows.py").write_text(ONE)
    (one,) = load_workflows(["one_flows"])
    with pytest.raises(ValueError, match="at least one workflow"):
        durable.Worker(workflows=[])
    with pytest.raises(TypeError, match="is no workflow"):
        durable.Worker(workflows=[test_a_worker_checks_its_workflows])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="max_concurrent"):
        durable.Worker(workflows=[one], max_concurrent=0)
    durable.Worker(workflows=[one, one])
