"""Loading: finds the workflows of modules, for `durable worker MODULE...`, and the codec of one.

A MODULE is an importable name (`examples.simple.workflows`) or the path of a file (`main.py`,
`app/workflows.py`). A file in a package is imported under its full name, so that its relative
imports work and it is not loaded twice. As with `python FILE`, the folder above the package, or the
file's own folder, comes first on `sys.path`. The workflows of a module are the `Workflow` objects
and the virtual objects in its namespace, also imported ones; so a module may collect those of
others.

Errors are one line with a hint, for a person at a prompt; an error of the module itself is chained.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .._common.codecs.interface import Codec
from .._common.errors import DurableError
from .call_checks import hidden_workflow, hidden_workflow_text
from .objects import handlers_of
from .workflow import Workflow


class LoadError(DurableError):
    """A module cannot be loaded, or has no workflows. The message is one line with a hint."""


def load_workflows(modules: Iterable[str]) -> list[Workflow[..., Any]]:
    """Returns the workflows of all modules, each once; raises LoadError."""
    found: dict[str, tuple[Workflow[..., Any], str]] = {}
    for name in modules:
        if not _is_path(name) and not all(name.split(".")):
            raise LoadError(
                f"{name!r} is no module's name: give an importable name or a path to a .py file"
            )
        workflows = _workflows_of(name)
        if not workflows:
            hidden = "" if _is_path(name) else _name_clash(Path(), name.partition(".")[0])
            raise LoadError(
                f"no workflows in {name!r}: decorate an async function there with"
                f" @durable.workflow, or name the module that has them{hidden}"
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


def load_codec(place: str) -> Codec:
    """Returns the codec at `MODULE:NAME`, such as `app.values:codec`; raises LoadError."""
    name, _, variable = place.rpartition(":")
    if not name or not variable or not (_is_path(name) or all(name.split("."))):
        raise LoadError(
            f"{place!r} is no codec's place: give MODULE:NAME, as in 'app.values:codec' or"
            " 'values.py:codec'"
        )
    module = _import_file(name) if _is_path(name) else _import_module(name)
    found = vars(module).get(variable)
    if isinstance(found, Codec):
        return found
    what = f"there is no {variable!r}" if found is None else f"{variable!r} is no durable.Codec"
    raise LoadError(f"no codec at {place!r}: {what} in {name!r}")


def _workflows_of(name: str) -> list[Workflow[..., Any]]:
    module = _import_file(name) if _is_path(name) else _import_module(name)
    values = list(vars(module).values())
    found = [it for it in values if isinstance(it, Workflow)]
    found += [handler for it in values for handler in handlers_of(it)]
    for variable, it in vars(module).items():
        hidden = hidden_workflow(it)
        # Under another name, the function may use a workflow that another module serves.
        if hidden and hidden not in found and variable == hidden.__name__:
            raise LoadError(f"{name!r}: {hidden_workflow_text(it, hidden)}")
    return list({id(it): it for it in found}.values())


def _is_path(name: str) -> bool:
    return name.endswith(".py") or os.sep in name or "/" in name


def _import_module(name: str) -> Any:
    # `python -m` has the current folder on sys.path, a console script has not.
    if sys.path[0] not in ("", os.getcwd()):
        sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
            raise _broken(name, error, Path()) from error
        path = name.replace(".", "/") + ".py"
        hint = (
            f"did you mean the file {path!r}?"
            if Path(path).is_file()
            else (
                "give an importable name or a path to a .py file, and start in the folder that has it"
            )
        )
        raise LoadError(f"no module {name!r}: {hint}") from None
    except (Exception, SystemExit) as error:  # the user's module may raise anything
        raise _broken(name, error, Path()) from error


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
    except (Exception, SystemExit) as error:  # the user's module may raise anything
        raise _broken(name, error, folder) from error


def _execute(path: Path) -> Any:
    """Loads a file outside of packages, also if its name (`main`) is taken by another module."""
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


def _broken(name: str, error: BaseException, folder: Path) -> LoadError:
    """Returns the error for a module whose import failed; `folder` is first on the search path."""
    if isinstance(error, SystemExit):
        return LoadError(
            f"importing {name!r} ended with sys.exit({error.code!r}): what runs it as a program must"
            " stand below `if __name__ == '__main__':`"
        )
    again = f"python {name}" if _is_path(name) else f"python -c 'import {name}'"
    # The failing import may have found another module than the author meant.
    lacking = error.name if isinstance(error, ImportError) else getattr(error, "obj", None)
    lacking = getattr(lacking, "__name__", lacking)
    hint = _name_clash(folder, lacking.partition(".")[0]) if isinstance(lacking, str) else ""
    text = " ".join(str(error).split())
    if "no known parent package" in text:
        hint = "; put an __init__.py beside it, or give its name with that of its package"
    return LoadError(
        f"importing {name!r} failed with {type(error).__name__}: {text} (`{again}` shows where){hint}"
    )


def _name_clash(folder: Path, name: str) -> str:
    """Returns a hint about a file of a folder and another module with the same name; "" without
    one.

    One of the two is not the module that its importers meant.
    """
    files = (folder / f"{name}.py", folder / name / "__init__.py")
    here = next((it for it in files if it.is_file()), None)
    module = sys.modules.get(name)
    if here is None or module is None:
        return ""
    used = getattr(module, "__file__", None)
    if used is None or Path(used).resolve() != here.resolve():
        return (
            f"; {str(here)!r} is hidden by the module {name!r} of {used or 'Python'}: rename it, or"
            " serve it by its path"
        )
    if name in sys.stdlib_module_names:
        return f"; {str(here)!r} hides Python's own module {name!r}: rename it"
    return ""
