"""The result of one check of `durable doctor`."""

from __future__ import annotations

from typing import Final, NamedTuple

OK: Final = "ok"
WARN: Final = "warn"
FAIL: Final = "fail"


class Check(NamedTuple):
    """The result of one check."""

    verdict: str
    """OK, WARN or FAIL."""
    name: str
    """What was checked."""
    found: str
    """What was found."""
    advice: str
    """What to do about it; empty when there is nothing to do."""
