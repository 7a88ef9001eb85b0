"""Consistent cuts: states of all stores of a data dir that fit each other, while the system runs.

A cut holds a read transaction on the store of each partition. Partitions send each other messages with
sequence numbers (`core.messages`). The states of two partitions A and B fit each other when A, with
what it still has in its outbox, can go on from what B has seen:

    what B has seen of A  <=  what A has sent to B       B knows of nothing that A never does
    A's outbox to B begins at or before what B has seen, plus one       nothing is missing

Then A sends its outbox again, B passes over what it has seen, and each message takes effect once. Two
states that do not fit would double or lose a message, so they are checked, and the cut is repeated.

The transactions begin within microseconds. For the first condition to fail, a message must be sent,
delivered and committed between two of them, which includes the append to a log; for the second one, a
message must be acknowledged too. So a repetition is rare, and a second one rarer.

Partition 0 comes first. Handlers are registered there last, so a handler that is in this state of
partition 0 is in those of the others.

The control plane goes on writing meanwhile. But as long as the transactions last, the checkpoints of
the stores are incomplete, and the logs are not trimmed. So the stores are copied at once, to a local
folder.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..log.interface import Position
from ..store.files import store_partitions, store_path
from ..store.schema import VERSION
from .manifest import SnapshotError
from .packing import StoreView

_TRIES: Final = 50
"""Cuts that are tried; if none fits, the stores are not of one system at one time."""
_LONGEST_PAUSE: Final = 0.02
"""Seconds, at most, between two tries."""


class CutError(SnapshotError):
    """There is no cut of these stores. The message is one line: what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Peers:
    """What a partition's state says about messages to and from others; a missing number is 0."""

    sent: dict[int, int]
    """The number of the last message sent to each partition."""
    seen: dict[int, int]
    """The number of the last message of each partition that has taken effect here."""
    oldest: dict[int, int]
    """The number of the oldest message to each partition that is still in the outbox."""

    def confirmed(self, destination: int) -> int:
        """Returns up to which number messages to a partition have left the outbox."""
        oldest = self.oldest.get(destination)
        return self.sent.get(destination, 0) if oldest is None else oldest - 1


@contextmanager
def open_cut(
    data_dir: Path, partitions: int = 0, *, pause: Callable[[], None] | None = None
) -> Iterator[Sequence[StoreView]]:
    """Opens a cut of the stores of a data dir, for the time of the block; gives one view a partition.

    `partitions` is how many there must be; 0 takes those that are there. `pause` is called between two
    tries; by default it waits for a moment. Blocks. Raises SnapshotError.
    """
    paths = _paths(data_dir, partitions)
    with ExitStack() as stack:
        views = [stack.enter_context(StoreView(path)) for path in paths]
        for path, view in zip(paths, views, strict=True):
            if view.version != VERSION:
                raise CutError(
                    f"{path} has store version {view.version}, this program reads {VERSION}; use the"
                    " version that has written it"
                )
        for _ in range(_TRIES):
            try:
                problem = misfit(_begin_again(views))
            except sqlite3.Error as error:
                raise CutError(f"a store in {data_dir} cannot be read: {error}") from error
            if not problem:
                yield views
                return
            (pause or _pause)()
        raise CutError(
            f"the stores in {data_dir} do not fit each other, in {_TRIES} tries: {problem}; was one of"
            " the files replaced by an older copy? Start the control plane, whose log has the rest"
        )


def misfit(peers: Sequence[Peers]) -> str:
    """Returns why the states of partitions 0, 1, ... do not fit each other; empty when they do."""
    for source, sender in enumerate(peers):
        for destination, receiver in enumerate(peers):
            if source == destination:
                continue
            seen = receiver.seen.get(source, 0)
            sent = sender.sent.get(destination, 0)
            if seen > sent:
                return (
                    f"partition {destination} has seen message {seen} of partition {source}, which"
                    f" has sent {sent}"
                )
            confirmed = sender.confirmed(destination)
            if confirmed > seen:
                return (
                    f"partition {source} has dropped its messages to partition {destination} up to"
                    f" {confirmed}, and that has seen {seen}"
                )
    return ""


def _paths(data_dir: Path, partitions: int) -> list[Path]:
    found = store_partitions(data_dir)
    if not found:
        raise CutError(f"there is no store in {data_dir}; name the place with --data-dir")
    expected = range(partitions or found[-1] + 1)
    for partition in expected:
        if partition not in found:
            raise CutError(
                f"{store_path(data_dir, partition)} is missing, and the system has {len(expected)}"
                " partitions; start the control plane, which makes it anew from the log"
            )
    return [store_path(data_dir, it) for it in expected]


def _begin_again(views: Sequence[StoreView]) -> list[Peers]:
    """Begins a new read transaction on each store, and returns what they say about messages."""
    for view in views:
        view.db.execute("ROLLBACK")
        view.db.execute("BEGIN")
    # A transaction sees the state at its first read. Nothing else happens between these.
    rows = [view.db.execute("SELECT sequence, epoch, frame FROM position") for view in views]
    for view, row in zip(views, rows, strict=True):
        view.position = Position(*row.fetchone())
    return [_peers(view.db) for view in views]


def _peers(db: sqlite3.Connection) -> Peers:
    known = db.execute("SELECT partition, sent, seen FROM peers").fetchall()
    oldest = db.execute("SELECT destination, min(sequence) FROM outbox GROUP BY destination")
    return Peers(
        {partition: sent for partition, sent, _ in known},
        {partition: seen for partition, _, seen in known},
        dict(oldest.fetchall()),
    )


def _pause() -> None:
    time.sleep(random.uniform(0, _LONGEST_PAUSE))
