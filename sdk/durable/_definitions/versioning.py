"""The versioning policy of a handler: which workers go on with an invocation that has a journal.

    "auto"      any worker that serves the handler
    "pinned"    workers of the build that began the journal, and no others

A handler that does not say has the policy of its worker (`Worker(versioning=...)`), which is "auto" by
default. An invocation without a journal may begin on any build under both policies.
"""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

from durable_proto.v1 import invocation_pb2

Versioning: TypeAlias = Literal["auto", "pinned"]
"""A versioning policy; see the module's head."""

NUMBERS: Final[dict[Versioning, invocation_pb2.Versioning]] = {
    "auto": invocation_pb2.VERSIONING_AUTO,
    "pinned": invocation_pb2.VERSIONING_PINNED,
}
"""The number of each policy in messages."""


def check_versioning(versioning: Any, of: str) -> None:
    """Raises ValueError for what is no versioning policy; `of` names whose it is."""
    if not isinstance(versioning, str) or versioning not in NUMBERS:
        raise ValueError(f"{of}: versioning is {versioning!r}, and must be 'auto' or 'pinned'")
