"""`durable diff`: two runs side by side, with the first difference marked.

Steps that are equal are folded, except those next to a difference. On a terminal both sides fit its
width: what is equal is cut, and what differs takes several lines. In a pipe nothing is cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from itertools import groupby, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from . import output
from .client_command import ClientContext, client_command
from .errors import FAILED, CommandError
from .run_diff import END, INPUT, STEP, Comparison, Row, compare
from .times import length_text

if TYPE_CHECKING:
    import durable

_NEAR: Final = 1
"""How many equal steps are shown before and after a difference."""
_GAP: Final = "  "
_LINES_MAX: Final = 12
"""How many lines of a terminal one side of a difference gets."""


@click.command()
@click.argument("first", metavar="ID|FILE")
@click.argument("second", metavar="ID|FILE")
@click.option("--all", "everything", is_flag=True, help="Show equal steps too.")
@client_command
def diff(context: ClientContext, first: str, second: str, everything: bool) -> None:
    """Compare two runs: input, steps and end.

    Each is the id of an invocation, or a file that 'durable export' has written. The exit code is 0 if
    they are equal and 1 if they differ. Times, attempts and ids of children do not count.
    """
    one, other = _runs(context, (first, second))
    compared = compare(one, other)
    found = compared.first_difference
    if context.json:
        output.write_json(
            {
                "equal": found is None,
                "first": _head(one),
                "second": _head(other),
                "first_difference": None if found is None else found.to_dict(),
                "rows": [it.to_dict() for it in compared.rows],
            }
        )
    else:
        _write(_lines(compared, one, other, everything))
    if found is not None:
        raise CommandError(f"they differ: first in {_place(found)}", FAILED)
    if not context.json:
        output.note("they are equal")


def _runs(context: ClientContext, names: Sequence[str]) -> list[Mapping[str, Any]]:
    """Returns the runs that are named; raises click.UsageError for a file that is no run."""
    runs = []
    with ExitStack() as stack:
        client: durable.Client | None = None
        for name in names:
            if Path(name).is_file():
                runs.append(_read(context, name))
                continue
            if client is None:
                client = stack.enter_context(context.client())
            runs.append(client.get(name).to_dict())
    return runs


def _read(context: ClientContext, name: str) -> Mapping[str, Any]:
    """Returns the run in a file of `durable export`."""
    import durable

    try:
        found = durable.ExportedRun.read(name)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if len(found) != 1:
        raise click.UsageError(
            f"{name!r} has {len(found)} invocations; export the one that you mean"
        )
    codec: durable.Codec | None = None
    if context.codec_endpoint:
        from .codec_endpoint import EndpointCodec

        codec = EndpointCodec(context.codec_endpoint, insecure=context.insecure)
    exported = found[0].decoded(codec).message
    message = exported.invocation
    message.journal.extend(exported.start.journal)
    return durable.Invocation(message).to_dict()


def _head(run: Mapping[str, Any]) -> dict[str, Any]:
    names = ("invocation_id", "source_invocation_id", "source_index", "version", "status")
    return {name: run[name] for name in names}


def _place(row: Row) -> str:
    """Returns where a row is, and what differs there."""
    where = {INPUT: "how they begin", END: "how they end"}.get(row.part, f"step {row.step_number}")
    if row.differs == ("missing",):
        return f"{where}, which only the {'first' if row.second is None else 'second'} has"
    return f"{where} ({', '.join(row.differs)})"


class _Line(NamedTuple):
    """A line: a mark, a label and the two sides; without sides the label is all of it."""

    mark: str
    label: str
    sides: Sequence[str] = ()


def _lines(
    compared: Comparison, one: Mapping[str, Any], other: Mapping[str, Any], everything: bool
) -> Iterator[_Line]:
    yield _Line(" ", "", (one["invocation_id"], other["invocation_id"]))
    first = compared.first_difference
    rows = compared.rows
    shown = {
        near
        for number, row in enumerate(rows)
        if row.differs or row.part != STEP or everything
        for near in range(
            number - _NEAR * bool(row.differs), number + _NEAR * bool(row.differs) + 1
        )
    }
    for visible, numbers in groupby(range(len(rows)), lambda it: it in shown):
        group = [rows[it] for it in numbers]
        if not visible:
            few = f"{len(group)} equal step{'s' * (len(group) > 1)}"
            yield _Line(" ", f"… {few}, from {group[0].step_number} to {group[-1].step_number}")
            continue
        for row in group:
            mark = ">" if row is first else "*" if row.differs else " "
            label = row.part if row.part != STEP else f"{row.step_number:>3}"
            yield _Line(mark, label, [_side(row.part, it) for it in (row.first, row.second)])


def _side(part: str, data: Mapping[str, Any] | None) -> str:
    """Returns one side of a row as a text."""
    if data is None:
        return "-"
    if part == INPUT:
        key = f" {data['key']}" if data["key"] else ""
        return output.clean(f"{data['handler']}{key}({output.value_text(data['input'])})")
    if part == END:
        return output.clean(f"{data['status']}{_outcome(data['output'], data['failure'])}")
    words = data["kind"] if data["kind"] != "CALL" else ""
    words += (":" if words and data["name"] else "") + data["name"]
    if data["argument"] is not None:
        words += f"({output.value_text(data['argument'])})"
    if not data["completed"]:
        return output.clean(f"{words} pending")
    took = _took(data)
    return output.clean(f"{words}{_outcome(data['value'], data['failure'])}{took}")


def _outcome(value: Any, failure: Mapping[str, Any] | None) -> str:
    if failure is not None:
        return f" failed {failure['type']}: {failure['message']}"
    return "" if value is None else f" {output.value_text(value)}"


def _took(entry: Mapping[str, Any]) -> str:
    times = [entry[name] for name in ("create_time", "complete_time")]
    if None in times:
        return ""
    begin, end = map(datetime.fromisoformat, times)
    return f" {length_text(end - begin)}" if end > begin else ""


def _write(lines: Iterator[_Line]) -> None:
    """Writes lines with both sides in columns."""
    kept = list(lines)
    labels = max(len(it.label) for it in kept if it.sides)
    left = max(len(it.sides[0]) for it in kept if it.sides)
    room = output.width() - labels - 2 * len(_GAP) - 2
    if output.on_terminal():
        left = max(min(left, room // 2), 16)
    right = max(room - left, 16)
    for it in kept:
        if not it.sides:
            output.echo(output.faint(f"  {it.label}"))
            continue
        sides = [
            _fitted(it, side, width) for side, width in zip(it.sides, (left, right), strict=True)
        ]
        mark, label = it.mark, it.label
        for first, second in zip_longest(*sides, fillvalue=""):
            text = f"{mark} {label.ljust(labels)}{_GAP}{first.ljust(left)}{_GAP}{second}".rstrip()
            styled = click.style(text, fg="red", bold=it.mark == ">") if it.mark != " " else text
            output.echo(styled)
            mark = label = " "


def _fitted(line: _Line, side: str, width: int) -> list[str]:
    """Returns one side of a line in lines of a width: cut if it is equal to the other side."""
    if not output.on_terminal() or line.mark == " ":
        return [output.shorten(side, width)]
    pieces = [side[at : at + width] for at in range(0, len(side), width)]
    if len(pieces) > _LINES_MAX:
        pieces[_LINES_MAX - 1 :] = [pieces[_LINES_MAX - 1][:-1] + "…"]
    return pieces
