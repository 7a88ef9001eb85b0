"""The comparison of two runs, by tables."""

from __future__ import annotations

from typing import Any

import pytest

from durable_cli.run_diff import Comparison, compare, same

ONE, OTHER = "1" * 32, "2" * 32
FAILURE = {
    "type": "Error",
    "message": "no",
    "code": 0,
    "metadata": {},
    "stack_trace": "",
    "cause": None,
}


def entry(number: int, **other: Any) -> dict[str, Any]:
    fields = {
        **{
            "step_number": number,
            "kind": "RUN",
            "name": "step",
            "argument": None,
            "completed": True,
        },
        **{"value": number, "failure": None, "target_invocation_id": ""},
        **{"create_time": "2026-01-01T00:00:00Z", "complete_time": "2026-01-01T00:00:01Z"},
    }
    return fields | other


def run(own_id: str, *journal: dict[str, Any], **other: Any) -> dict[str, Any]:
    fields = {
        **{"invocation_id": own_id, "handler": "trip", "key": "", "input": 1, "first_index": 0},
        **{"status": "completed", "output": "out", "failure": None, "journal": list(journal)},
        **{"start_time": None, "complete_time": None},
    }
    return fields | other


def first(compared: Comparison) -> tuple[Any, ...] | None:
    row = compared.first_difference
    return None if row is None else (row.part, row.step_number, row.differs)


@pytest.mark.parametrize(
    ("one", "other", "difference"),
    [
        (run(ONE), run(OTHER), None),
        (run(ONE), run(OTHER, input=2), ("input", None, ("input",))),
        (run(ONE), run(OTHER, handler="fly"), ("input", None, ("handler",))),
        (run(ONE, entry(0)), run(OTHER, entry(0)), None),
        (run(ONE, entry(0)), run(OTHER, entry(0, value=7)), ("step", 0, ("value",))),
        (
            run(ONE, entry(0)),
            run(OTHER, entry(0, name="x", value=1)),
            ("step", 0, ("name", "value")),
        ),
        (run(ONE, entry(0)), run(OTHER, entry(0, argument=[1])), ("step", 0, ("argument",))),
        (run(ONE, entry(0)), run(OTHER), ("step", 0, ("missing",))),
        (run(ONE), run(OTHER, entry(0), status="failed"), ("step", 0, ("missing",))),
        (run(ONE), run(OTHER, status="failed"), ("end", None, ("status",))),
        (run(ONE), run(OTHER, output="other"), ("end", None, ("output",))),
        # An entry that neither has, because its operation is not in the journal yet.
        (run(ONE, entry(1)), run(OTHER, entry(1)), None),
        (run(ONE, entry(1)), run(OTHER, entry(0), entry(1)), ("step", 0, ("missing",))),
        # Where a failure was raised does not count; what it says does.
        (
            run(ONE, entry(0, value=None, failure=FAILURE)),
            run(OTHER, entry(0, value=None, failure=FAILURE | {"stack_trace": "line 1"})),
            None,
        ),
        (
            run(ONE, entry(0, value=None, failure=FAILURE)),
            run(OTHER, entry(0, value=None, failure=FAILURE | {"message": "yes"})),
            ("step", 0, ("failure",)),
        ),
        # The own id in a name or in a value, and the id of a child.
        (
            run(ONE, entry(0, name=f"{ONE}-0", value={ONE: [f"{ONE}-0"]})),
            run(OTHER, entry(0, name=f"{OTHER}-0", value={OTHER: [f"{OTHER}-0"]})),
            None,
        ),
        (
            run(ONE, entry(0, value="3" * 32, target_invocation_id="3" * 32)),
            run(OTHER, entry(0, value="4" * 32, target_invocation_id="4" * 32)),
            None,
        ),
        # Times do not count, nor where a later run of an endless loop has begun.
        (run(ONE, entry(0)), run(OTHER, entry(0, complete_time="2027-01-01T00:00:01Z")), None),
        (run(ONE, entry(0)), run(OTHER, entry(5, value=0), first_index=5), None),
    ],
)
def test_the_first_difference(
    one: dict[str, Any], other: dict[str, Any], difference: tuple[Any, ...] | None
) -> None:
    assert first(compare(one, other)) == difference


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (None, False, False),
        ("1", 1, False),
        ({"a": 1, "b": [2, {}]}, {"b": [2.0, {}], "a": 1}, True),
        ({"a": None}, {}, False),
        ([1, 2], [2, 1], False),
        ([True], [1], False),
        ([], {}, False),
    ],
)
def test_json_values_are_compared_as_values(one: Any, other: Any, equal: bool) -> None:
    assert same(one, other) == equal
    assert same(other, one) == equal


def test_rows_as_plain_data() -> None:
    compared = compare(run(ONE, entry(0)), run(OTHER))
    rows = [it.to_dict() for it in compared.rows]
    assert [it["part"] for it in rows] == ["input", "step", "end"]
    assert rows[1]["second"] is None
    assert rows[1]["first"]["value"] == 0
    assert rows[2]["first"]["status"] == "completed"
