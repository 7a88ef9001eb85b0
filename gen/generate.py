"""The generator: makes every generated file of the repository; `python gen/generate.py`, or `make gen`.

Each language has a recipe in `gen/recipes`. A language whose toolchain is missing is skipped with a
line that says so, and its committed files stay as they are.

`--check` generates into a temporary folder and names the files that differ from the committed ones.
`--only go` (and so on) generates one language, and fails if its toolchain is missing. The tables of
docs/security.md are generated with the languages.
"""

from __future__ import annotations

import argparse
import filecmp
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from recipes import (
    ROOT,
    MissingError,
    Recipe,
    betterproto,
    go,
    java,
    openapi,
    python,
    security,
    sync_client,
    typescript,
)

RECIPES = (
    python.RECIPE,
    go.RECIPE,
    typescript.RECIPE,
    java.RECIPE,
    betterproto.RECIPE,
    openapi.RECIPE,
    sync_client.RECIPE,
)


def remake(recipe: Recipe) -> None:
    """Replaces the committed folders by newly generated ones."""
    with tempfile.TemporaryDirectory() as scratch:
        recipe.generate(Path(scratch))
        for folder in recipe.folders:
            shutil.rmtree(ROOT / folder, ignore_errors=True)
            shutil.copytree(Path(scratch) / folder, ROOT / folder)


def _files(root: Path, folder: Path) -> set[Path]:
    return {
        path.relative_to(root)
        for path in (root / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def differences(recipe: Recipe) -> list[str]:
    """Names the files that differ between the committed folders and newly generated ones."""
    found: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        recipe.generate(scratch)
        for folder in recipe.folders:
            fresh, kept = _files(scratch, folder), _files(ROOT, folder)
            found += [f"{path}: missing" for path in sorted(fresh - kept)]
            found += [f"{path}: not generated any more" for path in sorted(kept - fresh)]
            found += [
                f"{path}: differs"
                for path in sorted(fresh & kept)
                if not filecmp.cmp(scratch / path, ROOT / path, shallow=False)
            ]
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit code is 1 when `--check` finds a difference."""
    parser = argparse.ArgumentParser(description="Make the generated files of the repository.")
    parser.add_argument(
        "--check", action="store_true", help="only name the files that are out of date"
    )
    parser.add_argument("--only", choices=[recipe.name for recipe in RECIPES], help="one language")
    options = parser.parse_args(arguments)
    chosen = [recipe for recipe in RECIPES if options.only in (None, recipe.name)]
    stale = False
    for recipe in chosen:
        try:
            if options.check:
                found = differences(recipe)
                print(
                    *found, f"{recipe.name}: {'out of date' if found else 'up to date'}", sep="\n"
                )
                stale = stale or bool(found)
            else:
                remake(recipe)
                print(f"{recipe.name}: made", *recipe.folders)
        except MissingError as error:
            print(f"{recipe.name}: SKIPPED, {error}")
            if options.only:
                return 1
    if options.only is None:
        target, text = ROOT / security.PAGE, security.page()
        fresh = target.read_text(encoding="utf-8") == text
        if options.check:
            print(f"{security.PAGE}: {'up to date' if fresh else 'out of date'}")
            stale = stale or not fresh
        else:
            target.write_text(text, encoding="utf-8")
            print(f"{security.PAGE}: made its tables")
    if stale:
        print("What is generated is out of date: run `make gen`")
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
