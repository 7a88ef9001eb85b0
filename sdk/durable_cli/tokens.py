"""`durable token create`, `list`, `revoke`: API tokens of clients and workers.

The text of a token is shown once. It is all that `create` writes to stdout, so that a pipe or a
file gets the token and nothing else; everything for people goes to stderr. `--output` writes a new
file with mode 0600, which is made before the token, so that a text without a place is never lost.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import output, times
from .client_command import ClientContext, client_command
from .errors import CommandError

if TYPE_CHECKING:
    import durable


@click.group()
def token() -> None:
    """Make, list and revoke API tokens."""


@token.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    metavar="SCOPE[:PATTERN]",
    help="What it permits: invoke, read, operate, resolve, worker or admin; may be repeated.",
)
@click.option(
    "--handler",
    "handlers",
    multiple=True,
    metavar="PATTERN",
    help="For which handlers, where a scope has no pattern; * is any text; may be repeated.",
)
@click.option(
    "--namespace",
    default="",
    metavar="PREFIX",
    help="Only handlers with names that begin so exist for it.  [default: your own]",
)
@click.option(
    "--expires",
    callback=times.duration_option,
    metavar="DURATION",
    help="How long it is valid, as in 90d.  [default: until it is revoked]",
)
@click.option(
    "--output",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the token to this new file, with mode 0600, and not to stdout.",
)
@client_command
def create(
    context: ClientContext,
    name: str,
    scopes: tuple[str, ...],
    handlers: tuple[str, ...],
    namespace: str,
    expires: timedelta | None,
    path: Path | None,
) -> None:
    """Make an API token and print it. It is shown only now."""
    with _new_file(path) as file, context.client() as client:
        made = client.create_token(
            name, scopes, handlers=handlers, namespace=namespace, expires_in=expires
        )
        if file is not None:
            os.write(file, f"{made.text}\n".encode())
    if context.json:
        facts = made.token.to_dict()
        output.write_json(facts if path is not None else {**facts, "text": made.text})
    elif path is None:
        output.echo(made.text)
    where = "" if path is None else f" in {path}"
    output.note(
        f"token {name}{where}: {permitted(made.token)}; to revoke it: durable token revoke"
        f" {shlex.quote(name)}"
    )


@token.command("list")
@client_command
def list_(context: ClientContext) -> None:
    """List the API tokens, without their texts."""
    with context.client() as client:
        found = client.list_tokens()
    if context.json:
        output.write_json([it.to_dict() for it in found])
        return
    if not found:
        output.note("there are no API tokens; make one with `durable token create`")
        return
    output.table(
        ("TOKEN", "STATE", "CREATED", "BY", "EXPIRES", "NAMESPACE", "SCOPES"),
        (
            (
                it.name,
                it.state,
                output.moment(it.create_time),
                it.creator,
                output.moment(it.expire_time),
                it.namespace,
                " ".join(it.scopes),
            )
            for it in found
        ),
    )


@token.command()
@click.argument("name")
@client_command
def revoke(context: ClientContext, name: str) -> None:
    """Revoke an API token, on all nodes within seconds.

    What is open with it ends: sessions of workers, watches, calls that wait.
    """
    with context.client() as client:
        found = client.revoke_token(name)
    if context.json:
        output.write_json(found.to_dict())
    else:
        output.note(f"token {output.clean(name)} is revoked")


def permitted(it: durable.ApiToken | durable.Identity) -> str:
    """Returns what a token or an identity permits, in words."""
    text = output.clean(" ".join(it.scopes))
    if it.namespace:
        text += f", for handlers {output.clean(it.namespace)}…"
    return text if it.expire_time is None else f"{text}, until {times.local(it.expire_time)}"


@contextmanager
def _new_file(path: Path | None) -> Iterator[int | None]:
    """Makes a file that only this user can read, and removes it after an error in the block."""
    if path is None:
        yield None
        return
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise CommandError(
            f"--output {path} must be a new file: {error.strerror}; name another one"
        ) from error
    try:
        yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(file)
