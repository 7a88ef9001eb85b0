"""The filter options: which invocations a command lists or changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import click

from .times import past_option

if TYPE_CHECKING:
    import durable

F = TypeVar("F", bound=Callable[..., Any])

STATUSES: Final = (
    *("scheduled", "pending", "running", "suspended", "backing_off", "paused"),
    *("completed", "failed", "cancelled"),
)
UNFINISHED: Final = STATUSES[:6]
FINISHED: Final = STATUSES[6:]

_NAMES: Final = {
    "status": "status",
    "handler": "handler",
    "key": "key",
    "service": "service",
    "failure": "failure_text",
    "since": "create_time_min",
    "until": "create_time_max",
    "parent": "parent_invocation_id",
    "pinned_to": "pinned_build_id",
}

_FILTERS: Final = (
    click.option(
        "--status",
        multiple=True,
        type=click.Choice(STATUSES),
        metavar="STATUS",
        help=f"In this status; may be repeated.  [{'|'.join(STATUSES)}]",
    ),
    click.option("--handler", help="Of this handler."),
    click.option("--key", help="Of this object key."),
    click.option("--service", help="With this service label."),
    click.option(
        "--failure", metavar="TEXT", help="With this text in the failure's type or message."
    ),
    click.option(
        "--since",
        callback=past_option,
        metavar="TIME",
        help="Created since then, or 2h for so long.",
    ),
    click.option("--until", callback=past_option, metavar="TIME", help="Created before then."),
    click.option("--parent", metavar="ID", help="Started by this invocation."),
    click.option("--pinned-to", metavar="BUILD", help="Pinned to this build, and not ended."),
)


def filter_options(function: F) -> F:
    """Adds the filter options to a command; `filters_of` reads them."""
    for option in reversed(_FILTERS):
        function = option(function)
    return function


def filters_of(options: dict[str, Any]) -> durable.Filters:
    """Removes the filter options from a command's options and returns the given ones."""
    given = {name: options.pop(option) for option, name in _NAMES.items()}
    return cast("durable.Filters", {name: value for name, value in given.items() if value})
