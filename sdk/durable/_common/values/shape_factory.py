"""The shape factory: decides which types can be values, and makes their shapes.

A type either reads back as it was written, or it is refused here, where it is declared, with a
message that says what to use instead. Any, object, a type variable without a bound, and a missing
hint mean plain data.

A shape is made once for each type and found again by the parts of the type, in their order.
Equality of types is not enough for that: Python says that `Cat | Dog` equals `Dog | Cat`, and
`Literal[1]` equals `Literal[True]`.
"""

from __future__ import annotations

import base64
import collections
import collections.abc
import dataclasses
import enum
import inspect
import re
import sys
import types
import typing
import uuid
from collections.abc import Callable, Hashable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import PurePath
from typing import Any, Final, TypeAlias, TypeVar

from google.protobuf.message import Message

from . import third_party
from .ambiguity import ambiguous_pair
from .hints import (
    NO_SCOPE,
    HintError,
    Scope,
    Unresolved,
    UnresolvedError,
    class_hints,
    resolve,
    substitute,
)
from .json_writer import plain_form, seconds_form
from .shapes import (
    ANYTHING,
    FLOAT,
    INTEGER,
    STRING,
    Anything,
    Array,
    Choice,
    Deferred,
    Field,
    FixedArray,
    Float,
    Map,
    Parsed,
    Record,
    Scalar,
    ScalarSubclass,
    Shape,
    Union,
    fields_of,
    form_key,
)

_KNOWN_MAX: Final = 4096
_WAY_OUT = (
    "give a dataclass, a TypedDict, a NamedTuple, a pydantic model, a protobuf message, or lists and"
    " dicts of such; or Any, to get the plain data"
)
_Key: TypeAlias = Any

_by_identity: dict[int, tuple[Any, Shape]] = {}
"""Shapes by the id of the hint object. The object is kept, so that no other gets its id."""
_by_key: dict[_Key, Shape] = {}


def known_shape(hint: Any) -> Shape | None:
    """Returns the shape of a type if it is in the cache, else None."""
    known = _by_identity.get(id(hint))
    return known[1] if known is not None and known[0] is hint else None


def shape_of(hint: Any, scope: Scope = NO_SCOPE) -> Shape:
    """Returns the shape of a type; raises HintError for one that cannot be a value.

    `scope` has the names for texts within the type; the names in a class are looked for in its own
    module first.
    """
    known = known_shape(hint)
    if known is not None:
        return known
    factory = _Factory(scope)
    found = factory.shape(hint, alone=True)
    factory.finish()
    if factory.self_contained:
        if len(_by_identity) >= _KNOWN_MAX:
            _by_identity.clear()
        _by_identity[id(hint)] = (hint, found)
    return found


def _key(hint: Any) -> _Key:
    """Returns a key of a type's parts; types with equal keys have the same shape."""
    if isinstance(hint, type) and typing.get_origin(hint) is None:
        return hint
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return (origin, *((type(it), it) for it in typing.get_args(hint)))
    if origin is typing.Annotated:
        return (origin, _key(hint.__origin__), *map(id, hint.__metadata__))
    args = typing.get_args(hint)
    if origin is None or (not args and origin is not tuple):
        return id(hint), type(hint)
    return (origin, *(_key(it) for it in args))


