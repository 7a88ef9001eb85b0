"""`durable state`: the state of virtual objects and workflows."""

from __future__ import annotations

import click

from . import output
from .client_command import ClientContext, client_command
from .errors import NOT_FOUND, CommandError
from .values import parse_pairs, parse_value


@click.group()
def state() -> None:
    """Show and change the state of an object's key."""


@state.command()
@click.argument("where", nargs=-1, required=True, metavar="OBJECT KEY | ID")
@click.option("--name", help="Only the value of this name.")
@client_command
def get(context: ClientContext, where: tuple[str, ...], name: str | None) -> None:
    """Show the state of an object's key, or of the invocation ID."""
    first, *rest = where
    if len(rest) > 1:
        raise click.UsageError("give OBJECT and KEY, or the id of an invocation")
    with context.client() as client:
        if rest:
            found = client.get_state(object=first, key=rest[0])
        else:
            found = client.get_state(invocation_id=first)
    if name is not None:
        if name not in found:
            known = ", ".join(map(output.clean, found)) or "none"
            raise CommandError(f"there is no {name!r} in this state; names: {known}", NOT_FOUND)
        output.echo(output.value_text(found[name]))
    elif context.json:
        output.write_json(found)
    elif found:
        output.table(
            ("NAME", "VALUE"), ((it, output.value_text(value)) for it, value in found.items())
        )
    else:
        output.note("no state")


@state.command("set")
@click.argument("object_name", metavar="OBJECT")
@click.argument("key")
@click.argument("pairs", nargs=-1, required=True, metavar="NAME=JSON...")
@client_command
def set_(context: ClientContext, object_name: str, key: str, pairs: tuple[str, ...]) -> None:
    """Set values: NAME=JSON, NAME=- or NAME=@FILE."""
    values = {name: parse_value(text, name) for name, text in parse_pairs(pairs, "value").items()}
    with context.client() as client:
        client.set_state(object=object_name, key=key, values=values)
    if context.json:
        output.write_json({"object": object_name, "key": key, "set": values})


@state.command()
@click.argument("object_name", metavar="OBJECT")
@click.argument("key")
@click.argument("names", nargs=-1, metavar="NAME...")
@click.option("--all", "everything", is_flag=True, help="All names.")
@client_command
def clear(
    context: ClientContext, object_name: str, key: str, names: tuple[str, ...], everything: bool
) -> None:
    """Remove names from the state, or all of it."""
    if bool(names) == everything:
        raise click.UsageError("name what to remove, or say --all")
    with context.client() as client:
        client.set_state(object=object_name, key=key, clear=names, clear_all=everything)
    if context.json:
        cleared = None if everything else list(names)
        output.write_json({"object": object_name, "key": key, "cleared": cleared})
