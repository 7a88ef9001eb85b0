"""Values of older code, read by newer code: each change in docs/evolving-values.md, in each place."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypedDict

import pydantic
import pytest
from google.protobuf.duration_pb2 import Duration

import durable
from durable import Context
from durable._common.values.serde import encode
from durable._common.values.shape_factory import shape_of
from durable._engine.attempt import Attempt
from durable._engine.steps import Environment
from durable_proto.v1 import invocation_pb2, payload_pb2, worker_pb2

from .harness import (
    CREATED_MS,
    INVOCATION_ID,
    INVOKE,
    RUN,
    Completed,
    Event,
    Recorded,
    last_message,
    no_channel,
    start_message,
)

PAGE = Path(__file__).parents[2] / "docs" / "evolving-values.md"
SIGNAL = invocation_pb2.ENTRY_KIND_SIGNAL
AWAKEABLE = invocation_pb2.ENTRY_KIND_AWAKEABLE


@dataclass
class Line:
    cents: int


@dataclass
class TextLine:
    cents: str


@dataclass
class FloatLine:
    cents: float


@dataclass
class Price:
    lines: list[Line] = field(default_factory=lambda: [Line(1), Line(2)])


@dataclass
class TextPrice:
    lines: list[TextLine]


@dataclass
class FloatPrice:
    lines: list[FloatLine]


@dataclass
class Total:
    total: int


@dataclass
class Amount:
    amount: int


@dataclass
class AmountOrZero:
    amount: int = 0


@dataclass
class Noted:
    total: int
    note: str


@dataclass
class Defaulted:
    total: int
    note: str = "none"


@dataclass
class Optional:
    total: int
    note: str | None


@dataclass
class Card:
    kind: Literal["card"]
    number: str


@dataclass
class Transfer:
    kind: Literal["transfer"]
    number: str


class Old(Enum):
    RED = 1
    GREEN = 2
    BLUE = 3


class Fewer(Enum):
    RED = 1
    GREEN = 2


class Renamed(Enum):
    ROUGE = 1
    VERT = 2
    BLEU = 3


@dataclass
class Painted:
    colour: Old


@dataclass
class PaintedInFewer:
    colour: Fewer


@dataclass
class PaintedInRenamed:
    colour: Renamed


class Two(NamedTuple):
    x: int
    y: int


class Three(NamedTuple):
    x: int
    y: int
    z: int = 0


class Model(pydantic.BaseModel):
    total: int


class Keys(TypedDict):
    total: int


class Change(NamedTuple):
    """What older code has written, how newer code reads it, and the value, or a part of the error."""

    old: Any
    hint: Any
    value: Any = None
    problem: str = ""


red, blue = Painted(Old.RED), Painted(Old.BLUE)
CHANGES: dict[str, list[Change]] = {
    "a field with a default added": [Change(Total(5), Defaulted, Defaulted(5))],
    "a field without a default added": [Change(Total(5), Noted, problem="needs the field note")],
    "a field removed": [Change(Noted(5, "x"), Total, Total(5))],
    "a field renamed": [Change(Total(5), Amount, problem="needs the field amount")],
    "a field with a default renamed": [Change(Total(5), AmountOrZero, AmountOrZero(0))],
    "the type of a field changed": [
        Change(
            {"lines": [{"cents": "a"}, {"cents": 2}]},
            TextPrice,
            problem=".lines[1].cents: expected str, got int",
        )
    ],
    "int to float": [Change(Price(), FloatPrice, FloatPrice([FloatLine(1.0), FloatLine(2.0)]))],
    "float to int": [
        Change(
            {"lines": [{"cents": 1}, {"cents": 1.5}]},
            Price,
            problem=".lines[1].cents: expected int, got float",
        )
    ],
    "a value made optional": [Change(Noted(5, "x"), Optional, Optional(5, "x"))],
    "an optional value made required": [
        Change(Optional(5, "x"), Noted, Noted(5, "x")),
        Change(Optional(5, None), Noted, problem=".note: expected str, got NoneType"),
    ],
    "a union widened": [Change(Card("card", "1"), Card | Transfer, Card("card", "1"))],
    "a union narrowed": [
        Change(Card("card", "1"), Card, Card("card", "1")),
        Change(Transfer("transfer", "1"), Card, problem=".kind: 'transfer' is none of 'card'"),
    ],
    "an enum member added": [
        Change(PaintedInFewer(Fewer.RED), Painted, red),
    ],
    "an enum member removed": [
        Change(red, PaintedInFewer, PaintedInFewer(Fewer.RED)),
        Change(blue, PaintedInFewer, problem=".colour: 3 is none of 1, 2"),
    ],
    "an enum member renamed": [Change(blue, PaintedInRenamed, PaintedInRenamed(Renamed.BLEU))],
    "list to tuple": [
        Change([1, 2], tuple[int, ...], (1, 2)),
        Change([1, 2], tuple[int, int], (1, 2)),
    ],
    "tuple to list": [Change((1, 2), list[int], [1, 2])],
    "a NamedTuple with one more field that has a default": [Change(Two(1, 2), Three, Three(1, 2))],
    "dataclass to pydantic": [Change(Total(5), Model, Model(total=5))],
    "pydantic to dataclass": [Change(Model(total=5), Total, Total(5))],
    "dataclass to TypedDict": [
        Change(Noted(5, "x"), Keys, {"total": 5, "note": "x"}),
    ],
    "TypedDict to dataclass": [Change(Keys(total=5), Total, Total(5))],
    "a protobuf field added": [Change(Duration(seconds=5), Duration, Duration(seconds=5))],
    "a protobuf field removed": [
        # Field 99 is one that the newer message has not.
        Change(
            Duration.FromString(Duration(seconds=5).SerializeToString() + b"\x9a\x06\x01x"),
            Duration,
            Duration.FromString(Duration(seconds=5).SerializeToString() + b"\x9a\x06\x01x"),
        )
    ],
    "dataclass to protobuf": [Change(Total(5), Duration, problem="no google.protobuf.Duration")],
}
CASES = [
    pytest.param(change, id=f"{name} {number}")
    for name, changes in CHANGES.items()
    for number, change in enumerate(changes)
]


class Read(NamedTuple):
    """What newer code has made of a journal."""

    message: worker_pb2.WorkerMessage
    values: list[Any]
    caught: list[durable.CodecError]


def recorded(index: int, kind: int, name: str, value: payload_pb2.Payload | None) -> Recorded:
    entry = worker_pb2.EntryRecorded(index=index, kind=kind, name=name)  # type: ignore[arg-type]  # the enum's number
    if value is not None:
        entry.outcome.value.CopyFrom(value)
    return Recorded(entry, 0 if value is None else index + 1, CREATED_MS)


def completed(index: int, value: payload_pb2.Payload) -> Completed:
    return Completed(index, payload_pb2.Outcome(value=value), index + 1, CREATED_MS)


NULL = payload_pb2.Payload(data=b"null")
BEGUN: list[Event] = [recorded(0, RUN, "begin", NULL)]


def read(change: Change, place: str, *, catch: bool = False, version: str = "v1") -> Read:
    """Has version v2 go on with a journal of an older version that has a value in a place."""
    values: list[Any] = []
    caught: list[durable.CodecError] = []
    hint = change.hint

    async def child(ctx: Context) -> Any:
        raise AssertionError("this one is only named")

    child.__annotations__["return"] = hint
    kept = durable.workflow(child)

    def step() -> Any:
        raise AssertionError("the step is in the journal")

    step.__annotations__["return"] = hint

    async def program(ctx: Context, given: Any = None) -> None:
        await ctx.run("begin", lambda: None)
        ways: dict[str, Callable[[], Any]] = {
            "step": lambda: ctx.run("price", step),
            "child": lambda: ctx.invoke(kept),
            "signal": lambda: ctx.signal("price", type=hint),
            "awakeable": lambda: ctx.awakeable("price", type=hint),
            "state": lambda: ctx.get("price", hint),
        }
        try:
            values.append(given if place == "input" else await ways[place]())
        except durable.CodecError as error:
            caught.append(error)
            if not catch:
                raise

    if place == "input":
        program.__annotations__["given"] = hint
    workflow = durable.workflow(name="checkout", version="v2")(program)
    payload = encode(change.old)
    history = list(BEGUN)
    if place == "step":
        history.append(recorded(1, RUN, "price", payload))
    elif place != "input":
        kind = {"child": INVOKE, "signal": SIGNAL, "awakeable": AWAKEABLE}.get(place)
        if kind is not None:
            name = kept.name if place == "child" else "price"
            history += [recorded(1, kind, name, None), completed(1, payload)]
    start = start_message(workflow, (), history, version=version)
    if place == "input":
        start.input.CopyFrom(payload)
    elif place == "state":
        start.state["price"].CopyFrom(payload)
    attempt = Attempt(workflow, INVOCATION_ID, 2, start, Environment(channel=no_channel))
    attempt.begin()
    return Read(last_message(attempt), values, caught)


PLACES = ["input", "step", "child", "signal", "awakeable", "state"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("change", CASES)
def test_each_change_in_each_place(change: Change, place: str) -> None:
    found = read(change, place)
    if not change.problem:
        assert found.message.HasField("finished"), found.message.held.failure.message
        assert found.values == [change.value]
        assert type(found.values[0]) is type(change.value)
        return
    assert found.message.HasField("held")
    failure = found.message.held.failure
    assert failure.type == "durable.CodecError"
    assert change.problem in failure.message
    where = {
        "input": "the input of checkout: ",
        "step": "operation 1 of checkout, RUN 'price': ",
        "child": "operation 1 of checkout, INVOKE 'child': ",
        "signal": "operation 1 of checkout, SIGNAL 'price': ",
        "awakeable": "operation 1 of checkout, AWAKEABLE 'price': ",
        "state": "operation 1 of checkout, GET_STATE 'price': ",
    }[place]
    assert failure.message.startswith(where)
    if place not in ("input", "child"):
        assert f"(read as {shape_of(change.hint).name})" in failure.message
    held = place in ("input", "step", "child")
    by = "; it was recorded by version v1, and version v2 cannot read it: deploy code that can"
    assert (by in failure.message) is held
    assert bool(found.caught) is not held


REFUSED = CHANGES["a field renamed"][0]


@pytest.mark.parametrize("place", ["step", "child", "state", "signal", "awakeable"])
def test_the_program_can_catch_what_its_own_version_has_recorded(place: str) -> None:
    found = read(REFUSED, place, catch=True, version="v2")
    assert found.message.HasField("finished")
    assert "needs the field amount" in str(found.caught[0])
    assert found.caught[0].recorded is (place not in ("signal", "awakeable"))


def test_an_input_without_a_journal_fails() -> None:
    async def checkout(ctx: Context, given: Amount) -> None:
        pass

    workflow = durable.workflow(checkout)
    start = start_message(workflow, (Amount(5),))
    start.input.CopyFrom(encode(Total(5)))
    for run, kind in ((1, "finished"), (2, "held")):
        start.run = run
        attempt = Attempt(workflow, INVOCATION_ID, 1, start, Environment(channel=no_channel))
        attempt.begin()
        message = last_message(attempt)
        assert message.WhichOneof("message") == kind
        failure = message.held.failure if kind == "held" else message.finished.outcome.failure
        assert "the input of checkout: value: Amount needs the field amount" in failure.message


def test_a_saga_does_not_undo_because_the_state_cannot_be_read() -> None:
    undone: list[str] = []

    async def checkout(ctx: Context) -> None:
        async with durable.saga(ctx) as saga:
            saga.undo(undone.append, "undone")
            await ctx.get("price", Amount)

    workflow = durable.workflow(checkout)
    start = start_message(workflow)
    start.state["price"].CopyFrom(encode(Total(5)))
    attempt = Attempt(workflow, INVOCATION_ID, 1, start, Environment(channel=no_channel))
    attempt.begin()
    assert last_message(attempt).held.failure.type == "durable.CodecError"
    assert not undone


def test_the_page_says_what_each_change_does() -> None:
    rows = re.findall(r"^\| ([^|]+) \| (read|refused)(.*?) \| .*\|$", PAGE.read_text(), flags=re.M)
    assert [name for name, *_ in rows] == list(CHANGES)
    for name, verb, rest in rows:
        problems = [it.problem for it in CHANGES[name] if it.problem]
        assert re.findall("`(.+?)`", rest) == problems, name
        assert verb == ("refused" if len(problems) == len(CHANGES[name]) else "read"), name
