"""The Start of an attempt: what a worker gets to begin or to go on with an invocation.

The session writer sends it to a worker, and ExportInvocation returns it, so that a replay elsewhere has
exactly what a worker would have.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from durable_proto.v1 import worker_pb2

from ..core.model import EntryRow, Invocation
from . import convert


def fill_start(
    start: worker_pb2.Start,
    invocation: Invocation,
    journal: Sequence[EntryRow],
    state: Mapping[str, bytes],
    state_complete: bool,
) -> int:
    """Fills the message of an attempt; returns about how many bytes it has."""
    size = len(invocation.input or b"") + 512
    start.handler = invocation.handler
    if invocation.input is not None:
        start.input.MergeFromString(invocation.input)
    start.key = invocation.key
    start.service = invocation.service
    start.partition_key = invocation.partition_key
    if invocation.headers:
        start.headers.update(invocation.headers)
    start.start_time.seconds, ms = divmod(invocation.run_ms or invocation.started_ms, 1000)
    start.start_time.nanos = ms * 1_000_000
    start.random_seed = _seed(invocation)
    start.run = invocation.run
    start.first_index = invocation.first_index
    start.completions_before = invocation.completions_before
    if invocation.attempt > 1 or journal:
        start.version = invocation.recorded_by or invocation.version
        if invocation.failure is not None:
            start.last_failure.MergeFromString(invocation.failure.data)
    for row in journal:
        convert.entry(row, start.journal.add())
        size += len(row.outcome or b"") + len(row.argument or b"") + 128
    start.state_complete = state_complete
    for name, value in state.items():
        start.state[name].MergeFromString(value)
        size += len(name) + len(value) + 16
    for step in invocation.step_failures:
        start.step_failures[step.entry_index] = step.times
        if step.since_ms:  # 0 in a store of an older version
            failing_ms = max(0, invocation.updated_ms - step.since_ms)
            start.step_failing[step.entry_index].FromMilliseconds(failing_ms)
    if invocation.cancel_number:
        convert.cancel_requested(invocation, start.cancel_requested)
    return size


def _seed(invocation: Invocation) -> int:
    """Returns the seed of a run's random numbers: each run has its own, a fork that of its source."""
    owner = invocation.seed_id or invocation.id
    if invocation.run == 1:
        return int(owner[16:], 16)
    named = f"{owner}/{invocation.run}".encode()
    return int.from_bytes(hashlib.blake2b(named, digest_size=8).digest())
