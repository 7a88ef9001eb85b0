"""Tests of workflows: a control plane with a virtual clock, crashes at every boundary, preflight.

    def test_reminder() -> None:
        with durable.testing.Environment() as env:
            env.register(reminder)
            assert env.client.invoke(reminder, "tea") == "tea, as you asked 30 days ago"

Needs the control plane: `pip install 'durable-grpc[server]'`. The guide is docs/testing.md.
"""

from .._timetravel.preflight import PreflightReport, Problem
from ._crashes import Report, crash_everywhere
from ._environment import AsyncEnvironment, Environment
from ._preflight import preflight
from ._run import Drive, Wait

__all__ = [
    "AsyncEnvironment",
    "Drive",
    "Environment",
    "PreflightReport",
    "Problem",
    "Report",
    "Wait",
    "crash_everywhere",
    "preflight",
]
