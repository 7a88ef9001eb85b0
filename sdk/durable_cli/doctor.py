"""`durable doctor`: checks what a system needs to run, and says what to do about problems.

There are three parts: what a client needs (an address that responds, versions that fit, workers, a
worker of each build that something needs, a correct clock; each of several addresses is checked by
itself), what the nodes of a cluster say of each
other (`cluster_checks`), and what a control plane on this machine needs (a nats-server, a data dir that
is writable, fast and has space; see `local_checks`).
A warning is something that works today and will cause trouble; only a failure makes the exit code 1.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from . import output
from .build_checks import build_checks
from .checks import FAIL, OK, WARN, Check
from .client_command import ClientContext, client_command
from .cluster_checks import cluster_checks
from .errors import FAILED, CommandError, one_line
from .local_checks import local_checks
from .times import length_text

if TYPE_CHECKING:
    import durable

_SLOW: Final = timedelta(milliseconds=100)
_OFF: Final = timedelta(seconds=2)


@click.command()
@click.option(
    "--data-dir",
    default=".durable",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where a control plane on this machine keeps its data.",
)
@client_command
def doctor(context: ClientContext, data_dir: Path) -> None:
    """Check what is needed to run, and say what to do."""
    checks: list[Check] = []
    for check in (*_versions(), *_server(context), *local_checks(data_dir)):
        checks.append(check)
        if not context.json:
            verdict = output.coloured(check.verdict.ljust(4))
            output.echo(f"{verdict}  {check.name.ljust(12)}  {output.clean(check.found)}")
            if check.advice:
                output.echo(f"{' ' * 20}{output.clean(check.advice)}")
    if context.json:
        output.write_json([check._asdict() for check in checks])
    failed = [check.name for check in checks if check.verdict == FAIL]
    if failed:
        names = ", ".join(dict.fromkeys(failed))
        raise CommandError(f"{len(failed)} of {len(checks)} checks failed: {names}", FAILED)


def _versions() -> Iterator[Check]:
    yield Check(OK, "python", f"{sys.version.split()[0]} at {sys.executable}", "")
    try:
        packages = ", ".join(f"{it} {version(it)}" for it in ("durable-grpc", "grpcio", "protobuf"))
    except PackageNotFoundError as error:
        yield Check(
            WARN, "packages", f"{error.name} is not installed as a package", "pip install ."
        )
    else:
        yield Check(OK, "packages", packages, "")


class _Answer(NamedTuple):
    """What a node has said."""

    info: durable.ServerInfo
    at: datetime
    """When it came, by this machine's clock."""
    took: timedelta
    workers: list[durable.WorkerInfo]
    handlers: list[durable.Handler]
    cluster: durable.Cluster | None
    """None if this credential may not see it."""
    builds: durable.Deployments


def _server(context: ClientContext) -> Iterator[Check]:
    """Checks each address, and the workers as a node that answers knows them."""

    asked: list[tuple[str, _Answer | durable.RpcError]] = [
        (str(it.address), _ask(it)) for it in context.for_each_address()
    ]
    answers = [answer for _, answer in asked if isinstance(answer, _Answer)]
    for address, answer in asked:
        place = f"{address}: " if len(asked) > 1 else ""
        if isinstance(answer, _Answer):
            for check in _node(answer):
                yield check._replace(found=place + check.found)
        elif answers:
            advice = "the other nodes serve; start this one, or take it out of the list"
            yield Check(WARN, "server", one_line(answer), advice)
        else:
            yield Check(FAIL, "server", one_line(answer), "")
    if answers:
        yield _workers(answers[0].workers, answers[0].handlers)
        yield from build_checks(answers[0].builds)
        clusters = [it.cluster for it in answers if it.cluster is not None]
        if clusters:
            yield from cluster_checks(clusters)
        else:
            yield Check(OK, "cluster", "not checked: this credential may not see the nodes", "")


def _ask(context: ClientContext) -> _Answer | durable.RpcError:
    import durable

    with context.client(3.0) as client:
        began = time.monotonic()
        try:
            info = client.server_info()
            now, took = datetime.now(UTC), timedelta(seconds=time.monotonic() - began)
            workers, handlers = client.list_workers(), client.list_handlers()
            builds = client.list_deployments()
            cluster = _cluster(client)
            return _Answer(info, now, took, workers, handlers, cluster, builds)
        except durable.RpcError as error:
            return error


def _cluster(client: durable.Client) -> durable.Cluster | None:
    import durable

    try:
        return client.cluster()
    except durable.PermissionDeniedError:  # it is of the whole system, and a namespace is a part
        return None


def _node(answer: _Answer) -> Iterator[Check]:
    info, took = answer.info, answer.took
    shape = f"epoch {info.epoch}"
    if info.partition_count > 1:
        shape = f"{info.partition_count} partitions"
    found = f"version {info.version}, {shape}, answered in {length_text(took)}"
    slow = "the network or the machine is slow; steps cannot be quicker than this"
    yield Check(WARN if took > _SLOW else OK, "server", found, slow if took > _SLOW else "")
    yield _protocol(info)
    yield check_clock(info, answer.at)


def _protocol(info: durable.ServerInfo) -> Check:
    from durable import PROTOCOL_VERSION as ours

    first, last = info.protocol_version_min, info.protocol_version_max
    found = f"worker protocol {ours} here, {first} to {last} there"
    if first <= ours <= last:
        return Check(OK, "protocol", found, "")
    side = "this package" if ours < first else "the control plane"
    return Check(FAIL, "protocol", found, f"update {side}")


def check_clock(info: durable.ServerInfo, here: datetime) -> Check:
    """Compares the server's clock with this machine's at the time of the response."""
    if info.time is None:
        return Check(OK, "clock", "this server does not tell its own", "")
    ahead = info.time - here
    if abs(ahead) < _OFF:
        return Check(OK, "clock", f"the server's is this one's within {_OFF.seconds} s", "")
    side = "ahead of" if ahead > timedelta() else "behind"
    found = f"the server's is {abs(ahead).total_seconds():.0f} s {side} this one"
    return Check(
        WARN, "clock", found, "set both by NTP: delays and start times follow the server's"
    )


def _workers(workers: list[durable.WorkerInfo], handlers: list[durable.Handler]) -> Check:
    if not workers:
        return Check(WARN, "workers", "none is connected", "start one: durable worker MODULE")
    served = {name for it in workers for name in it.handlers}
    idle = sorted(it.name for it in handlers if it.pending_count and it.name not in served)
    found = f"{len(workers)} connected, {len(served)} handlers served"
    if idle:
        names = ", ".join(idle[:5])
        return Check(WARN, "workers", found, f"work waits for handlers that nobody serves: {names}")
    return Check(OK, "workers", found, "")
