"""Invocation ids: 32 lower-case hexadecimal characters that route themselves.

The first four come from whatever decides the partition (object key, partition key, idempotency key,
else chance), so any id leads to its partition without a lookup. The rest is random, or, where the
caller named the request, a hash of that name: then a retry has the same id and finds what the first
request made, and no second table is needed to remember requests.
"""

from __future__ import annotations

import hashlib
import re

PATTERN = re.compile(r"[0-9a-f]{32}")
"""What an invocation id looks like."""

_OWNED = re.compile(r"([0-9a-f]{32})[-.].+", re.DOTALL)
_SEPARATOR = "\x00"
"""Between the parts of a name; no part may contain it."""


def from_chance(random_hex: str, routing_key: str = "") -> str:
    """Returns an id from 32 random hexadecimal characters."""
    if not routing_key:
        return random_hex
    return _prefix(routing_key) + random_hex[4:]


def from_name(kind: str, handler: str, key: str, name: str, routing_key: str = "") -> str:
    """Returns the id of a request that its caller named.

    `kind` keeps the namespaces apart: request ids and idempotency keys never meet.
    """
    text = _SEPARATOR.join((kind, handler, key, name))
    digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    return _prefix(routing_key or text) + digest[4:]


def owner(awakeable_id: str) -> str:
    """Returns the invocation that an awakeable's id names, `<invocation id>-...`; else nothing."""
    found = _OWNED.fullmatch(awakeable_id)
    return found[1] if found else ""


def _prefix(routing_key: str) -> str:
    return hashlib.blake2b(routing_key.encode(), digest_size=2).hexdigest()
