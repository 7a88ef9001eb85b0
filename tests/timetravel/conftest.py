"""Runs that were exported from a control plane on a virtual clock, before the code changed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import durable
from durable.testing import Environment

from . import before


@pytest.fixture
def env() -> Iterator[Environment]:
    """A control plane whose clock stands still, and a worker with the code as it was."""
    with Environment(skip_time=False) as environment:
        environment.register(before.order, before.approval, before.Cart, before.unlucky)
        yield environment


@pytest.fixture
def run(env: Environment) -> durable.ExportedRun:
    """A run of `order` that waits for its timer."""
    invocation_id = env.client.invoke_async(before.order, "tea", 3)
    env.settle()
    return env.client.export(invocation_id)
