"""The map of the source code has every folder of the product; design pages name files that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DESIGN = ROOT / "docs/design"
MAP = (DESIGN / "architecture.md").read_text()
OURS, _, TAKEN = MAP.partition("## What was taken from whom")
STARTS = (ROOT, ROOT / "server/durable_server", ROOT / "sdk/durable")
"""Where the file names of the map begin."""


def _named() -> set[str]:
    """Returns the names of our files: other projects' are in the first cells of the last tables."""
    cells = [row.rsplit("|", 2)[1] for row in TAKEN.splitlines() if row.startswith("| ")]
    names = set(re.findall(r"`([\w./-]+)`", "\n".join([OURS, *cells])))
    return {
        name
        for name in names
        if not name.startswith("/") and ("/" in name or name.endswith((".py", ".md", ".toml")))
    }


def _exists(name: str) -> bool:
    return any((start / name).exists() for start in STARTS)


def test_files_on_the_map_exist() -> None:
    names = _named()
    assert len(names) > 100
    assert not sorted(name for name in names if not _exists(name))


def test_files_on_the_other_design_pages_exist() -> None:
    missing = [
        f"{page.name}: {name}"
        for page in DESIGN.glob("*.md")
        if page.name != "architecture.md"
        for name in re.findall(r"`([\w./-]+\.(?:py|proto))`", page.read_text())
        if not _exists(name)
    ]
    assert not sorted(missing)


def test_every_folder_of_the_product_is_on_the_map() -> None:
    mapped = set(re.findall(r"^\| `([\w/]+/)` \| ", OURS, flags=re.M))
    folders = {
        path.parent.relative_to(ROOT).as_posix() + "/"
        for source in ("server", "sdk")
        for path in (ROOT / source).rglob("*.*")
        if path.suffix in (".py", ".js")
    }
    assert folders <= mapped, sorted(folders - mapped)
    assert not [folder for folder in mapped if not (ROOT / folder).is_dir()]
