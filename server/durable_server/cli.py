"""The `durable` command: argument parsing, one-line errors, exit codes. The work is in `commands`.

Errors that a person can do something about are one line on stderr and exit code 1; `--trace` shows
where they came from. Wrong usage is exit code 2.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from . import __version__

DEFAULT_LISTEN = "127.0.0.1:50051"
DEFAULT_HTTP = "127.0.0.1:8080"

F = TypeVar("F", bound=Callable[..., Any])


def _options(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def _refuse_secret(context: click.Context, parameter: click.Parameter, url: str) -> str:
    """Refuses a password on the command line, which every process of the machine can read."""
    source = context.get_parameter_source(parameter.name or "")
    if "@" in url and source is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError(
            "--nats has credentials, and others can read the command line: "
            "put the URL into the environment variable DURABLE_NATS_URL"
        )
    return url


_SERVER_OPTIONS = _options(
    click.option("--listen", default=DEFAULT_LISTEN, show_default=True, help="Serve gRPC here."),
    click.option(
        "--data-dir",
        default=".durable",
        show_default=True,
        type=click.Path(file_okay=False, path_type=Path),
        help="Keep the store and the embedded log here.",
    ),
    click.option(
        "--nats",
        "nats_url",
        default="",
        envvar="DURABLE_NATS_URL",
        callback=_refuse_secret,
        help="Use this NATS system, not the embedded.  [env: DURABLE_NATS_URL]",
    ),
    click.option(
        "--replicas", default=1, show_default=True, help="Keep the log on so many NATS servers."
    ),
    click.option("--insecure", is_flag=True, help="Allow addresses beyond loopback without TLS."),
    click.option(
        "--ready-file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Write the address here, as JSON, once everything serves.",
    ),
)
_SERVICE_OPTION = click.option(
    "--service",
    "services",
    multiple=True,
    metavar="NAME=HOST:PORT",
    help="Where a gRPC service is that workflows call; may be repeated.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="durable")
@click.option("--trace", is_flag=True, help="Show where an error came from.")
@click.option("-v", "--verbose", count=True, help="Say more; twice for everything.")
@click.pass_context
def cli(context: click.Context, trace: bool, verbose: int) -> None:
    """Durable execution behind gRPC."""
    context.obj = trace
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.basicConfig(
        level=level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )


@cli.command()
@_SERVER_OPTIONS
@click.option("--http", default="", metavar="HOST:PORT", help="Serve plain HTTP here too.")
def server(**settings: Any) -> None:
    """Run the control plane."""
    from . import commands

    commands.run_server(**settings)


@cli.command()
@click.argument("modules", nargs=-1, required=True, metavar="MODULE...")
@_SERVER_OPTIONS
@_SERVICE_OPTION
@click.option(
    "--http",
    default=DEFAULT_HTTP,
    show_default=True,
    metavar="HOST:PORT",
    help="Serve plain HTTP here.",
)
@click.option("--no-http", is_flag=True, help="Do not serve plain HTTP.")
@click.option("--no-reload", is_flag=True, help="Do not restart the worker when code changes.")
def dev(**settings: Any) -> None:
    """Run a control plane and a worker for MODULE... in one command."""
    from . import commands

    commands.run_dev(**settings)


@cli.command()
@click.argument("modules", nargs=-1, required=True, metavar="MODULE...")
@click.option(
    "--address",
    default=lambda: os.environ.get("DURABLE_ADDRESS", DEFAULT_LISTEN),
    help=f"The control plane.  [default: DURABLE_ADDRESS, or {DEFAULT_LISTEN}]",
)
@click.option("--max-concurrent", default=1000, show_default=True, help="Invocations at a time.")
@_SERVICE_OPTION
@click.option("--insecure", is_flag=True, help="Allow an address beyond loopback without TLS.")
def worker(**settings: Any) -> None:
    """Run a worker that serves the workflows in MODULE... (a module's name or a .py file)."""
    from . import worker_command

    worker_command.run_worker(**settings)


def main() -> None:
    """Runs the command line."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except (KeyboardInterrupt, click.exceptions.Abort):
        sys.exit(130)
    except Exception as error:
        if "--trace" in sys.argv:
            raise
        text = str(error) or type(error).__name__
        if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] in (
            "nats",
            "msgspec",
            "grpc_health",
            "grpc_reflection",
            "watchfiles",
        ):
            text = f"{error}; the control plane needs: pip install 'durable-grpc[server]'"
        if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] in (
            "starlette",
            "uvicorn",
        ):
            text = f"{error}; --http needs: pip install 'durable-grpc[http]'"
        click.echo(f"durable: {text}", err=True)
        sys.exit(1)
