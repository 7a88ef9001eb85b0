"""The checker of linearizability, with histories of a register that are and are not linearizable."""

from __future__ import annotations

import random

import pytest

from .linearizable import NEVER, Operation, explain

Call = tuple[str, int]


def register(state: int, call: Call) -> tuple[int, int]:
    """A register: `read`, `write` a number, or `add` one."""
    name, number = call
    if name == "write":
        return 0, number
    return (state, state) if name == "read" else (state + number, state + number)


def op(
    begin: float, end: float, name: str, number: int = 0, gives: int = 0
) -> Operation[Call, int]:
    return Operation((name, number), gives, begin, end)


LINEARIZABLE = {
    "nothing": [],
    "one after another": [op(0, 1, "write", 5), op(2, 3, "read", gives=5)],
    "a read beside a write sees the old value": [op(0, 3, "write", 5), op(1, 2, "read")],
    "or the new one": [op(0, 3, "write", 5), op(1, 2, "read", gives=5)],
    "two writes in the order of a later read": [
        *(op(0, 3, "write", 1), op(0, 3, "write", 2)),
        op(4, 5, "read", gives=1),
    ],
    "a write without an answer that happened": [
        op(0, NEVER, "write", 5),
        op(1, 2, "read"),
        op(3, 4, "read", gives=5),
    ],
    "a write without an answer that did not": [op(0, NEVER, "write", 5), op(3, 4, "read")],
    "adds in an order that only their sums tell": [
        *(op(0, 9, "add", 1, gives=4), op(0, 9, "add", 3, gives=3)),
        op(0, 9, "add", 5, gives=9),
    ],
    "a moment that two share": [op(0, 1, "write", 5), op(1, 2, "read")],
}

WRONG = {
    "a read of what nobody wrote": [op(0, 1, "read", gives=5)],
    "a stale read": [op(0, 1, "write", 5), op(2, 3, "read")],
    "a write that is seen and then not": [
        op(0, 9, "write", 5),
        *(op(1, 2, "read", gives=5), op(3, 4, "read")),
    ],
    "a lost add": [op(0, 3, "add", 1, gives=1), op(0, 3, "add", 1, gives=1)],
    "an add that happened twice": [op(0, 1, "add", 1, gives=1), op(2, 3, "read", gives=2)],
    "a write without an answer that happened twice": [
        op(0, NEVER, "write", 5),
        *(op(1, 2, "read", gives=5), op(3, 4, "write", 7), op(5, 6, "read", gives=5)),
    ],
    "a read before the write was begun": [op(0, 1, "read", gives=5), op(2, 3, "write", 5)],
}


@pytest.mark.parametrize("history", LINEARIZABLE.values(), ids=LINEARIZABLE.keys())
def test_a_history_with_an_order_is_linearizable(history: list[Operation[Call, int]]) -> None:
    assert explain(history, 0, register) is None
    assert explain(reversed(history), 0, register) is None


@pytest.mark.parametrize("history", WRONG.values(), ids=WRONG.keys())
def test_a_history_without_one_is_not(history: list[Operation[Call, int]]) -> None:
    assert explain(history, 0, register)


def test_random_histories_are_linearizable_until_a_read_is_old() -> None:
    """Operations that take effect at a drawn moment each; then one read goes back by one write."""
    for seed in range(20):
        rng = random.Random(seed)
        state, history, values = 0, list[Operation[Call, int]](), [0]
        for moment in range(60):
            name = rng.choice(("read", "write", "add"))
            result, state = register(state, (name, moment * 10 + 1))
            values.append(state)
            begin, end = moment - rng.random() * 4, moment + rng.random() * 4
            if name != "read" and rng.random() < 0.04:
                end = NEVER
            history.append(Operation((name, moment * 10 + 1), result, begin, end))
        assert explain(history, 0, register) is None, seed
        stale = op(100, 101, "read", gives=values[0])
        assert explain([*history, stale], 0, register), seed
