"""Values keep their types on the way through a payload; what does not fit says where."""

from __future__ import annotations

import enum
import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal, NamedTuple, NewType, TypedDict

import pytest

from durable import CodecError, ref, workflow
from durable._serde import decode, encode
from durable_proto.v1 import payload_pb2
from examples.services.hello_v1.hello_pb2 import HelloRequest


class Color(enum.Enum):
    RED = "red"


@dataclass
class Item:
    name: str
    price: Decimal
    color: Color = Color.RED


@dataclass
class Order:
    id: uuid.UUID
    items: list[Item]
    when: datetime
    notes: dict[int, str] = field(default_factory=dict)
    gift: Item | None = None


class Point(NamedTuple):
    x: int
    y: float


class Loose(TypedDict):
    anything: int


UserId = NewType("UserId", str)
ITEM = Item("tea", Decimal("4.20"))
ORDER = Order(uuid.UUID(int=5), [ITEM], datetime(2026, 1, 2, tzinfo=UTC), {7: "x"}, ITEM)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("text", str),
        (1, int),
        (1.5, float),
        (2, float),
        (True, bool),
        (None, None),
        (None, str | None),
        ([1, 2], list[int]),
        ((1, "a"), tuple[int, str]),
        ((1, 2, 3), tuple[int, ...]),
        ({1, 2}, set[int]),
        (frozenset({"a"}), frozenset[str]),
        ({1: [True]}, dict[int, list[bool]]),
        (ITEM, Item),
        (ORDER, Order),
        ([ORDER], list[Order]),
        (Point(1, 2.5), Point),
        ({"anything": 1}, Loose),
        (UserId("u"), UserId),
        (Color.RED, Color),
        ("b", Literal["a", "b"]),
        (date(2026, 1, 2), date),
        (time(3, 4), time),
        (timedelta(minutes=3), timedelta),
        (uuid.UUID(int=9), uuid.UUID),
        (b"\x00\xff", bytes),
        ([b"\x00"], list[bytes]),
        (HelloRequest(name="x"), HelloRequest),
        ({"free": ["form", 1]}, Any),
        (3, int | str),
        ("3", int | str),
        (ITEM, Item | str),
    ],
)
def test_a_value_comes_back_as_it_was(value: object, hint: object) -> None:
    payload = payload_pb2.Payload.FromString(encode(value).SerializeToString())
    back = decode(payload, hint)
    assert back == value
    assert type(back) is (float if hint is float else type(value))


@pytest.mark.parametrize(
    ("data", "hint", "words"),
    [
        (b"{", str, "is no JSON"),
        (b"1", str, "value: expected str, got int"),
        (b"true", int, "value: expected int, got bool"),
        (b'{"items": [{"name": 1}]}', Order, "value.items[0].name: expected str, got int"),
        (b'{"name": "x"}', Item, "price"),
        (b"[1]", tuple[int, int], "an array of 2"),
        (b'"blue"', Color, "no Color"),
        (b'"c"', Literal["a"], "none of 'a'"),
        (b'"x"', int | None, "fits none of the union"),
        (b'"yesterday"', datetime, "no datetime"),
    ],
)
def test_what_does_not_fit_says_where(data: bytes, hint: object, words: str) -> None:
    with pytest.raises(CodecError) as caught:
        decode(payload_pb2.Payload(data=data), hint)
    assert words in str(caught.value)


def test_what_has_no_json_is_refused() -> None:
    for value in (object(), {"a": {1j}}, float("nan")):
        with pytest.raises(CodecError):
            encode(value)


def test_arguments_travel_in_the_form_that_others_expect() -> None:
    @workflow
    async def none(ctx: Any) -> None: ...

    @workflow
    async def one(ctx: Any, item: Item) -> Item:
        return item

    @workflow
    async def several(ctx: Any, name: str, count: int = 1, *, loud: bool = False) -> None: ...

    assert none.encode_input((), {}) is None
    payload = one.encode_input((ITEM,), {})
    assert payload is not None
    assert payload.data == b'{"name":"tea","price":"4.20","color":"red"}'
    assert one.decode_input(payload) == ((ITEM,), {})
    assert one.ref().encode_input((), {"item": ITEM}) == payload
    payload = several.encode_input(("x",), {"loud": True})
    assert payload is not None
    assert payload.data == b'{"name":"x","loud":true}'
    assert several.decode_input(payload) == ((), {"name": "x", "loud": True})
    for wrong in ((), ("x", 1, True)):
        with pytest.raises(TypeError):
            several.encode_input(wrong, {})
    loose = ref("elsewhere", str)
    assert loose.encode_input((), {}) is None
    assert loose.decode_output(encode("x")) == "x"
    with pytest.raises(TypeError):
        loose.encode_input((1, 2), {})


def test_what_cannot_be_a_workflow_is_refused() -> None:
    with pytest.raises(ValueError, match="not a handler name"):
        ref("no spaces")
    with pytest.raises(TypeError, match="async def"):
        workflow(lambda ctx: None)  # type: ignore[arg-type, return-value]  # on purpose
    with pytest.raises(TypeError, match="names to travel by"):

        @workflow
        async def loose(ctx: Any, *args: int) -> None: ...


async def test_a_workflow_is_still_the_function() -> None:
    @workflow
    async def double(ctx: Any, number: int) -> int:
        """Doubles."""
        return 2 * number

    assert await double(None, 4) == 8  # type: ignore[arg-type]  # no context is needed here
    assert double.__doc__ == "Doubles."
    spec = double.spec()
    assert (spec.name, spec.description) == ("double", "Doubles.")
    assert spec.input_schema == '{"type": "integer"}'
    assert len(spec.version) == 12
