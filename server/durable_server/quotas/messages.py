"""The messages about quotas between two nodes, in MessagePack; unknown fields are passed over.

holder ── Claim, the body of the stream ──► owner
       ── Update ...                    ──►
       ◄── Grants ...                   ──
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from ..processor.shares import Grant, Report


class Claim(msgspec.Struct, frozen=True):
    """What a holder has when it comes to an owner."""

    home: int
    """The partition whose handlers it is about: those whose name belongs there by its hash."""
    node: str
    """The name of the holder."""
    leads: frozenset[int]
    """The partitions that it leads, and whose running invocations `held` includes."""
    held: dict[str, int]
    """How many units it has of each handler's limit."""


class Update(msgspec.Struct, frozen=True):
    """What has changed at a holder, all at once."""

    leads: frozenset[int]
    reports: dict[str, Report]
    """By handler."""


Grants: TypeAlias = dict[str, Grant]
"""By handler."""

encode = msgspec.msgpack.Encoder().encode
decode_claim = msgspec.msgpack.Decoder(Claim).decode
decode_update = msgspec.msgpack.Decoder(Update).decode
decode_grants = msgspec.msgpack.Decoder(Grants).decode