class _Factory:
    """Makes one shape and the shapes of its parts."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._made: dict[_Key, Shape] = {}
        self._hints: list[Any] = []
        """The types whose id is part of a key; they must live as long as the keys."""
        self._unions: list[tuple[list[Shape], bool, str]] = []
        self.self_contained = True
        """Whether the shape does not depend on the scope, so that it can be cached."""

    def finish(self) -> None:
        """Checks the unions, which must be complete for it, and puts the shapes into the cache."""
        for members, alone, name in self._unions:
            pair = ambiguous_pair(members, alone=alone)
            if pair is not None:
                raise _ambiguous(name, *pair)
        if self.self_contained:
            if len(_by_key) >= _KNOWN_MAX:
                _by_key.clear()
            _by_key.update({key: it for key, it in self._made.items() if isinstance(key, type)})

    def shape(self, hint: Any, *, alone: bool = False) -> Shape:
        """Returns the shape of a type; `alone` says that it is the type of a whole payload."""
        if isinstance(hint, str | typing.ForwardRef):
            return self._named(hint)
        if hint is None:
            hint = types.NoneType
        simple = _SIMPLE.get(hint) if isinstance(hint, type) else None
        if simple is not None:
            return simple
        if isinstance(hint, Unresolved):
            raise UnresolvedError(str(hint))
        try:
            key = (_key(hint), alone) if _is_union(hint) else _key(hint)
            known = self._made.get(key) or _by_key.get(key)
        except TypeError:  # the hint has an argument that cannot be hashed
            key, known = None, None
        if known is not None:
            return known
        self._hints.append(hint)
        made = self._make(hint, key, alone=alone)
        if key is not None:
            self._made[key] = made
        return made

    def _named(self, name: str | typing.ForwardRef) -> Shape:
        """Returns the shape of a name in a text; it may name the type that contains the text."""
        self.self_contained = False
        text = name if isinstance(name, str) else name.__forward_arg__
        key = ("named", text)
        known = self._made.get(key)
        if known is not None:
            return known
        later = self._made[key] = Deferred(text)
        hint = resolve(name, self._scope)
        later.resolve(self.shape(hint))
        return later

    def _within(self, scope: Scope, hint: Any) -> Shape:
        outer, self._scope = self._scope, scope
        named = {
            key: it
            for key, it in self._made.items()
            if isinstance(key, tuple) and key[0] == "named"
        }
        contained = self.self_contained
        for key in named:
            del self._made[key]
        try:
            return self.shape(hint)
        finally:
            self._scope = outer
            self.self_contained = contained
            self._made |= named

    def _make(self, hint: Any, key: _Key, *, alone: bool) -> Shape:
        if hint is Any or hint is object or hint in _ANYTHING:
            return ANYTHING
        if isinstance(hint, typing.NewType):
            return self.shape(hint.__supertype__, alone=alone)
        if isinstance(hint, TypeVar):
            return self._variable(hint)
        if type(hint).__name__ == "TypeAliasType" and hasattr(hint, "__value__"):
            return self._alias(hint, hint, (), key, alone=alone)
        origin = typing.get_origin(hint)
        args = typing.get_args(hint)
        if type(origin).__name__ == "TypeAliasType":
            return self._alias(hint, origin, args, key, alone=alone)
        if origin is typing.Annotated:
            if third_party.is_pydantic_annotation(hint):
                return third_party.adapted(hint)
            return self.shape(args[0], alone=alone)
        if origin in _TRANSPARENT:
            return self.shape(args[-1], alone=alone)
        if origin is typing.Union or origin is types.UnionType:
            return self._union(hint, args, alone=alone)
        if origin is typing.Literal:
            return _literal(args)
        if origin is not None and isinstance(origin, type):
            return self._generic(hint, origin, args, key)
        if isinstance(hint, type):
            return self._class(hint, (), key)
        bare = _BARE.get(hint) if isinstance(hint, Hashable) else None
        if bare is not None:
            return self.shape(bare)
        raise _unsupported(hint)

    def _variable(self, hint: TypeVar) -> Shape:
        if hint.__constraints__:
            return self.shape(typing.Union[hint.__constraints__])  # noqa: UP007  # of as many
        return ANYTHING if hint.__bound__ is None else self.shape(hint.__bound__)

    def _alias(
        self, hint: Any, alias: Any, args: tuple[Any, ...], key: _Key, *, alone: bool
    ) -> Shape:
        """Returns the shape of a `type X = ...`, which may refer to itself."""
        later = Deferred(alias.__name__)
        if key is not None:
            self._made[key] = later
        try:
            value = alias.__value__
        except NameError as error:
            raise UnresolvedError(
                f"{alias.__name__!r} cannot be resolved: the name {error.name!r} is not defined"
            ) from None
        if third_party.is_pydantic_annotation(
            value
        ):  # pydantic handles aliases that refer to themselves
            made = third_party.adapted(hint)
            later.resolve(made)
            return made
        module = sys.modules.get(alias.__module__ or "")
        scope = Scope(vars(module) if module is not None else {}, self._scope.inner)
        value = substitute(value, dict(zip(alias.__type_params__, args, strict=False)), scope)
        outer, self._scope = self._scope, scope
        try:
            later.resolve(self.shape(value, alone=alone))
        finally:
            self._scope = outer
        return later

    # Unions

    def _union(self, hint: Any, args: tuple[Any, ...], *, alone: bool) -> Shape:
        members: list[Shape] = []
        for arg in args:
            found = self.shape(arg)
            members += found.members if isinstance(found, Union) else [found]
        if any(isinstance(it, Anything) for it in members):
            return ANYTHING
        members = list({id(it): it for it in members}.values())
        self._unions.append((members, alone, _name(hint)))
        in_json = members
        if alone:
            # A text in JSON belongs to the other members: bytes come in their own encoding.
            others = [it for it in members if it not in _BINARY]
            if any(STRING in it.kinds for it in others):
                in_json = others
        return members[0] if len(members) == 1 else Union(members, in_json)

    # Generic types

    def _generic(self, hint: Any, origin: type, args: tuple[Any, ...], key: _Key) -> Shape:
        if hint is typing.Tuple:  # noqa: UP006  # without arguments, as tuple[()]
            return self.shape(tuple)
        if origin is tuple:
            return self._tuple(hint, args)
        if origin in _AWAITED:
            return self.shape(args[-1] if args else Any)
        make = _COLLECTIONS.get(origin)
        if make is not None:
            return Array(_name(hint), make, self.shape(args[0] if args else Any))
        if origin in _MAPPINGS:
            return self._mapping(hint, origin, args)
        if origin is type or issubclass(origin, collections.defaultdict):
            raise _unsupported(hint)
        return self._class(origin, args, key)

    def _tuple(self, hint: Any, args: tuple[Any, ...]) -> Shape:
        if len(args) == 2 and args[1] is Ellipsis:
            return Array(_name(hint), tuple, self.shape(args[0]))
        if any(typing.get_origin(it) is typing.Unpack for it in args):
            raise HintError(f"{_name(hint)}: a tuple with `*` in it cannot be read; give a list")
        items = [self.shape(it) for it in args]
        return FixedArray(_name(hint), tuple, items, len(items))

    def _mapping(self, hint: Any, origin: type, args: tuple[Any, ...]) -> Shape:
        if origin is collections.Counter:
            args = (args[0] if args else Any, int)
        key_hint, value_hint = args if len(args) == 2 else (Any, Any)
        make = _MAPPINGS[origin]
        key_shape = self.shape(key_hint)
        if isinstance(key_shape, Deferred):
            key_shape = key_shape.target
        key = _key_reader(hint, key_shape)
        return Map(_name(hint), make, key, key_shape.name, self.shape(value_hint))

    # Classes

    def _class(self, cls: type, args: tuple[Any, ...], key: _Key) -> Shape:
        if cls in _PARSED:
            return _PARSED[cls]
        if issubclass(cls, enum.Enum):
            return _enum(cls)
        if cls in _BARE:
            return self.shape(_BARE[cls])
        if issubclass(cls, Message):
            return ANYTHING if cls is Message else third_party.message(cls)
        if issubclass(cls, dict) and hasattr(cls, "__required_keys__"):  # also of typing_extensions
            return self._typed_dict(cls, args, key)
        if issubclass(cls, tuple) and hasattr(cls, "_fields"):
            return self._named_tuple(cls, args)
        made = third_party.shape_of(cls, args)
        if made is not None:
            return made
        if dataclasses.is_dataclass(cls):
            return self._dataclass(cls, args, key)
        if "__attrs_attrs__" in vars(cls):
            return self._attrs(cls, args, key)
        if issubclass(cls, PurePath):
            return Parsed(cls, cls, str, any_text=True)
        for base, shape in ((str, _STR), (int, _INT), (float, _FLOAT)):
            if issubclass(cls, base):
                return ScalarSubclass(cls, shape)
        raise _unsupported(cls)

    def _record(
        self, cls: type, args: tuple[Any, ...], key: _Key, *, plain: bool = False
    ) -> Record:
        name = cls.__name__
        if args:
            name += f"[{', '.join(_name(it) for it in args)}]"
        made = Record(cls, name, plain=plain)
        if key is not None:
            self._made[key] = made
        return made

    def _field(self, owner: type, name: str, hint: Any, scope: Scope) -> Shape:
        try:
            return self._within(scope, substitute(hint, {typing.Self: owner}, scope))
        except HintError as error:
            raise type(error)(f"{owner.__name__}.{name}: {error}") from None

    def _dataclass(self, cls: Any, args: tuple[Any, ...], key: _Key) -> Shape:
        record = self._record(cls, args, key)
        hints = class_hints(cls, args, self._scope)
        aliases = third_party.aliases_of(cls)
        fields: list[Field] = []
        for it in cls.__dataclass_fields__.values():
            kind = it._field_type
            given = it.default is not dataclasses.MISSING
            given = given or it.default_factory is not dataclasses.MISSING
            if kind is dataclasses._FIELD_INITVAR and not given:  # type: ignore[attr-defined]  # the only way to tell
                raise HintError(
                    f"{cls.__name__}.{it.name}: an InitVar is not kept, so the object cannot be made"
                    " again; give it a default, or make it a field"
                )
            if kind is not dataclasses._FIELD:  # type: ignore[attr-defined]  # the only way to tell
                continue
            shape = self._field(cls, it.name, *hints.get(it.name, (it.type, self._scope)))
            fields.append(
                Field(
                    it.name,
                    shape,
                    required=it.init and not given,
                    argument=aliases.get(it.name, it.name) if it.init else "",
                )
            )
        record.fill(fields)
        return record

    def _attrs(self, cls: Any, args: tuple[Any, ...], key: _Key) -> Shape:
        record = self._record(cls, args, key)
        hints = class_hints(cls, args, self._scope)
        nothing = sys.modules["attr"].NOTHING
        fields: list[Field] = []
        for it in cls.__attrs_attrs__:
            hint, scope = hints.get(it.name, (it.type or Any, self._scope))
            fields.append(
                Field(
                    it.name,
                    self._field(cls, it.name, hint, scope),
                    required=it.init and it.default is nothing,
                    argument=it.alias if it.init else "",
                )
            )
        record.fill(fields)
        return record

    def _typed_dict(self, cls: Any, args: tuple[Any, ...], key: _Key) -> Shape:
        record = self._record(cls, args, key, plain=True)
        fields: list[Field] = []
        for name, (hint, scope) in class_hints(cls, args, self._scope).items():
            required = name in cls.__required_keys__
            # The class itself cannot see these marks when its annotations are texts.
            while typing.get_origin(hint) in _FIELD_MARKS:
                required = {typing.Required: True, typing.NotRequired: False}.get(
                    typing.get_origin(hint), required
                )
                hint = typing.get_args(hint)[0]
            shape = self._field(cls, name, hint, scope)
            fields.append(Field(name, shape, required=required, written=required))
        record.fill(fields)
        return record

    def _named_tuple(self, cls: Any, args: tuple[Any, ...]) -> Shape:
        hints = class_hints(cls, args, self._scope)
        items = [self._field(cls, it, *hints.get(it, (Any, self._scope))) for it in cls._fields]
        least = len(items) - len(getattr(cls, "_field_defaults", {}))
        return FixedArray(cls.__name__, lambda values: cls(*values), items, least)


# The JSON forms of built-in types


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _from_seconds(data: Any) -> timedelta:
    if isinstance(data, str):
        matched = re.fullmatch(r"(-?\d+)(?:\.(\d{1,6}))?s", data)
        if matched is None:
            raise ValueError(f"{data!r} is no number of seconds like '1.5s'")
        whole, part = matched[1], (matched[2] or "").ljust(6, "0")
        micros = int(part)
        return timedelta(seconds=int(whole), microseconds=-micros if whole[0] == "-" else micros)
    return timedelta(seconds=data)


def _to_decimal(data: Any) -> Decimal:
    # The shortest text of a float is what the sender wrote; its exact value has more digits.
    return Decimal(repr(data) if isinstance(data, float) else data)


def _to_bytes_text(value: Any) -> str:
    return base64.b64encode(value).decode()


_STR: Final = Scalar("str", str)
_INT: Final = Scalar("int", int)
_FLOAT: Final = Float()
_SIMPLE: Final[dict[Any, Shape]] = {
    str: _STR,
    int: _INT,
    float: _FLOAT,
    bool: Scalar("bool", bool),
    types.NoneType: Scalar("None", types.NoneType),
}
_BINARY: Final = (
    Parsed(bytes, _from_base64, _to_bytes_text, any_text=True),
    Parsed(bytearray, lambda text: bytearray(_from_base64(text)), _to_bytes_text, any_text=True),
)
_PARSED: Final[dict[type, Shape]] = {
    datetime: Parsed(datetime, datetime.fromisoformat, datetime.isoformat),
    date: Parsed(date, date.fromisoformat, date.isoformat),
    time: Parsed(time, time.fromisoformat, time.isoformat),
    timedelta: Parsed(
        timedelta, _from_seconds, seconds_form, (FLOAT, INTEGER, STRING), (FLOAT, STRING)
    ),
    uuid.UUID: Parsed(uuid.UUID, uuid.UUID, str),
    Decimal: Parsed(Decimal, _to_decimal, str, (STRING, INTEGER, FLOAT), (STRING,)),
    bytes: _BINARY[0],
    bytearray: _BINARY[1],
}
_ANYTHING: Final = (typing.NoReturn, typing.Never, typing.AnyStr)
_BARE: Final[dict[Any, Any]] = {
    typing.LiteralString: str,
    list: list[Any],
    dict: dict[str, Any],
    tuple: tuple[Any, ...],
    set: set[Any],
    frozenset: frozenset[Any],
    collections.deque: collections.deque[Any],
    collections.OrderedDict: collections.OrderedDict[str, Any],
    collections.Counter: collections.Counter[str],
    collections.abc.Sequence: list[Any],
    collections.abc.MutableSequence: list[Any],
    collections.abc.Collection: list[Any],
    collections.abc.Iterable: list[Any],
    collections.abc.Set: set[Any],
    collections.abc.MutableSet: set[Any],
    collections.abc.Mapping: dict[str, Any],
    collections.abc.MutableMapping: dict[str, Any],
}
"""Types without their arguments."""
_COLLECTIONS: Final[dict[Any, Callable[[list[Any]], Any]]] = {
    list: list,
    set: set,
    frozenset: frozenset,
    collections.deque: collections.deque,
    collections.abc.Sequence: list,
    collections.abc.MutableSequence: list,
    collections.abc.Collection: list,
    collections.abc.Iterable: list,
    collections.abc.Set: set,
    collections.abc.MutableSet: set,
}
_MAPPINGS: Final[dict[Any, Callable[[dict[Any, Any]], Any]]] = {
    dict: dict,
    collections.abc.Mapping: dict,
    collections.abc.MutableMapping: dict,
    collections.OrderedDict: collections.OrderedDict,
    collections.Counter: collections.Counter,
}
_AWAITED: Final = (collections.abc.Awaitable, collections.abc.Coroutine)
"""Types around the value that a step returns."""
_FIELD_MARKS: Final = {typing.Required, typing.NotRequired, getattr(typing, "ReadOnly", None)} - {
    None
}
_TRANSPARENT: Final = {typing.Final, typing.ClassVar, *_FIELD_MARKS}


def _literal(args: tuple[Any, ...]) -> Shape:
    return Choice(f"Literal[{', '.join(map(repr, args))}]", [(plain_form(it), it) for it in args])


def _enum(cls: Any) -> Shape:
    forms: list[tuple[Any, Any]] = []
    for it in cls:
        try:
            forms.append((plain_form(it), it))
        except (TypeError, ValueError) as error:
            raise HintError(f"the value of {it} has no JSON form: {error}") from None
    keys = [form_key(form) for form, _ in forms]
    if len(set(keys)) < len(keys):
        raise HintError(f"two members of {cls.__name__} have the same value in JSON")
    if issubclass(cls, enum.Flag):
        return Choice(cls.__name__, forms, lambda data: _flags(cls, data))
    if getattr(cls._missing_, "__func__", None) is not enum.Enum._missing_.__func__:  # type: ignore[attr-defined]  # a classmethod
        return Choice(cls.__name__, forms, cls, inexactly=True)
    return Choice(cls.__name__, forms)


def _flags(cls: Any, data: Any) -> Any:
    if type(data) is not int:
        raise ValueError(f"expected a whole number, got {type(data).__name__}")
    return cls(data)


def _key_reader(hint: Any, key: Shape) -> Callable[[str], Any] | None:
    """Returns a function from a key's text to the key; None when the text is the key."""
    if isinstance(key, Anything) or key is _STR:
        return None
    if key is _INT:
        return _int_key
    if key is _FLOAT:
        return float
    if key is _SIMPLE[bool]:
        return {"true": True, "false": False}.__getitem__
    if isinstance(key, Choice) and key.more is None:
        texts = {_key_text(form): value for form, value in key.forms}
        if None not in texts and len(texts) == len(key.forms):
            return texts.__getitem__
    if isinstance(key, Parsed) and key.cls in (datetime, date, time, uuid.UUID, Decimal):
        return lambda text: key.read(text, None)
    if isinstance(key, ScalarSubclass) and key.base is _STR:
        return lambda text: key.read(text, None)
    if isinstance(key, ScalarSubclass) and key.base is _INT:
        return lambda text: key.read(_int_key(text), None)
    raise HintError(
        f"{_name(hint)}: the keys of an object are texts in JSON, and {key.name} is not made of one;"
        " give a list of pairs"
    )


