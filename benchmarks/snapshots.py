"""The cost of a snapshot: seconds and bytes, and what the control plane notices meanwhile.

`python benchmarks/snapshots.py` fills a store with invocations as benchmarks/query.py does. It copies
the store, packs it, puts it into a nats-server and fetches it, with the code of the control plane.
Beside each part a log in the same nats-server is appended to, one frame after the other, and a task
that wants to run each millisecond notes how late it is. A line has the part's time and size, the
longest delay of the event loop, and the time of an append at the median and at the 99th percentile;
the first line is without any part, for comparison.

Machines differ and are noisy: compare only lines of one run.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Final

import click

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.query import fill  # noqa: E402
from durable_server.core.ids import from_chance  # noqa: E402
from durable_server.log.interface import Position  # noqa: E402
from durable_server.log.jetstream import JetStreamLog  # noqa: E402
from durable_server.nats.embedded import EmbeddedNats  # noqa: E402
from durable_server.snapshots.fetching import fetch  # noqa: E402
from durable_server.snapshots.manifest import Manifest, new_snapshot_id  # noqa: E402
from durable_server.snapshots.nats_place import NatsPlace  # noqa: E402
from durable_server.snapshots.packing import Packed, StoreView, pack  # noqa: E402

FRAME: Final = b"x" * 2000
"""As large as a batch of a few records."""
QUIET_SECONDS: Final = 3.0
BEGIN_MS: Final = 1_700_000_000_000


class Meanwhile:
    """What goes on beside a part of the work."""

    def __init__(self, log: JetStreamLog) -> None:
        self._log = log
        self._working = False
        self._late = 0.0
        self._appends: list[float] = []

    async def measure(self, part: str, work: Awaitable[object], size: int = 0) -> None:
        """Prints how long a part takes, and what the others notice of it."""
        self._working, self._late, self._appends = True, 0.0, []
        others = [asyncio.create_task(it) for it in (self._wake(), self._append())]
        begin = time.perf_counter()
        await work
        seconds = time.perf_counter() - begin
        self._working = False
        await asyncio.gather(*others)
        cuts = statistics.quantiles(self._appends, n=100)
        amount = f"{size / 1e6:,.1f} MB" if size else ""
        click.echo(
            f"{part:<28}{seconds:7.2f} s {amount:>12}   loop late {self._late * 1e3:6.1f} ms"
            f"   append {cuts[49] * 1e3:6.2f} ms, p99 {cuts[98] * 1e3:6.2f} ms"
        )

    async def _wake(self) -> None:
        while self._working:
            begin = time.perf_counter()
            await asyncio.sleep(0.001)
            self._late = max(self._late, time.perf_counter() - begin - 0.001)

    async def _append(self) -> None:
        while self._working:
            begin = time.perf_counter()
            await self._log.append(FRAME)
            self._appends.append(time.perf_counter() - begin)


async def chunks_of(packed: Packed) -> AsyncIterator[bytes]:
    """Yields the chunks of a packed store."""
    for chunk in packed.read():
        yield chunk


async def measure(store: Path, size: int, folder: Path) -> None:
    """Measures the parts with this store, which has `size` bytes."""
    nats = EmbeddedNats(folder / "nats")
    await nats.start()
    log = JetStreamLog(nats.endpoint)
    await log.take_over(Position(), lambda *_: None, lambda _: b"")
    place = NatsPlace(nats.endpoint)
    await place.prepare()
    meanwhile = Meanwhile(log)
    await meanwhile.measure("nothing", asyncio.sleep(QUIET_SECONDS))
    copy, packed_path, fetched = folder / "copy", folder / "packed", folder / "fetched"
    with StoreView(store) as view:
        await meanwhile.measure("copy the store", asyncio.to_thread(view.copy, copy), size)
        position, version = view.position, view.version
    packing = asyncio.create_task(asyncio.to_thread(pack, copy, packed_path))
    await meanwhile.measure("pack the copy", packing, size)
    packed = packing.result()
    manifest = Manifest(
        *(new_snapshot_id(BEGIN_MS), "0" * 32, 0, 1, position, BEGIN_MS, version),
        *(packed.store_bytes, packed.store_digest, packed.chunks),
    )
    stored = manifest.stored_bytes
    await meanwhile.measure("put it into NATS", place.put(manifest, chunks_of(packed)), stored)
    await meanwhile.measure("fetch and unpack it", fetch(place, manifest, fetched), stored)
    await meanwhile.measure("remove it", place.delete(manifest))
    await place.close()
    await log.close()
    await nats.stop()


@click.command()
@click.option("--size", "sizes", multiple=True, type=int, default=(100_000, 1_000_000))
def main(sizes: tuple[int, ...]) -> None:
    """Prints a table for each size, in invocations."""
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="durable-snapshots-") as name:
            store = Path(name) / "partition-0.db"
            seconds = fill(store, size, BEGIN_MS, from_chance(f"{1:032x}"))
            click.echo(f"{size:,} invocations, filled in {seconds:.0f} s")
            asyncio.run(measure(store, store.stat().st_size, Path(name)))


if __name__ == "__main__":
    main()
