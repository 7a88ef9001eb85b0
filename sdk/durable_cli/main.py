"""The command group: the commands by name, their modules, and the handling of errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from importlib import import_module
from typing import Any, Final

import click

from durable_processes.link import SERVER, take_link

from . import errors, logging_setup, output, streams, telemetry, worker_options
from .parent_link import reporting_errors

_COMMANDS: Final = {
    "server": "durable_server.cli:server",
    "dev": "durable_server.cli:dev",
    "worker": "durable_cli.worker:worker",
    "invoke": "durable_cli.invoke:invoke",
    "get": "durable_cli.get:get",
    "list": "durable_cli.listing:list_",
    "describe": "durable_cli.describe:describe",
    "watch": "durable_cli.watch:watch",
    "pause": "durable_cli.control:pause",
    "resume": "durable_cli.control:resume",
    "cancel": "durable_cli.control:cancel",
    "restart": "durable_cli.control:restart",
    "fork": "durable_cli.fork:fork",
    "diff": "durable_cli.diff:diff",
    "purge": "durable_cli.control:purge",
    "export": "durable_cli.export:export",
    "replay": "durable_cli.replay:replay",
    "preflight": "durable_cli.preflight:preflight",
    "resolve": "durable_cli.awakeables:resolve",
    "reject": "durable_cli.awakeables:reject",
    "signal": "durable_cli.awakeables:signal",
    "webhook": "durable_cli.awakeables:webhook",
    "webhooks": "durable_cli.awakeables:webhooks",
    "state": "durable_cli.state:state",
    "stats": "durable_cli.overview:stats",
    "handlers": "durable_cli.overview:handlers",
    "workers": "durable_cli.overview:workers",
    "deployments": "durable_cli.deployments:deployments",
    "patches": "durable_cli.patches:patches",
    "promote": "durable_cli.builds:promote",
    "rollback": "durable_cli.builds:rollback",
    "drain": "durable_cli.builds:drain",
    "repin": "durable_cli.repin:repin",
    "cluster": "durable_cli.cluster:cluster",
    "audit": "durable_cli.audit:audit",
    "token": "durable_cli.tokens:token",
    "login": "durable_cli.login:login",
    "logout": "durable_cli.login:logout",
    "whoami": "durable_cli.login:whoami",
    "sql": "durable_cli.sql:sql",
    "log": "durable_cli.log:log",
    "backup": "durable_cli.backup:backup",
    "restore": "durable_cli.backup:restore",
    "certs": "durable_cli.certs:certs",
    "doctor": "durable_cli.doctor:doctor",
    "completion": "durable_cli.completion:completion",
}
_RUNNERS: Final = ("server", "dev", "worker")
"""Long-running commands, which log."""
_DRAIN: Final = {"worker": "30s", "dev": "5s"}
"""Commands that run a worker, with the default drain timeout."""


class _Group(click.Group):
    """Imports a command when it is used; turns a closed pipe into ReaderLeftError."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with streams.leaving():  # writes help and version
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
        if cmd_name in _RUNNERS and logging_setup.FORMAT not in command.params:
            drain_timeout = _DRAIN.get(cmd_name)
            if drain_timeout is not None:
                command.params += worker_options.worker_options(drain_timeout)
            command.params.append(logging_setup.FORMAT)
            command.callback = _supervised(_traced(command.callback, f"durable-{cmd_name}"))
        return command


def _supervised(run: Callable[..., Any]) -> Callable[..., Any]:
    """Runs a command; in a process of `durable server --processes` with its link as `context.obj`.

    There, errors go to the parent, and log lines have the number of the process.
    """

    @wraps(run)
    def supervised(*args: Any, **kwargs: Any) -> Any:
        started = take_link(SERVER)
        if started is None:
            return run(*args, **kwargs)
        click.get_current_context().obj = started
        logging_setup.number_lines(started.number)
        with reporting_errors(started.link):
            return run(*args, **kwargs)

    return supervised


def _traced(run: Callable[..., Any] | None, service: str) -> Callable[..., Any]:
    """Configures tracing before a command runs, and after the log format is set."""
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
        streams.ignore_write_errors()
    logging_setup.begin(verbose)


def main() -> None:
    """Runs the command line."""
    streams.prepare()
    # gRPC logs lines about its internals; what matters of them is in the errors too.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    # As in `durable/__init__.py`; the control plane does not import that.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs a command and reports errors on stderr; returns its exit code."""
    try:
        streams.check_arguments(arguments)
        cli.main(list(arguments), prog_name="durable", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return errors.USAGE
    except click.UsageError as error:
        output.note(output.clean(errors.usage_line(error)))
        return errors.USAGE
    except (KeyboardInterrupt, click.exceptions.Abort):
        return errors.INTERRUPTED
    except streams.ReaderLeftError:
        streams.discard()
    except Exception as error:
        # Looked up in the arguments, because their parsing may be what failed.
        if "--debug" in arguments:
            raise
        # It may have texts of others, such as the message of a failure.
        output.note(output.clean(f"durable: {errors.one_line(error)}"))
        if isinstance(error, OSError) and error.errno in streams.FULL:
            streams.discard()
        return errors.exit_code(error)
    return 0
