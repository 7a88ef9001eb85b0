"""One run: a workflow runs to its end on a control plane of its own, with at most one crash.

The control plane is in memory and appends each record of the log as a batch of its own. So there is a
boundary between any two records, and a crash can be had at each: when a batch is in the log and has not
been applied.

    the worker          drops all attempts and its session breaks; a new worker takes its place
    the control plane   its leader ends; a new one continues over the same log, with the store as it was
                        before the batch, or with an empty store; the worker goes on

Rules.
- Nothing here waits for real time. The run alternates: when nothing more happens, `drive` is called for
  the new waits, and if there are none, the clock goes to the next timer.
- The run is over when the workflow has ended and nothing more can happen in what it has started.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from enum import Enum
from typing import Any, Final, NamedTuple, TypeAlias

from .._client.async_client import AsyncClient
from .._client.async_connection import AsyncConnection
from .._client.invocation_views import Invocation
from .._client.result import Result
from .._common.addresses import Address
from .._common.codecs.interface import Codec
from .._definitions.workflow import Workflow
from .._engine.entry_kinds import KINDS
from .._engine.failures import summary
from .._local.control_plane import LocalControlPlane
from .._worker.hosting import HostedWorker
from .._worker.session import End
from ._earlier_runs import EarlierRuns
from ._snapshot import Labels, Snapshot, describe, snapshot
from ._time import VirtualTime

BATCHES_MAX: Final = 5_000
"""How many batches the log of one run may have: a workflow that is retried for ever must be stopped."""
IDEMPOTENCY_KEY: Final = "durable.testing"
"""Gives the workflow and all invocations that it starts the same ids in each run."""


class Wait(NamedTuple):
    """Something that an invocation waits for."""

    invocation_id: str
    """The invocation that waits."""
    handler: str
    """The handler of that invocation."""
    kind: str
    """What it waits for: "awakeable" (also for a promise), "signal", "sleep", "invoke" or "attach"."""
    name: str
    """The awakeable's id, the signal's name, the child's handler; "" for a sleep."""


Drive: TypeAlias = Callable[[AsyncClient, Wait], Awaitable[object]]


class Victim(Enum):
    """What a crash kills."""

    WORKER = "the worker"
    PLANE = "the control plane"
    PLANE_AND_STORE = "the control plane, and its store was lost,"


class CrashAt(NamedTuple):
    """The crash of a run."""

    victim: Victim
    boundary: int
    """The batch after which it happens. Batch 1 has the workflow's invocation."""


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
    codec: Codec | None = None


class Outcome(NamedTuple):
    """The result of a run."""

    result: Result[Any]
    """How the workflow ended."""
    snapshot: Snapshot
    boundaries: list[str]
    """What happened in each batch."""
    repeated: list[str]
    """The steps that ran again although their outcome was in the log."""


class StepOutcomes:
    """The outcomes of steps in the log of one run: finds those that were recorded more than once."""

    def __init__(self) -> None:
        self.repeated: Final[list[str]] = []
        """The steps that ran again although their outcome was in the log."""
        self._attempts: Final[dict[str, int]] = {}
        """The number of the current attempt, by invocation id."""
        self._recorded: Final[dict[tuple[str, int], int]] = {}
        """The attempt that has recorded a step's outcome, by invocation id and entry index; 0 for one
        that a fork has copied."""

    def note(self, facts: list[tuple[str, Mapping[str, Any]]]) -> None:
        """Notes the attempts and the steps of a batch of records."""
        for kind, fields in facts:
            if kind == "Started":
                self._attempts[fields["invocation_id"]] = fields["attempt"]
            elif kind == "EntryRecorded" and KINDS[fields["kind"]].is_step:
                self._note_step(fields)
            elif kind == "Restarted":
                self._note_copied(fields)

    def _note_copied(self, fields: Mapping[str, Any]) -> None:
        """Notes the steps that a fork has copied: they may not run again there."""
        for invocation_id, index in list(self._recorded):
            if invocation_id == fields["source_id"] and index < fields["from_index"]:
                self._recorded.setdefault((fields["invocation_id"], index), 0)

    def _note_step(self, fields: Mapping[str, Any]) -> None:
        """Notes a step's outcome. Once it is recorded, no later attempt may record another one."""
        invocation_id, attempt = fields["invocation_id"], fields["attempt"]
        if attempt != self._attempts.get(invocation_id):
            return
        before = self._recorded.setdefault((invocation_id, fields["entry_index"]), attempt)
        if before != attempt:
            first = f"ran in attempt {before} and" if before else "was copied, and ran"
            self.repeated.append(
                f"{invocation_id}: entry {fields['entry_index']} ({fields['name']!r}) {first} again in"
                f" attempt {attempt}"
            )


