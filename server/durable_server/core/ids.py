"""Ids: which form they have, and which partition an invocation or an awakeable lives in.

An invocation id has 32 lower-case hexadecimal characters, of which the first four are the route. The
route is a hash of what decides the partition: the object key, the partition key or the idempotency key;
without any it is random, and for a child it is that of its parent. So an id leads to its partition
without a lookup. The remaining characters are random, or a hash of the request id or idempotency key if
the caller gave one. Then a retry has the same id and finds the invocation that the first request
created, without a second table of requests.

Each partition has a range of routes, so that a range can be split without moving the others.
"""

from __future__ import annotations

import hashlib
import re

LENGTH = 32
"""How many characters an invocation id has."""
PATTERN = re.compile(r"[0-9a-f]{32}")
"""The form of an invocation id."""

_ROUTE = re.compile(r"[0-9a-f]{4}")
_OWNED = re.compile(r"([0-9a-f]{32})[-.].+", re.DOTALL)
_SEPARATOR = "\x00"
"""Separates the parts of a name; no part may contain it."""


def from_chance(random_hex: str, routing_key: str = "") -> str:
    """Returns an id from 32 random hexadecimal characters."""
    if not routing_key:
        return random_hex
    return _prefix(routing_key) + random_hex[4:]


def from_name(kind: str, handler: str, key: str, name: str, routing_key: str = "") -> str:
    """Returns the id of the invocation that a named request creates.

    `kind` keeps the namespaces apart: a request id and an equal idempotency key give different ids.
    """
    text = _SEPARATOR.join((kind, handler, key, name))
    digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    return _prefix(routing_key or text) + digest[4:]


def owner(awakeable_id: str) -> str:
    """Returns the invocation id in an awakeable id like `<invocation id>-...`; empty if it has none."""
    found = _OWNED.fullmatch(awakeable_id)
    return found[1] if found else ""


def partition(invocation_id: str, count: int) -> int:
    """Returns which of `count` partitions an invocation lives in; 0 for a text that is no id."""
    if count == 1 or not _ROUTE.match(invocation_id):
        return 0
    return int(invocation_id[:4], 16) * count >> 16


def awakeable_partition(awakeable_id: str, count: int) -> int:
    """Returns which partition an awakeable lives in: by the invocation in its id, if there is one."""
    if count == 1:
        return 0
    return partition(owner(awakeable_id) or _prefix(awakeable_id), count)


def object_partition(key: str, count: int) -> int:
    """Returns which partition the state of an object key lives in, with the key's invocations."""
    return partition(_prefix(key), count)


def _prefix(routing_key: str) -> str:
    return hashlib.blake2b(routing_key.encode(), digest_size=2).hexdigest()
