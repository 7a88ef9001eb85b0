"""Options and fixtures that every folder of tests may use."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite", action="store_true", help="write the expected output of transcripts anew"
    )
    parser.addoption("--seeds", type=int, default=150, help="how many seeds a simulation runs")
    parser.addoption("--seed", type=int, default=None, help="the one seed that it runs")
    parser.addoption(
        "--recipes", action="store_true", help="build and run the recipes of docs/languages.md"
    )
    parser.addoption(
        "--soak-seconds", type=float, default=10.0, help="how long the soak starts new work"
    )
