"""The origin policy: keeps web pages away from a control plane without authentication.

A page in a browser on this machine can send requests to a loopback port. Such a request has an Origin:
one of another origin is refused, unless it only opens our own page. A page whose own name was made to
resolve to loopback (DNS rebinding) is recognised by its `Host`: on a loopback address only loopback
names are served, and the names that the control plane was given.

Behind a proxy the browser uses another address than the control plane. `--public-url` is that address:
its host is served, and its origin counts as our own, whether the proxy passes on the name as `Host` or
sends a loopback name. `--allowed-host` adds names that are served. `Forwarded` and `X-Forwarded-*` are
not used, because any client can send them.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.requests import Request

from .errors import invalid, refused

_TARGET = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
CALLBACK = "/session/callback"
"""The path to which an issuer sends a browser back after a sign-in."""
_PORTS = {"http": "80", "https": "443"}


class OriginPolicy:
    """The hosts and origins that are served."""

    def __init__(
        self,
        *,
        public_url: str = "",
        allowed_hosts: Iterable[str] = (),
        any_host: bool,
        https: bool = False,
    ) -> None:
        """`any_host` permits every host where no allowed hosts are given.

        With `https`, origins without TLS are foreign.
        """
        self._https = https
        public = urlsplit(public_url)
        self._public_origin = f"{public.scheme}://{public.netloc}".lower() if public_url else ""
        allowed = [_normal(it) for it in allowed_hosts]
        self._any_host = any_host and not allowed
        # Proxies pass the name on with its port and without.
        self._hosts = {*allowed, _normal(without_port(public.netloc))} - {""}

    def check(self, request: Request, host: str, path: str, *, any_host: bool = False) -> None:
        """Raises HttpError for a request that a foreign web page may have sent.

        `host` is the authority of the request's target, `path` its path. With `any_host` only the
        origin is checked.
        """
        origin = request.headers.get("origin")
        foreign = request.headers.get("sec-fetch-site") in ("cross-site", "same-site")
        if (foreign and not _is_link(request, path)) or not (
            origin is None or self._is_own(origin.lower(), host.lower())
        ):
            raise refused(
                403,
                "PERMISSION_DENIED",
                "ORIGIN_REFUSED",
                "web pages of another origin are not served; behind a proxy, start the control"
                " plane with the --public-url that browsers have",
            )
        if not (any_host or self._is_served(host)):
            raise refused(
                403,
                "PERMISSION_DENIED",
                "HOST_REFUSED",
                f"the host {host[:100]!r} is not served: start the control plane with"
                " --allowed-host and that name, or let the proxy send a loopback name as Host",
                host=host[:100],
            )

    def _is_own(self, origin: str, host: str) -> bool:
        """Returns whether an origin is the one under which a browser knows this server."""
        scheme, separator, _ = origin.partition("://")
        public = self._public_origin
        if public and _same(f"{public.partition('://')[0]}://{host}", public):
            return _same(origin, public)  # the same name without TLS is another origin
        own = f"{'https' if self._https else scheme}://{host}"
        return bool(separator) and (_same(origin, own) or bool(public and _same(origin, public)))

    def _is_served(self, host: str) -> bool:
        name = without_port(host)
        return (
            self._any_host
            or is_loopback(name)
            or not self._hosts.isdisjoint((_normal(host), _normal(name)))
        )


def request_target(request: Request) -> tuple[str, str]:
    """Returns the authority and the undecoded path of a request's target.

    The target may be an absolute URL (`GET http://host/path`, as proxies send it), which then takes
    precedence over the Host header. Raises HttpError.
    """
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    try:
        path = raw.decode()
    except UnicodeDecodeError:
        raise invalid("path", "is not UTF-8") from None
    host = request.headers.get("host", "")
    match = None if path.startswith("/") else _TARGET.fullmatch(path)
    if match is None:
        return host, path
    scheme, host, path = match.groups()
    if scheme.lower() not in _PORTS or not host or "@" in host:
        raise invalid("path", f"{raw[:100].decode()!r} is no http://HOST[:PORT]/PATH")
    return host, path or "/"


def is_loopback(host: str) -> bool:
    """Returns whether a name or address is a loopback one."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def without_port(host: str) -> str:
    """Returns the name of `NAME:PORT`, or of `NAME`."""
    name, separator, port = host.rpartition(":")
    return name if separator and port.isdecimal() else host


def _normal(host: str) -> str:
    """Returns the normal form of a host: lower case, without a dot at the end."""
    name = without_port(host)
    return (name.rstrip(".") + host[len(name) :]).lower()


def _same(origin: str, other: str) -> bool:
    """Returns whether two origins are the same; the default port may be left out."""
    return _with_port(origin) == _with_port(other)


def _with_port(origin: str) -> str:
    scheme, _, host = origin.partition("://")
    return origin if without_port(host) != host else f"{origin}:{_PORTS.get(scheme, '')}"


def _is_link(request: Request, path: str) -> bool:
    """Returns whether the request opens our page by a link, or comes back from a sign-in.

    What the page itself sends is same-origin.
    """
    return (
        request.method == "GET"
        and path in ("/", CALLBACK)
        and request.headers.get("sec-fetch-mode") == "navigate"
        and request.headers.get("sec-fetch-dest") == "document"
    )
