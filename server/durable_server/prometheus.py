"""The metrics for Prometheus at `/metrics`, made from the processors' numbers at each scrape.

What happens to a log and in a partition's loop has the label `partition`. What belongs to invocations
is summed over the partitions, and workers and RPCs belong to the process. What a partition has counted
stays in the sums when it is led here no more, because a counter must not go down.

Rules. The registry is ours and not prometheus-client's global one. Nothing is counted here; a scrape
only reads. No label has an unbounded number of values: states, outcomes, kinds, methods and codes are
fixed sets; of the handlers, the first HANDLERS_MAX in which an invocation ended are named, and the
others share the name `(other)`. docs/observability.md is the list for people; a test keeps it and the
dashboard equal to this one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from . import __version__
from .core.entry_kinds import EntryKind
from .core.model import State
from .metrics.histogram import Histogram
from .metrics.rpc_tally import RpcTally
from .metrics.tally import Tally
from .processor.loop import Processor
from .processor.router import Router
from .processor.workers import Workers
from .snapshots.keeper import Keeper
from .snapshots.manifest import Manifest

HANDLERS_MAX = 200
"""Handlers with their own series: as many as a dashboard can show, with three series each."""
OTHER = "(other)"
_PARTITION = ["partition"]


class Exposition:
    """The metrics of one control plane."""

    def __init__(
        self,
        router: Router,
        workers: Workers,
        rpcs: RpcTally,
        keeper: Keeper | None = None,
    ) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Plane(router, workers, rpcs, keeper))
        ProcessCollector(registry=self._registry)

    def render(self, accept: str) -> tuple[bytes, str]:
        """Returns all series and their content type, in the best format that `accept` names."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type


class _Sums:
    """What is counted of invocations, over some partitions."""

    def __init__(self) -> None:
        self.endings: Counter[tuple[str, State]] = Counter()
        self.tally = Tally()

    def add(self, endings: Mapping[tuple[str, State], int], tally: Tally) -> None:
        """Adds the counts of a partition, or of several."""
        self.endings.update(endings)
        self.tally.add(tally)


