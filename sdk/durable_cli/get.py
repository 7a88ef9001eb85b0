"""`durable get`: one invocation in a few lines."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from . import output
from .client_command import ClientContext, client_command
from .listing import took
from .wait_reasons import repin_hint

if TYPE_CHECKING:
    import durable


@click.command()
@click.argument("invocation_id", metavar="ID")
@client_command
def get(context: ClientContext, invocation_id: str) -> None:
    """Show an invocation in a few lines."""
    with context.client() as client:
        found = client.get(invocation_id)
    if context.json:
        output.write_json(found.to_dict())
    else:
        output.fields(summary(found))


def summary(found: durable.Invocation) -> list[tuple[str, str]]:
    """Returns names and values of the main facts about an invocation."""
    data = found.to_dict()
    pairs = [
        ("id", found.invocation_id),
        ("handler", output.clean(found.handler)),
        ("status", output.coloured(found.status)),
        ("key", output.clean(found.key)),
        ("input", _short(data["input"]) if found.message.HasField("input") else ""),
        ("output", _short(data["output"]) if found.status == "completed" else ""),
        ("failure", _failure(found)),
        ("held", _request(found.pause)),
        ("cancelled", _request(found.cancel)),
        ("created", _time(found.create_time)),
        ("started", _time(found.start_time)),
        ("ended", _time(found.complete_time)),
        ("took", took(found)),
        ("waits for", _build_waited_for(found)),
        ("goes on", _time(found.wake_time)),
        ("deadline", _time(found.deadline)),
        ("removed", _time(found.expire_time)),
        ("run", str(found.run) if found.run > 1 else ""),
        ("attempt", str(found.attempt) if found.attempt else ""),
        ("steps", str(found.journal_length)),
        ("worker", output.clean(found.worker_id)),
        ("version", output.clean(found.version)),
        ("build", output.clean(found.build_id) + (", pinned" if found.pinned else "")),
        ("service", output.clean(found.service)),
        ("partition key", output.clean(found.partition_key)),
        ("idempotency key", output.clean(found.idempotency_key)),
        ("started by", "" if found.source_invocation_id else found.parent_invocation_id),
        ("copy of", _source(found)),
    ]
    for name, value in sorted(found.headers.items()):
        pairs.append(("header", output.clean(f"{name}={value}")))
    return pairs


def _source(found: durable.Invocation) -> str:
    kept = f", before its step {found.source_index}" if found.source_index else ""
    return f"{found.source_invocation_id}{kept}" if found.source_invocation_id else ""


def _short(value: object) -> str:
    return output.shorten(output.clean(output.value_text(value)), output.width() - 17)


def _time(time: datetime | None) -> str:
    return "" if time is None else output.moment(time)


def _failure(found: durable.Invocation) -> str:
    failure = found.failure
    return "" if failure is None else output.clean(f"{failure.type}: {failure.message}")


def _build_waited_for(found: durable.Invocation) -> str:
    build = found.waiting_for_build
    if not build:
        return ""
    hint = repin_hint(found)
    return output.clean(f"build {build}, which has no worker: start one, or {hint}")


def _request(request: durable.Request | None) -> str:
    if request is None:
        return ""
    by = f"by {request.identity}" if request.identity else ""
    words = [_time(request.time), output.clean(by), output.clean(request.reason)]
    return ", ".join(word for word in words if word)
