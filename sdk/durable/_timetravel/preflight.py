"""Preflight: replays many runs with the program as it is here, and groups what it finds by cause.

A cause is a handler, an entry of the journal, what the program does there, and the line of its code. A
hundred invocations that a change of one line would hold are one problem.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .._common.codecs.interface import Codec
from .._definitions.workflow import Workflow
from .bounded import BoundedCalls, TookTooLongError
from .exported_run import ExportedRun
from .replay import Replayed, Verdict, replay, unknown_handler

REPLAY_SECONDS: Final = 10.0
"""How long one replay may take by default: thousands of entries take less than a second."""
_IDS: Final = 3
_STUCK_MAX: Final = 3
"""How many runs of one handler may take too long before the others are not replayed any more."""


@dataclass(slots=True)
class Problem:
    """Something that a deploy of this code would cause, and how many invocations it concerns."""

    handler: str
    """The handler."""
    verdict: Verdict
    """What would happen: "held", "fails", "undecodable", "unknown_handler", "stuck" or "broken"."""
    entry_index: int
    """The entry of the journal at which the program cannot go on; -1 for none."""
    expected: str
    """What the journal has there, as in `RUN 'charge'`; "" if that is not the cause."""
    got: str
    """What the program asks for or does instead; for an error its type."""
    place: str
    """The program's line, as `file:line`; "" if it is not known."""
    advice: str
    """What to do about it; "" if that depends."""
    text: str
    """The whole message, for the first of the invocations."""
    invocation_ids: list[str] = field(default_factory=list)
    """Their ids."""

    @property
    def count(self) -> int:
        """How many invocations have it."""
        return len(self.invocation_ids)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, for JSON; with three of the ids."""
        names = ("handler", "verdict", "entry_index", "expected", "got", "place", "advice")
        data: dict[str, Any] = {name: getattr(self, name) for name in names}
        data |= {"text": self.text, "count": self.count}
        return {**data, "invocation_ids": self.invocation_ids[:_IDS]}

    def __str__(self) -> str:
        at = f"\n    at {self.place}" if self.place else ""
        if self.verdict == "held" and self.expected:
            why = (
                f"\n    operation {self.entry_index}: the journal has {self.expected}, the program has"
                f" {self.got}"
            )
            if self.got.startswith("raised "):
                why += f"\n    {self.text}"
        else:
            what = f"operation {self.entry_index}, {self.expected}: " if self.expected else ""
            why = f"\n    {what}{self.text}"
        if self.advice:
            at += f"\n    {self.advice}"
        ids = ", ".join(self.invocation_ids[:_IDS])
        more = ", ..." if self.count > _IDS else ""
        word = _WORDS[self.verdict]
        return f"{self.count} of {self.handler} {word}{why}{at}\n    {ids}{more}"


_WORDS: Final[Mapping[str, str]] = {
    "held": "would be held",
    "fails": "would fail",
    "undecodable": "would not decode a value",
    "unknown_handler": "would find no handler",
    "stuck": "would not come to rest",
    "broken": "could not be replayed",
}


@dataclass(slots=True)
class PreflightReport:
    """What a preflight has found."""

    count: int = 0
    """How many runs were replayed."""
    left_out: int = 0
    """How many were not, because they had ended meanwhile."""
    as_before: int = 0
    """How many fail, or are held, in the same way as they did when they were exported: they are no
    problem of this code."""
    skipped: int = 0
    """How many were not replayed, because several others of their handler have not come to rest."""
    problems: list[Problem] = field(default_factory=list)
    """The problems, those of most invocations first."""
    missing_partitions: tuple[int, ...] = ()
    """Partitions that no node led: their invocations were not looked at."""

    @property
    def ok(self) -> bool:
        """Whether a worker with this code would go on with all of them."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, for JSON."""
        return {
            "ok": self.ok,
            "count": self.count,
            "left_out": self.left_out,
            "as_before": self.as_before,
            "skipped": self.skipped,
            "missing_partitions": list(self.missing_partitions),
            "problems": [it.to_dict() for it in self.problems],
        }

    def __str__(self) -> str:
        lines = [str(it) for it in self.problems]
        bad = sum(it.count for it in self.problems)
        plural = "" if self.count == 1 else "s"
        last = f"{self.count} invocation{plural} replayed, {bad} with a problem"
        if self.as_before:
            last += f"; {self.as_before} fail as they did before"
        if self.skipped:
            last += f"; {self.skipped} not replayed, after {_STUCK_MAX} that have not come to rest"
        if self.left_out:
            last += f"; {self.left_out} left out, because they have ended"
        return "\n\n".join([*lines, last])


class Preflight:
    """Replays runs one at a time. A context manager: see `bounded` for what it does to the process."""

    def __init__(
        self,
        workflows: Mapping[str, Workflow[..., Any]],
        *,
        codec: Codec | None = None,
        seconds: float = REPLAY_SECONDS,
    ) -> None:
        self.report: Final = PreflightReport()
        """What was found so far."""
        self._workflows: Final = workflows
        self._codec: Final = codec
        self._calls: Final = BoundedCalls(seconds)
        self._stuck: Final[Counter[str]] = Counter()
        self._problems: Final[dict[tuple[Any, ...], Problem]] = {}

    def __enter__(self) -> Preflight:
        self._calls.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._calls.__exit__()
        self.report.problems.sort(key=lambda it: -it.count)

    def add(self, run: ExportedRun) -> None:
        """Replays a run, and adds what it finds to the report."""
        report = self.report
        if self._stuck[run.handler] >= _STUCK_MAX:
            report.skipped += 1
            return
        found = self.replay(run)
        report.count += 1
        if found.is_problem:
            self._note(found)
        elif found.as_before and found.verdict in ("fails", "held"):
            report.as_before += 1

    def replay(self, run: ExportedRun) -> Replayed:
        """Replays a run, and leaves the report as it is."""
        workflow = self._workflows.get(run.handler)
        if workflow is None:
            return unknown_handler(run)
        try:
            return self._calls.run(lambda: replay(workflow, run.decoded(self._codec)))
        except TookTooLongError as error:
            self._stuck[run.handler] += 1
            return Replayed(
                *(run.invocation_id, run.handler, "stuck"), text=str(error), place=error.place
            )

    def _note(self, found: Replayed) -> None:
        where = (found.entry_index, found.expected, found.got, found.place, found.advice)
        cause = (found.handler, found.verdict, *where)
        problem = self._problems.get(cause)
        if problem is None:
            problem = Problem(found.handler, found.verdict, *where, found.text)
            self._problems[cause] = problem
            self.report.problems.append(problem)
        problem.invocation_ids.append(found.invocation_id)


def preflight_runs(
    workflows: Mapping[str, Workflow[..., Any]],
    runs: Iterable[ExportedRun],
    *,
    codec: Codec | None = None,
    seconds: float = REPLAY_SECONDS,
) -> PreflightReport:
    """Replays runs and returns what it has found."""
    with Preflight(workflows, codec=codec, seconds=seconds) as preflight:
        for run in runs:
            preflight.add(run)
    return preflight.report
