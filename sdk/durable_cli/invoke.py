"""`durable invoke`: starts an invocation and, by default, waits for its value.

The start is one request that fails soon when the control plane is unreachable. The wait has no
timeout of its own and survives a restart of the control plane, because an invocation that has an id
continues.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from . import output, wait_reasons
from .client_command import ClientContext, client_command
from .errors import UNFINISHED, CommandError
from .journal_lines import ending_text
from .times import duration_option, time_option
from .values import INT32_MAX, INT32_MIN, parse_pairs, parse_value

if TYPE_CHECKING:
    import durable

_SILENT_SECONDS: Final = 3.0
"""How long a wait without --timeout is silent, before it looks for a reason and shows it."""


@click.command()
@click.argument("handler")
@click.argument("value", required=False, metavar="[INPUT]")
@click.option("--async", "no_wait", is_flag=True, help="Print the id and do not wait.")
@click.option("--timeout", callback=duration_option, metavar="DURATION", help="Wait so long.")
@click.option("--delay", callback=duration_option, metavar="DURATION", help="Start so much later.")
@click.option("--at", "start_time", callback=time_option, metavar="TIME", help="Start not before.")
@click.option("--key", default="", help="The object key.")
@click.option("--idempotency-key", help="Answer with the first one, if this was used before.")
@click.option(
    "--header", "headers", multiple=True, metavar="NAME=VALUE", help="A header; may be repeated."
)
@click.option("--partition-key", default="", help="Share a partition with others of this key.")
@click.option("--service", default="", help="A label.")
@click.option(
    "--priority", type=click.IntRange(INT32_MIN, INT32_MAX), default=0, help="Higher goes first."
)
@client_command
def invoke(
    context: ClientContext,
    handler: str,
    value: str | None,
    no_wait: bool,
    timeout: timedelta | None,
    delay: timedelta | None,
    start_time: datetime | None,
    headers: tuple[str, ...],
    idempotency_key: str | None,
    **labels: Any,
) -> None:
    """Start HANDLER and wait for its value.

    INPUT is JSON, - for JSON on stdin or @FILE; without it the handler is called without arguments,
    and several arguments are an object by name.
    """
    if delay is not None and start_time is not None:
        raise click.UsageError("--delay and --at both say when to start; give one of them")
    # From a shell variable that is not set, for example. An empty key would not prevent duplicates.
    if idempotency_key == "":
        raise click.UsageError("--idempotency-key is empty: give a value, or leave it out")
    arguments = () if value is None else (parse_value(value, "INPUT"),)
    given = parse_pairs(headers, "--header")
    with context.client() as client:
        view = client.options(
            headers=given or None, idempotency_key=idempotency_key or "", **labels
        )
        if delay is not None:
            view = view.options(delay=delay)
        if start_time is not None:
            view = view.options(start_time=start_time)
        invocation_id = view.invoke_async(handler, *arguments)
        if no_wait:
            _write_id(context, invocation_id)
            return
        if output.on_terminal():
            output.note(output.faint(f"{invocation_id} started; Ctrl-C stops only the waiting"))
        seconds = None if timeout is None else timeout.total_seconds()
        logging.getLogger("durable.client").setLevel(logging.NOTSET)
        if seconds is None:
            _warn_if_stuck(client, invocation_id)
        result = client.get_result(invocation_id, timeout=seconds)
        why = "" if result.finished else _reason(client, invocation_id)
    _write_result(context, result, why)


def _warn_if_stuck(client: durable.Client, invocation_id: str) -> None:
    """Waits a while, and then warns if the invocation cannot end without somebody's action."""
    import durable

    try:
        result = client.get_result(invocation_id, timeout=_SILENT_SECONDS)
        if result.finished or result.status == "paused":
            return
        found = client.get(invocation_id)
        if not wait_reasons.is_stuck(client, found):
            return
        problem = wait_reasons.reason(client, found)
    except (durable.RpcError, durable.WaitTimeoutError):
        return  # the wait that follows reports it
    output.note(f"{invocation_id} goes on waiting: {output.clean(problem)}")


def _reason(client: durable.Client, invocation_id: str) -> str:
    """Returns why it has not ended; empty when the control plane is unreachable."""
    import durable

    try:
        return output.clean(wait_reasons.reason(client, client.get(invocation_id)))
    except durable.RpcError:
        return ""


def _write_id(context: ClientContext, invocation_id: str) -> None:
    if context.json:
        output.write_json({"invocation_id": invocation_id})
    else:
        output.echo(invocation_id)


def _write_result(context: ClientContext, result: durable.Result[Any], why: str) -> None:
    """Writes the result; raises CommandError unless the invocation completed.

    `why` is what it waits for, if it has not ended.
    """
    if context.json:
        output.write_json(result.to_dict())
    if result.status == "completed":
        if not context.json:
            _write_value(result.to_dict()["value"])
        return
    invocation_id = result.invocation_id
    look = f"`durable describe {invocation_id}` shows more"
    if result.finished:
        raise CommandError(f"{ending_text(invocation_id, result.status, result.failure)}; {look}")
    because = f": {why}" if why else ""
    if result.status == "paused":
        raise CommandError(
            f"invocation {invocation_id} is paused{because}; `durable resume {invocation_id}` lets it"
            f" go on, {look}"
        )
    raise CommandError(
        f"invocation {invocation_id} is still {result.status} and goes on{because}; {look}",
        UNFINISHED,
    )


def _write_value(value: Any) -> None:
    if isinstance(value, str):
        output.write_text(value)
    elif output.on_terminal() and isinstance(value, dict | list):
        output.write_json(value)
    else:
        output.echo(output.value_text(value))
