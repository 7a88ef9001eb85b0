"""Futures whose error may stay unread."""

from __future__ import annotations

import asyncio
from typing import Any


def fail(future: asyncio.Future[Any], error: BaseException) -> None:
    """Sets the error of a future, unless that is done.

    asyncio logs an error that nobody has read when its future is removed. This one counts as read, for
    futures that nobody has to wait for.
    """
    if not future.done():
        future.set_exception(error)
        future.exception()
