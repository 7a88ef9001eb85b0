"""The preflight of what is in flight: exports the invocations that have not ended, and replays them.

They are exported several at a time, because each export is a request, and replayed one at a time. One
that ends between its listing and its export is left out.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .._common.codecs.interface import Codec
from .._common.errors import NotFoundError
from .._definitions.workflow import Workflow
from .._timetravel.exported_run import ExportedRun
from .._timetravel.preflight import REPLAY_SECONDS, Preflight, PreflightReport

if TYPE_CHECKING:
    from .generated.client import Client
    from .query_requests import Filters

UNFINISHED: Final = ("scheduled", "pending", "running", "suspended", "backing_off", "paused")
"""The statuses of what has not ended."""
_EXPORTS: Final = 16
"""How many exports are under way at a time."""
_PAGE: Final = 500


class Chosen(NamedTuple):
    """The invocations that a preflight looks at."""

    ids: Sequence[str]
    missing_partitions: tuple[int, ...] = ()
    """Partitions that no node led: their invocations are not among them."""


def choose(
    client: Client,
    filters: Filters,
    *,
    limit: int | None = None,
    sample: int | None = None,
    handlers: Iterable[str] | None = None,
) -> Chosen:
    """Returns the invocations that match the filters and have not ended.

    Of these the newest `limit`, or `sample` of them at random; of these handlers only, if they are
    given.
    """
    wanted: Any = {"status": UNFINISHED, "page_size": _PAGE, **filters}
    served = None if handlers is None else frozenset(handlers)
    ids: list[str] = []
    missing: set[int] = set()
    while True:
        page = client.query(**wanted)
        ids += [
            it.invocation_id for it in page.invocations if served is None or it.handler in served
        ]
        missing.update(page.missing_partitions)
        if not page.next_page_token or (limit is not None and len(ids) >= limit):
            break
        wanted["page_token"] = page.next_page_token
    if sample is not None and sample < len(ids):
        ids = random.sample(ids, sample)  # no secret
    return Chosen(ids[:limit], tuple(sorted(missing)))


def preflight_live(
    client: Client,
    workflows: Mapping[str, Workflow[..., Any]],
    chosen: Chosen,
    *,
    codec: Codec | None = None,
    seconds: float = REPLAY_SECONDS,
    progress: Callable[[int, int], None] | None = None,
) -> PreflightReport:
    """Replays invocations as they are now; `progress` hears how many of how many are done."""
    total = len(chosen.ids)
    with Preflight(workflows, codec=codec, seconds=seconds) as preflight:
        report = preflight.report
        report.missing_partitions = chosen.missing_partitions
        for done, run in enumerate(exported_runs(client, chosen.ids), start=1):
            if run is None or run.finished:
                report.left_out += 1
            else:
                preflight.add(run)
            if progress is not None:
                progress(done, total)
    return report


def exported_runs(client: Client, ids: Iterable[str]) -> Iterator[ExportedRun | None]:
    """Yields the runs in the order of their ids; None for one that was removed."""

    def export(invocation_id: str) -> ExportedRun | None:
        try:
            return client.export(invocation_id)
        except NotFoundError:
            return None

    waiting: deque[Future[ExportedRun | None]] = deque()
    threads = ThreadPoolExecutor(_EXPORTS, thread_name_prefix="durable-export")
    try:
        for invocation_id in ids:
            waiting.append(threads.submit(export, invocation_id))
            if len(waiting) >= _EXPORTS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
