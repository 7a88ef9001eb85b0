"""Reads `/metrics` as Prometheus does."""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

Series = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def fetch(address: str, path: str = "/metrics", **headers: str) -> str:
    """Returns the text; raises urllib.error.HTTPError."""
    request = urllib.request.Request(f"http://{address}{path}")
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as response:
        assert response.headers["content-type"].startswith("text/plain; version=")
        return str(response.read().decode())


class Scrape:
    """One scrape."""

    def __init__(self, text: str) -> None:
        self.families = {it.name: it for it in text_string_to_metric_families(text)}
        self._samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    @property
    def names(self) -> set[str]:
        """The names as they are queried: of a histogram with `_bucket`, `_sum`, `_count`."""
        return {name for name, _ in self._samples}

    def __call__(self, name: str, **labels: str) -> float:
        return self._samples[name, frozenset(labels.items())]
