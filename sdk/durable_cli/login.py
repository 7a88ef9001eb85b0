"""`durable login`, `logout`, `whoami`: the token that this user's commands and programs show.

`login` reads a token without showing it, or from stdin, asks the control plane whose it is, and
keeps it for the address in a file that only this user can read. A token never stands on the command
line, which all users of a machine can read.
"""

from __future__ import annotations

import json
import sys

import click

from . import output
from .client_command import ClientContext, client_command
from .errors import CommandError
from .tokens import permitted


@click.command()
@client_command
def login(context: ClientContext) -> None:
    """Keep a token for the control plane; asks for it, or reads it from stdin."""
    from durable._common.api_token import check_token, kept_tokens

    keys = _keys(context)
    if sys.stdin.isatty():
        given = click.prompt(f"Token for {', '.join(keys)}", hide_input=True, err=True)
    else:
        given = sys.stdin.readline()
    try:
        text = check_token(given, "the token")
        kept = kept_tokens()
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    with context.client(token=text) as client:
        me = client.whoami()
    if me.authenticates:
        _keep({**kept, **dict.fromkeys(keys, text)})
    if context.json:
        output.write_json(me.to_dict())
    elif me.authenticates:
        output.note(f"logged in to {', '.join(keys)} as {output.clean(me.name)}: {permitted(me)}")
    else:
        output.note(f"{', '.join(keys)} does not authenticate its callers, so no token is kept")


@click.command()
@client_command
def logout(context: ClientContext) -> None:
    """Forget the token for the control plane. It stays valid until it is revoked."""
    from durable._common.api_token import kept_tokens

    keys = _keys(context)
    try:
        kept = kept_tokens()
    except ValueError as error:
        raise CommandError(str(error)) from error
    forgotten = [it for it in keys if it in kept]
    if forgotten:
        _keep({key: text for key, text in kept.items() if key not in keys})
    if context.json:
        output.write_json({"forgotten": forgotten})
    elif forgotten:
        output.note(f"the token for {', '.join(forgotten)} is forgotten")
    else:
        output.note(f"no token is kept for {', '.join(keys)}")


@click.command()
@client_command
def whoami(context: ClientContext) -> None:
    """Show who you are to the control plane, and what you may do."""
    with context.client() as client:
        me = client.whoami()
    if context.json:
        output.write_json(me.to_dict())
    elif not me.authenticates:
        output.note("the control plane does not authenticate its callers; each may do everything")
    else:
        output.fields(
            (
                ("name", output.clean(me.name)),
                ("kind", me.kind),
                ("scopes", output.clean(" ".join(me.scopes))),
                ("namespace", output.clean(me.namespace)),
                ("expires", output.moment(me.expire_time) if me.expire_time else ""),
            )
        )


def _keys(context: ClientContext) -> list[str]:
    """Returns the names under which the tokens of the addresses are kept."""
    return [it.login_key for it in context.addresses()]


def _keep(tokens: dict[str, str]) -> None:
    """Writes the file anew, so that it is there as before or with the change."""
    from durable._common.api_token import login_file
    from durable._common.private_files import replace_private

    path = login_file()
    if path is None:
        raise CommandError("there is no home folder for the token; set XDG_CONFIG_HOME")
    data = json.dumps({"tokens": tokens}, indent=2).encode()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_private(path, data)
    except OSError as error:
        raise CommandError(f"the token cannot be kept in {path}: {error.strerror}") from error
