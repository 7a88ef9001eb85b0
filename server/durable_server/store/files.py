"""The names of the store files in a data directory: one file for each partition."""

from __future__ import annotations

import re
from pathlib import Path

_NAME = re.compile(r"partition-([0-9]+)\.db")


def store_path(data_dir: Path, partition: int) -> Path:
    """Returns where the store of a partition is, whether it exists or not."""
    return data_dir / f"partition-{partition}.db"


def store_partitions(data_dir: Path) -> list[int]:
    """Returns the partitions that have a store in a data directory, in order."""
    matches = (_NAME.fullmatch(path.name) for path in data_dir.glob("partition-*.db"))
    return sorted(int(it[1]) for it in matches if it is not None)
