"""The format levels: which kinds of records, messages and entries a log may hold, and which fields.

A program that does not know a kind or a field of a log cannot go on with that log, because it lacks the
rules for it. So a version that adds one gives it the next level, and does not use it before every
node of the system can read it:

    the system's level  what all nodes agree to; `cluster.raising` raises it, and it never falls
    a log's level       is in the log by the record `LevelRaised`, which the leader appends when it
    hears
                        of a rise; part of the partition's state, so a replay takes the same decisions

A rule asks the level of its partition, and who proposes a record that of the partition's `Inputs`, both
by `allowed`. What is encoded for a log is checked by `fit`: it refuses what came too early, and leaves
out fields that the log's level does not have, because an old program refuses a record that is longer
than it knows.

While the log's level is the newest, as it is most of the time, nothing of this costs more than one
comparison.

To add something: raise FORMAT_LEVEL by one, once for each release, and enter the new kinds and fields
below with that level. A record, message or part of them (`model.Failure`, ...) that grows gets the new
field at the end, with a default. The default is what a log below the level means.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

FIRST: Final = 1
"""The level of the first version, and of each log until it has a `LevelRaised`."""
FORMAT_LEVEL = 1
"""The newest level that this version can read."""
KINDS: dict[type[Any], int] = {}
"""The level that a kind of record or message needs; a kind that is missing needs the first one."""
ENTRY_KINDS: dict[int, int] = {}
"""The same for the kinds of journal entries, by number."""
FIELDS: dict[type[Any], Mapping[str, int]] = {}
"""The same for fields of records, of messages and of what they consist of, by type and name."""


class LevelError(Exception):
    """Something was to be appended that the log's format level does not allow: a defect."""


def allowed(kind: type[Any], level: int) -> bool:
    """Returns whether a log of this level may hold this kind of record or message."""
    return KINDS.get(kind, FIRST) <= level


def needed(fact: Any) -> int:
    """Returns the level that a record or message needs, with all that is in it."""
    if not isinstance(fact, tuple):
        return FIRST
    kind = type(fact)
    level = max(map(needed, fact), default=FIRST)
    level = max(level, KINDS.get(kind, FIRST))
    if ENTRY_KINDS and kind.__name__ == "EntryRecorded":
        level = max(level, ENTRY_KINDS.get(getattr(fact, "kind", 0), FIRST))
    for name, its_level in FIELDS.get(kind, {}).items():
        if getattr(fact, name) != _defaults(kind)[name]:
            level = max(level, its_level)
    return level


def fit(fact: Any, level: int) -> Any:
    """Returns a record or message as a program of this level can read it: without newer fields.

    Raises LevelError for what such a program cannot read.
    """
    if level >= FORMAT_LEVEL:
        return fact
    if needed(fact) > level:
        raise LevelError(
            f"{type(fact).__name__} needs format level {needed(fact)}, and this log has {level}: it was"
            " proposed before `levels.allowed` allows it"
        )
    return _without_newer(fact, level) if FIELDS else fact


def _without_newer(value: Any, level: int) -> Any:
    if not isinstance(value, tuple):
        return value
    levels = FIELDS.get(type(value), {})
    newer = sum(it > level for it in levels.values())
    known = value[: len(value) - newer] if newer else value
    return tuple(_without_newer(it, level) for it in known)


def _defaults(kind: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = kind._field_defaults
    return found
