"""The default build id: names the code that a worker has loaded, where nobody has named it.

Two workers with the same sources get the same id, on each machine and in each process, and a change of
a source changes it. The id has one of three forms:

    3f9c2d1a77b0                the commit, if git has each source as it is on the disk
    3f9c2d1a77b0-8e41c07d52aa   the commit and a hash of the sources, if it lacks a change
    src-8e41c07d52aa            a hash of the sources, without git or outside of a checkout

The sources are the files of the modules that are loaded and belong to the user's code: those in the
root folders of the workflows, without the standard library, installed packages, their scripts (such as
`.venv/bin/durable` in the folder of a project) and Durable itself. A workflow that is installed brings
its own top-level package. In the hash, names are relative to the roots and line ends do not count, so
that checkouts in other folders and on other systems agree. A module that is imported later, within a
step for example, does not count.

git. The sources are compared with the tree of HEAD, without `git status`: that reads no index, takes no
lock, scans no folder, and runs nothing that the configuration of a repository can name, such as file
monitors, filters and hooks. Nothing is fetched, and nobody is asked. A repository that git refuses to
read, because it belongs to another user for example, a git that takes longer than GIT_SECONDS, and one
that has none of the sources count as no git. A source that git ignores, or that is in a submodule or
another repository, counts as a change.
"""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple

from .._definitions.workflow import Workflow

_logger: Final = logging.getLogger("durable.worker")

GIT_SECONDS: Final = 2.0
"""How long git may take, in all."""
_DIGITS: Final = 12
"""The length of a short commit and of a hash."""
_OWN: Final = frozenset(
    {"durable", "durable_cli", "durable_processes", "durable_proto", "durable_server"}
)
"""The top-level packages of Durable."""
_INSTALLED: Final = frozenset({"site-packages", "dist-packages"})
"""The names of folders with installed packages."""
_ELSEWHERE: Final = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX")
"""Variables that make git look at another repository; hooks of git have them."""


class _Root(NamedTuple):
    """Where a workflow was loaded from."""

    folder: Path
    """The folder that is on the search path of modules."""
    top: str
    """The name of its top-level package, or of its module outside of packages."""


class _Source(NamedTuple):
    """A file of a loaded module."""

    name: str
    """Relative to its root, with slashes."""
    path: Path
    content: bytes

    @property
    def normal(self) -> bytes:
        """The content with the line ends of Unix."""
        return self.content.replace(b"\r\n", b"\n")


_found: Final[dict[frozenset[_Root], str]] = {}
"""The ids by the roots that they are for."""
_finding: Final = threading.Lock()


def default_build_id(workflows: Iterable[Workflow[..., Any]]) -> str:
    """Returns the build id of the code of some workflows, at most 25 characters.

    Found once for each set of roots, and kept, so that the workers of a process agree. May block for
    GIT_SECONDS, and for as long as it takes to read the sources.
    """
    served = list(workflows)
    files = [file for it in served if (file := _file_of(it)) is not None]
    roots = frozenset(_root_of(name, file) for name, file in files)
    with _finding:
        if roots not in _found:
            sources = sorted(_sources(roots))
            if not sources:
                # The code was typed at a prompt, or there are no files: do not keep this.
                return f"src-{_hash((it.name, it.version.encode()) for it in served)}"
            _found[roots] = _build_id(sources, files[0][1])
        return _found[roots]


def _build_id(sources: list[_Source], first: Path) -> str:
    """Returns the id of some sources; `first` is a file in the folder that is asked for its commit."""
    digest = _hash((it.name, it.normal) for it in sources)
    commit, blobs = _committed(sources, first.parent)
    states = [_is_in(blobs, it) for it in sources]
    if all(it is None for it in states):
        return f"src-{digest}"
    return commit[:_DIGITS] if all(states) else f"{commit[:_DIGITS]}-{digest}"


def _hash(parts: Iterable[tuple[str, bytes]]) -> str:
    """Returns a hash of names and contents, whatever their order."""
    found = hashlib.sha256()
    for name, content in sorted(parts):
        for it in (name.encode(), content):
            found.update(len(it).to_bytes(8, "big"))
            found.update(it)
    return found.hexdigest()[:_DIGITS]


# The sources


def _file_of(workflow: Workflow[..., Any]) -> tuple[str, Path] | None:
    """Returns the name and the file of the module of a workflow; None without a file."""
    module = sys.modules.get(workflow.__module__)
    file = getattr(module, "__file__", None)
    if file is None:
        return None
    # The module that Python runs is called __main__, whatever it is.
    spec = getattr(module, "__spec__", None)
    name = spec.name if spec is not None else Path(file).stem
    return name, Path(file).absolute()


def _root_of(name: str, file: Path) -> _Root:
    """Returns the root of a module by its full name and its file."""
    packages = name.split(".")
    if file.stem != "__init__":
        packages.pop()
    folder = file.parent
    for package in reversed(packages):
        if folder.name != package:  # loaded under a name of its own
            break
        folder = folder.parent
    return _Root(folder, name.partition(".")[0])


