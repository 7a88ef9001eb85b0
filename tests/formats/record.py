"""The command that makes a recording of the present formats: `python -m tests.formats.record NAME`.

It runs the scenario for each number of partitions, and writes the recording to the folder NAME beside
this file. A recording is never rewritten, so a name that exists is refused: see docs/compatibility.md.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from durable_server.store.schema import VERSION
from tests.sim.virtual import run

from .recordings import COUNTS, FOLDER, write
from .scenario import System


def record(folder: Path) -> None:
    """Runs the scenario and writes the recording into a folder that exists."""
    with tempfile.TemporaryDirectory() as stores:
        for count in COUNTS:
            for index, recording in enumerate(run(System(count, Path(stores)).run())):
                write(folder, count, index, recording)


def main(name: str) -> None:
    """Makes the recording with this name."""
    folder = FOLDER / name
    if folder.exists():
        sys.exit(f"{folder} exists, and a recording is never rewritten: choose another name")
    about = (
        f"Logs and stores as version {name} writes them: store version {VERSION}, systems of\n"
        f"{' and '.join(map(str, COUNTS))} partitions. The scenario is in tests/formats/scenario.py,\n"
        "the files are explained in tests/formats/recordings.py. Never changed: see\n"
        "docs/compatibility.md.\n"
    )
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary) / name
        made.mkdir()
        record(made)
        (made / "about.txt").write_text(about)
        # Last, so that a scenario that fails leaves nothing behind.
        shutil.copytree(made, folder)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.formats.record NAME")
    main(sys.argv[1])
