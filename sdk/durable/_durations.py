"""Spans of time as people give them."""

from __future__ import annotations

from datetime import timedelta


def in_seconds(it: float | timedelta) -> float:
    """Returns a span of time that is given in seconds or as a timedelta; it may be infinite.

    Raises TypeError for anything else.
    """
    if isinstance(it, timedelta):
        return it.total_seconds()
    if isinstance(it, bool) or not isinstance(it, int | float):
        raise TypeError(f"a span of time is a number of seconds or a timedelta, not {it!r}")
    return it


def span(it: float | timedelta) -> timedelta:
    """Returns a span of time that is given in seconds or as a timedelta.

    Raises TypeError for anything else, ValueError for one that no timedelta can hold.
    """
    if isinstance(it, timedelta):
        return it
    try:
        return timedelta(seconds=in_seconds(it))
    except (OverflowError, ValueError) as error:
        raise ValueError(f"a span of {it!r} seconds: {error}") from error
