"""The description of what the lock holds, for people and for scanners.

    docs/dependencies.md         each locked package: its licence, and what it is needed for
    requirements/sbom.cdx.json   the software bill of materials (CycloneDX) of what the wheel needs with
                                 all of its extras; the wheel has it in its `.dist-info/sboms`

`python -m requirements.describe` writes both; `make lock` runs it. Versions and hashes come from
`lock.txt`, licences and dependencies from the metadata of the installed packages. A package that is
locked for other platforms only is not installed, so nothing of it but its version is known here. The
reasons of direct dependencies are in `reasons.toml`.

The output depends on nothing else, time included, so that a test can compare it.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "requirements"
DOCUMENT = ROOT / "docs" / "dependencies.md"
SBOM = FOLDER / "sbom.cdx.json"
PROJECT = "durable-grpc"

_LOCKED = re.compile(
    r"^([a-z0-9._-]+)==(\S+)((?: ;[^\n\\]*)?)((?: \\\n +--hash=sha256:[0-9a-f]+)+)", re.M
)
_SHORT = 60
"""The length of a line that names a licence; a longer one begins its text."""
_HASH = re.compile(r"sha256:([0-9a-f]{64})")


class Locked(NamedTuple):
    """A package in the lock."""

    name: str
    version: str
    marker: str
    """For which platforms; empty for all."""
    hashes: tuple[str, ...]
    """The SHA-256 of each of its files."""


def locked(text: str) -> dict[str, Locked]:
    """Returns the packages of a lock file by name; raises ValueError for a line without hashes."""
    found = {
        name: Locked(name, version, marker.strip(" ;"), tuple(_HASH.findall(hashes)))
        for name, version, marker, hashes in _LOCKED.findall(text)
    }
    lines = [it for it in text.splitlines() if it and not it.startswith((" ", "#"))]
    if len(lines) != len(found):
        raise ValueError(f"{len(lines)} packages are locked, and {len(found)} of them with hashes")
    return found


def project() -> dict[str, Any]:
    """Returns the table `project` of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


def direct() -> dict[str, set[str]]:
    """Returns the names of direct dependencies, each with the extras that need it; "" for always."""
    table = project()
    lists: Mapping[str, Iterable[str]] = {
        "": table["dependencies"],
        **table["optional-dependencies"],
        "build": [it for it in (FOLDER / "build.in").read_text().splitlines() if it[:1] != "#"],
    }
    found: dict[str, set[str]] = {}
    for extra, requirements in lists.items():
        for text in requirements:
            name = canonicalize_name(Requirement(text).name)
            if name != PROJECT:
                found.setdefault(name, set()).add(extra)
    return found


def needs(name: str, extras: Iterable[str] = ()) -> set[str]:
    """Returns what an installed package needs on any platform; nothing for one not installed."""
    try:
        texts = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return set()
    found = set[str]()
    for requirement in map(Requirement, texts):
        marker = str(requirement.marker or "")
        if "extra ==" not in marker or any(f'extra == "{it}"' in marker for it in extras):
            found.add(canonicalize_name(requirement.name))
            if requirement.extras:
                found |= needs(requirement.name, requirement.extras)
    return found


def _expression(name: str) -> str:
    """Returns the licence of an installed package in the language of SPDX; empty if it has none."""
    found = metadata.metadata(name).get_all("License-Expression") or [""]
    return str(found[0])


def licence(name: str) -> str:
    """Returns the licence as the package's metadata tell it; empty for one not installed."""
    try:
        data = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return ""
    if _expression(name):
        return _expression(name)
    classified = [
        it.rpartition(" :: ")[2]
        for it in data.get_all("Classifier", [])
        if it.startswith("License :: ") and not it.endswith("OSI Approved")
    ]
    texts: list[str] = data.get_all("License", [])
    first = [it.strip().splitlines()[0] for it in texts if it.strip()]
    if first and len(first[0]) <= _SHORT:
        return first[0]
    return ", ".join(classified)


