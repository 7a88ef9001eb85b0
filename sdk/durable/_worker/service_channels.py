"""Service channels: the gRPC channels to the user's services, which durable calls use.

A service is known by its name, short (`HelloService`) or full (`hello.v1.HelloService`), and has an
address. The worker's argument `services` comes first, then the environment variable `DURABLE_SERVICES`
(`HelloService=127.0.0.1:9090,Other=grpcs://other:443`). One channel serves all services of an address.
It is opened at the first call and closed with the worker.

Services are usually called in plain text within a trusted network. So plain text needs no consent
here, unlike for the control plane's address; an address with `grpcs://` gets TLS.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

import grpc.aio

from .._common.addresses import Address, parse_address
from .._common.transport import open_async_channel

SERVICES_VARIABLE: Final = "DURABLE_SERVICES"


def parse_services(text: str) -> dict[str, str]:
    """Reads `NAME=HOST:PORT,NAME=HOST:PORT`; raises ValueError for anything else."""
    services: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, separator, address = item.partition("=")
        if not separator or not name.strip() or not address.strip():
            raise ValueError(f"{SERVICES_VARIABLE} has {item!r}, which is not NAME=HOST:PORT")
        services[name.strip()] = address.strip()
    return services


class ServiceChannels:
    """The channels to the services that one worker knows."""

    def __init__(self, services: Mapping[str, str] | None) -> None:
        """Raises ValueError for an address that cannot be read."""
        named = {**parse_services(os.environ.get(SERVICES_VARIABLE, "")), **(services or {})}
        self._addresses: Final[dict[str, Address]] = {
            name: parse_address(address, insecure=True) for name, address in named.items()
        }
        self._channels: Final[dict[str, grpc.aio.Channel]] = {}

    def channel(self, service: str) -> grpc.aio.Channel:
        """Returns the channel to a service; raises LookupError for one without an address."""
        channel = self._channels.get(service)
        if channel is None:
            channel = self._channels[service] = self._open(service)
        return channel

    def _open(self, service: str) -> grpc.aio.Channel:
        short = service.rpartition(".")[2]
        address = self._addresses.get(service) or self._addresses.get(short)
        if address is None:
            known = ", ".join(sorted(self._addresses)) or "none"
            raise LookupError(
                f"this worker knows no address of the service {service!r} (it knows: {known});"
                f" start it with `--service {short}=HOST:PORT`, set {SERVICES_VARIABLE}, or pass"
                " Worker(services=...)"
            )
        for name, other in self._addresses.items():
            if other == address and name in self._channels:
                return self._channels[name]
        # By default a gRPC server closes connections with frequent pings, and users' servers may.
        channel = open_async_channel(address, keepalive=False)
        for name, other in self._addresses.items():
            if other == address:
                self._channels[name] = channel
        return channel

    async def close(self) -> None:
        """Closes all channels."""
        for channel in set(self._channels.values()):
            await channel.close()
        self._channels.clear()
