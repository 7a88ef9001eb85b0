"""Time per page of a query, with a thousand and a million invocations: `python benchmarks/query.py`.

For each size it creates a data dir and fills its store with the store's own commit, in batches, as
the processor does: a few handlers, one of them rare, keys, labels, children of a large parent,
failures with ids in their messages, and some unfinished invocations. It then runs each query on the
store directly and, over gRPC, on a control plane started on that dir. It prints the medians, and
the ratio of the largest to the smallest size: a missing index shows as a ratio of hundreds.

Machines differ and are noisy: compare only ratios of one run.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
import grpc

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from durable_proto.v1 import control_pb2, control_pb2_grpc  # noqa: E402
from durable_server.app import ControlPlane  # noqa: E402
from durable_server.config import Config  # noqa: E402
from durable_server.core.changes import Changes  # noqa: E402
from durable_server.core.entry_kinds import EntryKind  # noqa: E402
from durable_server.core.ids import from_chance  # noqa: E402
from durable_server.core.model import (  # noqa: E402
    EntryRow,
    Failure,
    HandlerKind,
    Invocation,
    State,
)
from durable_server.requests.build import build_requests  # noqa: E402
from durable_server.rpc.listing import Listing  # noqa: E402
from durable_server.store.sqlite import SqliteStore  # noqa: E402

BATCH: Final = 5000
PAGE: Final = 20
STEP_MS: Final = 10
"""Between the creation of one invocation and the next."""
RARE: Final = 20
"""One in this many has the rare handler, the rare text, or the parent. A page of
them is full even with a thousand invocations, so that both sizes read equally many rows."""
EARLY: Final = 10_000
"""Only the first invocations, up to this one, have the label `pilot`: the
worst case for a list in the order of another time."""
HANDLERS: Final = ("checkout", "email", "report", "cart.add")


class Query(NamedTuple):
    """A row of the result."""

    name: str
    fields: dict[str, Any]
    deep: bool = False
    """Whether the page is from the middle of the list."""


class Row(NamedTuple):
    """One measurement of a query: the invocations in the page, and the median milliseconds."""

    rows: int
    store: float
    grpc: float


def invocation(number: int, begin_ms: int, parent: str) -> Invocation:
    """Returns the invocation with this number, a function of its arguments only."""
    created = begin_ms + number * STEP_MS
    handler = "audit" if number % RARE == 0 else HANDLERS[number * 7 % 4]
    it = Invocation(
        id=from_chance(f"{number:032x}"),
        number=number,
        handler=handler,
        key=f"user-{number // 8 % 10}" if handler == "cart.add" else "",
        input=b'\x12\x08"user-1"',
        headers=(),
        service="billing" if number % 10 == 0 else "pilot" if number < EARLY else "",
        partition_key="",
        idempotency_key="",
        parent=parent if number % RARE == 1 else "",
        priority=0,
        created_ms=created,
        kind=HandlerKind.WORKFLOW,
        state=State.COMPLETED,
        updated_ms=created + 5,
    )
    draw = number * 7919 % 1000
    if draw < 100:
        it.state = (State.SUSPENDED, State.BACKING_OFF, State.PAUSED, State.SCHEDULED)[draw % 4]
        if it.state is State.BACKING_OFF:
            it.failure = Failure("OSError", f"connection {number} refused", b"")
        return it
    it.started_ms = created + 5
    it.completed_ms = it.updated_ms = created + 5 + number * 17 % 400
    if draw < 200:
        it.state = State.FAILED
        what = "card expired" if number % 3 == 0 else "out of stock"
        it.failure = Failure("PaymentError", f"order {number}: {what} at shop {number % 97}", b"")
    elif draw < 210:
        it.state = State.CANCELLED
        it.failure = Failure("durable.Cancelled", "cancelled", b"")
    return it


def fill(path: Path, count: int, begin_ms: int, parent: str) -> float:
    """Fills a store with `count` invocations; returns how many seconds that took."""
    begin = time.perf_counter()
    store = SqliteStore(path)
    position = store.recover().position
    for first in range(1, count + 1, BATCH):
        numbers = range(first, min(first + BATCH, count + 1))
        changes = Changes()
        for number in numbers:
            changes.created[number] = invocation(number, begin_ms, parent)
            done = EntryRow(0, EntryKind.RUN, "step", None, b"\n\x04\x12\x0217", 1, 0, 0, 0, "", 1)
            changes.entries.append((number, done))
        store.commit(position, begin_ms, changes)
    store.checkpoint()
    store.close()
    return time.perf_counter() - begin


def queries(count: int, begin_ms: int, parent: str) -> Iterator[Query]:
    """Yields the queries for a store of `count` invocations."""

    def at(share: float) -> datetime:
        return datetime.fromtimestamp((begin_ms + count * share * STEP_MS) / 1000, UTC)

    filters: dict[str, dict[str, Any]] = {
        "everything": {},
        "state completed": {"states": [State.COMPLETED]},
        "state failed": {"states": [State.FAILED]},
        "state paused": {"states": [State.PAUSED]},
        "all unfinished": {"states": [s for s in State if s < State.COMPLETED]},
        "handler": {"handler": "checkout"},
        "handler, rare": {"handler": "audit"},
        "handler, none such": {"handler": "nothing"},
        "handler and failed": {"handler": "email", "states": [State.FAILED]},
        "rare handler and failed": {"handler": "audit", "states": [State.FAILED]},
        "key": {"key": "user-7"},
        "key and failed": {"key": "user-7", "states": [State.FAILED]},
        "service": {"service": "billing"},
        "service and failed": {"service": "billing", "states": [State.FAILED]},
        "service and handler": {"service": "billing", "handler": "report"},
        "parent": {"parent_invocation_id": parent},
        "parent and failed": {"parent_invocation_id": parent, "states": [State.FAILED]},
        "time, in the middle": {"create_time_min": at(0.45), "create_time_max": at(0.55)},
        "time and failed": {"create_time_max": at(0.3), "states": [State.FAILED]},
        "time and key": {"create_time_max": at(0.3), "key": "user-7"},
        "text, common": {"failure_text": "out of stock"},
        "text, rarer": {"failure_text": "card expired"},
        "text, one": {"failure_text": "order 403:"},
        "text, none": {"failure_text": "no such text"},
        "text of what goes on": {"failure_text": "refused"},
        "text, handler": {"failure_text": "card expired", "handler": "email"},
        "text, handler, time": {
            **{"failure_text": "out of", "handler": "report"},
            "create_time_max": at(0.5),
        },
    }
    for name, fields in filters.items():
        yield Query(name, fields)
    for sort in ("create_time", "complete_time desc", "complete_time", "update_time desc"):
        for name in (
            "everything",
            "state failed",
            "handler",
            "handler and failed",
            "key",
            "parent",
        ):
            yield Query(f"{name}, by {sort}", {**filters[name], "order_by": sort})
        yield Query(f"text, rarer, by {sort}", {**filters["text, rarer"], "order_by": sort})
    yield Query("service of long ago", {"service": "pilot"})
    long_ago = {"service": "pilot", "order_by": "complete_time desc"}
    yield Query("service of long ago, by complete_time desc", long_ago)
    for name in ("everything", "state completed", "handler", "text, common"):
        yield Query(f"{name}, deep", filters[name], deep=True)
    yield Query("everything, by complete_time desc, deep", {"order_by": "complete_time desc"}, True)


async def measure(
    folder: Path, count: int, begin_ms: int, parent: str, rounds: int
) -> dict[str, Row]:
    """Measures each query on a control plane with `count` invocations."""
    found: dict[str, Row] = {}
    async with (
        ControlPlane(Config(listen="127.0.0.1:0", data_dir=folder)) as plane,
        grpc.aio.insecure_channel(plane.address) as channel,
    ):
        control: control_pb2_grpc.DurableControlAsyncStub
        control = control_pb2_grpc.DurableControlStub(channel)
        processor = plane.router.any()
        requests = build_requests(plane.router, processor.workers, processor.limits, None)
        listing = Listing(requests.reads, requests.limits)
        for query in queries(count, begin_ms, parent):
            request = control_pb2.QueryRequest(page_size=PAGE, **query.fields)
            if query.deep:
                request.page_size = 500
                for _ in range(min(count // 1000, 40)):
                    request.page_token = (await control.Query(request)).next_page_token
                request.page_size = PAGE

            def inside(request: control_pb2.QueryRequest = request) -> object:
                return listing.query(request)

            async def outside(request: control_pb2.QueryRequest = request) -> object:
                return await control.Query(request)

            rows = len(listing.query(request).invocations)
            found[query.name] = Row(rows, *await medians(rounds, inside, outside))

        async def stats() -> object:
            return await control.GetStats(control_pb2.GetStatsRequest())

        found["stats"] = Row(1, *await medians(rounds, listing.stats, stats))
    return found


async def medians(
    rounds: int, inside: Callable[[], object], outside: Callable[[], Any]
) -> tuple[float, float]:
    """Returns the median milliseconds of a call in this process and of one over gRPC."""
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        begin = time.perf_counter()
        inside()
        middle = time.perf_counter()
        await outside()
        if number:  # The first round warms up.
            taken[0].append(middle - begin)
            taken[1].append(time.perf_counter() - middle)
    return statistics.median(taken[0]) * 1000, statistics.median(taken[1]) * 1000


def show(sizes: list[int], measured: list[dict[str, Row]]) -> None:
    """Prints the table: in colours on a terminal, as plain text in a pipe."""
    heads = [f"{size:,}" for size in sizes]
    names = list(measured[0])
    width = max(map(len, names))
    columns = [f"{place} {head}" for place in ("store", "gRPC") for head in heads]
    click.secho(
        "  ".join(["query".ljust(width), "rows ", *(f"{it:>16}" for it in columns), "ratios"]),
        bold=True,
    )
    for name in names:
        few, many = measured[0][name], measured[-1][name]
        cells = [f"{few.rows:2} {many.rows:2}"]
        cells += [f"{one[name][place]:13.2f} ms" for place in (1, 2) for one in measured]
        ratios = many.store / few.store, many.grpc / few.grpc
        worst = max(ratios)
        colour = "red" if worst > 5 else "yellow" if worst > 2 else "green"
        last = click.style(f"{ratios[0]:5.1f} {ratios[1]:5.1f}", fg=colour)
        click.echo("  ".join([name.ljust(width), *cells, last]))


@click.command()
@click.option("--size", "sizes", multiple=True, type=int, help="Invocations; may be repeated.")
@click.option("--rounds", default=15, show_default=True, help="How often each query runs.")
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the data dirs here, and reuse existing ones.",
)
def main(sizes: tuple[int, ...], rounds: int, keep: Path | None) -> None:
    """Measure queries with a thousand and with a million invocations."""
    ordered = sorted(sizes or (1_000, 1_000_000))
    root = keep or Path(tempfile.mkdtemp(prefix="durable-query-"))
    begin_ms, parent = 1_700_000_000_000, "parent-of-many"
    measured = []
    try:
        for size in ordered:
            folder = root / str(size)
            if not folder.exists():
                folder.mkdir(parents=True, mode=0o700)
                (folder / "FORMAT").write_text("1\n")
                taken = fill(folder / "partition-0.db", size, begin_ms, parent)
                click.echo(f"{size:,} invocations made in {taken:.0f} s", err=True)
            measured.append(asyncio.run(measure(folder, size, begin_ms, parent, rounds)))
        show(ordered, measured)
    finally:
        if keep is None:
            shutil.rmtree(root)


if __name__ == "__main__":
    main()
