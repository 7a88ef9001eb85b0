"""Options: what a client sends with each request, and the views that change it.

Options are frozen. `options()` returns a view: a copy of the client with other options on the same
connection, so that the options of a client that threads or tasks share never change. Options that
are not given stay as they are. `delay` and `start_time` exclude each other, so giving one removes
the other.
"""

from __future__ import annotations

import getpass
import socket
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, TypedDict

from .._common.durations import span, wait_seconds
from .._tracing.find import find_tracing
from .._tracing.interface import Tracing

DEFAULT_TIMEOUT_SECONDS: Final = 60.0


class Unset:
    """The type of UNSET."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset()
"""The default of arguments for which None is a value."""


@cache
def default_identity() -> str:
    """Returns who asks for a pause or a cancellation, by default: `user@host`."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user id without a name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


@dataclass(frozen=True, slots=True)
class InvokeOptions:
    """What an invocation is started with, besides its arguments, and the timeout of calls."""

    timeout: float | None
    partition_key: str = ""
    service: str = ""
    key: str = ""
    idempotency_key: str = ""
    headers: Mapping[str, str] | None = None
    delay: timedelta | None = None
    start_time: datetime | None = None
    priority: int = 0
    tracing: Tracing | None = None


class ViewOptions(TypedDict, total=False):
    """The options that a view may change, besides the object key; see `Client.options`."""

    partition_key: str
    service: str
    idempotency_key: str
    headers: Mapping[str, str] | None
    timeout: float | None
    delay: float | timedelta | None
    start_time: datetime | None
    priority: int


class ClientBase:
    """The part of both clients that does no I/O: the options and the views that change them."""

    _options: InvokeOptions
    _owner: bool
    """Whether this client opened the connection and closes it; views do not."""

    def __init__(self, timeout: float | timedelta | None) -> None:
        self._options = InvokeOptions(wait_seconds(timeout, "timeout"), tracing=find_tracing())
        self._owner = True

    def options(
        self,
        *,
        partition_key: str | Unset = UNSET,
        service: str | Unset = UNSET,
        key: str | Unset = UNSET,
        idempotency_key: str | Unset = UNSET,
        headers: Mapping[str, str] | Unset | None = UNSET,
        timeout: float | timedelta | Unset | None = UNSET,
        delay: float | timedelta | Unset | None = UNSET,
        start_time: datetime | Unset | None = UNSET,
        priority: int | Unset = UNSET,
    ) -> Any:
        """Returns a view of this client with other options; what is not given stays as it is.

        `partition_key` chooses the partition, `service` is a label, `key` the object key. With an
        `idempotency_key` a second start of the same work returns the first invocation. `headers`
        are passed to the handler. `timeout` bounds calls (seconds or a timedelta; 0 for one try
        without waiting, None for no bound). `delay` (likewise) starts the work that much later,
        `start_time` not before a time (UTC without a time zone). When invocations of a handler wait
        for a worker, those with a higher `priority` are dispatched first (any number that fits 32
        bits, 0 by default); children inherit it. The view shares the connection and need not be
        closed. Raises ValueError for `delay` with `start_time` and for a span of time out of range,
        TypeError for anything that is not a span of time.
        """
        changes: dict[str, Any] = {
            "partition_key": partition_key,
            "service": service,
            "key": key,
            "idempotency_key": idempotency_key,
            "headers": headers,
            "timeout": timeout,
            "delay": delay,
            "start_time": start_time,
            "priority": priority,
        }
        given = {name: value for name, value in changes.items() if value is not UNSET}
        if given.get("delay") is not None and given.get("start_time") is not None:
            raise ValueError("delay and start_time both say when to start; give one of them")
        if given.get("delay") is not None:
            given["delay"] = span(given["delay"], "delay")
            given["start_time"] = None
        elif given.get("start_time") is not None:
            given["delay"] = None
        if "timeout" in given:
            given["timeout"] = wait_seconds(given["timeout"], "timeout")
        view = copy(self)
        view._options = replace(self._options, **given)
        view._owner = False
        return view

    def _seconds(self, timeout: float | timedelta | Unset | None) -> float | None:
        """Returns the timeout of one call in seconds: its own if given, else the client's."""
        if isinstance(timeout, Unset):
            return self._options.timeout
        return wait_seconds(timeout, "timeout")
