"""The group of all commands: which there are, where each lives, and what becomes of errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from importlib import import_module
from typing import Any, Final

import click

from . import errors, logs, output, outputs, serving, streams, telemetry

_COMMANDS: Final = {
    "server": "durable_server.cli:server",
    "dev": "durable_server.cli:dev",
    "worker": "durable_cli.worker:worker",
    "invoke": "durable_cli.invoke:invoke",
    "get": "durable_cli.get:get",
    "list": "durable_cli.listing:list_",
    "describe": "durable_cli.describe:describe",
    "watch": "durable_cli.watch:watch",
    "pause": "durable_cli.steering:pause",
    "resume": "durable_cli.steering:resume",
    "cancel": "durable_cli.steering:cancel",
    "restart": "durable_cli.steering:restart",
    "purge": "durable_cli.steering:purge",
    "resolve": "durable_cli.sending:resolve",
    "reject": "durable_cli.sending:reject",
    "signal": "durable_cli.sending:signal",
    "webhook": "durable_cli.sending:webhook",
    "state": "durable_cli.state:state",
    "stats": "durable_cli.overview:stats",
    "handlers": "durable_cli.overview:handlers",
    "workers": "durable_cli.overview:workers",
    "sql": "durable_cli.sql:sql",
    "log": "durable_cli.log:log",
    "doctor": "durable_cli.doctor:doctor",
    "completion": "durable_cli.completion:completion",
}
_RUNNERS: Final = ("server", "dev", "worker")
"""Commands that run for long, and log."""
_DRAIN: Final = {"worker": "30s", "dev": "5s"}
"""Commands that serve workflows, with how long they let steps go on when they stop."""


class _Group(click.Group):
    """Imports a command when it is asked for, and lets a reader leave early."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with streams.leaving():  # help and version are written here
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with streams.leaving():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = _COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        command: click.Command = getattr(import_module(module), name)
        if cmd_name in _RUNNERS and logs.FORMAT not in command.params:
            drain_timeout = _DRAIN.get(cmd_name)
            if drain_timeout is not None:
                command.params += serving.serving_options(drain_timeout)
            command.params.append(logs.FORMAT)
            command.callback = _traced(command.callback, f"durable-{cmd_name}")
        return command


def _traced(run: Callable[..., Any] | None, service: str) -> Callable[..., Any]:
    """Sets tracing up before a command begins, and after its log's form was chosen."""
    assert run is not None

    @wraps(run)
    def traced(*args: Any, **kwargs: Any) -> Any:
        telemetry.configure(service)
        return run(*args, **kwargs)

    return traced


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="durable-grpc", prog_name="durable")
@click.option("--debug", is_flag=True, expose_value=False, help="Show where an error came from.")
@click.option("-v", "--verbose", count=True, help="Say more; twice for everything.")
@click.pass_context
def cli(context: click.Context, verbose: int) -> None:
    """Durable execution behind gRPC."""
    if os.environ.get("NO_COLOR"):
        context.color = False
    if context.invoked_subcommand in _RUNNERS:
        outputs.forgive()
    logs.begin(verbose)


def main() -> None:
    """Runs the command line."""
    streams.prepare()
    # gRPC's own lines name its source files, and what matters of them comes as an error anyway.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    # As in `durable/__init__.py`; the control plane does not import that.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs a command, and tells of what is wrong on stderr; returns its exit code."""
    try:
        streams.check_arguments(arguments)
        cli.main(list(arguments), prog_name="durable", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return errors.USAGE
    except click.UsageError as error:
        output.note(errors.usage_line(error))
        return errors.USAGE
    except (KeyboardInterrupt, click.exceptions.Abort):
        return errors.INTERRUPTED
    except streams.ReaderLeftError:
        streams.discard()
    except Exception as error:
        # Known from the arguments, because what failed may be their parsing.
        if "--debug" in arguments:
            raise
        output.note(f"durable: {errors.one_line(error)}")
        if isinstance(error, OSError) and error.errno in streams.FULL:
            streams.discard()
        return errors.exit_code(error)
    return 0
