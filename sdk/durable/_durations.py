"""Spans of time as people give them."""

from __future__ import annotations

from datetime import timedelta


def span(it: float | timedelta) -> timedelta:
    """Returns a span of time that is given in seconds or as a timedelta.

    Raises TypeError for anything else, ValueError for one that no timedelta can hold.
    """
    if isinstance(it, timedelta):
        return it
    if isinstance(it, bool) or not isinstance(it, int | float):
        raise TypeError(f"a span of time is a number of seconds or a timedelta, not {it!r}")
    try:
        return timedelta(seconds=it)
    except (OverflowError, ValueError) as error:
        raise ValueError(f"a span of {it!r} seconds: {error}") from error
