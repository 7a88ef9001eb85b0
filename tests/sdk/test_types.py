"""Every type is decoded exactly or refused with a hint, and its schema accepts what is decoded."""

from __future__ import annotations

import enum
import itertools
import json
import uuid
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import KW_ONLY, InitVar, dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Protocol,
    Self,
    TypedDict,
    TypeVar,
)
from unittest.mock import MagicMock, Mock

import attrs
import jsonschema
import msgspec
import pydantic
import pydantic.dataclasses
import pytest
import typing_extensions

from durable._common.errors import CodecError
from durable._common.values.hints import HintError, Scope
from durable._common.values.schemas import SCHEMA_BYTES_MAX, accepted_schema, described_schema
from durable._common.values.serde import decode, decode_as, encode, encode_as
from durable._common.values.shape_factory import shape_of
from durable_proto.v1 import payload_pb2
from examples.services.hello_v1.hello_pb2 import HelloRequest, HelloResponse

T = TypeVar("T")
U = TypeVar("U")


@dataclass
class Item:
    a: int


@dataclass(frozen=True)
class Point:
    x: int
    y: int = 0


@dataclass
class Page(Generic[T]):
    items: list[T]
    next: Page[T] | None = None


@dataclass
class ItemPage(Page[Item]):
    number: int = 0


@dataclass
class Both(Generic[T, U]):
    left: T
    right: dict[str, U]


@dataclass
class Swapped(Both[U, T], Generic[T, U]):
    pass


class UserId(str):
    pass


class Cents(int):
    pass


class Typed(TypedDict):
    x: Item
    y: NotRequired[set[int]]


class Partly(Typed, total=False):
    z: tuple[int, ...]


class Boxed(TypedDict, Generic[T]):
    value: T


class Named(NamedTuple):
    a: Item
    b: frozenset[str] = frozenset()


class Pair(NamedTuple, Generic[T]):
    left: T
    right: T


class Shade(enum.Enum):
    DARK = (1, 2)
    LIGHT = (3, 4)


class Bits(enum.Flag):
    R = 1
    W = 2


class Word(enum.StrEnum):
    A = "a"
    B = "b"


class Lenient(enum.Enum):
    ONE = "one"

    @classmethod
    def _missing_(cls, value: object) -> Lenient:
        if value == "eins":
            return cls.ONE
        raise LookupError(value)


@dataclass(frozen=True, slots=True)
class Points:
    all: frozenset[Point]


@dataclass
class Special:
    a: int
    total: int = field(init=False, default=0)
    _: KW_ONLY
    parent: Self | None = None
    shared: ClassVar[int] = 4
    fixed: Final[int] = 3  # type: ignore[misc]  # a field with a default


@dataclass
class Cat:
    name: str


@dataclass
class Dog:
    name: str
    breed: str = "?"


@dataclass
class TaggedCat:
    kind: Literal["cat"]
    name: str


@dataclass
class TaggedDog:
    kind: Literal["dog"]
    name: str


@dataclass
class Holder:
    pet: Cat | Dog
    pets: dict[str, list[Dog | Cat]]


@attrs.define
class Attrs:
    x: int
    _y: Item | None = None


class Struct(msgspec.Struct):
    x: int
    when: datetime | None = None


class StructA(msgspec.Struct, tag=True):
    x: int


class StructB(msgspec.Struct, tag=True):
    x: int


class Model(pydantic.BaseModel):
    x: int
    when: datetime | None = None


class Aliased(pydantic.BaseModel):
    user_id: int = pydantic.Field(alias="userId", default=0)


class ModelPage(pydantic.BaseModel, Generic[T]):
    items: list[T]


class ModelCat(pydantic.BaseModel):
    name: str


class ModelDog(pydantic.BaseModel):
    name: str
    breed: str = "?"


class Parent(pydantic.BaseModel):
    child: Model
    more: list[Model] = []


@pydantic.dataclasses.dataclass
class Checked:
    x: Annotated[int, pydantic.Field(gt=0)]
    items: list[Item]


class Twin(pydantic.BaseModel):
    x: int
    when: datetime | None = None


