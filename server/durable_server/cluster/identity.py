"""The identity file of a data dir, `system.json`: to which system the stores in it belong.

The control plane writes it when its partitions have started, so the stores are those of that system.
From then on the data dir is not used with another NATS system, nor with an empty one: there the number
of partitions would be decided anew, and the stores would be ahead of their logs. The file is also how
`durable backup` knows the system when NATS is lost and only the stores are left.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from ..files import write_whole
from ..log.interface import LogError

FILE_NAME = "system.json"


class IdentityError(LogError):
    """The identity file cannot be read. The message says where it is and what to do."""


class Identity(NamedTuple):
    """The system of a data dir."""

    id: str
    """The id in the system's metadata record."""
    partitions: int


def read_identity(data_dir: Path) -> Identity | None:
    """Returns the identity of a data dir; None if no control plane of this version has started there.

    Raises IdentityError.
    """
    path = data_dir / FILE_NAME
    try:
        record = json.loads(path.read_bytes())
        return Identity(str(record["id"]), int(record["partitions"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IdentityError(
            f"{path} cannot be read ({error}); the control plane writes it anew if you remove it"
        ) from error


def write_identity(data_dir: Path, identity: Identity) -> None:
    """Writes the identity of a data dir, as a whole or not at all; nothing if it is there already."""
    path = data_dir / FILE_NAME
    data = json.dumps(identity._asdict()).encode() + b"\n"
    if path.exists() and path.read_bytes() == data:
        return
    write_whole(path, data)
