"""The threads that run sync steps: a pool whose steps can be given up.

A step waits for a thread, runs in it, and has ended; and at any time it may be given up, because its
time is up or its attempt is over. Whether it has begun by then is decided under one lock, by the event
loop that gives it up and the thread that would begin it: a step that was given up before it began never
begins, so that nobody compensates for work that is done only afterwards.

A thread cannot be stopped. One that runs a step which was given up is stuck until the step returns, if
it ever does; it does not count against the pool's size, so that steps that hang leave room for others.
How many stuck threads are replaced is limited, because each keeps its memory and often a connection.

The pool is no ThreadPoolExecutor: the interpreter joins that one's threads before it exits, and a
worker that has given its work back must not stay because a step blocks in a socket. These are
daemons; what they still do when the process ends counts for nothing, because their results were not
acknowledged.
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
from .steps import Ended, discard, run_blocking

_logger = logging.getLogger("durable.worker")


class Stage(enum.Enum):
    """How far a step had come when it was given up."""

    WAITING = enum.auto()
    """It had not begun, and never will."""
    RUNNING = enum.auto()
    """It runs, and goes on until it returns by itself."""
    ENDED = enum.auto()
    """It had ended; nothing was given up."""


class Job:
    """A sync step that a thread is to run, for one attempt."""

    __slots__ = (
        "asked",
        "attempt",
        "began",
        "ended",
        "given_up",
        "handler",
        "index",
        "invocation_id",
        "name",
        "outcome",
        "task",
    )

    def __init__(self, task: StepTask, invocation_id: str, attempt: int, handler: str) -> None:
        self.task: StepTask | None = task
        """The step; None once nobody needs it any more, because a thread may be stuck with the job."""
        self.index = task.index
        self.name = task.name
        self.invocation_id = invocation_id
        self.attempt = attempt
        self.handler = handler
        self.asked = time.monotonic()
        """When it was asked for, by time.monotonic()."""
        self.began = 0.0
        """When its body began; 0 before."""
        self.ended = 0.0
        """When its body ended; 0 before."""
        self.given_up = 0.0
        """When nobody wanted it any more; 0 before, and when it has ended before that."""
        self.outcome: Ended | None = None
        """How it ended."""


class StepThreads:
    """Up to `size` daemon threads, started as they are needed, and `stuck_max` more for stuck ones.

    `begun` and `over` are called in the job's thread: `begun` before the body of a job with a
    timeout, `over` after that of any job which was not given up.
    """

    def __init__(
        self,
        size: int,
        stuck_max: int,
        *,
        begun: Callable[[Job], None],
        over: Callable[[Job], None],
    ) -> None:
        self.size: Final = size
        self.stuck_max: Final = stuck_max
        self._begun: Final = begun
        self._over: Final = over
        self._lock: Final = threading.Lock()
        self._waiting: Final[OrderedDict[Job, None]] = OrderedDict()
        self._running: Final[dict[Job, None]] = {}
        self._stuck: Final[dict[Job, None]] = {}
        self._alive = 0
        self._made = 0
        self._idle = 0
        """Threads that wait for `_wake` and that no waiting job counts on yet."""
        self._wake: Final[queue.SimpleQueue[None]] = queue.SimpleQueue()
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many steps wait for a thread."""
        return len(self._waiting)

    @property
    def stuck(self) -> int:
        """How many threads run a step that was given up."""
        return len(self._stuck)

    def submit(self, job: Job) -> bool:
        """Runs a job as soon as a thread is free; says whether one is."""
        with self._lock:
            self._waiting[job] = None
            return self._call_thread()

    def give_up(self, job: Job) -> Stage:
        """Notes that nobody wants a job any more; one that has not begun never will."""
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
                self._call_thread()
            return Stage.RUNNING

    def withdraw(self, job: Job) -> bool:
        """Takes a job back if it has not begun; says whether that was so."""
        with self._lock:
            if job not in self._waiting:
                return False
            del self._waiting[job]
            job.given_up = time.monotonic()
            job.task = None
            return True

    def oldest_waiting(self) -> Job | None:
        """Returns the job that has waited longest for a thread; none if a thread is on its way."""
        with self._lock:
            if self._waiting:
                self._call_thread()  # one that could not be started before
            return next(iter(self._waiting), None)

    def waiting_since_before(self, moment: float) -> list[Job]:
        """Returns the jobs that have waited since before a moment of time.monotonic()."""
        found = []
        with self._lock:
            for job in self._waiting:
                if job.asked > moment:
                    break
                found.append(job)
        return found

    def holders(self) -> list[Job]:
        """Returns the jobs that hold a thread, those that began first before the others."""
        with self._lock:
            return sorted([*self._stuck, *self._running], key=lambda job: job.began)

    def close(self) -> None:
        """Gives up what has not begun and lets the threads end; does not wait for them."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            for _ in range(self._idle):
                self._wake.put(None)
            self._idle = 0

    def _call_thread(self) -> bool:
        """Finds a thread for one more job: an idle one, or a new one; says whether there is one."""
        # An idle thread is counted on here, so that two jobs do not count on the same one.
        if self._idle:
            self._idle -= 1
            self._wake.put(None)
            return True
        if self._alive >= self.size + min(len(self._stuck), self.stuck_max):
            return False
        thread = threading.Thread(target=self._work, name=f"durable-step-{self._made}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the system's limit: those that there are have to do
            _logger.error("no thread can be started for a step: %s", error)
            return False
        self._made += 1
        self._alive += 1
        return True

    def _next(self) -> Job | None:
        """Begins the job that has waited longest."""
        if not self._waiting:
            return None
        job, _ = self._waiting.popitem(last=False)
        job.began = time.monotonic()
        self._running[job] = None
        return job

    def _work(self) -> None:
        while True:
            with self._lock:
                # A thread that was stuck may come back to a pool that has replaced it.
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
                # Do not keep the last job's values alive while idle.
                del job

    def _run(self, job: Job) -> None:
        task = job.task
        assert task is not None
        if task.timeout is not None:
            self._begun(job)
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
            self._over(job)
        else:
            discard(outcome)
            _logger.info(
                "step %r of %s [%s], which was given up %.1f s ago, has ended; nobody gets its result",
                *(job.name, job.handler, job.invocation_id, job.ended - job.given_up),
                extra=names_of(job),
            )


def names_of(job: Job) -> dict[str, object]:
    """Returns what a log record about the job should have."""
    return {
        "invocation_id": job.invocation_id,
        "attempt": job.attempt,
        "handler": job.handler,
    }