@dataclass
class Described:
    city: Annotated[str, "where it is"]
    boxes: list[Annotated[Item, "what is in them"]]
    next: Annotated[Described, "of the same kind"] | None = None


class Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)
    when: datetime
    id: uuid.UUID
    pair: tuple[int, int] = (1, 2)


class Outer(pydantic.BaseModel):
    inner: Aliased


class OuterByName(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(populate_by_name=True)
    inner: Aliased = pydantic.Field(alias="within")


@pydantic.dataclasses.dataclass
class AliasedFields:
    user_id: int = pydantic.Field(alias="userId", default=0)


class Keyed(msgspec.Struct):
    by_number: dict[int, str]
    by_day: dict[date, int]


class OldTyped(typing_extensions.TypedDict):
    x: Item
    y: typing_extensions.NotRequired[int]


class Secret(pydantic.BaseModel):
    password: pydantic.SecretStr


class HoldsSecret(pydantic.BaseModel):
    inner: list[Secret]


class OpenSecret(Secret):
    @pydantic.field_serializer("password", when_used="json")
    def _open(self, value: pydantic.SecretStr) -> str:
        return value.get_secret_value()


class ModelKitten(ModelCat):
    weeks: int = 0


class StructMore(Struct):
    y: int = 0


@dataclass
class SameA:
    x: int


@dataclass
class SameB:
    x: int


@dataclass
class Forgets:
    x: InitVar[int]


@dataclass
class Lost:
    a: int
    owner: Missing  # type: ignore[name-defined]  # noqa: F821  # on purpose


class Behaves(Protocol):
    def behave(self) -> None: ...


class Unknown:
    """A class whose constructor has no annotations."""


class Names(list[str]):
    pass


Number = NewType("Number", int)
Json = typing_extensions.TypeAliasType("Json", "dict[str, Json] | list[Json] | str | int | None")
Pairs = typing_extensions.TypeAliasType("Pairs", list[tuple[T, T]], type_params=(T,))

SPECIAL = Special(1, parent=Special(2))
SPECIAL.total = 9
LONG = timedelta(days=999_999_998, microseconds=1)
WHEN = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=-5)))
ID = uuid.UUID(int=4)

