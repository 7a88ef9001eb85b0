"""`durable replay`: steps through an exported invocation with the code of this checkout.

Each operation is a line, written when the program reaches it: what the journal has for it, and the line
of the code. Then it says where the program stands. Nothing is executed but the program itself: what
steps have returned comes from the file. The program runs in the main thread, so that `breakpoint()`
works.
"""

from __future__ import annotations

import sys
from bdb import BdbQuit
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import modules as user_modules
from . import output
from .client_command import ClientContext, client_command
from .errors import CommandError
from .get import summary
from .journal_lines import entry_text

if TYPE_CHECKING:
    import durable
    from durable._timetravel.replay import Replayed


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("modules", nargs=-1, metavar="[MODULE]...")
@click.option("--id", "invocation_id", default="", metavar="ID", help="Which, if FILE has several.")
@click.option(
    "--pdb", "debug_it", is_flag=True, help="Debug it: from its first line, and where it fails."
)
@user_modules.CODEC
@client_command
def replay(
    context: ClientContext,
    file: Path,
    modules: Sequence[str],
    invocation_id: str,
    debug_it: bool,
    codec: str,
) -> None:
    """Step through an exported invocation with the code in MODULE..., without effects.

    Without MODULE it shows what FILE has.
    """
    from durable import ExportedRun

    try:
        run = _only(ExportedRun.read(file), invocation_id, file)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    run = run.decoded(_codec(context, codec))
    if not modules:
        if debug_it:
            raise click.UsageError("--pdb needs a MODULE that has the handler's code")
        _show(run)
        return
    workflow = user_modules.load(modules).get(run.handler)
    if workflow is None:
        raise CommandError(f"no handler {run.handler!r} in {', '.join(modules)}")
    # With --json, what the program itself writes must not stand among the data.
    with redirect_stdout(sys.stderr) if context.json else nullcontext():
        result = _step_through(run, workflow, debug_it)
    if result is None:
        return
    if context.json:
        output.write_json(result._asdict())
    else:
        output.echo(_standing(result))
    if result.is_problem:
        raise CommandError("replay: a worker with this code would not go on with the invocation")


def _codec(context: ClientContext, place: str) -> durable.Codec | None:
    if place or not context.codec_endpoint:
        return user_modules.load_codec(place)
    from .codec_endpoint import EndpointCodec

    return EndpointCodec(context.codec_endpoint, insecure=context.insecure)


def _only(
    runs: Sequence[durable.ExportedRun], invocation_id: str, file: Path
) -> durable.ExportedRun:
    """Returns the run that is meant; raises click.UsageError if that is not clear."""
    found = [it for it in runs if not invocation_id or it.invocation_id == invocation_id]
    if len(found) == 1:
        return found[0]
    ids = ", ".join(it.invocation_id for it in runs[:10]) + (", ..." if len(runs) > 10 else "")
    what = f"is not {invocation_id!r}" if invocation_id else "is not one"
    raise click.UsageError(f"{str(file)!r} has {len(runs)} invocations, and which {what}: {ids}")


def _show(run: durable.ExportedRun) -> None:
    import durable

    output.fields(summary(durable.Invocation(run.message.invocation)))
    began = _began(run)
    for entry in run.message.start.journal:
        output.echo(entry_text(durable.JournalEntry(entry), began))


def _began(run: durable.ExportedRun) -> Any:
    return run.message.start.start_time.ToDatetime(tzinfo=UTC)


def _step_through(
    run: durable.ExportedRun, workflow: durable.Workflow[..., Any], debug_it: bool
) -> Replayed | None:
    """Replays a run; returns None if the person has left the debugger."""
    import durable
    from durable._engine.entry_kinds import describe
    from durable._timetravel import replay as offline
    from durable._timetravel.watched import Watcher

    from . import debugging

    began = _began(run)

    class Lines(Watcher):
        left = False

        def reached(self, index: int, kind: int, name: str, place: str, entry: Any) -> None:
            if entry is not None:
                text = entry_text(durable.JournalEntry(entry), began)
            else:
                text = f"{index:>3} {output.clean(describe(kind, name))}  not in the journal"
            output.echo(f"{text}  {output.faint(output.clean(place))}")
            sys.stdout.flush()

        def delivered(self, entry: Any, completion: Any) -> None:
            if completion.outcome is None:
                reason = output.clean(run.message.start.cancel_requested.reason)
                output.echo(f"    cancellation requested{': ' * bool(reason)}{reason}")

        def stopped(self, error: BaseException, traceback: Any) -> None:
            self.left = isinstance(error, BdbQuit)
            if debug_it and not self.left:
                debugging.post_mortem(error, traceback)

    head = f"{run.invocation_id} {run.handler}, attempt {run.attempt}"
    output.echo(output.faint(f"{head}, exported {output.moment(run.export_time)}"))
    with debugging.stopping_at(workflow.function) if debug_it else nullcontext():
        lines = Lines()
        result = offline.replay(workflow, run, lines)
    return None if lines.left else result


def _standing(result: Replayed) -> str:
    """Returns the line that says where the program stands."""
    at = f"  at {result.place}" if result.place else ""
    word = "fails as it did before" if result.as_before and result.is_problem else result.verdict
    return f"{output.coloured(word)}: {output.clean(result.text)}{output.faint(output.clean(at))}"
