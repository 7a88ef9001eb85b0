"""The preflight of a test: replays runs with the code of this checkout."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from os import PathLike, fspath
from typing import Any, Unpack

from .._client.generated.client import Client
from .._client.live_preflight import choose, preflight_live
from .._client.query_requests import Filters
from .._common.codecs.interface import Codec, check_codec
from .._common.durations import span
from .._definitions.workflow import Workflow
from .._timetravel.exported_run import ExportedRun
from .._timetravel.preflight import REPLAY_SECONDS, PreflightReport, preflight_runs
from .._worker.worker import workflows_by_name


def preflight(
    workflows: Iterable[Workflow[..., Any] | type],
    runs: Iterable[ExportedRun] | Client | str | PathLike[str],
    *,
    codec: Codec | None = None,
    timeout: float | timedelta = REPLAY_SECONDS,
    **filters: Unpack[Filters],
) -> PreflightReport:
    """Replays runs with these workflows and object classes, without effects; returns what it finds.

    `runs` are exported runs, the path of a file of them, or a Client: then they are the invocations
    that have not ended and match the `filters`, as in `Client.query`. `codec` is that of the worker.
    `timeout` bounds each replay, in seconds or as a timedelta.

        report = durable.testing.preflight([order], "runs.jsonl")
        assert report.ok, str(report)

    Raises TypeError for what is no workflow or no run, ValueError for a file of something else and for
    filters without a Client, RpcError when the control plane refuses or cannot be reached.
    """
    found = workflows_by_name(workflows)
    seconds = span(timeout, "timeout").total_seconds()
    checked = check_codec(codec)
    if isinstance(runs, Client):
        chosen = choose(runs, filters)
        return preflight_live(runs, found, chosen, codec=checked, seconds=seconds)
    if filters:
        raise ValueError("filters choose among the invocations of a Client, and these are runs")
    if isinstance(runs, str | PathLike):
        runs = ExportedRun.read(fspath(runs))
    listed = list(runs) if isinstance(runs, Iterable) else [runs]
    for it in listed:
        if not isinstance(it, ExportedRun):
            raise TypeError(
                f"{it!r} is no exported run; give the results of client.export, a file of them, or a"
                " durable.Client"
            )
    return preflight_runs(found, listed, codec=checked, seconds=seconds)
