"""Times and durations, as users write and read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import click

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
_LONGEST: Final = timedelta(days=36525)
"""A hundred years, the control plane's limit for delays."""


def parse_duration(text: str) -> timedelta | None:
    """Parses `90`, `1.5s`, `2h30m`, `1d`; None for anything else.

    Raises OverflowError for more than a hundred years.
    """
    if re.fullmatch(r"\d+(\.\d+)?", text):
        seconds = float(text)
    else:
        parts = _PART.findall(text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            return None
        seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds > _LONGEST.total_seconds():
        raise OverflowError(f"{shortened(text)} is more than {_LONGEST.days} days, a hundred years")
    return timedelta(seconds=seconds)


def shortened(text: str) -> str:
    """Returns a typed text, quoted and cut to a length for an error."""
    return repr(text if len(text) <= 40 else text[:37] + "...")


def duration_option(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> timedelta | None:
    """Parses an option's duration; a click callback."""
    if value is None:
        return None
    try:
        found = parse_duration(value)
    except OverflowError as error:
        raise click.BadParameter(str(error), context, parameter) from None
    if found is None:
        raise click.BadParameter(
            f"{shortened(value)} is no duration; write 90s, 5m, 1h30m or 2d", context, parameter
        )
    return found


def time_option(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> datetime | None:
    """Parses an option's time: RFC 3339, local without a zone; a click callback."""
    if value is None:
        return None
    try:
        # Converted to UTC here, because at the ends of the calendar the conversion can fail.
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{shortened(value)} is no time; write 2026-01-31T08:00", context, parameter
        ) from None


def past_option(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> datetime | None:
    """Parses an option's time, where a duration means that long ago; a click callback."""
    try:
        length = None if value is None else parse_duration(value)
    except OverflowError as error:
        raise click.BadParameter(str(error), context, parameter) from None
    if length is not None:
        return datetime.now(UTC) - length
    try:
        return time_option(context, parameter, value)
    except click.BadParameter as error:
        text = f"{error.message}, or a duration such as 2h for so long ago"
        raise click.BadParameter(text, context, parameter) from None


def length_text(length: timedelta) -> str:
    """Returns a duration in at most two units: `340 ms`, `1.2 s`, `5m 3s`, `2d 4h`."""
    seconds = length.total_seconds()
    if seconds < 0:
        return f"-{length_text(-length)}"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for large, small, name, part in (
        (86400, 3600, "d", "h"),
        (3600, 60, "h", "m"),
        (60, 1, "m", "s"),
    ):
        if whole >= large:
            rest = whole % large // small
            return f"{whole // large}{name}" + (f" {rest}{part}" if rest else "")
    return f"{whole} s"


def absolute(time: datetime | None) -> str:
    """Returns a time as RFC 3339 in UTC, to the millisecond; empty for none."""
    if time is None:
        return ""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def relative(time: datetime | None, now: datetime) -> str:
    """Returns a time relative to now, in one unit: `5m ago`, `in 2h`; empty for none."""
    if time is None:
        return ""
    seconds = (now - time).total_seconds()
    if abs(seconds) < 1:
        return "now"
    text = length_text(timedelta(seconds=round(abs(seconds)))).replace(".0 s", "s").split()[0]
    return f"{text} ago" if seconds > 0 else f"in {text}"


def local(time: datetime | None) -> str:
    """Returns a time in the local zone, with the date unless it is today; empty for none."""
    if time is None:
        return ""
    here = time.astimezone()
    today = here.date() == datetime.now().astimezone().date()
    return here.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")
