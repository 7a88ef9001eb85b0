"""The command line options of `durable server` and `durable dev`; `commands` does the work.

The `durable` command itself, its other commands and the handling of errors are in `durable_cli`, which
imports this module by name when one of these two commands is used.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

DEFAULT_LISTEN = "127.0.0.1:50051"
DEFAULT_HTTP = "127.0.0.1:8080"
DEFAULT_NODE_LISTEN = "127.0.0.1:0"

F = TypeVar("F", bound=Callable[..., Any])


def _options(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def refuse_secret(context: click.Context, parameter: click.Parameter, url: str) -> str:
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
        callback=refuse_secret,
        help="Use this NATS system, not the embedded.  [env: DURABLE_NATS_URL]",
    ),
    click.option(
        "--replicas",
        default=0,
        metavar="N",
        help="Keep the log on so many NATS servers.  [default: 1, with --peers all]",
    ),
    click.option(
        "--snapshots",
        default="",
        metavar="URL|cluster|none",
        envvar="DURABLE_SNAPSHOTS",
        help="Keep snapshots of the store here.  [default: cluster with --nats, else none]",
    ),
    click.option(
        "--public-url",
        default="",
        metavar="URL",
        envvar="DURABLE_PUBLIC_URL",
        help="HTTP's address for the outside world, behind a proxy.  [env: DURABLE_PUBLIC_URL]",
    ),
    click.option(
        "--allowed-host",
        "allowed_hosts",
        multiple=True,
        metavar="NAME",
        envvar="DURABLE_ALLOWED_HOSTS",
        help="Serve HTTP under this name too; may be repeated.  [env: DURABLE_ALLOWED_HOSTS]",
    ),
    click.option(
        "--webhook-key-file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Sign webhooks with the first key in it, accept all. Or in DURABLE_WEBHOOK_KEY.",
    ),
    click.option(
        "--webhook-secrets-dir",
        type=click.Path(file_okay=False, exists=True, path_type=Path),
        help="What senders of webhooks sign with: a file for each secret.",
    ),
    click.option("--insecure", is_flag=True, help="Allow addresses beyond loopback without TLS."),
    click.option(
        "--channelz", is_flag=True, help="Show gRPC's connections to who asks (channelz)."
    ),
    click.option(
        "--ready-file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Write the address here, as JSON, once everything serves.",
    ),
)


@click.command()
@_SERVER_OPTIONS
@click.option("--http", default="", metavar="HOST:PORT", help="Serve plain HTTP here too.")
@click.option(
    "--partitions",
    default=0,
    metavar="N",
    help="Make a new system with so many partitions.  [default: what it has, or 1]",
)
@click.option(
    "--node",
    default="",
    metavar="NAME",
    envvar="DURABLE_NODE",
    help="Share the partitions with other nodes, under this name.  [env: DURABLE_NODE]",
)
@click.option(
    "--peers",
    default="",
    metavar="NAME=HOST:PORT,...",
    envvar="DURABLE_PEERS",
    help="Form a cluster of the embedded NATS servers of these nodes.  [env: DURABLE_PEERS]",
)
@click.option("--cluster", default="", metavar="NAME", help="Its name.  [default: durable]")
@click.option(
    "--cluster-secret-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What its nodes show each other; beyond loopback. Or in DURABLE_CLUSTER_SECRET.",
)
@click.option(
    "--node-listen",
    default=DEFAULT_NODE_LISTEN,
    show_default=True,
    metavar="HOST:PORT",
    help="Serve the other nodes here.",
)
@click.option(
    "--advertise",
    default="",
    metavar="HOST",
    envvar="DURABLE_ADVERTISE",
    help="Where others reach this node.  [default: the host of --listen]",
)
@click.option(
    "--standbys", default=1, show_default=True, metavar="N", help="Nodes that follow a partition."
)
def server(**settings: Any) -> None:
    """Run the control plane."""
    from . import commands

    commands.run_server(**settings)


@click.command()
@click.argument("modules", nargs=-1, required=True, metavar="MODULE...")
@_SERVER_OPTIONS
@click.option(
    "--http",
    default=DEFAULT_HTTP,
    show_default=True,
    metavar="HOST:PORT",
    help="Serve plain HTTP here.",
)
@click.option("--no-http", is_flag=True, help="Do not serve plain HTTP.")
@click.option(
    "--service",
    "services",
    multiple=True,
    metavar="NAME=HOST:PORT",
    help="Where a gRPC service is that workflows call; may be repeated.",
)
@click.option("--no-reload", is_flag=True, help="Do not restart the worker when code changes.")
@click.pass_context
def dev(context: click.Context, /, **settings: Any) -> None:
    """Run a control plane and a worker for MODULE... in one command."""
    from . import commands

    source = context.get_parameter_source("http")
    commands.run_dev(**settings, http_given=source is not click.core.ParameterSource.DEFAULT)