EXACT: list[tuple[Any, Any]] = [
    # generic classes
    (Page([Item(1)], Page([Item(2)])), Page[Item]),
    (ItemPage([Item(1)], None, 3), ItemPage),
    (Both(Item(1), {"a": Shade.DARK}), Both[Item, Shade]),
    (Swapped(Item(1), {"a": Shade.DARK}), Swapped[Shade, Item]),
    (Page([Page([Item(1)])]), Page[Page[Item]]),
    (Pair(Item(1), Item(2)), Pair[Item]),
    ({"value": Item(1)}, Boxed[Item]),
    # subclasses of plain types
    (UserId("u"), UserId),
    ([UserId("u")], list[UserId]),
    ({UserId("u"): Cents(3)}, dict[UserId, Cents]),
    (Cents(3), Cents),
    # typed dicts and named tuples
    ({"x": Item(1), "y": {1, 2}}, Typed),
    ({"x": Item(1)}, Typed),
    ({"x": Item(1), "z": (1, 2)}, Partly),
    (Named(Item(1), frozenset("ab")), Named),
    # enums
    (Shade.DARK, Shade),
    ({Shade.LIGHT}, set[Shade]),
    (Bits.R | Bits.W, Bits),
    (Word.A, Word),
    ({Word.A: 1}, dict[Word, int]),
    (Lenient.ONE, Lenient),
    # dataclasses
    (Points(frozenset({Point(1), Point(2)})), Points),
    (SPECIAL, Special),
    # unions of records
    (Cat("x"), Cat | Dog),
    (Dog("x"), Cat | Dog),
    (Dog("x", "y"), Dog | Cat),
    (TaggedCat("cat", "a"), TaggedCat | TaggedDog),
    (TaggedDog("dog", "a"), TaggedCat | TaggedDog | None),
    ([Cat("x"), Dog("d")], list[Cat | Dog]),
    ({"a": Dog("d")}, dict[str, Dog | Cat]),
    (Holder(Dog("a", "b"), {"x": [Cat("c"), Dog("d")]}), Holder),
    (Item(3), Item | dict[str, str]),
    ({"x": "y"}, Item | dict[str, str]),
    (ModelDog(name="a", breed="b"), ModelCat | ModelDog),
    (ModelCat(name="a"), ModelDog | ModelCat),
    (StructB(1), StructA | StructB),
    (Page([Cat("c")]), Page[Cat] | Page[int]),
    # other libraries
    (Attrs(1, Item(2)), Attrs),
    (Struct(1, WHEN), Struct),
    (Model(x=1, when=WHEN), Model),
    (Parent(child=Model(x=1), more=[Model(x=2)]), Parent),
    (Aliased(userId=4), Aliased),
    (ModelPage[Model](items=[Model(x=1)]), ModelPage[Model]),
    (Checked(1, [Item(2)]), Checked),
    (Described("Rome", [Item(1)], Described("Bern", [])), Described),
    (Strict(when=WHEN, id=ID), Strict),
    ([WHEN], list[Annotated[datetime, pydantic.Field(strict=True)]]),
    (Outer(inner=Aliased(userId=4)), Outer),
    (OuterByName(inner=Aliased(userId=4)), OuterByName),
    (AliasedFields(userId=4), AliasedFields),  # type: ignore[call-arg]  # known by its alias
    (OpenSecret(password=pydantic.SecretStr("x")), OpenSecret),
    ({"a": [1, None]}, pydantic.JsonValue),
    (ModelKitten(name="a"), ModelCat | ModelKitten),
    (ModelCat(name="a"), ModelCat | ModelKitten),
    (Keyed({1: "a"}, {date(2026, 1, 2): 1}), Keyed),
    ({"x": Item(1)}, OldTyped),
    ({"a": Model(x=1)}, dict[str, Model | None]),
    (5, Annotated[int, pydantic.Field(gt=0)]),
    # collections
    (deque([1]), deque[int]),
    (OrderedDict(a=1), OrderedDict[str, int]),
    (Counter("aab"), Counter[str]),
    ((), tuple[()]),
    ((Item(1), {Point(1)}), tuple[Item, set[Point]]),
    ([(1, 2)], Pairs[int]),
    ([Item(1)], Sequence[Item]),
    ({1.5: 1}, dict[float, int]),
    ({True: 1}, dict[bool, int]),
    ({WHEN: 1}, dict[datetime, int]),
    ({"a": 1}, dict[Literal["a", "b"], int]),
    # plain values
    (Path("/a/b"), Path),
    (PurePosixPath("a"), PurePosixPath),
    (bytearray(b"x"), bytearray),
    ([bytearray(b"x")], list[bytearray]),
    (LONG, timedelta),
    (-LONG, timedelta),
    (timedelta(microseconds=1), timedelta),
    (WHEN, datetime),
    (time(1, 2, 3), time),
    (Decimal("1E+400"), Decimal),
    (None, None),
    (5, Number),
    (Item(1), Annotated[Item, "words"]),
    ({"a": [1, {"b": None}]}, Json),
    # unions of plain values
    (date(2026, 1, 2), date | datetime),
    (datetime(2026, 1, 2), date | datetime),
    ([], list[int] | list[str]),
    (["a"], list[int] | list[str]),
    ([1], list[float] | list[int]),
    ([1.0], list[int] | list[float]),
    (True, bool | int),
    (1, bool | int),
    (True, Literal[1, True]),
    (1, Literal[1, True]),
    (False, Literal[0, False]),
    (0, Literal[False, 0]),
    (5, int | float),
    (5.0, int | float),
    (Decimal("1.5"), Decimal | int),
    (2, Decimal | int),
    (timedelta(seconds=5), timedelta | int),
    (5, timedelta | int),
    (ID, uuid.UUID | date),
    (date(2026, 1, 2), uuid.UUID | date),
    (b"x", bytes | str),
    ("abcd", bytes | str),
    (None, Item | None),
    ((1, "x"), tuple[int, str] | tuple[int, int]),
    ((1, 2, 3), tuple[int, int] | tuple[int, int, int]),
    (HelloRequest(name="x"), HelloRequest | HelloResponse),
    (HelloResponse(), HelloRequest | HelloResponse | None),
]


