"""Statistics: what a worker counts, and the snapshot of it that a user gets."""

from __future__ import annotations

from dataclasses import dataclass


class Counters:
    """What the attempt runner has counted since the worker started."""

    __slots__ = (
        "abandoned",
        "attempts_failed",
        "finished",
        "held",
        "paused",
        "released",
        "started",
        "step_seconds",
        "steps_failed",
        "steps_run",
        "suspended",
    )

    def __init__(self) -> None:
        self.started = 0
        self.finished = 0
        self.attempts_failed = 0
        self.held = 0
        self.suspended = 0
        self.paused = 0
        self.abandoned = 0
        self.released = 0
        self.steps_run = 0
        self.steps_failed = 0
        self.step_seconds = 0.0


class Traffic:
    """What all sessions of a worker have sent and received."""

    __slots__ = ("frames_received", "frames_sent", "messages_received", "messages_sent")

    def __init__(self) -> None:
        self.frames_sent = 0
        self.frames_received = 0
        self.messages_sent = 0
        self.messages_received = 0


@dataclass(frozen=True, slots=True)
class WorkerStatistics:
    """What a worker is doing and has done since it started."""

    connected: bool
    """Whether a session is open and welcomed."""
    draining: bool
    """Whether it is stopping and takes no new work."""
    attempts_running: int
    """Attempts that it holds now."""
    steps_running: int
    """Steps that it executes now."""
    steps_waiting: int
    """Sync steps that wait for a thread now: none of them has begun."""
    threads_stuck: int
    """Threads that run a step which was given up."""
    attempts_started: int
    """Attempts that it was given."""
    attempts_finished: int
    """Attempts that ended with an outcome, or with the next run."""
    attempts_failed: int
    """Attempts that failed and may be retried."""
    attempts_held: int
    """Attempts whose invocation was held, to wait for a person."""
    attempts_suspended: int
    """Attempts that were suspended while they waited."""
    attempts_paused: int
    """Attempts that stopped because a pause was requested."""
    attempts_abandoned: int
    """Attempts that the control plane took away."""
    attempts_released: int
    """Attempts that were given back."""
    steps_run: int
    """Steps that ended."""
    steps_failed: int
    """Steps that ended with an error."""
    step_seconds: float
    """Seconds that the bodies of ended steps took, all together, without the wait for a thread."""
    sessions: int
    """Sessions that were welcomed; all but the first are reconnects."""
    frames_sent: int
    """Frames written."""
    frames_received: int
    """Frames read."""
    messages_sent: int
    """Messages in the frames written."""
    messages_received: int
    """Messages in the frames read."""
