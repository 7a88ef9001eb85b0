"""Tests of workflows: a control plane with a virtual clock, and crashes at every boundary.

    def test_reminder() -> None:
        with durable.testing.Environment() as env:
            env.register(reminder)
            assert env.client.invoke(reminder, "tea") == "tea, as you asked 30 days ago"

Needs the control plane: `pip install 'durable-grpc[server]'`. The guide is docs/testing.md.
"""

from ._crashes import Report, crash_everywhere
from ._environment import AsyncEnvironment, Environment
from ._run import Drive, Wait

__all__ = ["AsyncEnvironment", "Drive", "Environment", "Report", "Wait", "crash_everywhere"]
