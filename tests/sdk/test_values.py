"""Values to payloads and back, arguments to payloads and back, and what a handler declares."""

from __future__ import annotations

import enum
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, NamedTuple, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

import durable
from durable import Context
from durable._common.errors import CodecError
from durable._common.values.serde import decode, encode
from durable._engine.failures import to_failure
from durable_proto.v1 import payload_pb2
from examples.services.hello_v1.hello_pb2 import HelloRequest, HelloResponse

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=20,
)


class Colour(enum.Enum):
    RED = "red"
    BLUE = 2


class Level(enum.IntEnum):
    LOW = 1


class Pair(NamedTuple):
    left: int
    right: str


@dataclass
class Inner:
    when: datetime
    tags: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Order:
    id: uuid.UUID
    price: Decimal
    colour: Colour
    inner: Inner | None = None
    parts: tuple[int, ...] = ()
    by_number: dict[int, Inner] = field(default_factory=dict)


@dataclass
class Tree:
    name: str
    children: list[Tree] = field(default_factory=list)


@dataclass
class WithMessage:
    request: HelloRequest
    more: list[HelloRequest] = field(default_factory=list)


class Typed(TypedDict):
    a: int


class Duck:
    """Looks like a pydantic model."""

    def __init__(self, name: str) -> None:
        self.name = name

    def model_dump(self, *, mode: str, **_: Any) -> dict[str, Any]:
        assert mode == "json"
        return {"name": self.name}

    @classmethod
    def model_validate(cls, data: Any) -> Duck:
        return cls(**data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Duck) and other.name == self.name

    __hash__ = None  # type: ignore[assignment]  # as pydantic's


NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
ORDER = Order(
    uuid.UUID(int=5),
    Decimal("1.10"),
    Colour.BLUE,
    Inner(NOON, {"b", "a"}),
    (1, 2),
    {7: Inner(NOON)},
)

ROUND_TRIPS: list[tuple[Any, Any]] = [
    ("text", str),
    ("ümlaut \u2028 \U0001f600 \x00", str),
    (7, int),
    (10**30, int),
    (7, float),
    (1.5, float),
    (True, bool),
    (None, None),
    (None, int | None),
    (3, int | None),
    (b"\x00\xff", bytes),
    ([1, 2], list[int]),
    ([1, 2], Sequence[int]),
    ({"a": 1}, Mapping[str, int]),
    ({1: "a"}, dict[int, str]),
    ({Colour.RED: 1, Colour.BLUE: 2}, dict[Colour, int]),
    ({Level.LOW: 1}, dict[Level, int]),
    ({uuid.UUID(int=1): 1}, dict[uuid.UUID, int]),
    ({date(2026, 1, 2): 1}, dict[date, int]),
    ((1, "a"), tuple[int, str]),
    ({1, 2}, set[int]),
    (frozenset({"x"}), frozenset[str]),
    ({Pair(1, "a"), Pair(2, "b")}, set[Pair]),
    ({Colour.RED, Colour.BLUE}, set[Colour]),
    (Colour.RED, Colour),
    (Level.LOW, Level),
    (Pair(1, "a"), Pair),
    (NOON, datetime),
    (NOON.date(), date),
    (timedelta(days=2, microseconds=3), timedelta),
    (Decimal("0.1"), Decimal),
    (uuid.UUID(int=9), uuid.UUID),
    (ORDER, Order),
    ([ORDER], list[Order]),
    (Tree("a", [Tree("b"), Tree("c", [Tree("d")])]), Tree),
    ({"a": 1}, Typed),
    (Duck("d"), Duck),
    ([Duck("d")], list[Duck]),
    ("b", Literal["a", "b"]),
    ("text", int | str),
    (5, int | str),
    (5, float | int),
    (NOON, datetime | None),
    (HelloRequest(name="x"), HelloRequest),
    (HelloRequest(), HelloRequest | None),
    (None, HelloRequest | None),
    ([HelloRequest(name="x"), HelloRequest()], list[HelloRequest]),
    (WithMessage(HelloRequest(name="x"), [HelloRequest(name="y")]), WithMessage),
]


@pytest.mark.parametrize(("value", "hint"), ROUND_TRIPS, ids=repr)
def test_a_value_is_decoded_as_its_hint_says(value: Any, hint: Any) -> None:
    payload = encode(value)
    back = decode(payload_pb2.Payload.FromString(payload.SerializeToString()), hint)
    assert back == value
    assert type(back) is type(value) or hint is float or not isinstance(hint, type)


@given(JSON)
def test_plain_data_comes_back_without_a_hint(value: Any) -> None:
    payload = encode(value)
    assert json.loads(payload.data) == value
    assert decode(payload) == value