def _named(case: Any) -> str:
    return f"{case!r:.40}"


@pytest.mark.parametrize(("value", "hint"), EXACT, ids=_named)
def test_a_value_comes_back_exactly(value: Any, hint: Any) -> None:
    back = decode(encode(value), hint)
    assert back == value
    assert type(back) is type(value)
    assert encode(back) == encode(value)


@pytest.mark.parametrize(
    ("value", "hint"), [it for it in EXACT if not encode(it[0]).content_type], ids=_named
)
def test_the_schema_fits_every_value_that_is_read(value: Any, hint: Any) -> None:
    payload = encode(value)
    for schema in (accepted_schema(shape_of(hint)), described_schema(shape_of(hint))):
        if schema:
            jsonschema.Draft202012Validator.check_schema(json.loads(schema))
            jsonschema.validate(json.loads(payload.data), json.loads(schema))


DATA = [
    *(None, True, 0, 1, 1.5, "", "a", "5", "2026-01-02", "cat", [], [1], [[1, 2]], {}),
    *({"a": 1}, {"x": 1}, {"x": "1"}, {"name": "a"}, {"name": "a", "breed": "b"}, "1.5s", str(ID)),
    *({"items": [{"a": 1}]}, {"items": [], "next": None}, {"kind": "cat", "name": "a"}, [1, "x"]),
    *({"x": {"a": 1}}, {"userId": 3}, {"user_id": 3}, {"child": {"x": "3"}}, {"type": "StructA"}),
]


@pytest.mark.parametrize("hint", list({repr(it): it for _, it in EXACT}.values()), ids=_named)
def test_no_schema_refuses_what_would_be_read(hint: Any) -> None:
    """A schema may accept what is not decoded, but never refuse what is."""
    shape = shape_of(hint)
    schema = accepted_schema(shape)
    for data in DATA if schema else []:
        try:
            decode_as(payload_pb2.Payload(data=json.dumps(data).encode()), shape)
        except CodecError:
            continue
        jsonschema.validate(data, json.loads(schema))


def test_a_schema_says_where_a_value_is_wrong() -> None:
    schema = json.loads(accepted_schema(shape_of(Page[Cat])))
    with pytest.raises(jsonschema.ValidationError) as refused:
        jsonschema.validate({"items": [{"name": 1}]}, schema)
    assert list(refused.value.absolute_path) == ["items", 0, "name"]
    assert accepted_schema(shape_of(Any)) == ""
    many = Literal[tuple(f"choice {it}" * 10 for it in range(1000))]  # type: ignore[valid-type]  # made here
    assert len(accepted_schema(shape_of(many))) <= SCHEMA_BYTES_MAX


REFUSED: list[tuple[Any, str]] = [
    (SameA | SameB, "kind: Literal"),
    (SameA | dict[str, int], "SameA"),
    (list[SameA | SameB], "kind: Literal"),
    (Page[SameA] | Page[SameB], "Page"),
    (Model | Twin, "kind: Literal"),
    (UserId | str, "UserId"),
    (str | datetime, "datetime"),
    (Path | str, "Path"),
    (Word | str, "Word"),
    (float | timedelta, "timedelta"),
    (list[int] | set[int], "set"),
    (list[int] | tuple[int, ...], "tuple"),
    (Named | tuple[Item, frozenset[str]], "Named"),
    (list[bytes | str], "bytes"),
    (HelloRequest | Item, ""),
    (Behaves, "abstract"),
    (Unknown, "give a dataclass"),
    (list[Unknown], "give a dataclass"),
    (Forgets, "Forgets.x"),
    (Lost, "Lost.owner: 'Missing' cannot be resolved: the name 'Missing' is not defined"),
    (Names, "list"),
    (Secret, "get_secret_value"),
    (HoldsSecret, "get_secret_value"),
    (pydantic.BaseModel, "union of models"),
    (defaultdict[str, int], "defaultdict"),
    (dict[tuple[int, int], str], "list of pairs"),
    (dict[str | None, int], "list of pairs"),
    (complex, "complex"),
    (Fraction, "Fraction"),
    (Callable[[], int], "give a dataclass"),
    (type[int], "type"),
    (memoryview, "memoryview"),
    (Iterator[int], "Iterator"),
    ("Nowhere", "'Nowhere' is not defined"),
]