class _MortalWorker(HostedWorker):
    """A worker that can be killed, and that reconnects at once."""

    def kill(self) -> None:
        """Kills it: nothing more is sent, and what is on its way to it is ignored."""
        if self._runner is not None:
            self._runner.drop_all()
        if self._session is not None:
            self._session.break_off()

    async def _wait_to_reconnect(self, seconds: float) -> None:
        await asyncio.sleep(0)

    def _log_end(self, address: Address, end: End, tries: int, delay: float) -> None:
        """Logs nothing, because sessions end on purpose here."""


class Run:
    """One run. `suspend` drops attempts at each await; `crash` is the crash to have, if any."""

    def __init__(self, plan: Plan, *, suspend: bool = False, crash: CrashAt | None = None) -> None:
        self._plan: Final = plan
        self._suspend_after: Final = 0.0 if suspend else None
        self._crash: Final = crash
        self._local: Final = LocalControlPlane(
            start_ms=plan.start_ms, one_by_one=True, webhook_secrets=plan.webhook_secrets
        )
        connection = AsyncConnection.to_local(self._local, plan.codec)
        self._client: Final = AsyncClient._of(connection, None)
        self._time: Final = VirtualTime(self._local, lambda: self._worker.quiet, skip=False)
        self._worker: _MortalWorker
        self._working: asyncio.Task[None]
        self._tasks: Final[set[asyncio.Task[None]]] = set()
        self._labels: Final = Labels()
        self._boundaries: Final[list[str]] = []
        self._batches = 0
        self._steps: Final = StepOutcomes()
        self._earlier_runs: Final = EarlierRuns()
        self._driven: Final[set[tuple[str, int]]] = set()
        """The waits, by invocation id and entry index, for which `drive` was called."""
        self._found: Final[dict[str, Invocation]] = {}
        """All invocations as they were last read, oldest first, with those that retention removed."""
        self._root = ""
        self._result: Result[Any]

    async def outcome(self) -> Outcome:
        """Runs the workflow to its end."""
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        playing = asyncio.ensure_future(self._play())
        try:
            await asyncio.wait({playing, self._failed}, return_when=asyncio.FIRST_COMPLETED)
            if self._local.plane.failure is not None:
                # The cause of the errors of the calls and the tasks.
                raise self._local.plane.failure
            if self._failed.done():
                await self._failed
            await playing
            labelled = self._labels.replace
            return Outcome(
                self._result,
                snapshot(self._found.values(), self._labels)
                | self._earlier_runs.snapshot(self._labels),
                [labelled(it) for it in self._boundaries],
                [labelled(it) for it in self._steps.repeated],
            )
        finally:
            playing.cancel()
            self._failed.cancel()
            self._local.plane.on_append = None
            await self._local.halt()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(playing, self._failed, *self._tasks, return_exceptions=True)
            await self._client.close()

    def _start_worker(self) -> None:
        plan = self._plan
        self._worker = _MortalWorker(
            self._client._connection.dial,
            plan.served,
            services=plan.services,
            suspend_after=self._suspend_after,
        )
        self._working = self._start_task(self._worker.run())

    def _start_task(self, main: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(main)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)
        return task

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        """Ends the run if a task of it has failed, because the control plane would never be idle."""
        if not task.cancelled() and (error := task.exception()) and not self._failed.done():
            self._failed.set_exception(error)

    # The loop

    async def _play(self) -> None:
        plan = self._plan
        self._start_worker()
        await self._worker.ready()
        self._local.plane.on_append = self._appended
        client = self._client.options(key=plan.key, idempotency_key=IDEMPOTENCY_KEY)
        self._root = await client.invoke_async(plan.workflow, *plan.args)
        over = False
        while True:
            await self._time.settle()
            await self._read_all()
            if await self._drive():
                continue
            if not over and _settled(self._found[self._root]):
                over = True
                self._result = await client.get_result(self._root, plan.workflow, timeout=0)
            if all(_settled(it) for it in self._found.values()):
                return
            if self._batches > BATCHES_MAX:
                raise AssertionError(self._endless())
            if not await self._time.jump():
                if over:
                    return
                raise AssertionError(self._stuck())

    async def _read_all(self) -> None:
        async for it in self._client.query_all(oldest_first=True, page_size=500):
            self._found[it.invocation_id] = await self._client.get(it.invocation_id)
            self._labels.add(it.invocation_id, it.handler)

    async def _drive(self) -> bool:
        """Calls `drive` for each wait that is new; returns whether there were any."""
        drive = self._plan.drive
        if drive is None:
            return False
        new = [
            (invocation.invocation_id, entry.step_number, wait)
            for invocation in self._found.values()
            for entry, wait in _waits(invocation)
            if (invocation.invocation_id, entry.step_number) not in self._driven
        ]
        for invocation_id, index, wait in new:
            self._driven.add((invocation_id, index))
            await drive(self._client, wait)
        return bool(new)

    def _paused(self) -> list[str]:
        """Returns a line for each paused invocation with the reason: others may wait for it."""
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
            f"{self._plan.workflow.name} does not end, because nothing can happen any more:\n"
            f"{text}\n"
            "Give `drive=`, an async function that gets a client and a Wait, and does what the outside"
            " would do then."
        )

    def _endless(self) -> str:
        failure = self._found[self._root].failure
        last = f"; its last failure was {failure.type}: {failure.message}" if failure else ""
        text = (
            f"{self._plan.workflow.name} has not ended within {BATCHES_MAX} records of the log{last}."
            " Give it a retry policy that ends, or less to do."
        )
        return "\n".join([*self._paused(), text])

    # The log

    def _appended(self, facts: list[tuple[str, Mapping[str, Any]]]) -> bool:
        """Notes a batch of records; if the crash is due, kills the worker or returns True."""
        self._batches += 1
        self._steps.note(facts)
        self._earlier_runs.note(facts)
        self._boundaries.append(describe(facts))
        crash = self._crash
        if crash is None or crash.boundary != self._batches:
            return False
        if crash.victim is Victim.WORKER:
            self._worker.kill()
            self._working.cancel()
            self._start_worker()
            return False
        empty_store = crash.victim is Victim.PLANE_AND_STORE
        self._start_task(self._local.restart(empty_store=empty_store))
        return True


def _settled(invocation: Invocation) -> bool:
    return invocation.finished or invocation.status == "paused"


def _waits(invocation: Invocation) -> list[tuple[Any, Wait]]:
    """Returns what an invocation waits for: its open entries.

    Entries of kinds that wait for nothing, such as steps and changes of state, are completed by the
    batch that records them, so they are never read while they are open.
    """
    if invocation.finished:
        return []
    return [
        (entry, Wait(invocation.invocation_id, invocation.handler, entry.kind.lower(), entry.name))
        for entry in invocation.journal
        if not entry.completed
    ]
