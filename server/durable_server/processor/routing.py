"""The routing: which workers may take an invocation that waits.

What an invocation waits for (`Wanted`) follows from the log, when it is queued:

    it has a journal and is pinned     workers of its build, and no others
    it has a journal and is not        any worker; those of the version that has written the journal, if
                                       there are some
    it has none, its handler a route   workers of the build that the route says, and no others
    it has none, nor the handler one   workers that `for_new` chooses when one has a free slot

The first and the third are strict: an invocation waits while no such worker is connected, and the
control plane says so. Who has pinned a handler or promoted a build has asked for that. Nothing else is
strict: without pins and promotions, an invocation goes wherever a worker is free. See
docs/design/deployments.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..core.deployments import chosen_build
from ..core.model import Deployment, Invocation, Route
from .queue import Wanted
from .workers import Worker


def wanted_by(invocation: Invocation, routes: Mapping[str, Route]) -> Wanted:
    """Returns what an invocation waits for."""
    handler = invocation.handler
    if not (invocation.recorded or invocation.repinned):
        return wanted_by_new(handler, invocation.id, routes)
    if invocation.pinned:
        return Wanted(handler, "", invocation.build)
    if not invocation.recorded:
        return Wanted(handler)
    return Wanted(handler, invocation.recorded_by or invocation.version)


def wanted_by_new(handler: str, invocation_id: str, routes: Mapping[str, Route]) -> Wanted:
    """Returns what an invocation without a journal waits for."""
    route = routes.get(handler) if routes else None
    return Wanted(handler, "", "" if route is None else chosen_build(route, invocation_id))


def for_new(
    workers: Sequence[Worker], handler: str, deployments: Mapping[str, Deployment]
) -> Sequence[Worker]:
    """Returns those of a handler's connected workers that may take an invocation without a journal.

    It goes to a worker of a build that drains only if there is no other worker. If the handler is
    pinned in the build that was registered last, workers of that build get it, so that fewer and fewer
    invocations are pinned to older ones. If it is not, any worker where it is not pinned gets it.
    """

    def drains(worker: Worker) -> bool:
        build = deployments.get(worker.build_id)
        return build is not None and build.draining

    def number(worker: Worker) -> int:
        build = deployments.get(worker.build_id)
        return 0 if build is None else build.number

    able = [it for it in workers if not it.draining]
    able = [it for it in able if not drains(it)] or able
    latest = max(able, key=number, default=None)
    if latest is None:
        return able
    if handler in latest.pinned:
        return [it for it in able if it.build_id == latest.build_id]
    return [it for it in able if handler not in it.pinned]
