"""What a check of `durable doctor` says."""

from __future__ import annotations

from typing import Final, NamedTuple

OK: Final = "ok"
WARN: Final = "warn"
FAIL: Final = "fail"


class Check(NamedTuple):
    """One verdict."""

    verdict: str
    """OK, WARN or FAIL."""
    name: str
    """What was looked at."""
    found: str
    """What was found."""
    advice: str
    """What to do about it; empty when nothing is to be done."""