@given(st.binary())
def test_bytes_come_back(value: bytes) -> None:
    assert decode(encode(value)) == value
    assert encode(value).content_type == "application/octet-stream"


def test_content_types() -> None:
    assert encode({"a": 1}).content_type in ("", "application/json")
    assert (
        encode(HelloRequest()).content_type
        == "application/x-protobuf; message=hello.v1.HelloRequest"
    )


def test_encoding_does_not_follow_the_order_of_sets() -> None:
    """Hashes of strings differ in each process; a payload must not."""
    assert encode({"b", "a", "c"}).data == b'["a","b","c"]'
    assert encode({1, "a", None}).data == encode({None, "a", 1}).data


def test_a_message_may_come_as_json() -> None:
    """From curl, for example."""
    payload = payload_pb2.Payload(data=b'{"name": "Ada"}')
    assert decode(payload, HelloRequest) == HelloRequest(name="Ada")
    with pytest.raises(CodecError, match="HelloRequest"):
        decode(payload_pb2.Payload(data=b'{"nam": 1}'), HelloRequest)


def test_a_message_of_another_type_is_refused() -> None:
    with pytest.raises(CodecError, match=r"hello\.v1\.HelloRequest"):
        decode(encode(HelloRequest(name="x")), HelloResponse)


@pytest.mark.parametrize(
    ("data", "hint", "where"),
    [
        (b'{"name": 1}', Tree, "value.name"),
        (b'{"name": "a", "children": [{"name": 2}]}', Tree, "value.children[0].name"),
        (b"{}", Tree, "name"),
        (b'"x"', int, "expected int"),
        (b"true", int, "expected int"),
        (b"1.5", int, "expected int"),
        (b"[1]", tuple[int, str], "array of 2"),
        (b'"yellow"', Colour, "Colour"),
        (b'"x"', datetime, "datetime"),
        (b"", str, "JSON"),
        (b"\xff", str, "JSON"),
        (b"{", Any, "JSON"),
    ],
)
def test_what_does_not_fit_says_where(data: bytes, hint: Any, where: str) -> None:
    with pytest.raises(CodecError) as raised:
        decode(payload_pb2.Payload(data=data), hint)
    assert where in str(raised.value)


class Unknown:
    """Something without a JSON form."""


def _circle() -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


@pytest.mark.parametrize(
    "value", [Unknown(), [Unknown()], {(1, 2): 3}, float("nan"), float("inf"), _circle(), "\ud800"]
)
def test_a_value_without_a_json_form_is_refused(value: Any) -> None:
    with pytest.raises(CodecError):
        encode(value)


@dataclass
class Sheet:
    rows: list[Any]


@pytest.mark.parametrize(
    ("value", "place", "keys"),
    [
        ({1: "a", "1": "b"}, "value: ", "1 and '1'"),
        ({"true": "a", True: "b"}, "value: ", "'true' and True"),
        ({"null": "a", None: "b"}, "value: ", "'null' and None"),
        ({-1.5: "a", "-1.5": "b"}, "value: ", "-1.5 and '-1.5'"),
        ({1e300: "a", "1e+300": "b"}, "value: ", "1e+300 and '1e+300'"),
        ({Level.LOW: "a", "1": "b"}, "value: ", "<Level.LOW: 1> and '1'"),
        ({Colour.RED: "a", "red": "b"}, "value: ", "<Colour.RED: 'red'> and 'red'"),
        ({Colour.BLUE: "a", 2: "b"}, "value: ", "<Colour.BLUE: 2> and 2"),
        ({date(2026, 1, 2): "a", "2026-01-02": "b"}, "value: ", "datetime.date(2026, 1, 2) and"),
        ({"x": [Sheet([{}, {7: 1, "7": 2}])]}, "value['x'][0].rows[1]: ", "7 and '7'"),
        ({Colour.RED: {"a": {2: 1, Colour.BLUE: 1}}}, "value[<Colour.RED: 'red'>]['a']: ", "2 and"),
    ],
)
def test_keys_with_the_same_text_are_refused(value: Any, place: str, keys: str) -> None:
    with pytest.raises(CodecError) as caught:
        encode(value)
    assert place in str(caught.value)
    assert f"the keys {keys}" in str(caught.value)
    assert "give the keys of a dict one type" in str(caught.value)


def test_keys_of_several_types_with_texts_of_their_own() -> None:
    value = {1: 0, "2": {"3": [{4: 1, "5": 1}]}, 1.5: 0, None: 0, "true": 0, "-": 0}
    assert json.loads(encode(value).data) == {
        **{"1": 0, "2": {"3": [{"4": 1, "5": 1}]}, "1.5": 0},
        **{"null": 0, "true": 0, "-": 0},
    }


