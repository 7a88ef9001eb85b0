"""Recordings: the files in which the logs and stores of a system are kept, and how they are read.

A recording is a folder. For each partition of each system in it there are four files, whose names
begin with the number of partitions and the partition's index, `3-0` for example:

    3-0.log.xz       every frame of the log from sequence 1 on: its length (u32, big-endian), its bytes
    3-0.middle.db.xz the store in the middle of the scenario, where the log was trimmed
    3-0.end.db.xz    the store at the end, which the whole log adds up to
    3-0.facts.xz     what the version that made the recording has read in the log and in the store at
                     the end, as JSON

`about.txt` says what is in it and which version has written it.
"""

from __future__ import annotations

import json
import lzma
import struct
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent
COUNTS = (1, 3)
"""The numbers of partitions of the systems in a recording."""

_LENGTH = struct.Struct(">I")


class PartitionRecording(NamedTuple):
    """One partition: its log and two states of its store."""

    frames: list[bytes]
    """All frames, from sequence 1 on."""
    middle: bytes
    """The store's file in the middle of the scenario."""
    end: bytes
    """The store's file at the end."""
    facts: dict[str, Any]
    """What is read in the log and in the store at the end; see `facts`."""


def names() -> list[str]:
    """Returns the names of the recordings that are kept."""
    return sorted(path.parent.name for path in FOLDER.glob("*/about.txt"))


def write(folder: Path, count: int, index: int, recording: PartitionRecording) -> None:
    """Writes one partition into the folder of a recording."""
    log = b"".join(_LENGTH.pack(len(frame)) + frame for frame in recording.frames)
    facts = json.dumps(recording.facts).encode()
    files = {"log": log, "middle.db": recording.middle, "end.db": recording.end, "facts": facts}
    for name, data in files.items():
        packed = lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)
        (folder / f"{count}-{index}.{name}.xz").write_bytes(packed)


def read(folder: Path, count: int, index: int) -> PartitionRecording:
    """Reads one partition of the recording in a folder."""

    def unpacked(name: str) -> bytes:
        return lzma.decompress((folder / f"{count}-{index}.{name}.xz").read_bytes())

    log, frames, at = unpacked("log"), list[bytes](), 0
    while at < len(log):
        (length,) = _LENGTH.unpack_from(log, at)
        at += _LENGTH.size
        frames.append(log[at : at + length])
        at += length
    facts = json.loads(unpacked("facts"))
    return PartitionRecording(frames, unpacked("middle.db"), unpacked("end.db"), facts)
