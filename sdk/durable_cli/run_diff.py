"""The comparison of two runs: their inputs, their journals step by step, and how they ended.

It is pure: it compares the plain data of two invocations (`Invocation.to_dict`) and returns rows.

- Steps are aligned by their place in the run, so a step that only one run has shifts all after it. That
  is what a replay would say too: from there on the program took another way.
- Values are compared as JSON values: the order of names and the form of a number do not count.
- What differs between any two runs is no difference: times, durations, attempts, workers, versions, ids
  of children, and the own id of an invocation where it occurs in a text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any, Final, NamedTuple

INPUT: Final = "input"
STEP: Final = "step"
END: Final = "end"

_OWN_ID: Final = "<this invocation>"
_CHILD_ID: Final = "<its child>"


class Row(NamedTuple):
    """One part of two runs, side by side."""

    part: str
    """INPUT, STEP or END."""
    step_number: int | None
    """The index of a step, of the first run if that has it."""
    first: Mapping[str, Any] | None
    """The part of the first run: of a step its entry, else the invocation; None if it has none."""
    second: Mapping[str, Any] | None
    """The part of the second run."""
    differs: tuple[str, ...]
    """What differs: names of fields, or "missing" if one run has no such step. Empty if equal."""

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, for JSON."""
        return {
            "part": self.part,
            "step_number": self.step_number,
            "differs": list(self.differs),
            "first": None if self.first is None else _shown(self.part, self.first),
            "second": None if self.second is None else _shown(self.part, self.second),
        }


class Comparison(NamedTuple):
    """Two runs, row by row."""

    rows: list[Row]

    @property
    def first_difference(self) -> Row | None:
        """The first row that differs; None if the runs are equal."""
        return next((it for it in self.rows if it.differs), None)


def compare(first: Mapping[str, Any], second: Mapping[str, Any]) -> Comparison:
    """Compares two invocations, each as the plain data of `Invocation.to_dict`."""
    rows = [Row(INPUT, None, first, second, _differing(_input(first), _input(second)))]
    for one, other in zip_longest(_by_place(first), _by_place(second)):
        entry = one or other
        if entry is None:
            continue
        differs: tuple[str, ...] = ("missing",)
        if one is not None and other is not None:
            ids = (first["invocation_id"], second["invocation_id"])
            differs = _differing(_step(one, ids[0]), _step(other, ids[1]))
        rows.append(Row(STEP, entry["step_number"], one, other, differs))
    rows.append(Row(END, None, first, second, _differing(_end(first), _end(second))))
    return Comparison(rows)


def same(one: Any, other: Any) -> bool:
    """Returns whether two JSON values are the same; true is not 1, but 1.0 is."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[it], other[it]) for it in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def _by_place(run: Mapping[str, Any]) -> Iterator[Mapping[str, Any] | None]:
    """Yields the entries of a journal by their places in the run; None where there is none."""
    place = run.get("first_index", 0)
    for entry in run["journal"]:
        while place < entry["step_number"]:
            yield None
            place += 1
        yield entry
        place += 1


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in one if not same(one[name], other[name]))


def _input(run: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "handler": run["handler"],
        "key": run["key"],
        "input": _without(run["input"], run["invocation_id"]),
    }


def _step(entry: Mapping[str, Any], own_id: str) -> dict[str, Any]:
    value = entry["value"]
    if value and value == entry["target_invocation_id"]:
        value = _CHILD_ID
    return {
        "kind": entry["kind"],
        "name": _without(entry["name"], own_id),
        "argument": _without(entry["argument"], own_id),
        "completed": entry["completed"],
        "value": _without(value, own_id),
        "failure": _failure(entry["failure"], own_id),
    }


def _end(run: Mapping[str, Any]) -> dict[str, Any]:
    own_id = run["invocation_id"]
    return {
        "status": run["status"],
        "output": _without(run["output"], own_id),
        "failure": _failure(run["failure"], own_id),
    }


def _failure(failure: Mapping[str, Any] | None, own_id: str) -> Any:
    """Returns what counts of a failure: not where in the code it was raised."""
    if failure is None:
        return None
    counting = {name: failure[name] for name in ("type", "message", "code", "metadata")}
    return _without(counting, own_id)


def _without(value: Any, own_id: str) -> Any:
    """Returns a value with the invocation's own id replaced in all texts."""
    if isinstance(value, str):
        return value.replace(own_id, _OWN_ID)
    if isinstance(value, list):
        return [_without(it, own_id) for it in value]
    if isinstance(value, Mapping):
        return {_without(name, own_id): _without(it, own_id) for name, it in value.items()}
    return value


def _shown(part: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields of a row for JSON."""
    fields = {
        INPUT: ("handler", "key", "input"),
        STEP: (
            *("step_number", "kind", "name", "argument", "completed", "value", "failure"),
            *("create_time", "complete_time"),
        ),
        END: ("status", "output", "failure", "start_time", "complete_time"),
    }
    return {name: data[name] for name in fields[part]}