def _sources(roots: frozenset[_Root]) -> Iterator[_Source]:
    """Finds the files of the loaded modules that belong to the user's code, each once."""
    # In a root within another one, the longer name is not unique: the outermost root counts.
    outermost = sorted(roots, key=lambda it: len(it.folder.parts))
    standard = {Path(sysconfig.get_path(it)) for it in ("stdlib", "platstdlib")}
    seen: set[Path] = set()
    for module in list(sys.modules.values()):
        if not isinstance(module, ModuleType) or not (file := vars(module).get("__file__")):
            continue
        path = Path(file).absolute()
        if path in seen or (not standard.isdisjoint(path.parents) and not _is_installed(path)):
            continue
        seen.add(path)
        for root in outermost:
            if path.is_relative_to(root.folder) and _belongs(module, path, root):
                content = _content(module, path)
                if content is not None:
                    yield _Source(path.relative_to(root.folder).as_posix(), path, content)
                break


def _belongs(module: ModuleType, path: Path, root: _Root) -> bool:
    """Returns whether a module in a root folder is the user's code."""
    if _is_installed(root.folder / root.top):
        return module.__name__.partition(".")[0] == root.top
    if _is_installed(path) or module.__name__.partition(".")[0] in _OWN:
        return False
    # The script that has started the process, if an installed package has brought it.
    scripts = Path(sysconfig.get_path("scripts")).resolve()
    return path.parent.resolve() != scripts or root.folder.resolve() == scripts


def _is_installed(path: Path) -> bool:
    return not _INSTALLED.isdisjoint(path.parts)


def _content(module: ModuleType, path: Path) -> bytes | None:
    """Returns the content of a module's file; None if it is gone."""
    try:
        # A module may be in an archive.
        loader = vars(module).get("__loader__")
        get_data = getattr(loader, "get_data", None)
        return path.read_bytes() if get_data is None else bytes(get_data(str(path)))
    except Exception:  # noqa: BLE001  # a loader may be anybody's and raise anything
        return None


# git


def _committed(sources: list[_Source], folder: Path) -> tuple[str, dict[Path, str]]:
    """Returns the commit of the checkout that a folder is in, and the hash of each file there.

    Only of files below a folder that has all sources of the checkout. Empty without git.
    """
    until = time.monotonic() + GIT_SECONDS
    told = _git(folder, until, "rev-parse", "--show-toplevel", "HEAD")
    top, _, commit = (told or b"").rstrip(b"\r\n").rpartition(b"\n")
    if not top:
        return "", {}
    checkout = Path(os.fsdecode(top.rstrip(b"\r"))).resolve()
    inside = [it for source in sources if (it := source.path.resolve()).is_relative_to(checkout)]
    if not inside:
        return "", {}
    common = Path(os.path.commonpath([it.parent for it in inside])).relative_to(checkout)
    where = [] if common == Path() else [f"{common.as_posix()}/"]
    names = commit.decode("ascii")
    listed = _git(checkout, until, "ls-tree", "-r", "-z", "--full-tree", names, "--", *where)
    if listed is None:
        return "", {}
    blobs: dict[Path, str] = {}
    for line in listed.split(b"\0"):
        about, _, name = line.partition(b"\t")
        mode, _, rest = about.partition(b" ")
        if name and mode.startswith(b"100"):  # a file: no link, no submodule
            blobs[checkout / os.fsdecode(name)] = rest.rpartition(b" ")[2].decode("ascii")
    return names, blobs


def _is_in(blobs: dict[Path, str], source: _Source) -> bool | None:
    """Returns whether git has a source as it is on the disk; None if git does not have it at all."""
    expected = blobs.get(source.path.resolve())
    if expected is None:
        return None
    # Git may have changed the line ends when it wrote the file.
    return expected in (_blob(it, len(expected)) for it in (source.content, source.normal))


def _blob(content: bytes, digits: int) -> str:
    """Returns git's hash of a file; its length tells which one the repository uses."""
    found = hashlib.new("sha1" if digits == 40 else "sha256", usedforsecurity=False)
    found.update(b"blob %d\0" % len(content))
    found.update(content)
    return found.hexdigest()


def _git(folder: Path, until: float, *arguments: str) -> bytes | None:
    """Runs a git command that reads; returns what it wrote, None if it has failed or was too slow."""
    environment = {name: it for name, it in os.environ.items() if name not in _ELSEWHERE}
    environment |= {
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        # Objects that are missing in a partial clone stay so: a fetch may run what the
        # configuration of the repository names.
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "none",
    }
    try:
        ended = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=max(0.0, until - time.monotonic()),
            check=False,
        )
    except OSError:
        return None
    except subprocess.TimeoutExpired:
        _logger.warning(
            "git has not answered within %g s, so the build id is a hash of the sources; a worker whose"
            " git is faster has another one: set DURABLE_BUILD_ID",
            GIT_SECONDS,
        )
        return None
    return ended.stdout if ended.returncode == 0 else None
