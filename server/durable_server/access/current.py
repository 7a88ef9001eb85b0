"""The access of the caller on whose behalf the current task runs.

It is set where a call is taken: by the interceptor of the gRPC server, and for calls of other nodes.
What a node does by itself has access to everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from .access import EVERYTHING, Access

_CURRENT: ContextVar[Access] = ContextVar("access", default=EVERYTHING)


def current() -> Access:
    """Returns the access of the current caller."""
    return _CURRENT.get()


@contextmanager
def acting_as(access: Access) -> Iterator[None]:
    """Makes an access the current one."""
    token = _CURRENT.set(access)
    try:
        yield
    finally:
        _CURRENT.reset(token)
