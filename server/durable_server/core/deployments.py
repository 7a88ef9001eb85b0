"""Deployments: the builds that workers have registered, and which of them gets which invocations.

A build is code with an id; its workers serve handlers. A route says which build is current for a
handler, so gets its new invocations. The log of partition 0 decides about both, because they must be
the same for all partitions and one log has one order. Its rules tell the other partitions by messages
what has changed (`DeploymentsChanged`), so each has the builds and routes that its dispatcher needs, a
moment later.

Invariants:
- A current or ramping build is registered and does not drain: a promotion or rollback to a draining
  build ends its drain, and a current build cannot be drained.
- A build that a route names is not forgotten, nor one in use: its workers register it again whenever
  they connect, and then it would count as the latest and get what is new.
- A build's handlers only grow: workers of one build may serve different handlers, and other code is
  another build.

docs/design/deployments.md says why it is so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from . import object_locks
from .dedup import done, subject_or_reply
from .effects import Changed, Ready, Rerouted
from .messages import DeploymentsChanged
from .model import Deployment, Invocation, Route, State
from .records import BuildDrained, BuildPromoted, BuildRolledBack, DeploymentRegistered, Repinned
from .replies import (
    BuildInUse,
    BuildMissing,
    HandlerNotServed,
    NothingToRollBack,
    Refused,
    Reply,
    Routed,
)
from .states import FINAL
from .transaction import Transaction

BUILDS_MAX: Final = 200
"""How many builds are kept; a further one forgets the oldest that is not in use and no route names."""
_ROUTES_IN_MESSAGE: Final = 100
"""How many routes one message tells, so that it is far below the limits of a batch."""
_NAMED_MAX: Final = 10


def chosen_build(route: Route, invocation_id: str) -> str:
    """Returns the build that gets an invocation without a journal, by the route of its handler.

    The last digits of an id are as good as random, and the same invocation gets the same answer as long
    as the route stays as it is. A build that is being ramped up keeps what it has when its share grows.
    """
    if route.ramping and int(invocation_id[-4:], 16) % 100 < route.percent:
        return route.ramping
    return route.build_id


def deployment_registered(tx: Transaction, record: DeploymentRegistered) -> Reply:
    """Notes a build, or that it serves more handlers than is known."""
    deployments = tx.partition.deployments
    known = deployments.get(record.build_id)
    if known is not None:
        handlers = tuple(sorted({*known.handlers, *record.handlers}))
        if handlers != known.handlers:
            # The other partitions do not know handlers of builds, so they hear nothing.
            _write(tx, [known._replace(handlers=handlers)])
        return None
    number = 1 + max((it.number for it in deployments.values()), default=0)
    deployment = Deployment(record.build_id, tuple(sorted(record.handlers)), number, tx.now_ms)
    _change(tx, [deployment], [], _too_many(tx, record.in_use))
    return None


def _too_many(tx: Transaction, in_use: Sequence[str]) -> Sequence[str]:
    """Returns the build to forget before another one is added, if there are too many."""
    deployments = tx.partition.deployments
    if len(deployments) < BUILDS_MAX:
        return ()
    routes = tx.partition.routes.values()
    kept = {build for it in routes for build in (it.build_id, it.ramping, it.previous)}
    kept.update(in_use)
    others = [it for it in deployments.values() if it.build_id not in kept]
    return [min(others, key=_number).build_id] if others else ()


def build_promoted(tx: Transaction, record: BuildPromoted) -> Reply:
    """Makes a build the current one of handlers, or gives it a share of new invocations."""
    deployment = tx.partition.deployments.get(record.build_id)
    if deployment is None:
        return _missing(tx)
    if repeated := _repeated(tx, record):
        return Routed(repeated)
    handlers = record.handlers or deployment.handlers
    changed: list[Route] = []
    for handler in handlers:
        if record.automatic:
            route = Route(handler, "")
        elif handler not in deployment.handlers:
            return HandlerNotServed(handler)
        else:
            route = _promoted(tx, handler, record.build_id, record.percent)
        changed.append(_by(tx, route, record))
    if record.automatic:
        routes = [it for it in changed if it.handler in tx.partition.routes]
        if routes:
            _change(tx, [], routes)
    else:
        current = (it.build_id for it in changed)
        _change(tx, _undrained(tx, [record.build_id, *current]), changed)
    return Routed(tuple(changed))


def _promoted(tx: Transaction, handler: str, build_id: str, percent: int) -> Route:
    """Returns the route of a handler after a promotion."""
    route = tx.partition.routes.get(handler)
    if route is None:
        # Nobody has promoted a build of this handler before: the latest other one counts as current.
        route = Route(handler, latest_other(tx.partition.deployments, handler, build_id))
    # The other build of the two that share the new invocations from now on.
    other = route.build_id
    if other == build_id:
        other = route.ramping or route.previous
    if percent >= 100 or not other:
        if route.build_id == build_id:
            return Route(handler, build_id, previous=route.previous)
        return Route(handler, build_id, previous=route.build_id)
    if route.build_id == build_id and route.ramping:
        return route._replace(percent=100 - percent)
    previous = "" if route.build_id == build_id else route.previous
    return Route(handler, other, build_id, percent, previous)


def latest_other(deployments: Mapping[str, Deployment], handler: str, build_id: str) -> str:
    """Returns the latest build of a handler that does not drain, but for one; "" if there is none."""
    others = (
        it
        for it in deployments.values()
        if handler in it.handlers and it.build_id != build_id and not it.draining
    )
    latest = max(others, key=_number, default=None)
    return "" if latest is None else latest.build_id


def build_rolled_back(tx: Transaction, record: BuildRolledBack) -> Reply:
    """Takes the last promotion of a build back."""
    build_id = record.build_id
    if build_id not in tx.partition.deployments:
        return _missing(tx)
    if repeated := _repeated(tx, record):
        return Routed(repeated)
    changed: list[Route] = []
    for route in _by_handler(tx):
        if record.handlers and route.handler not in record.handlers:
            continue
        if route.ramping == build_id:
            changed.append(_by(tx, route._replace(ramping="", percent=0), record))
        elif route.build_id == build_id and route.previous:
            before = route._replace(build_id=route.previous, previous="")
            if route.ramping == route.previous:
                before = before._replace(ramping="", percent=0)
            changed.append(_by(tx, before, record))
    if not changed:
        return NothingToRollBack()
    _change(tx, _undrained(tx, [it.build_id for it in changed]), changed)
    return Routed(tuple(changed))


def build_drained(tx: Transaction, record: BuildDrained) -> Reply:
    """Lets a build have no new invocations, or takes that back."""
    deployment = tx.partition.deployments.get(record.build_id)
    if deployment is None:
        return _missing(tx)
    routes = _by_handler(tx)
    changed: list[Route] = []
    if record.draining:
        if current := tuple(it.handler for it in routes if it.build_id == record.build_id):
            return BuildInUse(current)
        for route in routes:
            if route.ramping == record.build_id:
                ended = route._replace(ramping="", percent=0, changed_ms=tx.now_ms)
                changed.append(
                    ended._replace(identity=record.identity, reason=record.reason, request_id="")
                )
    if deployment.draining != record.draining:
        _change(tx, [deployment._replace(draining=record.draining)], changed)
    return Routed(tuple(changed))


def repinned(tx: Transaction, record: Repinned) -> Reply:
    """Moves an invocation to another build; an attempt that runs ends where it runs."""
    invocation = subject_or_reply(tx, record)
    if not isinstance(invocation, Invocation):
        return invocation
    if invocation.state in FINAL:
        return Refused(invocation)
    if record.build_id:
        invocation.build = record.build_id
    invocation.pinned = bool(record.build_id)
    invocation.repinned = True
    tx.changes.touch(invocation)
    if invocation.state is State.PENDING and not object_locks.waits(tx.partition, invocation):
        tx.effects.append(Ready(invocation))
    tx.effects.append(Changed(invocation))
    return done(tx, invocation, record.request_id)


def deployments_changed(tx: Transaction, message: DeploymentsChanged) -> None:
    """Notes what has changed in partition 0."""
    _write(tx, message.deployments, message.routes, message.forgotten)
    tx.effects.append(Rerouted())


def _change(
    tx: Transaction,
    deployments: Sequence[Deployment],
    routes: Sequence[Route],
    forgotten: Sequence[str] = (),
) -> None:
    """Changes builds and routes in partition 0, and tells the other partitions."""
    _write(tx, deployments, routes, forgotten)
    tx.effects.append(Rerouted())
    # They need neither the handlers of builds nor who has changed a route.
    brief = [it._replace(handlers=()) for it in deployments]
    told = [it._replace(identity="", reason="", request_id="") for it in routes]
    messages = [DeploymentsChanged(tuple(brief), tuple(told[:_ROUTES_IN_MESSAGE]), (*forgotten,))]
    messages += (
        DeploymentsChanged((), tuple(told[first : first + _ROUTES_IN_MESSAGE]))
        for first in range(_ROUTES_IN_MESSAGE, len(told), _ROUTES_IN_MESSAGE)
    )
    for destination in range(tx.partition.count):
        if destination != tx.partition.index:
            for message in messages:
                tx.send(destination, message)


def _write(
    tx: Transaction,
    deployments: Iterable[Deployment],
    routes: Iterable[Route] = (),
    forgotten: Iterable[str] = (),
) -> None:
    partition, changes = tx.partition, tx.changes
    for build_id in forgotten:
        partition.deployments.pop(build_id, None)
        changes.deployments[build_id] = None
    for deployment in deployments:
        partition.deployments[deployment.build_id] = deployment
        changes.deployments[deployment.build_id] = deployment
    for route in routes:
        if route.build_id:
            partition.routes[route.handler] = changes.routes[route.handler] = route
        else:
            partition.routes.pop(route.handler, None)
            changes.routes[route.handler] = None


def _by_handler(tx: Transaction) -> list[Route]:
    """Returns the routes by handler, so that every leader makes the same messages of them."""
    routes = tx.partition.routes
    return [routes[it] for it in sorted(routes)]


def _repeated(tx: Transaction, record: BuildPromoted | BuildRolledBack) -> tuple[Route, ...]:
    """Returns the routes that a request with this id has made as they are.

    If it names handlers, only theirs: an id that a caller with other handlers has used is another one.
    """
    if not record.request_id:
        return ()
    return tuple(
        it
        for it in tx.partition.routes.values()
        if it.request_id == record.request_id
        and (not record.handlers or it.handler in record.handlers)
    )


def _undrained(tx: Transaction, builds: Iterable[str]) -> list[Deployment]:
    """Returns those of some builds that drain, as builds that do not drain any more."""
    known = (tx.partition.deployments[it] for it in dict.fromkeys(builds))
    return [it._replace(draining=False) for it in known if it.draining]


def _by(tx: Transaction, route: Route, record: BuildPromoted | BuildRolledBack) -> Route:
    """Returns a route with the request that has made it."""
    return route._replace(
        changed_ms=tx.now_ms,
        identity=record.identity,
        reason=record.reason,
        request_id=record.request_id,
    )


def _missing(tx: Transaction) -> BuildMissing:
    latest = sorted(tx.partition.deployments.values(), key=_number, reverse=True)
    return BuildMissing(tuple(it.build_id for it in latest[:_NAMED_MAX]))


def _number(deployment: Deployment) -> int:
    return deployment.number
