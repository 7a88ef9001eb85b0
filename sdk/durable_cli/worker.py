"""`durable worker`: runs a worker for the workflows of some modules until a signal.

With --processes it runs N workers, in processes that `worker_processes` supervises.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Final

import click

from durable_processes.option import PROCESSES_MAX, processes_option

from . import output
from .client_command import address_error
from .parent_link import parent_link, reporting_errors
from .values import parse_pairs

if TYPE_CHECKING:
    from durable._definitions.versioning import Versioning

DEFAULT_ADDRESS = "127.0.0.1:50051"
_SILENT_SECONDS: Final = 2.0
"""How long importing the modules may take before a note says so."""


@click.command()
@click.argument("modules", nargs=-1, required=True, metavar="MODULE...")
@click.option(
    "--address",
    default=lambda: os.environ.get("DURABLE_ADDRESS", DEFAULT_ADDRESS),
    metavar="HOST:PORT[,...]",
    help=f"The control plane, or all its nodes.  [default: DURABLE_ADDRESS, or {DEFAULT_ADDRESS}]",
)
@click.option(
    "--service",
    "services",
    multiple=True,
    metavar="NAME=HOST:PORT",
    help="Where a gRPC service is that workflows call; may be repeated.",
)
@click.option(
    "--processes",
    default="1",
    show_default=True,
    callback=processes_option,
    metavar="N|auto",
    help=f"Run so many workers, 1 to {PROCESSES_MAX}, each in a process; auto: one for each CPU.",
)
@click.option(
    "--metrics",
    default="",
    metavar="HOST:PORT",
    help="Serve /metrics here; a second process at the next port, and so on.",
)
@click.option("--insecure", is_flag=True, help="Allow an address beyond loopback without TLS.")
def worker(
    modules: Sequence[str],
    address: str,
    services: Sequence[str],
    metrics: str,
    insecure: bool,
    processes: int,
    max_concurrent: int,
    max_threads: int,
    drain_timeout: timedelta,
    suspend_after: timedelta | None,
    codec: str,
    build_id: str,
    versioning: Versioning,
) -> None:
    """Run a worker that serves the workflows in MODULE... (a module's name or a .py file)."""
    for text in services:
        if not text.partition("=")[2]:
            raise click.UsageError(f"--service {text!r} is not NAME=HOST:PORT")
    addresses = parse_pairs(services, "--service")
    link = parent_link(drain_timeout)
    number = 1 if link is None else link.number
    if link is None and processes > 1:
        from .worker_processes import run_processes

        run_processes(processes, drain_timeout)
        return
    with nullcontext() if link is None else reporting_errors(link.link):
        # Import everything before the modules, because they may hide modules with the same name.
        from durable import Worker, load_codec, load_workflows, run_worker

        # Needs an extra dependency, prometheus-client.
        measured = import_module("durable_cli.worker_metrics").serving if metrics else None
        # Every process imports the same modules; one note is enough.
        with _note_if_slow(modules) if number == 1 else nullcontext():
            workflows = load_workflows(modules)
            encoding = load_codec(codec) if codec else None
        try:
            made = Worker(
                address,
                workflows=workflows,
                services=addresses or None,
                max_concurrent=max_concurrent,
                max_threads=max_threads,
                drain_timeout=drain_timeout,
                suspend_after=suspend_after,
                codec=encoding,
                build_id=build_id or None,
                versioning=versioning,
                insecure=insecure,
            )
        except ValueError as error:
            raise address_error(error) from error
        with ExitStack() as stack:
            if measured is not None:
                serving = measured(made, max_concurrent, metrics, process=number, insecure=insecure)
                served = stack.enter_context(serving)
                whose = "" if link is None else f" of process {number}"
                output.echo(f"durable: metrics{whose} on http://{served}/metrics")
            if link is not None:
                link.serve(made)
            run_worker(made, signals=link is None)


@contextmanager
def _note_if_slow(modules: Sequence[str]) -> Iterator[None]:
    """Writes a note if the block takes long: an import may load a model, or wait for a network."""
    text = f"durable: importing {', '.join(modules)} takes a while; nothing is served yet"
    timer = threading.Timer(_SILENT_SECONDS, output.note, [text])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
