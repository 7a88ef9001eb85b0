"""Step threads: a pool of daemon threads for sync steps, whose jobs can be given up.

A job waits for a thread, runs in it, and ends. At any time it may be given up, because its timeout is
reached or its attempt is over. One lock decides whether the job has begun by then, between the event
loop that gives it up and the thread that would begin it: a job that is given up before it begins never
begins, so that no compensation is followed by the work that it compensates.

A thread cannot be stopped. A thread whose job was given up is stuck until the user's function returns,
if it ever does. Stuck threads do not count against the pool's size, so that steps that hang do not
starve the others; but only a limited number of them is replaced, because each keeps its memory and
often a connection.

The pool is not a ThreadPoolExecutor, because the interpreter joins an executor's threads before it
exits, and a worker that has released its attempts must not stay because a step blocks in a socket.
Daemon threads end with the process. What a job does after that point is lost without harm, because its
result was not acknowledged.
"""

from __future__ import annotations

import enum
import logging
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from .._engine.steps import StepTask
from .step_body import StepOutcome, discard, run_blocking

_logger = logging.getLogger("durable.worker")


class Stage(enum.Enum):
    """How far a job had come when it was given up."""

    WAITING = enum.auto()
    """It had not begun, and never begins."""
    RUNNING = enum.auto()
    """It runs, and its thread is stuck until it returns."""
    ENDED = enum.auto()
    """It had ended before, so its outcome counts."""


class Job:
    """A sync step for a thread to run, with the names of its attempt for logs."""

    __slots__ = (
        "attempt",
        "began",
        "ended",
        "given_up",
        "handler",
        "index",
        "invocation_id",
        "name",
        "outcome",
        "submitted",
        "task",
    )

    def __init__(self, task: StepTask, invocation_id: str, attempt: int, handler: str) -> None:
        self.task: StepTask | None = task
        """The step; None once it was given up before it began, so that its values can be freed."""
        self.index = task.index
        self.name = task.name
        self.invocation_id = invocation_id
        self.attempt = attempt
        self.handler = handler
        self.submitted = time.monotonic()
        """When it was submitted, by time.monotonic()."""
        self.began = 0.0
        """When its body began; 0 until then."""
        self.ended = 0.0
        """When its body ended; 0 until then."""
        self.given_up = 0.0
        """When it was given up; 0 if it was not."""
        self.outcome: StepOutcome | None = None
        """How it ended; None until then, and when it was given up."""


