"""One run of a workflow to its end, with at most one crash in it.

Theory. A run has a control plane of its own, in memory, in which every record of the log is a frame of
its own. So between any two things that the log will ever know there is a boundary, and a crash can be
had at each: when a frame is in the log, and nobody knows of it yet.

    the worker        forgets all attempts and its session breaks; another one is employed
    the plane         its leader ends; another one goes on over the same log, with the store as it
                      was before the frame, or with an empty one; the worker lives on

Rules.
- Nothing waits here. The run is driven from rest to rest: outside events first, then the next timer.
- The run is over when the workflow has ended and nothing more can happen in what it has started.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from enum import Enum
from typing import Any, Final, NamedTuple, TypeAlias

from durable_proto.v1 import invocation_pb2

from .._client.async_client import AsyncClient
from .._client.result import Result
from .._client.views import Invocation
from .._definitions.workflow import Workflow
from .._engine.failures import summary
from .._local.local import Local
from .._worker.hosting import HostedWorker
from .._worker.session import End
from ._snapshot import Labels, Snapshot, describe, snapshot
from ._time import VirtualTime

FRAMES_MAX: Final = 5_000
"""Frames in the log of one run: a workflow that is tried again for ever must not run for ever."""
IDEMPOTENCY_KEY: Final = "durable.testing"
"""Gives the workflow and all that it starts the same ids in each run."""
_WAITING: Final = frozenset({"SLEEP", "AWAKEABLE", "SIGNAL", "INVOKE", "ATTACH"})
_STEPS: Final = (invocation_pb2.ENTRY_KIND_RUN, invocation_pb2.ENTRY_KIND_CALL)


class Wait(NamedTuple):
    """Something that an invocation waits for."""

    invocation_id: str
    """Who waits."""
    handler: str
    """What that runs."""
    kind: str
    """For what: "awakeable" (a promise is one), "signal", "sleep", "invoke" or "attach"."""
    name: str
    """The awakeable's id, the signal's name, the child's handler; "" for a sleep."""


Drive: TypeAlias = Callable[[AsyncClient, Wait], Awaitable[object]]


class Victim(Enum):
    """Who is killed."""

    WORKER = "the worker"
    PLANE = "the control plane"
    PLANE_AND_STORE = "the control plane, and its store was lost,"


class CrashAt(NamedTuple):
    """When a run has its crash."""

    victim: Victim
    boundary: int
    """After which frame, from 1: the one that brings the workflow's invocation."""


class Plan(NamedTuple):
    """What all runs have in common."""

    workflow: Workflow[..., Any]
    args: tuple[Any, ...]
    key: str
    served: list[Workflow[..., Any] | type]
    services: Mapping[str, str] | None
    start_ms: int
    drive: Drive | None
    webhook_secrets: Mapping[str, str] | None = None


class Outcome(NamedTuple):
    """What a run has come to."""

    result: Result[Any]
    """How the workflow ended."""
    snapshot: Snapshot
    boundaries: list[str]
    """What each frame has told."""
    repeated: list[str]
    """The steps that ran again although their outcome was in the log."""


class _MortalWorker(HostedWorker):
    """A worker that can be killed, and that connects again at once."""

    def kill(self) -> None:
        """Ends it without a word: not even what is on its way to it is heard."""
        if self._desk is not None:
            self._desk.drop_all()
        if self._session is not None:
            self._session.break_off()

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(0)

    def _log_end(self, end: End, attempt: int, delay: float) -> None:
        """Says nothing: sessions end here because they shall."""