def _int_key(text: str) -> int:
    if not re.fullmatch(r"-?\d+", text, re.ASCII):
        raise ValueError(f"{text!r} is no whole number")
    return int(text)


def _key_text(form: Any) -> str | None:
    """Returns the text of a key in JSON; None when it has none."""
    if isinstance(form, bool):
        return "true" if form else "false"
    if form is None:
        return "null"
    return str(form) if isinstance(form, str | int | float) else None


# Messages


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


def _name(hint: Any) -> str:
    """Returns a type as its author would write it, without module names."""
    if isinstance(hint, type) and typing.get_origin(hint) is None:
        return hint.__name__
    return re.sub(r"\b(?:[A-Za-z_]\w*\.|<locals>\.)+", "", str(hint))


def _unsupported(hint: Any) -> HintError:
    name = _name(hint)
    if isinstance(hint, type) and (
        getattr(hint, "_is_protocol", False) or inspect.isabstract(hint)
    ):
        return HintError(
            f"{name} is abstract: nothing says of which class a value is to be made; {_WAY_OUT}"
        )
    if isinstance(hint, type) and issubclass(hint, dict | list | set | frozenset | tuple | date):
        base = next(it for it in (dict, list, set, frozenset, tuple, date) if issubclass(hint, it))
        return HintError(
            f"a {name} would not come back as one: it is written as a {base.__name__}; give"
            f" {base.__name__} as its type"
        )
    return HintError(f"a value of the type {name} cannot be read back from JSON; {_WAY_OUT}")


def _ambiguous(union: str, one: Shape, other: Shape) -> HintError:
    if fields_of(one) is not None and fields_of(other) is not None:
        tags = [repr(getattr(it, "cls").__name__.lower()) for it in (one, other)]  # noqa: B009
        if tags[0] == tags[1]:
            tags = ["'one'", "'other'"]
        way = (
            f"give each a field that names it, such as `kind: Literal[{tags[0]}]` and"
            f" `kind: Literal[{tags[1]}]`"
        )
    else:
        way = "give one of them, or dataclasses with a field that says which it is"
    return HintError(f"{union}: what is written for {one.name} may be read as {other.name}; {way}")
