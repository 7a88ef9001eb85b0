"""The patches in journals: which code the invocations that have not ended still need.

A patch concerns a handler. A journal that has its entry needs the code with the change. One without it
may need the code from before the change, unless a build began it that has recorded the patch: the code
of that build asks, so this journal has not come to the question yet. Of a repinned invocation nobody
knows which build has begun it, so it may need that code too.

The builds that have recorded a patch may be known in another partition than the journals without it.
So there are two reads: the patches of each partition, and then, with the builds of all, what each
partition has without them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from ..access.access import Scope
from ..access.current import current
from ..core.entry_kinds import EntryKind
from ..processor.loop import Processor
from ..processor.router import Router

_SEES = (Scope.READ,)
_IDS_MAX = 10
"""How many invocations are named for each patch."""


class RecordedPatch(NamedTuple):
    """A patch in the journals of one partition that one build has recorded."""

    handler: str
    name: str
    build_id: str
    first_ms: int
    deprecated: bool
    applied_count: int
    """How many invocations that have not ended have it and need the call; 0 for a deprecated one."""


class Unapplied(NamedTuple):
    """Invocations that may need the code without a change."""

    total: int
    ids: list[str]
    """At most ten of them."""


class Patches:
    """Reads the patches of the partitions that are led here."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def recorded(self, partitions: Collection[int], handler: str) -> Iterator[RecordedPatch]:
        """Yields the patches of some partitions, for one handler or with an empty name for all."""
        for processor in self._processors(partitions):
            for name, patch, build_id, kind, first_ms, count in processor.store.patches(handler):
                if current().may(_SEES, name):
                    deprecated = kind == EntryKind.DEPRECATED_PATCH
                    yield RecordedPatch(
                        name, patch, build_id, first_ms, deprecated, 0 if deprecated else count
                    )

    def unapplied(
        self, partitions: Collection[int], handler: str, name: str, builds: Collection[str]
    ) -> Unapplied:
        """Returns the invocations of a handler without a patch that none of these builds has begun.

        Nothing is known of a build without an id, so such a journal is among them in any case.
        """
        known = [it for it in builds if it]
        total, ids = 0, list[str]()
        if current().may(_SEES, handler):
            for processor in self._processors(partitions):
                count, found = processor.store.unpatched(handler, name, known, _IDS_MAX)
                total += count
                ids += found
        return Unapplied(total, sorted(ids)[:_IDS_MAX])

    def _processors(self, partitions: Collection[int]) -> Iterator[Processor]:
        return (it for it in self._router.all() if it.partition.index in partitions)
