"""Finds workflows in modules: what `durable worker MODULE...` serves.

A MODULE is an importable name (`examples.simple.workflows`) or a path to a file (`main.py`,
`app/workflows.py`). A file that lies in a package is imported under its full name, so that its
relative imports work and it is not loaded twice; the folder above the package, or the file's own, is
put first on `sys.path`, as `python FILE` would. The workflows of a module are the `Workflow` objects
and the classes of virtual objects in its namespace, also those that it imported: a module that collects
them is a fine way to choose.

Errors are one line with a hint, for a person at a prompt; a fault inside the module is chained.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ._errors import DurableError
from ._objects import handlers_of
from ._workflow import Workflow


class LoadError(DurableError):
    """A module cannot be loaded, or has no workflows; the message is one line with a hint."""


def load_workflows(modules: Iterable[str]) -> list[Workflow[..., Any]]:
    """Returns the workflows of all modules, each once; raises LoadError."""
    found: dict[str, tuple[Workflow[..., Any], str]] = {}
    for name in modules:
        workflows = _workflows_of(name)
        if not workflows:
            raise LoadError(
                f"no workflows in {name!r}: decorate an async function there with"
                " @durable.workflow, or name the module that has them"
            )
        for workflow in workflows:
            try:
                workflow.check()
            except TypeError as error:
                raise LoadError(f"a workflow in {name!r} cannot be served: {error}") from error
            other, where = found.setdefault(workflow.name, (workflow, name))
            if other is not workflow:
                raise LoadError(
                    f"two workflows are named {workflow.name!r}, in {where!r} and {name!r}:"
                    " choose another with @durable.workflow(name=...)"
                )
    return [workflow for workflow, _ in found.values()]


def _workflows_of(name: str) -> list[Workflow[..., Any]]:
    module = _import_file(name) if _is_path(name) else _import_module(name)
    values = list(vars(module).values())
    found = [it for it in values if isinstance(it, Workflow)]
    found += [handler for it in values for handler in handlers_of(it)]
    return list({id(it): it for it in found}.values())


def _is_path(name: str) -> bool:
    return name.endswith(".py") or os.sep in name or "/" in name


def _import_module(name: str) -> Any:
    # `python -m` and console scripts differ in whether the current folder is importable.
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
            raise _broken(name, error) from error
        path = name.replace(".", "/") + ".py"
        hint = (
            f"did you mean the file {path!r}?"
            if Path(path).is_file()
            else (
                "give an importable name or a path to a .py file, and start in the folder that has it"
            )
        )
        raise LoadError(f"no module {name!r}: {hint}") from None
    except Exception as error:  # whatever the user's module raises is this one line
        raise _broken(name, error) from error


def _import_file(name: str) -> Any:
    path = Path(name).resolve()
    if not path.is_file():
        hint = "give the .py file itself" if path.is_dir() else "check the path"
        raise LoadError(f"no file {name!r}: {hint}")
    parts = [path.stem]
    folder = path.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    if parts[-1] == "__init__":
        parts.pop()
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        if len(parts) > 1 or folder != path.parent:
            return importlib.import_module(".".join(parts))
        return _execute(path)
    except Exception as error:  # whatever the user's module raises is this one line
        raise _broken(name, error) from error


def _execute(path: Path) -> Any:
    """Loads a file that is in no package; its name may be that of another module (`main.py`)."""
    for module in list(sys.modules.values()):
        if getattr(module, "__file__", None) == str(path):
            return module
    name = path.stem
    while name in sys.modules:
        name += "_"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _broken(name: str, error: BaseException) -> LoadError:
    again = f"python {name}" if _is_path(name) else f"python -c 'import {name}'"
    return LoadError(
        f"importing {name!r} failed with {type(error).__name__}: {error} (`{again}` shows where)"
    )
