"""A member of a cluster: what a node says of itself in its record, and the record's JSON.

A record is read by other versions than the one that has written it. So a field that this version does
not know is passed over, and one that is missing or wrong makes the whole record unreadable: half a
record would be worse than none. A field that came later has a default, for records without it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

T = TypeVar("T")

NAME_LENGTH = 63
DEFAULT_LEASE = 5.0
"""The lease of a node that is given none, in seconds, and of one whose record names none."""
_NAME = re.compile(rf"[A-Za-z0-9_-]{{1,{NAME_LENGTH}}}")


class MemberRecordError(ValueError):
    """A member's record cannot be read; the message names the field."""


@dataclass(frozen=True, slots=True)
class Member:
    """A node, as it has described itself in its last record."""

    name: str
    """Its name in the cluster, as `check_name` allows it."""
    incarnation: str
    """A random text, new at each start of the process: it tells two processes of one name apart."""
    address: str
    """HOST:PORT where clients and workers reach it."""
    internal_address: str
    """HOST:PORT where the other nodes reach it."""
    version: str
    format_level: int
    """The newest format level that it can read."""
    level_hold: int = 0
    """The highest format level that its operator lets the system have; 0 for no such limit."""
    draining: bool = False
    """Whether it gives its partitions away and takes none."""
    stopping: bool = False
    """Whether it does so because it stops; then it drains, too."""
    http_address: str = ""
    """HOST:PORT where it serves HTTP; empty if it serves none."""
    left: bool = False
    """Whether it has left: this is the last record of this incarnation."""
    leads: Mapping[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])
    """The epoch and the last sequence of the log, for each partition that it leads."""
    takes: Mapping[int, int] = field(default_factory=dict[int, int])
    """The epoch of each partition that it has taken over and does not serve yet."""
    follows: Mapping[int, int] = field(default_factory=dict[int, int])
    """The last sequence that it has applied, for each partition that it follows."""
    lease: float = DEFAULT_LEASE
    """How long it lives without being heard, in seconds. Nodes may differ: everybody judges each by its
    own.
    """
    renewal: int = field(default=0, compare=False)
    """How many records this incarnation has published before this one; tells a renewal from the record
    before it, even if nothing else has changed.
    """
    system_level: int = field(default=0, compare=False)
    """The system's format level as it knew it then; 0 if it does not say. So all hear of a rise."""
    time_ms: int = field(default=0, compare=False)
    """What its clock showed when the record was published, in milliseconds since 1970; 0 if it does not
    say."""

    @property
    def agreed_level(self) -> int:
        """The highest format level that the system may have for this member."""
        return min(self.format_level, self.level_hold or self.format_level)

    def gone(self) -> Member:
        """Returns the record with which this member leaves."""
        return replace(self, left=True, leads={}, takes={}, follows={})

    def claims(self, *, taking: bool = True) -> dict[int, int]:
        """Returns the epoch of each partition that it leads or, with `taking`, has taken over."""
        led = {partition: epoch for partition, (epoch, _) in self.leads.items()}
        return {**self.takes, **led} if taking else led


def leaders(members: Mapping[str, Member], *, taking: bool = False) -> dict[int, str]:
    """Returns the name of the member that leads each partition: the claim of the highest epoch counts.

    With `taking`, what a member has taken over and does not serve yet counts as led. A partition that
    nobody claims is missing.
    """
    epochs: dict[int, int] = {}
    names: dict[int, str] = {}
    for name, member in members.items():
        for partition, epoch in member.claims(taking=taking).items():
            if epoch > epochs.get(partition, -1):
                epochs[partition] = epoch
                names[partition] = name
    return names


def check_name(name: str) -> None:
    """Raises ValueError when a node cannot have this name."""
    if _NAME.fullmatch(name) is None:
        raise ValueError(
            f"the name of a node has 1 to {NAME_LENGTH} letters, digits, - or _, not {name[:80]!r}"
        )


