"""The check of `durable doctor` for builds that something needs and that have no worker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from .checks import OK, WARN, Check
from .deployments import needs_worker

if TYPE_CHECKING:
    import durable

_SHOWN: Final = 5


def build_checks(found: durable.Deployments) -> Iterator[Check]:
    """Checks builds that invocations are pinned to, and those that get new invocations."""
    missing = [it for it in found.deployments if needs_worker(it, found.routes)]
    for it in missing[:_SHOWN]:
        routed = [
            route.handler
            for route in found.routes
            if it.build_id in (route.build_id, route.ramping_build_id)
        ]
        text = f"build {it.build_id} has no worker"
        advice = "start one"
        if it.pinned_count:
            plural = "s are" if it.pinned_count != 1 else " is"
            text += f", and {it.pinned_count} invocation{plural} pinned to it"
            advice += f", or durable repin --from {it.build_id} --to BUILD --module MODULE"
        if routed:
            names = ", ".join(routed[:_SHOWN]) + (", …" if len(routed) > _SHOWN else "")
            text += f", and new invocations of {names} go to it"
            advice += f", or durable rollback {it.build_id}"
        yield Check(WARN, "builds", text, advice)
    if len(missing) > _SHOWN:
        more = f"{len(missing) - _SHOWN} more builds are needed and have no worker"
        yield Check(WARN, "builds", more, "durable deployments")
    if found.deployments and not missing:
        count = len(found.deployments)
        text = f"{count} build{'s' * (count != 1)}, and all that are needed have workers"
        yield Check(OK, "builds", text, "")
