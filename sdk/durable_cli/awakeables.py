"""`durable resolve`, `reject`, `signal`, `webhook`, `webhooks`: results and signals from outside."""

from __future__ import annotations

import shlex
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from . import output, times
from .client_command import ClientContext, client_command
from .values import INT32_MAX, INT32_MIN, parse_value

if TYPE_CHECKING:
    import durable


def _write_json(context: ClientContext, **facts: Any) -> None:
    if context.json:
        output.write_json(facts)


def _report(context: ClientContext, result: str, done: durable.Resolution, **facts: Any) -> None:
    """Reports the resolution: as a note, since there is no result; with --json in full."""
    text = f"{output.clean(facts['awakeable_id'])} is {result}"
    if done.repeated:
        text = f"{output.clean(facts['awakeable_id'])} had been {result} with the same before"
    if done.invocation_id:
        text += f", for invocation {done.invocation_id}"
    elif not done.repeated:
        text += "; no invocation has asked for it yet, and it is kept for a day"
    output.note(text)
    more = {"repeated": done.repeated, "invocation_id": done.invocation_id}
    _write_json(context, **facts, result=result, **more)


def _value(text: str | None) -> Any:
    return None if text is None else parse_value(text, "VALUE")


@click.command()
@click.argument("awakeable_id", metavar="AWAKEABLE")
@click.argument("value", required=False)
@client_command
def resolve(context: ClientContext, awakeable_id: str, value: str | None) -> None:
    """Resolve an awakeable with VALUE.

    VALUE is JSON, - or @FILE; null without it. A named promise is the awakeable ID.NAME. The first
    outcome counts: another one is refused, and the first is shown.
    """
    content = _value(value)
    with context.client() as client:
        done = client.resolve_awakeable(awakeable_id, content)
    _report(context, "resolved", done, awakeable_id=awakeable_id, value=content)


@click.command()
@click.argument("awakeable_id", metavar="AWAKEABLE")
@click.argument("message")
@click.option(
    "--code",
    default=0,
    type=click.IntRange(INT32_MIN, INT32_MAX),
    help="A number for whoever awaits it.",
)
@client_command
def reject(context: ClientContext, awakeable_id: str, message: str, code: int) -> None:
    """Reject an awakeable with an error.

    Whoever awaits it gets a terminal error with MESSAGE.
    """
    with context.client() as client:
        done = client.reject_awakeable(awakeable_id, message, code=code)
    _report(context, "rejected", done, awakeable_id=awakeable_id, message=message, code=code)


@click.command()
@click.argument("invocation_id", metavar="ID")
@click.argument("name")
@click.argument("value", required=False)
@client_command
def signal(context: ClientContext, invocation_id: str, name: str, value: str | None) -> None:
    """Deliver the signal NAME to an invocation.

    VALUE is JSON, - or @FILE; null without it.
    """
    content = _value(value)
    with context.client() as client:
        client.signal(invocation_id, name, content)
    output.note(f"{output.clean(name)} is delivered to {invocation_id}")
    _write_json(context, invocation_id=invocation_id, name=name, value=content)


@click.command()
@click.argument("awakeable_id", metavar="AWAKEABLE")
@click.option(
    "--expires",
    metavar="DURATION",
    callback=times.duration_option,
    help="How long it is good for, as in 1h; 24 hours without it.",
)
@click.option("--scheme", default="", help="How the sender signs: stripe or github.")
@click.option("--secret", default="", metavar="NAME", help="Which secret it signs with.")
@client_command
def webhook(
    context: ClientContext, awakeable_id: str, expires: timedelta | None, scheme: str, secret: str
) -> None:
    """Print a URL that resolves an awakeable.

    The body of the first POST there is the value. Who has the URL needs nothing else: keep it
    secret.
    """
    with context.client() as client:
        made = client.create_webhook(awakeable_id, expires_in=expires, scheme=scheme, secret=secret)
    if context.json:
        expires_at = times.absolute(made.expire_time)
        output.write_json({"url": made.url, "expire_time": expires_at, "webhook_id": made.id})
    else:
        output.echo(made.url)
        output.note(f"to revoke it: durable webhooks revoke {shlex.quote(made.id)}")


@click.group()
def webhooks() -> None:
    """Revoke URLs that resolve awakeables."""


@webhooks.command("revoke")
@click.argument("webhook", metavar="[ID|URL|-]", required=False)
@click.option("--all", "awakeable_id", metavar="AWAKEABLE", help="All URLs of this awakeable.")
@client_command
def revoke(context: ClientContext, webhook: str | None, awakeable_id: str | None) -> None:
    """Revoke a URL by its id or itself.

    From then on nobody can resolve the awakeable with it, on any node. With - the id or URL is read
    from standard input: other users of this machine can read the arguments of a command.
    """
    if (webhook is None) == (awakeable_id is None):
        raise click.UsageError("Name either a webhook, or an awakeable with --all.")
    if webhook == "-":
        webhook = sys.stdin.readline().strip()
    with context.client() as client:
        if awakeable_id is not None:
            done = client.revoke_webhooks(awakeable_id)
        else:
            done = client.revoke_webhook(webhook or "")
    what = "the webhook is" if awakeable_id is None else "all webhooks are"
    text = f"{what} revoked, of awakeable {output.clean(done.awakeable_id)}"
    if done.resolved:
        text += "; it had been resolved before, perhaps by this way"
    output.note(text)
    _write_json(context, **done._asdict())