def runtime(packages: Mapping[str, Locked]) -> dict[str, set[str]]:
    """Returns what the wheel needs with all extras but `dev`: names with the names that each needs."""
    start = {it for it, extras in direct().items() if extras - {"dev", "build"}}
    found: dict[str, set[str]] = {}
    waiting = sorted(start)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = {it for it in needs(name) if it in packages}
            waiting += sorted(found[name])
    return found


def sbom(packages: Mapping[str, Locked]) -> str:
    """Returns the software bill of materials as JSON."""
    table = project()
    graph = runtime(packages)
    root = f"pkg:pypi/{PROJECT}@{table['version']}"
    urls = {it: f"pkg:pypi/{it}@{packages[it].version}" for it in graph}
    components = []
    for name in sorted(graph):
        it = packages[name]
        component: dict[str, Any] = {
            "type": "library",
            "bom-ref": urls[name],
            "name": name,
            "version": it.version,
            "purl": urls[name],
            "hashes": [{"alg": "SHA-256", "content": digest} for digest in sorted(it.hashes)],
        }
        if licence(name):
            component["licenses"] = [_licence(name)]
        components.append(component)
    needed = [it for it, extras in direct().items() if extras - {"dev", "build"}]
    edges = {root: needed} | {urls[name]: list(graph[name]) for name in sorted(graph)}
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "library",
                "bom-ref": root,
                "name": PROJECT,
                "version": table["version"],
                "purl": root,
                "licenses": [{"license": {"id": table["license"]}}],
            }
        },
        "components": components,
        "dependencies": [
            {"ref": ref, "dependsOn": sorted(urls[it] for it in names)}
            for ref, names in edges.items()
        ],
    }
    return json.dumps(document, indent=1) + "\n"


def _licence(name: str) -> dict[str, Any]:
    if _expression(name):
        return {"expression": _expression(name)}
    return {"license": {"name": licence(name)}}


def document(packages: Mapping[str, Locked]) -> str:
    """Returns the page; raises KeyError for a direct dependency without a reason."""
    reasons: dict[str, str] = tomllib.loads((FOLDER / "reasons.toml").read_text())
    names, own = runtime(packages), direct()
    users: dict[str, list[str]] = {}
    for name in sorted(packages):
        for it in needs(name):
            users.setdefault(it, []).append(name)

    def rows(chosen: Iterable[str]) -> list[str]:
        lines = ["| package | version | licence | why |", "|---|---|---|---|"]
        for name in sorted(chosen):
            it = packages[name]
            if name in own:
                extras = ", ".join(f"`{extra}`" for extra in sorted(own[name]) if extra)
                why = reasons[name] + (f" ({extras})" if extras else "")
            else:
                why = "needed by " + ", ".join(users.get(name, ["a package for other platforms"]))
            here = licence(name) or (f"only where `{it.marker}`" if it.marker else "not told")
            lines.append(f"| {name} | {it.version} | {here} | {why} |")
        return lines

    lines = [
        "# Dependencies",
        "",
        "Made by `make lock` from [the lock](../requirements/lock.txt), which has the hashes of all",
        "files of each package. In parentheses: the extras of `pyproject.toml` that need it. The audit",
        "(`make audit`) looks all of them up in the database of known vulnerabilities.",
        "",
        "## Of the wheel, with all extras",
        "",
        *rows(names),
        "",
        "## Of development, tests and the build only",
        "",
        *rows(set(packages) - set(names)),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Writes the page and the bill of materials."""
    packages = locked((FOLDER / "lock.txt").read_text())
    try:
        page = document(packages)
    except KeyError as missing:
        sys.exit(f"requirements/reasons.toml: say what the dependency {missing.args[0]!r} is for")
    DOCUMENT.write_text(page)
    SBOM.write_text(sbom(packages))


if __name__ == "__main__":
    main()