@pytest.mark.parametrize(("hint", "words"), REFUSED, ids=_named)
def test_a_type_that_could_not_be_decoded_is_refused(hint: Any, words: str) -> None:
    if hint == HelloRequest | Item:
        hint = list[hint]
    with pytest.raises(HintError, match=r".") as refused:
        shape_of(hint)
    assert words in str(refused.value)


@pytest.mark.parametrize("pair", list(itertools.permutations([Cat, Dog], 2)), ids=repr)
def test_the_order_in_a_union_makes_no_difference(pair: tuple[type, type]) -> None:
    union = pair[0] | pair[1]
    assert decode(encode(Dog("rex", "pug")), union) == Dog("rex", "pug")
    assert decode(payload_pb2.Payload(data=b'{"name": "x"}'), union) == Cat("x")


@pytest.mark.parametrize(
    ("data", "hint", "words"),
    [
        ({"name": "x", "wings": 2}, Cat | Dog, "value: fits none of Cat | Dog"),
        ({"pet": {"name": 1}, "pets": {}}, Holder, "value.pet: fits none of Cat | Dog"),
        ({"kind": "cat", "name": 1}, TaggedCat | TaggedDog, "value.name: expected str, got int"),
        ({"items": [{"a": 1}, {"a": "x"}]}, Page[Item], "value.items[1].a: expected int"),
        ({"x": {"a": 1}, "y": [[]]}, Typed, "value.y[0]: expected int"),
        ({"x": 1}, dict[int, int], "value['x']: the key is no int"),
        ([1.5], list[Cents], "value[0]: expected int"),
        ("zwei", Lenient, "LookupError"),
        (3, Word, "is none of 'a', 'b' (Word)"),
        (True, Literal[1], "is none of 1"),
        (1, Literal[True], "is none of True"),
        ({"child": {"x": "y"}}, Parent, "value.child.x: no Parent: ValidationError"),
        ({"x": 0, "items": []}, Checked, "value.x: no int: ValidationError"),
        ({"x": []}, Struct, "no Struct: ValidationError"),
        (0, Annotated[int, pydantic.Field(gt=0)], "ValidationError"),
        (10**400, float, "OverflowError"),
        (1e300, timedelta, "no timedelta"),
        ("2026-13-01", date, "no date"),
        ([[1]], set[list[int]], "no set[list[int]]: unhashable"),
    ],
    ids=_named,
)
def test_data_that_does_not_fit_says_where(data: Any, hint: Any, words: str) -> None:
    with pytest.raises(CodecError) as refused:
        decode(encode(data), hint)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    "data",
    [b"1" * 5000, b"1e999", b"-1e999", b"NaN", b"Infinity", b"[" * 100_000, b'{"a":' * 100_000],
    ids=_named,
)
@pytest.mark.parametrize("hint", [Any, float, list[Any], Json], ids=repr)
def test_data_beyond_the_limits_of_python_is_an_error_of_the_value(data: bytes, hint: Any) -> None:
    with pytest.raises(CodecError):
        decode(payload_pb2.Payload(data=data), hint)


def test_deep_data_of_a_recursive_type_is_an_error_of_the_value() -> None:
    deep = b'{"items":[],"next":' * 900 + b"null" + b"}" * 900
    with pytest.raises(CodecError, match="nested too deeply"):
        decode(payload_pb2.Payload(data=deep), Page[Item])