class Run:
    """One run. `suspend` drops attempts at each await; `crash` kills somebody once."""

    def __init__(self, plan: Plan, *, suspend: bool = False, crash: CrashAt | None = None) -> None:
        self._plan: Final = plan
        self._suspend_after: Final = 0.0 if suspend else None
        self._crash: Final = crash
        self._local: Final = Local(
            start_ms=plan.start_ms, one_by_one=True, webhook_secrets=plan.webhook_secrets
        )
        self._client: Final = AsyncClient._of(self._local, None)
        self._time: Final = VirtualTime(self._local, lambda: self._worker.quiet, skip=False)
        self._worker: _MortalWorker
        self._working: asyncio.Task[None]
        self._tasks: Final[set[asyncio.Task[None]]] = set()
        self._labels: Final = Labels()
        self._boundaries: Final[list[str]] = []
        self._frames = 0
        self._attempts: Final[dict[str, int]] = {}
        self._recorded: Final[dict[tuple[str, int], int]] = {}
        self._repeated: Final[list[str]] = []
        self._driven: Final[set[tuple[str, int]]] = set()
        self._found: Final[dict[str, Invocation]] = {}
        """All invocations as they were last seen, oldest first; retention removes none here."""
        self._root = ""
        self._result: Result[Any]

    async def outcome(self) -> Outcome:
        """Runs the workflow to its end."""
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        playing = asyncio.ensure_future(self._play())
        try:
            await asyncio.wait({playing, self._broken}, return_when=asyncio.FIRST_COMPLETED)
            if self._broken.done():
                await self._broken
            await playing
            words = (self._boundaries, self._repeated)
            return Outcome(
                self._result,
                snapshot(self._found.values(), self._labels),
                *([self._labels.replace(it) for it in each] for each in words),
            )
        finally:
            playing.cancel()
            self._broken.cancel()
            self._local.plane.on_append = None
            await self._local.halt()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._client.close()

    def _employ(self) -> None:
        plan = self._plan
        self._worker = _MortalWorker(
            self._client._connection.dial,
            plan.served,
            services=plan.services,
            suspend_after=self._suspend_after,
        )
        self._working = self._begin(self._worker.run())

    def _begin(self, main: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(main)
        self._tasks.add(task)
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[None]) -> None:
        """Whatever of ours has failed ends the run: nothing would come to rest any more."""
        if not task.cancelled() and (error := task.exception()) and not self._broken.done():
            self._broken.set_exception(error)

    # From rest to rest

    async def _play(self) -> None:
        plan = self._plan
        self._employ()
        await self._worker.ready()
        self._local.plane.on_append = self._appended
        client = self._client.options(key=plan.key, idempotency_key=IDEMPOTENCY_KEY)
        self._root = await client.invoke_async(plan.workflow, *plan.args)
        over = False
        while True:
            await self._time.settle()
            await self._look()
            if await self._drive():
                continue
            if not over and _at_rest(self._found[self._root]):
                over = True
                self._result = await client.get_result(self._root, plan.workflow, timeout=0)
            if all(_at_rest(it) for it in self._found.values()):
                return
            if self._frames > FRAMES_MAX:
                raise AssertionError(self._endless())
            if not await self._time.jump():
                if over:
                    return
                raise AssertionError(self._stuck())

    async def _look(self) -> None:
        async for it in self._client.query_all(oldest_first=True, page_size=500):
            self._found[it.invocation_id] = await self._client.get(it.invocation_id)
            self._labels.add(it.invocation_id, it.handler)

    async def _drive(self) -> bool:
        """Tells whoever plays the outside what is waited for now; says whether there was news."""
        drive = self._plan.drive
        if drive is None:
            return False
        news = [
            (invocation.invocation_id, entry.step_number, wait)
            for invocation in self._found.values()
            for entry, wait in _waits(invocation)
            if (invocation.invocation_id, entry.step_number) not in self._driven
        ]
        for invocation_id, index, wait in news:
            self._driven.add((invocation_id, index))
            await drive(self._client, wait)
        return bool(news)

    def _paused(self) -> list[str]:
        """Says of those that are paused why: what waits for them waits for that."""
        lines = []
        for it in self._found.values():
            if it.status == "paused":
                why = it.pause_reason if it.failure is None else summary(it.failure)
                lines.append(self._labels.replace(f"  {it.invocation_id} is paused: {why}"))
        return lines

    def _stuck(self) -> str:
        waits = [wait for it in self._found.values() for _, wait in _waits(it)]
        lines = self._paused() + [
            self._labels.replace(f"  {it.invocation_id} waits for {it.kind} {it.name!r}")
            for it in waits
        ]
        text = "\n".join(lines or ["  nothing is waited for"])
        return (
            f"{self._plan.workflow.name} does not end, for nothing can happen any more:\n"
            f"{text}\n"
            "Give `drive=`, an async function that gets a client and a Wait, and does what the outside"
            " would do then."
        )

    def _endless(self) -> str:
        failure = self._found[self._root].failure
        last = f"; its last failure was {failure.type}: {failure.message}" if failure else ""
        text = (
            f"{self._plan.workflow.name} has not ended within {FRAMES_MAX} records of the log{last}."
            " Give it a retry policy that ends, or less to do."
        )
        return "\n".join([*self._paused(), text])

    # In the log

    def _appended(self, facts: list[tuple[str, Mapping[str, Any]]]) -> bool:
        """Notes a frame; kills whom the run has it in for when it is the one."""
        self._frames += 1
        for kind, fields in facts:
            if kind == "Started":
                self._attempts[fields["invocation_id"]] = fields["attempt"]
            elif kind == "EntryRecorded" and fields["kind"] in _STEPS:
                self._step(fields)
        self._boundaries.append(describe(facts))
        crash = self._crash
        if crash is None or crash.boundary != self._frames:
            return False
        if crash.victim is Victim.WORKER:
            self._worker.kill()
            self._working.cancel()
            self._employ()
            return False
        empty_store = crash.victim is Victim.PLANE_AND_STORE
        self._begin(self._local.restart(empty_store=empty_store))
        return True

    def _step(self, fields: Mapping[str, Any]) -> None:
        """Notes a step's outcome: once it is recorded, no later attempt may bring another one."""
        invocation_id, attempt = fields["invocation_id"], fields["attempt"]
        if attempt != self._attempts.get(invocation_id):
            return
        before = self._recorded.setdefault((invocation_id, fields["entry_index"]), attempt)
        if before != attempt:
            self._repeated.append(
                f"{invocation_id}: entry {fields['entry_index']} ({fields['name']!r}) ran in attempt"
                f" {before} and again in attempt {attempt}"
            )


def _at_rest(invocation: Invocation) -> bool:
    return invocation.finished or invocation.status == "paused"


def _waits(invocation: Invocation) -> list[tuple[Any, Wait]]:
    if invocation.finished:
        return []
    return [
        (entry, Wait(invocation.invocation_id, invocation.handler, entry.kind.lower(), entry.name))
        for entry in invocation.journal
        if entry.kind in _WAITING and not entry.completed
    ]
