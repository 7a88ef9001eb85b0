"""What the parts of `/metrics` share: the label of partitions, histograms, and counters by label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

from .metrics.histogram import Histogram

PARTITION: Final = "partition"
"""The label of what belongs to one partition."""


def fill(family: HistogramMetricFamily, labels: Sequence[str], histogram: Histogram) -> None:
    """Adds a histogram to a family."""
    buckets: list[tuple[str, float]] = []
    total = 0
    for bound, count in zip((*histogram.bounds, float("inf")), histogram.counts, strict=True):
        total += count
        buckets.append(("+Inf" if bound == float("inf") else str(float(bound)), total))
    family.add_metric(labels, buckets, histogram.total)


def counted(name: str, text: str, label: str, counts: Mapping[str, float]) -> CounterMetricFamily:
    """Returns a counter with a series for each value of a label."""
    family = CounterMetricFamily(name, text, labels=[label])
    for value, count in counts.items():
        family.add_metric([value], count)
    return family
