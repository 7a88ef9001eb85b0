"""The metrics for Prometheus at `/metrics`, made from the processor's numbers at each scrape.

Rules. The registry is ours and not prometheus-client's global one. Nothing is counted here; a scrape
only reads. No label has an unbounded number of values: states, outcomes, kinds, methods and codes are
fixed sets; of the handlers, the first HANDLERS_MAX in which an invocation ended are named, and the
others share the name `(other)`. docs/observability.md is the list for people; a test keeps it and the
dashboard equal to this one.
"""

from __future__ import annotations

from collections.abc import Iterator

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
from .metrics.tally import Histogram
from .processor.loop import Processor

HANDLERS_MAX = 200
"""Handlers with their own series: as many as a dashboard can show, with three series each."""
OTHER = "(other)"


class Exposition:
    """The metrics of one control plane."""

    def __init__(self, processor: Processor) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Plane(processor))
        ProcessCollector(registry=self._registry)

    def render(self, accept: str) -> tuple[bytes, str]:
        """Returns all series and their content type, in the best format that `accept` names."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type


class _Plane(Collector):
    """The control plane's own series."""

    def __init__(self, processor: Processor) -> None:
        self._processor = processor

    def collect(self) -> Iterator[Metric]:
        yield from self._invocations()
        yield from self._attempts()
        yield from self._log()
        yield from self._now()
        yield from self._rpcs()

    def _invocations(self) -> Iterator[Metric]:
        stored = GaugeMetricFamily(
            "durable_invocations", "Invocations in the store, by state.", labels=["state"]
        )
        counts = dict.fromkeys(State, 0)
        for _, state, count in self._processor.store.counts():
            counts[state] += count
        for state, count in counts.items():
            stored.add_metric([state.name.lower()], count)
        yield stored
        ended = CounterMetricFamily(
            "durable_invocations_ended",
            "Invocations that ended, by handler and outcome (completed, failed, cancelled).",
            labels=["handler", "outcome"],
        )
        named: dict[str, None] = {}
        sums: dict[tuple[str, str], int] = {}
        for (handler, state), count in self._processor.partition.endings.items():
            if handler in named or len(named) < HANDLERS_MAX:
                named[handler] = None
            else:
                handler = OTHER
            key = (handler, state.name.lower())
            sums[key] = sums.get(key, 0) + count
        for labels, count in sums.items():
            ended.add_metric(labels, count)
        yield ended

    def _attempts(self) -> Iterator[Metric]:
        tally = self._processor.tally
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
        tally = self._processor.tally
        seconds = HistogramMetricFamily(
            "durable_log_append_seconds",
            "Time from writing a batch to its durable acknowledgement.",
        )
        _fill(seconds, [], tally.append_seconds)
        yield seconds
        records = HistogramMetricFamily(
            "durable_log_append_records", "Records in one append to the log."
        )
        _fill(records, [], tally.append_records)
        yield records
        yield CounterMetricFamily(
            "durable_log_append_bytes", "Bytes appended to the log.", value=tally.append_bytes
        )
        yield GaugeMetricFamily(
            "durable_log_untrimmed_bytes",
            "Bytes appended since the last trim of the log, or since the start.",
            value=self._processor.trimmer.kept_bytes,
        )

    def _now(self) -> Iterator[Metric]:
        """Yields the gauges of the present state."""
        processor = self._processor
        connected = [it for it in processor.workers if it.outbound is not None]
        for name, text, value in (
            ("inputs_waiting", "Inputs that wait to be in a batch.", len(processor.inputs.waiting)),
            (
                "requests_waiting",
                "Requests that wait for a commit or a result; the limit `admission` bounds them.",
                processor.subscriptions.pending_count,
            ),
            (
                "timers_pending",
                "Timers that are not due, needed still or not.",
                len(processor.timers),
            ),
            ("workers_connected", "Workers with an open session.", len(connected)),
            ("slots", "Slots of connected workers.", sum(it.slots for it in connected)),
            (
                "slots_used",
                "Slots of connected workers that hold an attempt.",
                sum(len(it.owned) for it in connected),
            ),
            ("epoch", "The epoch of this leader of the log.", processor.epoch),
        ):
            yield GaugeMetricFamily(f"durable_{name}", text, value=value)
        build = GaugeMetricFamily("durable_build_info", "1, for its label.", labels=["version"])
        build.add_metric([__version__], 1)
        yield build

    def _rpcs(self) -> Iterator[Metric]:
        tally = self._processor.tally
        rpcs = CounterMetricFamily(
            "durable_rpcs",
            "Unary RPCs that were answered, by method and gRPC code.",
            labels=["method", "code"],
        )
        for labels, count in tally.rpcs.items():
            rpcs.add_metric(labels, count)
        yield rpcs
        seconds = HistogramMetricFamily(
            "durable_rpc_seconds",
            "Time to the answer of a unary RPC by method, with what it was asked to wait.",
            labels=["method"],
        )
        for method, histogram in tally.rpc_seconds.items():
            _fill(seconds, [method], histogram)
        yield seconds


def _fill(family: HistogramMetricFamily, labels: list[str], histogram: Histogram) -> None:
    buckets: list[tuple[str, float]] = []
    total = 0
    for bound, count in zip((*histogram.bounds, float("inf")), histogram.counts, strict=True):
        total += count
        buckets.append(("+Inf" if bound == float("inf") else str(float(bound)), total))
    family.add_metric(labels, buckets, histogram.total)
