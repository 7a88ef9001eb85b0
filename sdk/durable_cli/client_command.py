"""Client commands: the options and the connection of all commands that call the control plane.

A person waits for the command, so an unreachable control plane is an error after a few seconds.
Only commands that wait for an invocation (`invoke`, `watch`) tolerate that the control plane goes
away for longer, once it has responded.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    import durable
    from durable._common.addresses import Address

CALL_SECONDS: Final = 5.0
"""How long one request may take, including retries."""


@dataclass(frozen=True, slots=True)
class ClientContext:
    """The common options of one run of a command."""

    address: str | None
    """One address, or those of all nodes, separated by commas."""
    insecure: bool
    json: bool
    codec_endpoint: str = ""
    """The URL of the user's server that encodes and decodes values; "" for none."""

    def client(
        self, timeout: float | None = CALL_SECONDS, token: str | None = None
    ) -> durable.Client:
        """Opens a client; raises click.UsageError for a bad address or codec endpoint.

        `token` is the token that it shows; None for that of the environment or of the login.
        """
        import durable

        codec: durable.Codec | None = None

        if timeout is not None and not logging.getLogger().isEnabledFor(logging.INFO):
            # The error follows soon, so warnings about retries are not needed. The command may run in
            # a process that goes on.
            logger = logging.getLogger("durable.client")
            click.get_current_context().call_on_close(partial(logger.setLevel, logger.level))
            logger.setLevel(logging.ERROR)
        try:
            if self.codec_endpoint:
                from .codec_endpoint import EndpointCodec

                codec = EndpointCodec(self.codec_endpoint, insecure=self.insecure)
            return durable.Client(
                self.address,
                timeout=timeout,
                insecure=self.insecure,
                token=token,
                codec=codec,
            )
        except ValueError as error:
            raise address_error(error) from error

    def for_each_address(self) -> list[ClientContext]:
        """Returns a context for each of the addresses; raises click.UsageError for a bad one."""
        return [replace(self, address=it.text) for it in self.addresses()]

    def addresses(self) -> Sequence[Address]:
        """Returns the addresses; raises click.UsageError for a bad one."""
        from durable._common.addresses import parse_addresses

        try:
            return parse_addresses(self.address, insecure=self.insecure)
        except ValueError as error:
            raise address_error(error) from error


def address_error(error: ValueError) -> click.UsageError:
    """Returns the usage error for an address that the SDK refuses."""
    # The SDK's hint names an argument of a call; here it is an option.
    text = str(error).replace("pass insecure=True", "add --insecure")
    return click.UsageError(text.replace(" (or pass tls=...)", ""))


_OPTIONS: Final = (
    click.option(
        "--address",
        metavar="HOST:PORT[,...]",
        help="The control plane, or all its nodes.  [default: DURABLE_ADDRESS, or 127.0.0.1:50051]",
    ),
    click.option("--insecure", is_flag=True, help="Allow an address beyond loopback without TLS."),
    click.option(
        "--codec-endpoint",
        default="",
        metavar="URL",
        envvar="DURABLE_CODEC_ENDPOINT",
        help="Let this server encode and decode values.  [env: DURABLE_CODEC_ENDPOINT]",
    ),
    click.option("--json", "as_json", is_flag=True, help="Write JSON."),
    click.option(
        "--debug", is_flag=True, expose_value=False, help="Show where an error came from."
    ),
)


def client_command(function: Callable[..., None]) -> Callable[..., None]:
    """Adds the common options to a command, and passes a ClientContext as its first argument."""

    @functools.wraps(function)
    def run(
        *, address: str | None, insecure: bool, as_json: bool, codec_endpoint: str, **rest: Any
    ) -> None:
        function(ClientContext(address, insecure, as_json, codec_endpoint), **rest)

    decorated: Callable[..., None] = run
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated
