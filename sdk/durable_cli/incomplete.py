"""Incomplete answers: the warning about partitions of a cluster that an answer lacks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from . import output

if TYPE_CHECKING:
    import durable


def warn_missing(partitions: Iterable[int], what: str) -> None:
    """Writes a line about partitions that no node leads to stderr, if there are any.

    `what` says what they leave out, like "invocations are missing".
    """
    numbers = sorted(set(partitions))
    if numbers:
        shown = ", ".join(map(str, numbers[:10])) + (", …" if len(numbers) > 10 else "")
        plural = "s" * (len(numbers) > 1)
        output.note(f"warning: {what}: no node leads partition{plural} {shown} now")


def query_up_to(
    client: durable.Client, filters: durable.Filters, count: int | None
) -> list[durable.Invocation]:
    """Returns up to so many invocations, all for None, and warns about partitions without a leader."""
    found: list[durable.Invocation] = []
    missing: set[int] = set()
    while True:
        page = client.query(**filters)
        found += page.invocations
        missing.update(page.missing_partitions)
        if not page.next_page_token or (count is not None and len(found) >= count):
            break
        filters = {**filters, "page_token": page.next_page_token}
    warn_missing(missing, "invocations are missing")
    return found[:count]