class StepThreads:
    """Up to `size` daemon threads, started on demand, and up to `stuck_max` more to replace stuck ones.

    `on_begin` and `on_end` are called in the job's thread: `on_begin` before the body of a job with a
    timeout, `on_end` after the body of each job that was not given up.
    """

    def __init__(
        self,
        size: int,
        stuck_max: int,
        *,
        on_begin: Callable[[Job], None],
        on_end: Callable[[Job], None],
    ) -> None:
        self.size: Final = size
        self.stuck_max: Final = stuck_max
        self._on_begin: Final = on_begin
        self._on_end: Final = on_end
        self._lock: Final = threading.Lock()
        self._waiting: Final[OrderedDict[Job, None]] = OrderedDict()
        self._running: Final[dict[Job, None]] = {}
        self._stuck: Final[dict[Job, None]] = {}
        self._alive = 0
        self._made = 0
        self._idle = 0
        """Threads that wait for `_wake` and are not yet claimed by a waiting job."""
        self._wake: Final[queue.SimpleQueue[None]] = queue.SimpleQueue()
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many jobs wait for a thread."""
        return len(self._waiting)

    @property
    def stuck(self) -> int:
        """How many threads run a job that was given up."""
        return len(self._stuck)

    def submit(self, job: Job) -> bool:
        """Queues a job; returns whether a thread is free for it at once."""
        with self._lock:
            self._waiting[job] = None
            return self._claim_thread()

    def give_up(self, job: Job) -> Stage:
        """Gives up a job, whose outcome is then ignored; returns how far it had come."""
        with self._lock:
            if job in self._waiting:
                del self._waiting[job]
                job.given_up = time.monotonic()
                job.task = None
                return Stage.WAITING
            if job not in self._running:
                return Stage.ENDED
            del self._running[job]
            self._stuck[job] = None
            job.given_up = time.monotonic()
            if self._waiting:
                self._claim_thread()
            return Stage.RUNNING

    def withdraw(self, job: Job) -> bool:
        """Takes a job back if it has not begun; returns whether it had not."""
        with self._lock:
            if job not in self._waiting:
                return False
            del self._waiting[job]
            job.given_up = time.monotonic()
            job.task = None
            return True

    def oldest_waiting(self) -> Job | None:
        """Returns the job that has waited longest for a thread; None if no job waits.

        Tries to find a thread for it first: the system may have refused to start one before.
        """
        with self._lock:
            if self._waiting:
                self._claim_thread()
            return next(iter(self._waiting), None)

    def waiting_since_before(self, moment: float) -> list[Job]:
        """Returns the jobs that were submitted up to a moment of time.monotonic() and still wait."""
        found = []
        with self._lock:
            for job in self._waiting:
                if job.submitted > moment:
                    break
                found.append(job)
        return found

    def holders(self) -> list[Job]:
        """Returns the jobs that hold a thread, in the order in which they began."""
        with self._lock:
            return sorted([*self._stuck, *self._running], key=lambda job: job.began)

    def close(self) -> None:
        """Gives up the jobs that wait, and lets idle threads end; does not wait for any thread."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            for _ in range(self._idle):
                self._wake.put(None)
            self._idle = 0

    def _claim_thread(self) -> bool:
        """Claims an idle or a new thread for one more job; returns whether there is one."""
        # The count goes down here, not in the thread, so that two jobs do not claim the same thread.
        if self._idle:
            self._idle -= 1
            self._wake.put(None)
            return True
        if self._alive >= self.size + min(len(self._stuck), self.stuck_max):
            return False
        thread = threading.Thread(target=self._work, name=f"durable-step-{self._made}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # a limit of the system: the job waits for another thread
            _logger.error("no thread can be started for a step: %s", error)
            return False
        self._made += 1
        self._alive += 1
        return True

    def _next(self) -> Job | None:
        """Takes the job that has waited longest, and marks it as begun; None if no job waits."""
        if not self._waiting:
            return None
        job, _ = self._waiting.popitem(last=False)
        job.began = time.monotonic()
        self._running[job] = None
        return job

    def _work(self) -> None:
        while True:
            with self._lock:
                # A thread that was stuck may return to a pool that has replaced it.
                surplus = self._alive > self.size + min(len(self._stuck), self.stuck_max)
                if self._closed or surplus:
                    self._alive -= 1
                    return
                job = self._next()
                if job is None:
                    self._idle += 1
            if job is None:
                self._wake.get()
            else:
                self._run(job)
                # An idle thread must not keep the last job's values alive.
                del job

    def _run(self, job: Job) -> None:
        task = job.task
        assert task is not None
        if task.timeout is not None:
            self._on_begin(job)
        outcome = task.variables.run(run_blocking, task)
        with self._lock:
            job.ended = time.monotonic()
            wanted = job in self._running
            if wanted:
                del self._running[job]
                job.outcome = outcome
            else:
                del self._stuck[job]
        if wanted:
            self._on_end(job)
        else:
            discard(outcome)
            _logger.info(
                "step %r of %s [%s], which was given up %.1f s ago, has ended; nobody gets its result",
                *(job.name, job.handler, job.invocation_id, job.ended - job.given_up),
                extra=log_fields(job),
            )


def log_fields(job: Job) -> dict[str, object]:
    """Returns the fields that each log record about a job has."""
    return {
        "invocation_id": job.invocation_id,
        "attempt": job.attempt,
        "handler": job.handler,
    }
