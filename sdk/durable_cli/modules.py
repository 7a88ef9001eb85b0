"""The modules of commands that replay: MODULE[:NAME,...] and the codec of their worker."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    import durable

F = TypeVar("F", bound=Callable[..., Any])

CODEC: Final = click.option(
    "--codec",
    default="",
    envvar="DURABLE_CODEC",
    metavar="MODULE:NAME",
    help="Decode values by this durable.Codec, as the worker does.  [env: DURABLE_CODEC]",
)


def load(modules: Sequence[str]) -> dict[str, durable.Workflow[..., Any]]:
    """Returns the handlers of modules by name; with names after a colon only those of a module.

    What the modules write to stdout while they are imported goes to stderr.
    """
    import durable

    found: dict[str, durable.Workflow[..., Any]] = {}
    with redirect_stdout(sys.stderr):
        for text in modules:
            module, _, names = text.partition(":")
            handlers = {it.name: it for it in durable.load_workflows([module])}
            for name in filter(None, names.split(",")):
                if name not in handlers:
                    known = ", ".join(sorted(handlers))
                    raise click.UsageError(f"no handler {name!r} in {module!r}; it has: {known}")
            wanted = set(filter(None, names.split(","))) or handlers.keys()
            found |= {name: it for name, it in handlers.items() if name in wanted}
    return found


def load_codec(place: str) -> durable.Codec | None:
    """Returns the codec at a place; None for no place."""
    import durable

    return durable.load_codec(place) if place else None
