"""The composition of snapshots: chooses the place, fetches what stores need, and makes the keeper."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ..cluster.metadata import Metadata
from ..log.extent import read_extents
from ..nats.endpoint import EndpointSource
from ..store.files import store_path
from .fetching import fetch_if_needed
from .keeper import Keeper
from .nats_place import NatsPlace
from .place import Place

CLUSTER: Final = "cluster"
"""The setting for snapshots in the NATS system itself."""
NONE: Final = "none"
"""The setting for no snapshots."""
_SCRATCH: Final = "snapshots.tmp"
"""The folder in the data dir for copies that are being made."""


async def open_snapshots(
    setting: str,
    source: EndpointSource,
    metadata: Metadata,
    data_dir: Path,
    *,
    replicas: int,
    trim_bytes: int,
) -> Keeper | None:
    """Returns the keeper, not started; None with the setting NONE.

    Before, it fetches a snapshot for each store of the data dir that its log cannot bring up to date.
    The setting is CLUSTER, NONE or the URL of an object store; `replicas` applies to a new stream in
    the cluster. Raises what `fetch_if_needed`, `read_extents` and `object_place.open_place` raise.
    """
    if setting == NONE:
        return None
    place = _place(setting, source, metadata.id, replicas)
    try:
        count = metadata.partitions
        extents = await read_extents(source, range(count))
        stores = [store_path(data_dir, it) for it in range(count)]
        for partition, (store, extent) in enumerate(zip(stores, extents, strict=True)):
            await fetch_if_needed(place, metadata.id, partition, count, store, extent)
    except BaseException:
        await place.close()
        raise
    return Keeper(place, metadata.id, stores, extents, data_dir / _SCRATCH, trim_bytes)


def _place(setting: str, source: EndpointSource, system_id: str, replicas: int) -> Place:
    if setting == CLUSTER:
        return NatsPlace(source, replicas=replicas)
    # Imported here because most systems do without it.
    from .object_place import open_place

    return open_place(setting, system_id)
