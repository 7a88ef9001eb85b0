"""The option `--processes N|auto`."""

from __future__ import annotations

import os
import sys
from typing import Final

import click

PROCESSES_MAX: Final = 256


def processes_option(context: click.Context, parameter: click.Parameter, value: str) -> int:
    """Parses --processes: a number from 1 to PROCESSES_MAX, or `auto` for one for each CPU."""
    if value == "auto":
        return min(_usable_cpus(), PROCESSES_MAX)
    number = int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else 0
    if not 1 <= number <= PROCESSES_MAX:
        raise click.BadParameter(
            f"{value!r} is neither a number from 1 to {PROCESSES_MAX} nor 'auto'",
            ctx=context,
            param=parameter,
        )
    return number


def _usable_cpus() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
