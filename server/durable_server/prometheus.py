"""The metrics for Prometheus at `/metrics`, made from the processors' numbers at each scrape.

What happens to a log and in a partition's loop has the label `partition`. What belongs to invocations
is summed over the partitions, and workers and RPCs belong to the process. What a partition has counted
stays in the sums when it is led here no more, because a counter must not go down.

Rules. The registry is ours and not prometheus-client's global one. Nothing is counted here; a scrape
only reads. No label has an unbounded number of values: states, outcomes, kinds, methods and codes are
fixed sets; of the handlers, the first HANDLERS_MAX in which an invocation ended are named, and of the
builds the latest BUILDS_MAX; the others share the name `(other)`. docs/observability.md is the list for
people; a test keeps it and the dashboard equal to this one.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from . import __version__
from .access.access import EVERYTHING, Access, Scope
from .audit.collector import Collector as Collected
from .core.entry_kinds import EntryKind
from .core.model import State
from .metrics.rpc_tally import RpcTally
from .metrics.tally import Tally
from .node_parts import NodeParts
from .processor.loop import Processor
from .processor.router import Router
from .processor.workers import Workers
from .prometheus_fill import PARTITION, counted, fill
from .prometheus_node import NodeSeries
from .snapshots.keeper import Keeper
from .snapshots.manifest import Manifest

HANDLERS_MAX = 200
"""Handlers with their own series: as many as a dashboard can show, with three series each."""
OTHER = "(other)"
BUILDS_MAX = 50
"""Builds with their own series: those that were registered last."""


def _no_node() -> None:
    return None


class Exposition:
    """The metrics of one control plane."""

    def __init__(
        self,
        router: Router,
        workers: Workers,
        rpcs: RpcTally,
        keeper: Keeper | None = None,
        node: Callable[[], NodeParts | None] = _no_node,
        data_dir: Path | None = None,
        audits: Sequence[Collected] = (),
    ) -> None:
        """`keeper` makes snapshots. `node` returns the parts of a node of a cluster, once it has them.
        `data_dir` is on the disk that is looked at. `audits` are the places where an audit is kept.
        """
        self._registry = CollectorRegistry()
        self._registry.register(_Plane(router, workers, rpcs, keeper, data_dir))
        self._registry.register(_Audits(audits))
        self._registry.register(NodeSeries(node))
        ProcessCollector(registry=self._registry)

    def render(self, accept: str, access: Access = EVERYTHING) -> tuple[bytes, str]:
        """Returns the series that a caller may see, and their content type.

        They are in the best format that `accept` names.
        """
        encode, content_type = choose_encoder(accept)
        return encode(_visible(self._registry, access)), content_type


def gathered(
    texts: Mapping[str, bytes], accept: str, access: Access = EVERYTHING
) -> tuple[bytes, str]:
    """Returns the series of several nodes, each with the label `node`, as `Exposition.render` does.

    For processes that share an address. `texts` are what each node's `Exposition` has rendered in the
    plain text format, by the name of the node.
    """
    registry = CollectorRegistry()
    registry.register(_Gathered(texts))
    encode, content_type = choose_encoder(accept)
    return encode(_visible(registry, access)), content_type


def _visible(registry: CollectorRegistry, access: Access) -> CollectorRegistry:
    """Returns the series that a caller may see: all, or only those of the handlers that it may read."""
    if access.everywhere((Scope.READ,)):
        return registry
    found = CollectorRegistry()
    found.register(_OfHandlers(registry, access))
    return found


class _OfHandlers(Collector):
    """The series with the label `handler`, for those that a caller may read.

    The others, and the series of the handlers together (OTHER), tell of what it may not read.
    """

    def __init__(self, registry: CollectorRegistry, access: Access) -> None:
        self._registry = registry
        self._access = access

    def collect(self) -> Iterator[Metric]:
        for family in self._registry.collect():
            samples = [it for it in family.samples if self._sees(it.labels.get("handler", OTHER))]
            if samples:
                shown = Metric(family.name, family.documentation, family.type)
                shown.samples = samples
                yield shown

    def _sees(self, handler: str) -> bool:
        return handler != OTHER and self._access.may((Scope.READ,), handler)


class _Gathered(Collector):
    def __init__(self, texts: Mapping[str, bytes]) -> None:
        self._texts = texts

    def collect(self) -> Iterator[Metric]:
        found: dict[str, Metric] = {}
        for node, text in self._texts.items():
            for family in text_string_to_metric_families(text.decode()):
                kept = found.setdefault(
                    family.name, Metric(family.name, family.documentation, family.type)
                )
                kept.samples.extend(
                    it._replace(labels={"node": node, **it.labels}) for it in family.samples
                )
        yield from found.values()


class _Sums:
    """What is counted of invocations, over some partitions."""

    def __init__(self) -> None:
        self.endings: Counter[tuple[str, State]] = Counter()
        self.tally = Tally()

    def add(self, endings: Mapping[tuple[str, State], int], tally: Tally) -> None:
        """Adds the counts of a partition, or of several."""
        self.endings.update(endings)
        self.tally.add(tally)


class _Audits(Collector):
    """The calls of the audit, by what came of them in each place where they are to be kept."""

    def __init__(self, audits: Sequence[Collected]) -> None:
        self._audits = audits

    def collect(self) -> Iterator[Metric]:
        calls = CounterMetricFamily(
            "durable_audit_calls",
            "Calls of the audit, by place (file, stdout, nats) and whether they were kept or lost.",
            labels=["place", "outcome"],
        )
        failing = GaugeMetricFamily(
            "durable_audit_failing",
            "1 while calls cannot be kept in this place, else 0.",
            labels=["place"],
        )
        for it in self._audits:
            calls.add_metric([it.kind, "kept"], it.kept)
            calls.add_metric([it.kind, "lost"], it.lost)
            failing.add_metric([it.kind], bool(it.problem))
        if self._audits:
            yield from (calls, failing)


class _Plane(Collector):
    """The control plane's own series."""

    def __init__(
        self,
        router: Router,
        workers: Workers,
        rpcs: RpcTally,
        keeper: Keeper | None,
        data_dir: Path | None,
    ) -> None:
        self._router = router
        self._data_dir = data_dir
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
        yield from self._builds()
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

    def _builds(self) -> Iterator[Metric]:
        """Yields what builds of workers have to do."""
        pinned: Counter[str] = Counter()
        waiting: Counter[str] = Counter()
        known: dict[str, int] = {}
        for processor in self._router.all():
            known.update(
                (it.build_id, it.number) for it in processor.partition.deployments.values()
            )
            for build, _, count in processor.store.pinned_counts():
                pinned[build] += count
            for wanted, count in processor.dispatcher.waiting_for_builds().items():
                if not self._workers.candidates(wanted):
                    waiting[wanted.build] += count
        connected = Counter(
            it.build_id for it in self._workers if it.outbound is not None and it.build_id
        )
        builds = {*pinned, *waiting, *connected, *known}
        latest = sorted(builds, key=lambda it: (-known.get(it, 0), it))
        named = latest[:BUILDS_MAX]
        for name, text, counts in (
            (
                "invocations_pinned",
                "Invocations that have not ended and are pinned, by build.",
                pinned,
            ),
            (
                "invocations_waiting_for_build",
                "Invocations that wait for a build without a worker of their handler, by build.",
                waiting,
            ),
            ("build_workers", "Workers with an open session, by build.", connected),
        ):
            gauge = GaugeMetricFamily(f"durable_{name}", text, labels=["build"])
            for build in named:
                gauge.add_metric([build], counts[build])
            if len(latest) > len(named):
                gauge.add_metric([OTHER], sum(counts[it] for it in latest[BUILDS_MAX:]))
            yield gauge

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
        yield counted(
            "durable_attempts_ended",
            "Attempts that ended, by where that has left the invocation.",
            "outcome",
            tally.attempts_ended,
        )
        yield counted(
            "durable_journal_entries",
            "Journal entries that were recorded, by kind; a step is a run or a call.",
            "kind",
            {kind.name.lower(): tally.entries[kind] for kind in EntryKind},
        )

    def _log(self) -> Iterator[Metric]:
        seconds = HistogramMetricFamily(
            "durable_log_append_seconds",
            "Time from writing a batch to its durable acknowledgement, by partition.",
            labels=[PARTITION],
        )
        records = HistogramMetricFamily(
            "durable_log_append_records",
            "Records in one append to the log, by partition.",
            labels=[PARTITION],
        )
        size = CounterMetricFamily(
            "durable_log_append_bytes",
            "Bytes appended to the log, by partition.",
            labels=[PARTITION],
        )
        for processor in self._router.all():
            label, tally = [str(processor.partition.index)], processor.tally
            fill(seconds, label, tally.append_seconds)
            fill(records, label, tally.append_records)
            size.add_metric(label, tally.append_bytes)
        yield from (seconds, records, size)

    def _partitions(self) -> Iterator[Metric]:
        """Yields the gauges of each partition's present state."""
        for name, text, read in _PARTITION_GAUGES:
            gauge = GaugeMetricFamily(
                f"durable_{name}", f"{text}, by partition.", labels=[PARTITION]
            )
            for processor in self._router.all():
                gauge.add_metric([str(processor.partition.index)], read(processor))
            yield gauge

    def _kept_snapshots(self) -> Iterator[Metric]:
        """Yields what is known of each partition's newest snapshot; nothing where there is none."""
        snapshots = self._keeper.partitions if self._keeper is not None else []
        for name, text, read in _SNAPSHOT_GAUGES:
            gauge = GaugeMetricFamily(
                f"durable_snapshot_{name}", f"{text}, by partition.", labels=[PARTITION]
            )
            for it in snapshots:
                if it.latest is not None:
                    gauge.add_metric([str(it.partition)], read(it.latest))
            yield gauge
        failures = CounterMetricFamily(
            "durable_snapshot_failures",
            "Snapshots that could not be made, by partition.",
            labels=[PARTITION],
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
        if self._data_dir is not None:
            disk = shutil.disk_usage(self._data_dir)
            for name, text, value in (
                ("disk_bytes", "The size of the disk of the data dir.", disk.total),
                ("disk_free_bytes", "What is free of it.", disk.free),
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
        refused = CounterMetricFamily(
            "durable_calls_refused",
            "Calls refused before they were parsed, and streams cut off, by reason.",
            labels=["reason"],
        )
        for reason, count in tally.refusals.items():
            refused.add_metric([reason], count)
        yield refused
        seconds = HistogramMetricFamily(
            "durable_rpc_seconds",
            "Time to the answer of a unary RPC by method, with what it was asked to wait.",
            labels=["method"],
        )
        for method, histogram in tally.seconds.items():
            fill(seconds, [method], histogram)
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
