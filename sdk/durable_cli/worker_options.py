"""The options of commands that run a worker: `durable worker`, and `durable dev` for its worker.

`main` adds those of `worker_options` to both commands, because the package of the control plane must
not import this one.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import click

from .times import duration_option

NEVER: Final = "never"


def _suspend_option(
    context: click.Context, parameter: click.Parameter, value: str
) -> timedelta | None:
    """Parses --suspend-after; None for `never`."""
    return None if value == NEVER else duration_option(context, parameter, value)


def worker_options(drain_timeout: str) -> list[click.Option]:
    """Returns the options; `drain_timeout` is the default of the one of that name."""
    return [
        click.Option(
            ["--max-concurrent"],
            default=1000,
            show_default=True,
            type=click.IntRange(1, 100_000),
            help="Invocations at a time, in each process.",
        ),
        click.Option(
            ["--max-threads"],
            default=64,
            show_default=True,
            type=click.IntRange(1, 10_000),
            help="Sync steps at a time, in each process.",
        ),
        click.Option(
            ["--drain-timeout"],
            default=drain_timeout,
            show_default=True,
            callback=duration_option,
            metavar="DURATION",
            help="When it stops, wait so long for steps that run; no further one begins.",
        ),
        click.Option(
            ["--suspend-after"],
            default="5s",
            show_default=True,
            callback=_suspend_option,
            metavar="DURATION",
            help=f"Give an invocation that only waits back after so long; or {NEVER!r}.",
        ),
        click.Option(
            ["--codec"],
            default="",
            envvar="DURABLE_CODEC",
            metavar="MODULE:NAME",
            help="Encode values by this durable.Codec.  [env: DURABLE_CODEC]",
        ),
        click.Option(
            ["--build-id"],
            default="",
            envvar="DURABLE_BUILD_ID",
            metavar="TEXT",
            help="Which build of the code this is; by default 'dev' for durable dev, else the commit or"
            " a hash of the sources.  [env: DURABLE_BUILD_ID]",
        ),
        click.Option(
            ["--versioning"],
            default="auto",
            show_default=True,
            type=click.Choice(["auto", "pinned"]),
            help="Who goes on with an invocation that has a journal, where a handler does not say:"
            " any worker, or those of the build that began it.",
        ),
    ]
