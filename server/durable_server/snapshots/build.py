"""The composition of snapshots: chooses the place and makes the keeper."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ..cluster.metadata import Metadata
from ..nats.endpoint import EndpointSource
from .keeper import Keeper
from .nats_place import NatsPlace
from .place import Place

CLUSTER: Final = "cluster"
"""The setting for snapshots in the NATS system itself."""
NONE: Final = "none"
"""The setting for no snapshots."""
_SCRATCH: Final = "snapshots.tmp"
"""The folder in the data dir for copies that are being made."""


def open_keeper(
    setting: str,
    source: EndpointSource,
    metadata: Metadata,
    data_dir: Path,
    *,
    replicas: int,
    trim_bytes: int,
    process: str = "",
) -> Keeper | None:
    """Returns the keeper, not started; None with the setting NONE.

    The setting is CLUSTER, NONE or the URL of an object store; `replicas` applies to a new stream in
    the cluster. `process` tells the processes apart that share the data dir. Raises what
    `object_place.open_place` raises.
    """
    if setting == NONE:
        return None
    scratch = data_dir / (f"snapshots-{process}.tmp" if process else _SCRATCH)
    place = _place(setting, source, metadata.id, replicas)
    return Keeper(place, metadata.id, metadata.partitions, scratch, trim_bytes)


def _place(setting: str, source: EndpointSource, system_id: str, replicas: int) -> Place:
    if setting == CLUSTER:
        return NatsPlace(source, replicas=replicas)
    # Imported here because most systems do without it.
    from .object_place import open_place

    return open_place(setting, system_id)