# Arguments


@durable.workflow
async def none(ctx: Context) -> None: ...


@durable.workflow
async def one(ctx: Context, order: Order) -> Order:
    return order


@durable.workflow
async def default(ctx: Context, name: str = "World") -> str:
    return name


@durable.workflow(name="ns.three-args_1")
async def three(ctx: Context, a: int, b: Tree, *, c: str = "c") -> str:
    return c


def test_arguments_travel_as_other_languages_expect() -> None:
    assert none.encode_input((), {}) is None
    payload = default.encode_input(("x",), {})
    assert payload is not None
    assert payload.data == b'"x"'
    assert default.encode_input((), {}) is None
    payload = three.encode_input((1,), {"b": Tree("t")})
    assert payload is not None
    assert json.loads(payload.data) == {"a": 1, "b": {"name": "t", "children": []}}


@pytest.mark.parametrize(
    ("workflow", "args", "kwargs"),
    [
        (none, (), {}),
        (one, (ORDER,), {}),
        (one, (), {"order": ORDER}),
        (default, (), {}),
        (default, ("x",), {}),
        (three, (1, Tree("t")), {}),
        (three, (1,), {"b": Tree("t"), "c": "d"}),
    ],
)
async def test_a_handler_gets_the_arguments_that_were_given(
    workflow: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    context: Any = None
    got, named = workflow.decode_input(workflow.encode_input(args, kwargs))
    expected = await workflow(context, *args, **kwargs)
    assert await workflow(context, *got, **named) == expected
    reference = workflow.ref()
    assert reference.name == workflow.name
    assert reference.encode_input(args, kwargs) == workflow.encode_input(args, kwargs)
    assert reference.decode_output(encode(expected)) == expected


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), ((1,), {}), ((1, 2, 3), {}), ((1, 2), {"d": 1}), ((1,), {"a": 2})],
)
def test_wrong_arguments_are_a_type_error_at_the_call(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    with pytest.raises(TypeError):
        three.encode_input(args, kwargs)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b'{"a": 1}', "b"),
        (b'{"a": 1, "b": {"name": ""}, "x": 2}', "x"),
        (b"[]", "an object by name"),
        (b"1", "an object by name"),
    ],
)
def test_wrong_input_is_refused_by_name(data: bytes, text: str) -> None:
    with pytest.raises(CodecError, match=text):
        three.decode_input(payload_pb2.Payload(data=data))


@pytest.mark.parametrize("name", ["", "1a", "a b", "a/b", "x" * 129, "ä", "a\n"])
def test_names_that_are_not_allowed(name: str) -> None:
    async def program(ctx: Context) -> None: ...

    with pytest.raises(ValueError, match="not the name of a handler"):
        durable.workflow(name=name)(program)


def test_functions_that_cannot_be_workflows() -> None:
    def plain(ctx: Context) -> None: ...

    async def no_context() -> None: ...

    async def stars(ctx: Context, *args: int) -> None: ...

    for function in (plain, no_context, stars):
        with pytest.raises(TypeError):
            durable.workflow(function)  # type: ignore[call-overload]  # on purpose


def test_the_declaration_of_a_handler() -> None:
    @durable.workflow(
        name="greet",
        retry=durable.RetryPolicy(max_attempts=None, jitter=0),
        retention=timedelta(hours=1),
    )
    async def program(ctx: Context, name: str) -> int:
        """Greets."""
        return len(name)

    spec = program.spec()
    assert spec.name == "greet"
    assert spec.description == "Greets."
    assert json.loads(spec.input_schema) == {"type": "string"}
    assert json.loads(spec.output_schema) == {"type": "integer"}
    assert spec.retention.seconds == 3600
    assert spec.retry_policy.max_attempts == -1
    assert spec.retry_policy.jitter == -1
    assert 0 < len(spec.version) <= 64
    assert spec.version == program.spec().version


def test_the_version_follows_the_source() -> None:
    async def first(ctx: Context) -> int:
        return 1

    async def second(ctx: Context) -> int:
        return 2

    assert durable.workflow(first).version != durable.workflow(second).version
    assert durable.workflow(version="v7")(first).version == "v7"


class _Mute(Exception):
    def __str__(self) -> str:
        raise AttributeError("no text")


def test_an_exception_whose_text_raises_becomes_a_failure_anyway() -> None:
    failure = to_failure(_Mute())
    assert failure.type.endswith("_Mute")
    assert failure.message == "<its text cannot be made: AttributeError>"
