"""What keeps web pages away from a control plane without authentication.

A page in a browser of this machine can send requests to a loopback port. Such a request says where it
comes from: one of another origin is refused, unless it only opens our own page. And a page whose own
name was made to point at loopback (DNS rebinding) is told by its `Host`: on a loopback address only
loopback names are served, unless the control plane was told that its network is its own
(`--insecure`).
"""

from __future__ import annotations

import ipaddress

from starlette.requests import Request

from .errors import refused


def check(request: Request, *, any_host: bool) -> None:
    """Raises HttpError for a request that a web page of somebody else may have sent."""
    host = request.headers.get("host", "")
    origin = request.headers.get("origin")
    foreign = request.headers.get("sec-fetch-site") in ("cross-site", "same-site")
    if (foreign and not _is_link(request)) or (
        origin is not None and origin.partition("://")[2] != host
    ):
        raise refused(
            403, "PERMISSION_DENIED", "ORIGIN_REFUSED", "web pages of another origin are not served"
        )
    if not (any_host or is_loopback(_without_port(host))):
        raise refused(
            403,
            "PERMISSION_DENIED",
            "HOST_REFUSED",
            f"the host {host[:100]!r} is not served: a proxy must send a loopback name as Host",
            host=host[:100],
        )


def _is_link(request: Request) -> bool:
    """Says whether somebody follows a link to our page, which then asks for all else itself."""
    return (
        request.method == "GET"
        and request.url.path == "/"
        and request.headers.get("sec-fetch-mode") == "navigate"
        and request.headers.get("sec-fetch-dest") == "document"
    )


def is_loopback(host: str) -> bool:
    """Says whether a name or address is this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _without_port(host: str) -> str:
    name, separator, port = host.rpartition(":")
    return name if separator and port.isdecimal() else host
