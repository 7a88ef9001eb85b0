"""Page tokens: opaque, URL-safe texts that say where a page begins, bound to their query.

A token that is used with another query is an error, not a wrong page.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from .refusal import invalid

_DIGITS = 18
"""The longest number in a token: it always fits into 64 bits."""


def page_token(after: str, binding: str) -> str:
    """Returns the token for a place, for the query that `binding` describes."""
    return base64.urlsafe_b64encode(f"{_digest(binding)}{after}".encode()).decode().rstrip("=")


def open_token(token: str, binding: str) -> str:
    """Returns where a page begins; an empty string without a token. Raises Refusal."""
    if not token:
        return ""
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except (binascii.Error, ValueError):
        text = ""
    digest = _digest(binding)
    if not text.startswith(digest):
        raise invalid("page_token", "does not belong to this query; start again without one")
    return text.removeprefix(digest)


def numbers_of(text: str, count: int) -> tuple[int, ...]:
    """Returns the numbers of a place, which has dots between them. Raises Refusal."""
    parts = text.split(".")
    numbers = tuple(int(it) for it in parts if it.isdecimal() and len(it) <= _DIGITS)
    if not len(parts) == len(numbers) == count:
        raise invalid("page_token", "is damaged; start again without one")
    return numbers


def _digest(binding: str) -> str:
    return hashlib.blake2b(binding.encode(), digest_size=4).hexdigest()
