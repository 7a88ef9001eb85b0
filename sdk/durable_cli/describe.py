"""`durable describe`: everything about one invocation, with its journal as a tree.

Children are shown below the entry that started them, with their own journals, down to `--depth`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import click

from . import output
from .attempt_table import is_worth_showing, write_attempts
from .client_command import ClientContext, client_command
from .get import summary
from .journal_lines import entry_text, failing_lines
from .listing import took

if TYPE_CHECKING:
    import durable
    from durable_proto.v1 import payload_pb2

_CHILDREN: Final = 100
"""How many children are fetched; nobody reads a larger tree."""


@click.command()
@click.argument("invocation_id", metavar="ID")
@click.option(
    "--depth",
    default=2,
    show_default=True,
    type=click.IntRange(0),
    help="How deep to follow children.",
)
@client_command
def describe(context: ClientContext, invocation_id: str, depth: int) -> None:
    """Show all of an invocation, steps as a tree.

    With its children, awakeables, state and failure.
    """
    with context.client() as client:
        found = client.get(invocation_id)
        children = _children(client, found, depth)
    if context.json:
        data = found.to_dict()
        data["children"] = [child.to_dict() for child in children.values()]
        output.write_json(data)
        return
    output.fields(summary(found))
    if found.journal:
        _title("journal")
        for line in _tree(found, children, depth):
            output.echo(line)
    if found.failing_steps:
        _title("tried again")
        for line in failing_lines(found):
            output.echo(line)
    if is_worth_showing(found):
        _title("attempts")
        write_attempts(found)
    if found.awakeables:
        _title("awakeables")
        for it in found.awakeables:
            end = "resolved" if it.resolved else output.coloured("pending")
            when = output.moment(it.resolve_time or it.create_time)
            output.echo(f"{output.clean(it.awakeable_id)}  {end}  {output.faint(when)}")
    state: dict[str, Any] = found.to_dict()["workflow_state"]
    if state:
        _title("state")
        for name, value in state.items():
            text = output.clean(output.value_text(value))
            output.echo(output.shorten(f"{output.clean(name)}  {text}", output.width()))
    if found.failure is not None:
        _title("failure")
        _write_failure(found.failure)


def _title(text: str) -> None:
    output.echo()
    output.echo(click.style(text, bold=True))


def _children(
    client: durable.Client, found: durable.Invocation, depth: int
) -> dict[str, durable.Invocation]:
    """Returns the invocations that this one has started, and their children, by id."""
    import durable

    children: dict[str, durable.Invocation] = {}
    level = [found]
    while level and depth > 0:
        depth -= 1
        targets = [
            entry.target_invocation_id
            for parent in level
            for entry in parent.journal
            if entry.target_invocation_id and entry.target_invocation_id not in children
        ]
        level = []
        for target in targets[: _CHILDREN - len(children)]:
            try:
                child = client.get(target)
            except durable.NotFoundError:  # removed before its parent
                continue
            children[target] = child
            level.append(child)
    return children


def _tree(
    found: durable.Invocation,
    children: dict[str, durable.Invocation],
    depth: int,
    indent: str = "",
    above: frozenset[str] = frozenset(),
) -> Iterator[str]:
    """Yields the lines of a journal, with the journals of children below their entries.

    Invocations may refer to each other, for example by signals, so one that is shown above is not
    shown again inside itself.
    """
    entries = found.journal
    above |= {found.invocation_id}
    for entry in entries:
        last = entry is entries[-1]
        yield indent + output.faint("└─" if last else "├─") + entry_text(entry, found.start_time)
        child = children.get(entry.target_invocation_id)
        if child is not None and depth > 0 and child.invocation_id not in above:
            below = indent + output.faint("   " if last else "│  ")
            length = took(child)
            end = output.coloured(child.status) + (f", took {length}" if length else "")
            yield f"{below}   {output.clean(child.handler)} {end}"
            yield from _tree(child, children, depth - 1, below + "   ", above)


def _write_failure(failure: payload_pb2.Failure, because: str = "") -> None:
    output.echo(f"{because}{click.style(failure.type, fg='red')}: {output.clean(failure.message)}")
    for name, value in sorted(failure.metadata.items()):
        output.echo(f"  {output.clean(name)}={output.clean(value)}")
    if failure.code:
        output.echo(f"  code {failure.code}")
    for line in output.clean_lines(failure.stack_trace):
        output.echo(f"  {line}")
    if failure.HasField("cause"):
        _write_failure(failure.cause, "caused by ")
