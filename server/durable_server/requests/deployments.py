"""The requests about deployments: which build gets new invocations, and which goes on with one.

Partition 0 knows all builds and routes, so it executes what changes them, wherever it is led. A repin
is a change of one invocation, in its partition. The answers say what there is: of a build that is
unknown, the builds that are known and that the caller may see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from ..access.access import Scope
from ..access.current import current
from ..core.deployments import latest_other
from ..core.model import Deployment, Route, State
from ..core.records import (
    BuildDrained,
    BuildPromoted,
    BuildRolledBack,
    Repinned,
)
from ..core.replies import (
    BuildInUse,
    BuildMissing,
    Done,
    HandlerNotServed,
    Missing,
    NothingToRollBack,
    Refused,
    Reply,
    Routed,
)
from ..processor.errors import (
    BuildInUseError,
    BuildNotFoundError,
    InvalidFieldError,
    InvalidStateError,
    InvocationNotFoundError,
    NothingToRollBackError,
)
from ..processor.loop import Processor
from ..processor.router import Router
from ..processor.workers import Workers
from .invocations import UNFINISHED, Reason
from .proposals import Proposals
from .reads import Reads

_KNOWN: Final = 10
"""How many builds an error names."""
_SEES: Final = (Scope.READ,)


class BuildsPart(NamedTuple):
    """What some partitions know of builds; only what the caller may see."""

    deployments: Sequence[Deployment]
    """The registered builds, latest first; empty unless partition 0 is among them."""
    idle: Collection[str]
    """Those of them that get no new invocations. One with a handler that the caller may not see is not
    among them, because nobody can say then that nothing needs it.
    """
    routes: Sequence[Route]
    """By handler; empty unless partition 0 is among them."""
    pinned: Mapping[str, int]
    """How many invocations that have not ended are pinned to a build."""
    waiting: Mapping[str, int]
    """How many are ready and wait for a worker of a build, connected or not."""


class Deployments:
    """Executes the requests of clients about builds."""

    def __init__(
        self, router: Router, workers: Workers, reads: Reads, proposals: Proposals
    ) -> None:
        self._router = router
        self._workers = workers
        self._reads = reads
        self._proposals = proposals

    # Reads

    def part(self, partitions: Collection[int]) -> BuildsPart:
        """Returns what partitions that are led here know of builds."""
        pinned: Counter[str] = Counter()
        waiting: Counter[str] = Counter()
        deployments: list[Deployment] = []
        routes: list[Route] = []
        idle: set[str] = set()
        for processor in self._router.all():
            if processor.partition.index not in partitions:
                continue
            for build, handler, count in processor.store.pinned_counts():
                if _sees(handler):
                    pinned[build] += count
            for wanted, count in processor.dispatcher.waiting_for_builds().items():
                if _sees(wanted.handler):
                    waiting[wanted.build] += count
            if processor.partition.index == 0:
                all_routes = processor.partition.routes
                for it in _latest_first(processor.partition.deployments.values()):
                    visible = tuple(filter(_sees, it.handlers))
                    if visible or current().everywhere(_SEES):
                        deployments.append(it._replace(handlers=visible))
                        if len(visible) == len(it.handlers) and gets_nothing(it, all_routes):
                            idle.add(it.build_id)
                routes = [all_routes[name] for name in sorted(all_routes) if _sees(name)]
        return BuildsPart(deployments, idle, routes, pinned, waiting)

    def handlers_of(self, build_id: str) -> Collection[str]:
        """Returns the handlers of a build, and those of which it is the current one or ramps up.

        Raises NotLeadingError; BuildNotFoundError.
        """
        partition = self._router.for_builds().partition
        found = partition.deployments.get(build_id)
        if found is None:
            raise self.unknown(build_id)
        routed = [
            it.handler for it in partition.routes.values() if build_id in (it.build_id, it.ramping)
        ]
        return {*found.handlers, *routed}

    def unknown(self, build_id: str) -> BuildNotFoundError | InvalidFieldError:
        """Returns the error for a build that is not known, or that the caller may not see."""
        if not build_id:
            return InvalidFieldError("build_id", "is empty; say which build")
        everything = current().everywhere(_SEES)
        names: dict[str, None] = {}
        for processor in self._router.all()[:1]:
            for it in _latest_first(processor.partition.deployments.values()):
                if everything or any(map(_sees, it.handlers)):
                    names[it.build_id] = None
        for worker in self._workers:
            if worker.build_id and (everything or any(map(_sees, worker.handlers))):
                names.setdefault(worker.build_id)
        return BuildNotFoundError(build_id, [*names][:_KNOWN])

    def no_handler(self, build_id: str, name: str) -> InvalidFieldError:
        """Returns the error for a handler that a build has not, or that the caller may not see."""
        own = self._router.for_builds().partition.deployments[build_id].handlers
        serves = ", ".join(filter(_sees, own)) or "none that you may see"
        problem = f"build {build_id!r} has no handler {name!r}; it serves {serves}"
        return InvalidFieldError("handlers", problem, value=name)

    # Changes

    async def promote(
        self,
        build_id: str,
        handlers: Sequence[str],
        percent: int,
        reason: Reason,
        *,
        automatic: bool,
    ) -> Sequence[Route]:
        """Makes a build the current one, or forgets promotions; returns the routes after that."""
        processor = self._known(build_id)
        own = {*processor.partition.deployments[build_id].handlers}
        if automatic:
            own.update(processor.partition.routes)
        for name in handlers:
            if name not in own:
                raise self.no_handler(build_id, name)
        if percent < 100:
            self._check_rest(processor, build_id, handlers)
        record = BuildPromoted(
            *(build_id, tuple(sorted({*handlers})), percent, automatic),
            *(reason.text, reason.identity, reason.request_id),
        )
        return self._routed(await self._proposals.propose(processor, record), build_id)

    def _check_rest(self, processor: Processor, build_id: str, handlers: Sequence[str]) -> None:
        """Refuses a share if the rest would go to a build that nobody has promoted and nobody runs."""
        deployments = processor.partition.deployments
        for name in handlers or deployments[build_id].handlers:
            if name in processor.partition.routes:
                continue
            rest = latest_other(deployments, name, build_id)
            running = {
                it.build_id
                for it in self._workers
                if it.outbound is not None and name in it.handlers
            }
            if rest and rest not in running:
                problem = (
                    f"no build was promoted for {name!r} yet, and the latest other one, {rest!r}, has"
                    " no worker, so the rest would wait: promote the build that is to get the rest"
                    " first, or this one without a share"
                )
                raise InvalidFieldError("percent", problem)

    async def roll_back(
        self, build_id: str, handlers: Sequence[str], reason: Reason
    ) -> Sequence[Route]:
        """Takes the last promotion of a build back; returns the routes after that."""
        processor = self._known(build_id)
        known = self.handlers_of(build_id)
        for name in handlers:
            if name not in known:
                raise self.no_handler(build_id, name)
        record = BuildRolledBack(
            *(build_id, tuple(sorted({*handlers}))),
            *(reason.text, reason.identity, reason.request_id),
        )
        return self._routed(await self._proposals.propose(processor, record), build_id)

    async def drain(self, build_id: str, reason: Reason, *, undo: bool) -> None:
        """Gives a build no new invocations, or takes that back."""
        processor = self._known(build_id)
        record = BuildDrained(build_id, not undo, reason.text, reason.identity)
        reply = await self._proposals.propose(processor, record)
        if not isinstance(reply, Routed):
            raise self._error(reply, build_id)

    async def repin(self, invocation_id: str, build_id: str, reason: Reason) -> State:
        """Moves an invocation to a build; empty for any. Returns its state after that."""
        found = self._reads.find(invocation_id)
        processor = self._router.for_id(found.id)
        if build_id and not self._may_name(processor, build_id):
            raise self.unknown(build_id)
        record = Repinned(found.id, build_id, reason.text, reason.identity, reason.request_id)
        reply = await self._proposals.propose(processor, record)
        if isinstance(reply, Done):
            return reply.state
        if isinstance(reply, Refused):
            it = reply.invocation
            raise InvalidStateError(it.id, it.state, "repin", UNFINISHED)
        assert isinstance(reply, Missing)
        raise InvocationNotFoundError(found.id)

    def _may_name(self, processor: Processor, build_id: str) -> bool:
        """Returns whether a build exists for the caller.

        Only partition 0 knows the handlers of builds without workers. Where it is led elsewhere, such a
        build exists for those only who know all handlers.
        """
        access = current()
        workers = (it for it in self._workers if it.build_id == build_id)
        if any(access.knows(name) for it in workers for name in it.handlers):
            return True
        if access.everywhere(tuple(Scope)):
            return build_id in processor.partition.deployments
        known = [it.partition.deployments.get(build_id) for it in self._router.all()]
        return any(it is not None and any(map(access.knows, it.handlers)) for it in known)

    def _known(self, build_id: str) -> Processor:
        """Returns the processor of partition 0, which knows the build. Raises BuildNotFoundError."""
        processor = self._router.for_builds()
        if build_id not in processor.partition.deployments:
            raise self.unknown(build_id)
        return processor

    def _routed(self, reply: Reply, build_id: str) -> Sequence[Route]:
        if isinstance(reply, Routed):
            return reply.routes
        raise self._error(reply, build_id)

    def _error(self, reply: Reply, build_id: str) -> Exception:
        if isinstance(reply, HandlerNotServed):
            return self.no_handler(build_id, reply.handler)
        if isinstance(reply, BuildInUse):
            return BuildInUseError(build_id, [*filter(_sees, reply.handlers)])
        if isinstance(reply, NothingToRollBack):
            return NothingToRollBackError(build_id)
        assert isinstance(reply, BuildMissing)
        return self.unknown(build_id)


def gets_nothing(deployment: Deployment, routes: Mapping[str, Route]) -> bool:
    """Returns whether a build gets no new invocations: it drains, or all of its handlers have others.

    Neither is so for one that a route names. `routes` are by handler.
    """
    if any(deployment.build_id in (it.build_id, it.ramping) for it in routes.values()):
        return False
    return deployment.draining or all(it in routes for it in deployment.handlers)


def _latest_first(deployments: Iterable[Deployment]) -> list[Deployment]:
    return sorted(deployments, key=lambda it: it.number, reverse=True)


def _sees(handler: str) -> bool:
    return current().may(_SEES, handler)
