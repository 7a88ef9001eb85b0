"""`durable fork`: a new invocation that goes on from a step of another one, perhaps edited."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import click

from . import output
from .client_command import ClientContext, client_command
from .values import INT32_MAX, parse_value

if TYPE_CHECKING:
    import durable

_SET: Final = re.compile(r"result\.(\d{1,9})=(.*)", re.DOTALL)
_FAIL: Final = re.compile(r"(?:result\.)?(\d{1,9})=(.*)", re.DOTALL)


@dataclass
class _Edits:
    """The outcomes that steps get instead of their own, by step number."""

    values: dict[int, Any] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)

    def __contains__(self, step: int) -> bool:
        return step in self.values or step in self.failures

    @property
    def last(self) -> int:
        """The last step that is edited; -1 for none."""
        return max((*self.values, *self.failures), default=-1)


@click.command()
@click.argument("invocation_id", metavar="ID")
@click.option(
    "--at",
    type=click.IntRange(0, INT32_MAX),
    metavar="N",
    help="Keep the steps before this one.  [default: up to the last edited step, else all]",
)
@click.option(
    "--set",
    "values",
    multiple=True,
    metavar="result.N=JSON",
    help="Give step N another result: JSON, - or @FILE.",
)
@click.option(
    "--fail", "failures", multiple=True, metavar="N=MESSAGE", help="Let step N have failed."
)
@click.option("--input", "value", metavar="JSON", help="Another input: JSON, - or @FILE.")
@click.option("--reason", default="", help="Why, for whoever looks at it later.")
@client_command
def fork(
    context: ClientContext,
    invocation_id: str,
    at: int | None,
    values: tuple[str, ...],
    failures: tuple[str, ...],
    value: str | None,
    reason: str,
) -> None:
    """Go on from a step of an invocation, as a new one.

    The new one replays the completed steps before --at, with the results that are given here, and runs
    all others. The old one stays as it is, also if it runs. Step numbers are those of 'durable
    describe'.
    """
    edits = _edits(values, failures)
    given = {} if value is None else {"input": parse_value(value, "--input")}
    with context.client() as client:
        source = client.get(invocation_id)
        before = _before(source, at, edits)
        new_id = client.restart(
            source.invocation_id,
            from_index=before,
            outcomes=edits.values,
            failures=edits.failures,
            while_running=True,
            reason=reason,
            **given,
        )
    kept = [it for it in source.journal if it.step_number < before and it.completed]
    left = [it for it in source.journal if it.step_number < before and not it.completed]
    if context.json:
        output.write_json(
            {
                "invocation_id": new_id,
                "source_invocation_id": source.invocation_id,
                "source_index": before if kept else 0,
                "kept": [it.step_number for it in kept],
                "edited": sorted((*edits.values, *edits.failures)),
            }
        )
        return
    pairs = [
        ("from", f"{source.invocation_id} {source.handler}"),
        ("keeps", _kept_text(kept, left)),
    ]
    pairs += [("edits", _edit_text(it, edits)) for it in kept if it.step_number in edits]
    if given:
        pairs.append(("input", output.value_text(given["input"])))
    pairs.append(("new", new_id))
    output.fields((name, output.clean(text)) for name, text in pairs)
    output.note(f"compare them: durable diff {source.invocation_id} {new_id}")


def _edits(values: Iterable[str], failures: Iterable[str]) -> _Edits:
    """Returns the edits of the options; raises click.UsageError for a malformed or repeated one."""
    edits = _Edits()
    for text in values:
        found = _SET.fullmatch(text)
        if found is None:
            raise click.UsageError(f"--set {text!r} is not result.N=JSON, such as result.3=true")
        step = _new_step(edits, found[1])
        edits.values[step] = parse_value(found[2], f"--set result.{step}")
    for text in failures:
        found = _FAIL.fullmatch(text)
        if found is None:
            raise click.UsageError(f"--fail {text!r} is not N=MESSAGE, such as 3='no stock'")
        edits.failures[_new_step(edits, found[1])] = found[2]
    return edits


def _new_step(edits: _Edits, number: str) -> int:
    step = int(number)
    if step in edits:
        raise click.UsageError(f"step {step} is edited twice: give one --set or --fail for it")
    return step


def _before(source: durable.Invocation, at: int | None, edits: _Edits) -> int:
    """Returns the step before which steps are kept; raises click.UsageError for one past the end."""
    first = source.message.first_index
    steps = source.journal
    end = max((it.step_number for it in steps), default=first - 1) + 1
    if at is None:
        at = edits.last + 1 if edits.last >= 0 else _last_kept(source, end)
    if at > end:
        has = f"the steps {first} to {end - 1}" if steps else "no steps yet"
        option = "--at" if at != edits.last + 1 else "an edited step"
        raise click.UsageError(f"{option} is past the end: the journal has {has}")
    for step in (*edits.values, *edits.failures):
        if step >= at:
            raise click.UsageError(f"step {step} is edited but not kept: --at is {at}")
    return 0 if at <= first else at


def _last_kept(source: durable.Invocation, end: int) -> int:
    """Returns the step before which all that can be kept is: not what a cancellation has started."""
    cancelled = source.cancel.time if source.cancel is not None else None
    late = [
        it.step_number
        for it in source.journal
        if cancelled is not None and it.create_time is not None and it.create_time >= cancelled
    ]
    return min(late, default=end)


def _kept_text(kept: list[durable.JournalEntry], left: list[durable.JournalEntry]) -> str:
    if not kept:
        return "no steps: all run again"
    first, last = kept[0].step_number, kept[-1].step_number
    text = f"step {first}" if first == last else f"steps {first} to {last}"
    if left:
        numbers = ", ".join(str(it.step_number) for it in left)
        text += f"; those not complete begin anew: {numbers}"
    return text


def _edit_text(entry: durable.JournalEntry, edits: _Edits) -> str:
    """Returns the outcomes of an edited step, before and after."""
    data = entry.to_dict()
    before = output.value_text(data["value"])
    if data["failure"] is not None:
        before = f"failed {data['failure']['type']}: {data['failure']['message']}"
    step = entry.step_number
    after = (
        f"failed {edits.failures[step]}"
        if step in edits.failures
        else output.value_text(edits.values[step])
    )
    return f"{step} {entry.step_type}  {before} -> {after}"
