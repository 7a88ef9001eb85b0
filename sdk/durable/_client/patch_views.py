"""Views of patches: the changes of code that journals have recorded, and who needs which branch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from durable_proto.v1 import control_pb2

from .json_form import time_field, time_text

PatchStage = Literal["both", "new", "deprecated"]
"""Which code is still needed; see `Patch.stage`."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch in the code of a handler: see `ctx.patched`."""

    handler: str
    """The handler."""
    name: str
    """The patch's name."""
    build_ids: tuple[str, ...]
    """The builds that have recorded it in a journal that is kept, by name."""
    applied_count: int
    """How many invocations that have not ended have recorded it: they need the code with the change,
    and `ctx.patched` or `ctx.deprecate_patch`."""
    unapplied_count: int
    """How many others have a journal that none of these builds has begun: they may need the code
    without the change. At most 10,000 are counted in each partition."""
    unapplied_invocation_ids: tuple[str, ...]
    """Up to ten of the latter."""
    first_time: datetime | None
    """When an invocation that is kept recorded it first."""
    deprecated: bool
    """Whether a journal that is kept was written by code that has deprecated it."""

    @property
    def stage(self) -> PatchStage:
        """Which code journals still need.

        "both": both branches of `ctx.patched`. "new": the one with the change, so `ctx.patched` may be
        replaced by `ctx.deprecate_patch`, which must stay while `applied_count` is not 0. "deprecated":
        no call, so `ctx.deprecate_patch` may be removed.
        """
        if self.unapplied_count:
            return "both"
        return "deprecated" if self.deprecated and not self.applied_count else "new"

    @classmethod
    def of(cls, message: control_pb2.Patch) -> Patch:
        """Returns the view of a message."""
        return cls(
            handler=message.handler,
            name=message.name,
            build_ids=tuple(message.build_ids),
            applied_count=message.applied_count,
            unapplied_count=message.unapplied_count,
            unapplied_invocation_ids=tuple(message.unapplied_invocation_ids),
            first_time=time_field(message, "first_time"),
            deprecated=message.deprecated,
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, for JSON."""
        return {
            **asdict(self),
            "build_ids": list(self.build_ids),
            "unapplied_invocation_ids": list(self.unapplied_invocation_ids),
            "first_time": time_text(self.first_time),
            "stage": self.stage,
        }


class PatchList(list[Patch]):
    """The patches in journals, by handler and name."""

    missing_partitions: tuple[int, ...] = ()
    """Partitions whose journals are not counted, because no node leads them now: do not remove code
    because of such a list."""

    @classmethod
    def of(cls, response: control_pb2.ListPatchesResponse) -> PatchList:
        """Returns the view of an answer."""
        found = cls(map(Patch.of, response.patches))
        found.missing_partitions = tuple(response.missing_partitions)
        return found
