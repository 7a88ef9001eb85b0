"""What the commands that ask the control plane share: their options, and the connection.

A person waits, so a control plane that is away is an error after a few seconds. Only commands that
wait for work (`invoke`, `watch`) are patient with one that was there before.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    import durable

CALL_SECONDS: Final = 5.0
"""How long one request may take, with its retries."""


@dataclass(frozen=True, slots=True)
class Session:
    """The options of one run of a command."""

    address: str | None
    insecure: bool
    json: bool

    def client(self, timeout: float | None = CALL_SECONDS) -> durable.Client:
        """Opens a client; raises click.UsageError for a bad address."""
        import durable

        if timeout is not None and not logging.getLogger().isEnabledFor(logging.INFO):
            # The error comes soon; that a request is being repeated until then is no news.
            logging.getLogger("durable.client").setLevel(logging.ERROR)
        try:
            return durable.Client(self.address, timeout=timeout, insecure=self.insecure)
        except ValueError as error:
            raise address_error(error) from error


def address_error(error: ValueError) -> click.UsageError:
    """Makes a wrong usage of an address that the SDK refuses."""
    # The SDK's way out is an argument of a call; here it is an option.
    text = str(error).replace("pass insecure=True", "add --insecure")
    return click.UsageError(text.replace(" (or pass tls=...)", ""))


_OPTIONS: Final = (
    click.option(
        "--address",
        metavar="HOST:PORT",
        help="The control plane.  [default: DURABLE_ADDRESS, or 127.0.0.1:50051]",
    ),
    click.option("--insecure", is_flag=True, help="Allow an address beyond loopback without TLS."),
    click.option("--json", "as_json", is_flag=True, help="Write JSON."),
    click.option(
        "--debug", is_flag=True, expose_value=False, help="Show where an error came from."
    ),
)


def client_command(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the common options; it is called with a Session first."""

    @functools.wraps(function)
    def run(*, address: str | None, insecure: bool, as_json: bool, **rest: Any) -> None:
        function(Session(address, insecure, as_json), **rest)

    decorated: Callable[..., None] = run
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated
