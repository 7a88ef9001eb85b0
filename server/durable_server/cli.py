"""The command line options of `durable server` and `durable dev`; `commands` does the work.

The `durable` command itself, its other commands and the handling of errors are in `durable_cli`, which
imports this module by name when one of these two commands is used.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from durable_processes.option import PROCESSES_MAX, processes_option

from .core.limits import Limits

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


def _limits(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> Limits:
    """Returns the limits with those that are given."""
    try:
        return Limits().with_client_limits(given)
    except ValueError as error:
        raise click.UsageError(f"--limit {error}") from error


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
        "--codec-endpoint",
        default="",
        metavar="URL",
        envvar="DURABLE_CODEC_ENDPOINT",
        help="Let the page decode values there.  [env: DURABLE_CODEC_ENDPOINT]",
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
    click.option("--auth", is_flag=True, help="Authenticate callers on loopback too."),
    click.option(
        "--auth-file",
        type=click.Path(dir_okay=False, exists=True, path_type=Path),
        metavar="FILE",
        envvar="DURABLE_AUTH_FILE",
        help="Trust these issuers of JWTs and certificates, as TOML.  [env: DURABLE_AUTH_FILE]",
    ),
    click.option(
        "--no-auth", is_flag=True, help="Do not authenticate callers, not even beyond loopback."
    ),
    click.option(
        "--admin-token-file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="The first API token is here, or is written here.  [default: DATA_DIR/admin-token]",
    ),
    click.option(
        "--audit",
        default="",
        metavar="FILE|-",
        help="Append each call that changes something here, as a line of JSON; - is stdout.",
    ),
    click.option(
        "--audit-log/--no-audit-log",
        default=None,
        help="Keep these calls in NATS too, for `durable audit`.  [default: if callers authenticate]",
    ),
    click.option(
        "--audit-days",
        default=90,
        show_default=True,
        metavar="N",
        help="How long they are kept there.",
    ),
    click.option("--audit-strict", is_flag=True, help="Refuse them while they cannot be kept."),
    click.option(
        "--channelz", is_flag=True, help="Show gRPC's connections to who asks (channelz)."
    ),
    click.option(
        "--limit",
        "limits",
        multiple=True,
        metavar="NAME=N",
        callback=_limits,
        help="Change a limit on what clients cost, as in docs/limits.md; may be repeated.",
    ),
    click.option(
        "--ready-file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Write the address here, as JSON, once everything serves.",
    ),
)


def _file(option: str, variable: str, text: str) -> Callable[[Any], Any]:
    return click.option(
        option,
        type=click.Path(dir_okay=False, path_type=Path),
        envvar=variable,
        help=f"{text}  [env: {variable}]",
    )


# The names of the variables are not those of clients: a node may be a client of another one too.
_TLS_OPTIONS = _options(
    _file("--tls-cert", "DURABLE_SERVER_TLS_CERT", "Serve with TLS, with this certificate."),
    _file("--tls-key", "DURABLE_SERVER_TLS_KEY", "The private key of --tls-cert."),
    _file(
        "--tls-client-ca",
        "DURABLE_SERVER_TLS_CLIENT_CA",
        "Clients must have a certificate of an authority in this file.",
    ),
    _file(
        "--tls-node-ca",
        "DURABLE_SERVER_TLS_NODE_CA",
        "The authorities of other nodes; if not given, those of clients.",
    ),
    _file("--nats-ca", "DURABLE_NATS_CA", "The authorities of the NATS system of --nats."),
    _file("--nats-cert", "DURABLE_NATS_CERT", "The certificate to present to it."),
    _file("--nats-key", "DURABLE_NATS_KEY", "The private key of --nats-cert."),
)


@click.command()
@_SERVER_OPTIONS
@_TLS_OPTIONS
@click.option("--http", default="", metavar="HOST:PORT", help="Serve HTTP here too.")
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
    "--format-level",
    default=0,
    metavar="N",
    help="Let the system's format level rise up to N only.  [default: as this version reads]",
)
@click.option(
    "--standbys", default=1, show_default=True, metavar="N", help="Nodes that follow a partition."
)
@click.option(
    "--lease",
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long after this node was last heard others lead its partitions.",
)
@click.option(
    "--processes",
    default="1",
    show_default=True,
    callback=processes_option,
    metavar="N|auto",
    help=f"Use so many processes, 1 to {PROCESSES_MAX}; auto: one for each CPU.",
)
@click.pass_context
def server(context: click.Context, /, **settings: Any) -> None:
    """Run the control plane."""
    from . import commands

    commands.run_server(started=context.obj, **settings)


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
