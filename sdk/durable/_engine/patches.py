"""Patches: which branch of changed code a program takes, so that journals from before a change replay.

`ctx.patched(name)` guards a change of a workflow's operations. A journal that went past the call
before the change was made has another entry there: the answer is False, and nothing is recorded. A
program for which the call is new gets an entry of the kind PATCH, and True; a replay finds it.

`ctx.deprecate_patch(name)` stands in place of the question when no journal needs the old branch any
more. By the same rule it records a DEPRECATED_PATCH, so that code that still asks goes on with this
journal: during a rolling deploy, and after a rollback. Code without any call goes past such an entry.

Both look only at the index of the next operation, so the order of the operations decides, as for every
other check against the journal. A name gets one answer for the whole run of a program: it may be asked
about in a loop, and in several places.

A patch is sent at once, even while other entries wait for discarded steps. A later entry may be in the
log before those, and a replay must not find it without the patch.
"""

from __future__ import annotations

from typing import Final

from .entry_kinds import DEPRECATED_PATCH, PATCH
from .operations import Operations


class Patches:
    """The patches that the program of one attempt asks about."""

    __slots__ = ("_operations",)

    def __init__(self, operations: Operations) -> None:
        self._operations: Final = operations

    def ask(self, name: str) -> bool:
        """Returns whether the program runs with a change; see `Context.patched`."""
        operations = self._operations
        operations.check_patch("ctx.patched", name)
        answer = operations.patches.get(name)
        if answer is None:
            met = operations.meets_patch(name)
            answer = met is not False
            if answer:
                index = operations.begin(PATCH, name)
                operations.patch_count += 1
                if not met:
                    operations.outbox.entry(index, PATCH, name)
            operations.patches[name] = answer
        return answer

    def deprecate(self, name: str) -> None:
        """Takes the place of a question whose answer is True; see `Context.deprecate_patch`."""
        operations = self._operations
        operations.check_patch("ctx.deprecate_patch", name)
        if name in operations.patches or name in operations.deprecated:
            return
        met = operations.meets_patch(name)
        if met is False:
            operations.deprecated[name] = None
            return
        index = operations.begin(DEPRECATED_PATCH, name)
        operations.patch_count += 1
        if not met:
            operations.outbox.entry(index, DEPRECATED_PATCH, name)
        operations.patches[name] = True