def encode(member: Member) -> bytes:
    """Returns a member's record."""
    return json.dumps(
        {
            "name": member.name,
            "incarnation": member.incarnation,
            "address": member.address,
            "http_address": member.http_address,
            "internal_address": member.internal_address,
            "version": member.version,
            "format_level": member.format_level,
            "level_hold": member.level_hold,
            "system_level": member.system_level,
            "draining": member.draining,
            "stopping": member.stopping,
            "left": member.left,
            "leads": {str(partition): claim for partition, claim in member.leads.items()},
            "takes": {str(partition): epoch for partition, epoch in member.takes.items()},
            "follows": {str(partition): position for partition, position in member.follows.items()},
            "lease": member.lease,
            "renewal": member.renewal,
            "time_ms": member.time_ms,
        },
        separators=(",", ":"),
    ).encode()


def decode(data: bytes, partitions: int) -> Member:
    """Reads the record of a member of a system with so many partitions.

    Raises MemberRecordError.
    """
    try:
        record: Any = json.loads(data)
    except (ValueError, RecursionError) as error:  # JSON that is nested very deep
        raise MemberRecordError(f"it is not JSON: {error}") from error
    if not isinstance(record, dict):
        raise MemberRecordError("it is not a JSON object")
    fields: dict[str, Any] = record
    member = Member(
        name=_value(fields, "name", str),
        incarnation=_value(fields, "incarnation", str),
        address=_value(fields, "address", str),
        http_address=_value(fields, "http_address", str, ""),
        internal_address=_value(fields, "internal_address", str),
        version=_value(fields, "version", str),
        format_level=_value(fields, "format_level", int),
        level_hold=_value(fields, "level_hold", int, 0),
        system_level=_value(fields, "system_level", int, 0),
        draining=_value(fields, "draining", bool),
        stopping=_value(fields, "stopping", bool, False),
        left=_value(fields, "left", bool),
        leads={it: _claim(value) for it, value in _by_partition(fields, "leads", partitions)},
        takes={
            it: _count(value, "takes") for it, value in _by_partition(fields, "takes", partitions)
        },
        follows={
            it: _count(value, "follows")
            for it, value in _by_partition(fields, "follows", partitions)
        },
        lease=_lease(fields.get("lease", DEFAULT_LEASE)),
        renewal=_value(fields, "renewal", int),
        time_ms=_value(fields, "time_ms", int, 0),
    )
    try:
        check_name(member.name)
    except ValueError as error:
        raise MemberRecordError(str(error)) from error
    return member


def _value(fields: dict[str, Any], name: str, kind: type[T], default: T | None = None) -> T:
    """Returns a field; if it is missing, the default for a field that has one."""
    value = fields.get(name, default)
    # Not isinstance: a bool is an int in Python, and not in a record.
    if type(value) is not kind:
        raise MemberRecordError(f"the field {name} is {value!r:.80}, not of type {kind.__name__}")
    return value


def _by_partition(fields: dict[str, Any], name: str, partitions: int) -> list[tuple[int, Any]]:
    found: list[tuple[int, Any]] = []
    for key, value in _value(fields, name, dict).items():
        if not (key.isascii() and key.isdigit()) or int(key) >= partitions:
            raise MemberRecordError(
                f"the field {name} names partition {key!r:.80}; there are {partitions}"
            )
        found.append((int(key), value))
    return found


def _lease(value: Any) -> float:
    # Not isinstance: a bool is an int in Python, and NaN is no length of time.
    if type(value) not in (int, float) or not 0.0 < value < math.inf:
        raise MemberRecordError(f"the field lease has {value!r:.80} instead of seconds")
    return float(value)


def _claim(value: Any) -> tuple[int, int]:
    if not isinstance(value, list) or len(pair := list[Any](value)) != 2:
        raise MemberRecordError(
            f"the field leads has {value!r:.80} instead of an epoch and a sequence"
        )
    return _count(pair[0], "leads"), _count(pair[1], "leads")


def _count(value: Any, name: str) -> int:
    if type(value) is not int or value < 0:
        raise MemberRecordError(f"the field {name} has {value!r:.80} instead of a number from 0")
    return value