def test_unknown_fields_are_ignored_outside_of_unions() -> None:
    """So old code can read what newer code has written."""
    newer = payload_pb2.Payload(data=b'{"name": "x", "lives": 9}')
    assert decode(newer, Cat) == Cat("x")
    assert decode(newer, Cat | None) == Cat("x")
    tagged = payload_pb2.Payload(data=b'{"kind": "cat", "name": "x", "lives": 9}')
    assert decode(tagged, TaggedCat | TaggedDog) == TaggedCat("cat", "x")


def test_bytes_and_messages_are_no_other_type() -> None:
    for value, hint in [(b"x", Item), (b"x", str), (HelloRequest(), Item), (HelloRequest(), bytes)]:
        with pytest.raises(CodecError):
            decode(encode(value), hint)
    with pytest.raises(CodecError, match=r"not a hello\.v1\.HelloRequest"):
        decode(encode(HelloResponse()), HelloRequest | None)


class Odd:
    """Raises a given exception while it is encoded."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    @property
    def model_dump(self) -> Any:
        raise self.error


@dataclass
class WithProperty:
    value: Odd


@pytest.mark.parametrize("kind", [KeyError, AssertionError, RecursionError, OSError, TypeError])
def test_errors_while_writing_are_errors_of_the_value(kind: type[Exception]) -> None:
    for value in (Odd(kind("words")), [Odd(kind("words"))], WithProperty(Odd(kind("words")))):
        with pytest.raises(CodecError, match="words"):
            encode(value)


@dataclass
class Siamese(Cat):
    blue: bool = True


@pytest.mark.parametrize(
    ("value", "hint", "place"),
    [
        (Siamese("x"), Cat, "value: a Siamese would come back as Cat; declare Cat | Siamese"),
        ([Cat("x"), Siamese("x")], list[Cat], "value[1]: a Siamese"),
        (Page([Siamese("x")]), Page[Cat], "value.items[0]: a Siamese"),
        ({"a": Siamese("x")}, dict[str, Cat | None], "value['a']: a Siamese"),
        (Holder(Siamese("x"), {}), Holder, "value.pet: a Siamese"),
        ((1, Siamese("x")), tuple[int, Cat], "value[1]: a Siamese"),
        (deque([Siamese("x")]), deque[Cat], "value[0]: a Siamese"),
        (ModelKitten(name="x"), ModelCat, "value: a ModelKitten would come back as ModelCat"),
        ([StructMore(1)], list[Struct | None], "value[0]: a StructMore"),
    ],
    ids=_named,
)
def test_an_object_of_a_subclass_is_not_cut_down(value: Any, hint: Any, place: str) -> None:
    with pytest.raises(CodecError) as refused:
        encode_as(value, shape_of(hint))
    assert str(refused.value).startswith(place)


@pytest.mark.parametrize(("value", "hint"), EXACT, ids=_named)
def test_what_comes_back_loses_nothing(value: Any, hint: Any) -> None:
    assert encode_as(value, shape_of(hint)) == encode(value)
    assert encode_as(Siamese("x"), shape_of(Cat | Siamese)) == encode(Siamese("x"))


@pytest.mark.parametrize("value", [Mock(), MagicMock(), Mock().anything], ids=repr)
def test_an_object_that_has_every_name_is_no_value(value: Any) -> None:
    with pytest.raises(CodecError, match="give a dataclass"):
        encode(value)


def test_sets_are_written_in_one_order() -> None:
    sets = [{frozenset({1}), frozenset({2}), frozenset({1, 2})}, {"b", "a"}, {Point(2), Point(1)}]
    for it in sets:
        assert encode(it) == encode(type(it)(reversed(list(it))))


def test_an_awaitable_is_what_it_gives() -> None:
    assert decode(encode(Item(1)), Awaitable[Item]) == Item(1)


def test_a_name_in_a_type_is_resolved_where_it_is_written() -> None:
    scope = Scope(inner={"Here": Item})
    assert decode_as(encode([Item(1)]), shape_of(list["Here"], scope)) == [Item(1)]  # type: ignore[name-defined]  # noqa: F821
    with pytest.raises(HintError, match="Here"):
        shape_of(list["Here"])  # type: ignore[name-defined]  # noqa: F821
