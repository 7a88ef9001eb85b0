"""Checks that requests of clients and reports of workers share."""

from __future__ import annotations

import re

from ..core.limits import SPAN_SECONDS

HANDLER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")
"""What the name of a handler looks like."""


def text_bytes(text: str) -> int:
    """Returns how long a text is on the wire."""
    return len(text) if text.isascii() else len(text.encode())


def too_long(ms: int) -> str:
    """Returns what is wrong with a span that is too long; an empty string if it is not."""
    if ms <= SPAN_SECONDS * 1000:
        return ""
    return f"{ms // 1000} seconds are more than a hundred years ({SPAN_SECONDS})"