class _Plane(Collector):
    """The control plane's own series."""

    def __init__(
        self,
        router: Router,
        workers: Workers,
        rpcs: RpcTally,
        keeper: Keeper | None,
    ) -> None:
        self._router = router
        self._keeper = keeper
        self._workers = workers
        self._rpc_tally = rpcs
        self._named: set[str] = set()
        """The handlers with their own series; kept, because a series must not move to `OTHER`."""
        self._led = router.all()
        self._left = _Sums()
        """The counts of the partitions that were led here, up to when they left."""
        router.listen(self._partitions_changed)

    def _partitions_changed(self) -> None:
        led = self._router.all()
        for it in self._led:
            if it not in led:
                self._left.add(it.partition.endings, it.tally)
        self._led = led

    def _sums(self) -> _Sums:
        sums = _Sums()
        sums.add(self._left.endings, self._left.tally)
        for it in self._router.all():
            sums.add(it.partition.endings, it.tally)
        return sums

    def collect(self) -> Iterator[Metric]:
        sums = self._sums()
        yield from self._invocations(sums)
        yield from self._attempts(sums.tally)
        yield from self._log()
        yield from self._partitions()
        yield from self._kept_snapshots()
        yield from self._process()
        yield from self._rpcs()

    def _invocations(self, sums: _Sums) -> Iterator[Metric]:
        stored = GaugeMetricFamily(
            "durable_invocations", "Invocations in the store, by state.", labels=["state"]
        )
        counts = dict.fromkeys(State, 0)
        for processor in self._router.all():
            for _, state, count in processor.store.counts():
                counts[state] += count
        for state, count in counts.items():
            stored.add_metric([state.name.lower()], count)
        yield stored
        ended = CounterMetricFamily(
            "durable_invocations_ended",
            "Invocations that ended, by handler and outcome (completed, failed, cancelled).",
            labels=["handler", "outcome"],
        )
        for labels, count in self._endings(sums).items():
            ended.add_metric(labels, count)
        yield ended

    def _endings(self, sums: _Sums) -> dict[tuple[str, str], int]:
        """Returns how many invocations have ended, by handler and outcome."""
        found: dict[tuple[str, str], int] = {}
        for (handler, state), count in sums.endings.items():
            if handler in self._named or len(self._named) < HANDLERS_MAX:
                self._named.add(handler)
            else:
                handler = OTHER
            key = (handler, state.name.lower())
            found[key] = found.get(key, 0) + count
        return found

    def _attempts(self, tally: Tally) -> Iterator[Metric]:
        yield CounterMetricFamily(
            "durable_attempts_started",
            "Attempts that were given to a worker.",
            value=tally.attempts_started,
        )
        ended = CounterMetricFamily(
            "durable_attempts_ended",
            "Attempts that ended, by where that has left the invocation.",
            labels=["outcome"],
        )
        for outcome, count in tally.attempts_ended.items():
            ended.add_metric([outcome], count)
        yield ended
        entries = CounterMetricFamily(
            "durable_journal_entries",
            "Journal entries that were recorded, by kind; a step is a run or a call.",
            labels=["kind"],
        )
        for kind in EntryKind:
            entries.add_metric([kind.name.lower()], tally.entries[kind])
        yield entries

    def _log(self) -> Iterator[Metric]:
        seconds = HistogramMetricFamily(
            "durable_log_append_seconds",
            "Time from writing a batch to its durable acknowledgement, by partition.",
            labels=_PARTITION,
        )
        records = HistogramMetricFamily(
            "durable_log_append_records",
            "Records in one append to the log, by partition.",
            labels=_PARTITION,
        )
        size = CounterMetricFamily(
            "durable_log_append_bytes",
            "Bytes appended to the log, by partition.",
            labels=_PARTITION,
        )
        for processor in self._router.all():
            label, tally = [str(processor.partition.index)], processor.tally
            _fill(seconds, label, tally.append_seconds)
            _fill(records, label, tally.append_records)
            size.add_metric(label, tally.append_bytes)
        yield from (seconds, records, size)

    def _partitions(self) -> Iterator[Metric]:
        """Yields the gauges of each partition's present state."""
        for name, text, read in _PARTITION_GAUGES:
            gauge = GaugeMetricFamily(
                f"durable_{name}", f"{text}, by partition.", labels=_PARTITION
            )
            for processor in self._router.all():
                gauge.add_metric([str(processor.partition.index)], read(processor))
            yield gauge

    def _kept_snapshots(self) -> Iterator[Metric]:
        """Yields what is known of each partition's newest snapshot; nothing where there is none."""
        snapshots = self._keeper.partitions if self._keeper is not None else []
        for name, text, read in _SNAPSHOT_GAUGES:
            gauge = GaugeMetricFamily(
                f"durable_snapshot_{name}", f"{text}, by partition.", labels=_PARTITION
            )
            for it in snapshots:
                if it.latest is not None:
                    gauge.add_metric([str(it.partition)], read(it.latest))
            yield gauge
        failures = CounterMetricFamily(
            "durable_snapshot_failures",
            "Snapshots that could not be made, by partition.",
            labels=_PARTITION,
        )
        for it in snapshots:
            failures.add_metric([str(it.partition)], it.failures)
        yield failures

    def _process(self) -> Iterator[Metric]:
        """Yields the gauges of what all partitions share."""
        connected = [it for it in self._workers if it.outbound is not None]
        for name, text, value in (
            ("workers_connected", "Workers with an open session.", len(connected)),
            ("slots", "Slots of connected workers.", sum(it.slots for it in connected)),
            (
                "slots_used",
                "Slots of connected workers that hold an attempt.",
                sum(len(it.owned) for it in connected),
            ),
        ):
            yield GaugeMetricFamily(f"durable_{name}", text, value=value)
        build = GaugeMetricFamily("durable_build_info", "1, for its label.", labels=["version"])
        build.add_metric([__version__], 1)
        yield build

    def _rpcs(self) -> Iterator[Metric]:
        tally = self._rpc_tally
        rpcs = CounterMetricFamily(
            "durable_rpcs",
            "Unary RPCs that were answered, by method and gRPC code.",
            labels=["method", "code"],
        )
        for labels, count in tally.answers.items():
            rpcs.add_metric(labels, count)
        yield rpcs
        seconds = HistogramMetricFamily(
            "durable_rpc_seconds",
            "Time to the answer of a unary RPC by method, with what it was asked to wait.",
            labels=["method"],
        )
        for method, histogram in tally.seconds.items():
            _fill(seconds, [method], histogram)
        yield seconds


_PARTITION_GAUGES: tuple[tuple[str, str, Callable[[Processor], float]], ...] = (
    (
        "log_untrimmed_bytes",
        "Bytes appended since the last trim of the log, or since the start",
        lambda it: it.trimmer.kept_bytes,
    ),
    ("inputs_waiting", "Inputs that wait to be in a batch", lambda it: len(it.inputs.waiting)),
    (
        "requests_waiting",
        "Requests that wait for a commit or a result; the limit `admission` bounds their sum",
        lambda it: it.subscriptions.pending_count,
    ),
    (
        "timers_pending",
        "Timers that are not due, needed still or not",
        lambda it: len(it.timers),
    ),
    (
        "outbox_messages",
        "Messages to other partitions that these have not confirmed",
        lambda it: it.outbox.waiting,
    ),
    ("epoch", "The epoch of this leader of the log", lambda it: it.epoch),
)
"""The gauges of a partition: name, help, and how to read it."""

_SNAPSHOT_GAUGES: tuple[tuple[str, str, Callable[[Manifest], float]], ...] = (
    (
        "timestamp_seconds",
        "When the newest snapshot was made, in seconds since 1970",
        lambda it: it.time_ms / 1000,
    ),
    ("sequence", "The log's sequence of the newest snapshot", lambda it: it.position.sequence),
    ("bytes", "The size of the newest snapshot, compressed", lambda it: it.stored_bytes),
)
"""The gauges of a partition's newest snapshot: name, help, and how to read it."""


def _fill(family: HistogramMetricFamily, labels: list[str], histogram: Histogram) -> None:
    buckets: list[tuple[str, float]] = []
    total = 0
    for bound, count in zip((*histogram.bounds, float("inf")), histogram.counts, strict=True):
        total += count
        buckets.append(("+Inf" if bound == float("inf") else str(float(bound)), total))
    family.add_metric(labels, buckets, histogram.total)
