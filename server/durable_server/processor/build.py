"""The composition of a processor: makes the parts of one partition and joins them."""

from __future__ import annotations

from ..core.limits import Limits
from ..core.partition import Partition
from ..log.interface import Log
from ..metrics.tally import Tally
from ..store.interface import Store
from .clock import Clock, LogTime
from .committer import Committer
from .deliveries import Deliveries
from .dispatcher import Dispatcher
from .effect_runner import EffectRunner
from .follower import Follower
from .inputs import Inputs
from .loop import Processor
from .outbox import Outbox
from .retention import Retention
from .subscriptions import Subscriptions
from .timers import Timers
from .trimming import Snapshots, Trimmer
from .workers import Workers


def build_processor(
    log: Log,
    store: Store,
    limits: Limits,
    clock: Clock,
    workers: Workers,
    *,
    index: int = 0,
    count: int = 1,
    snapshots: Snapshots | None = None,
) -> Processor:
    """Returns the processor of the partition `index` of `count`, not started yet.

    All partitions of a process have the same `workers`. `snapshots` are those of this partition, if any
    are made.
    """
    time = LogTime(clock)
    partition = Partition(store, index, count)
    tally, subscriptions = Tally(), Subscriptions()
    inputs = Inputs(limits, subscriptions)
    timers = Timers(clock, time.now_ms, partition.find, inputs.submit)
    retention = Retention(store, clock, time.now_ms, inputs.propose, limits.webhook_seconds)
    dispatcher = Dispatcher(partition, workers, inputs.wake)
    deliveries = Deliveries(store, limits, workers, inputs)
    return Processor(
        log,
        limits,
        inputs=inputs,
        committer=Committer(partition, store, time),
        dispatcher=dispatcher,
        outbox=Outbox(index, limits, store.outbox, inputs.wake, inputs.end, inputs.propose),
        effect_runner=EffectRunner(deliveries, dispatcher, subscriptions, timers, retention, tally),
        trimmer=Trimmer(log, store, limits.trim_bytes, inputs.end, snapshots),
        workers=workers,
        subscriptions=subscriptions,
        timers=timers,
        retention=retention,
        time=time,
        tally=tally,
    )


def build_follower(log: Log, store: Store, clock: Clock, *, index: int, count: int) -> Follower:
    """Returns the follower of the partition `index` of `count`, not started yet."""
    return Follower(log, Committer(Partition(store, index, count), store, LogTime(clock)))
