"""Shapes: how plain JSON data is read as values, with a class for each form of a type in JSON.

A shape reads data and says which kinds of JSON it reads. It also describes itself enough for two
other modules: `ambiguity` compares the members of unions, and `schemas` writes JSON Schema. Which
shape a type hint has is decided in `shape_factory`.

Data that does not fit raises Mismatch. The path to the place is collected while the exception
propagates, so that reading data that fits costs nothing for it. Errors of a user's own code on the
way (`__post_init__`, a validator, an enum's `_missing_`) become Mismatch too: the data was wrong.

A union tries its members and must know how well each fits. So `read` takes a `Tally`, which counts
inexact matches: a missing field that takes its default, a whole number for a float. Within a union
(with a tally), an object with an unknown field does not fit. Elsewhere (tally None) an unknown
field is ignored, so that old code can read what newer code has written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from ..errors import text_of

Read: TypeAlias = "Callable[[Any, Tally | None], Any]"

NULL, BOOL, INTEGER, FLOAT, STRING, ARRAY, OBJECT = (
    "null", "bool", "integer", "float", "string", "array", "object",
)  # fmt: skip
KINDS: Final[dict[type, str]] = {
    type(None): NULL,
    bool: BOOL,
    int: INTEGER,
    float: FLOAT,
    str: STRING,
    list: ARRAY,
    dict: OBJECT,
}
ALL_KINDS: Final = frozenset(KINDS.values())
_CHOICES_SHOWN = 10


class Tally:
    """Counts where the data fits, but is not what writing the value would give."""

    __slots__ = ("inexact",)

    def __init__(self) -> None:
        self.inexact = 0


class Mismatch(Exception):
    """Data that does not fit a shape."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path: list[str] = []
        """The steps to the place, the innermost first: `.name` and `[0]`."""

    @property
    def place(self) -> str:
        """The place within the data."""
        return "".join(reversed(self.path))


def mismatch(expected: str, data: Any) -> Mismatch:
    """Returns the error for data of another kind."""
    return Mismatch(f"expected {expected}, got {type(data).__name__}")


def refused(name: str, error: Exception) -> Mismatch:
    """Returns the error for data that a user's own code or a library has refused."""
    kind = type(error).__name__
    text = " ".join(text_of(error).split())
    if kind not in ("ValueError", "TypeError"):
        text = f"{kind}: {text}" if text else kind
    found = Mismatch(f"no {name}: {text}" if text else f"no {name}")
    if kind == "ValidationError" and type(error).__module__.startswith("pydantic"):
        first = error.errors()[0]  # type: ignore[attr-defined]  # pydantic's
        found = Mismatch(f"no {name}: {kind}: {first['msg']}")
        found.path = [f"[{it}]" if isinstance(it, int) else f".{it}" for it in first["loc"]][::-1]
    return found


def form_key(form: Any) -> Any:
    """Returns a key that is equal only for equal JSON: true is not 1."""
    if isinstance(form, list | dict):
        return json.dumps(form, sort_keys=True)
    return type(form), form


class Shape:
    """The form of a type in JSON."""

    name: str
    """The type, for messages."""
    kinds: frozenset[str]
    """The kinds of JSON that are read."""
    exact: frozenset[str]
    """The kinds of JSON that values are written as."""
    has_classes: bool | None = None
    """Whether it contains classes, see `roundtrip`; None until that is first needed."""

    def read(self, data: Any, tally: Tally | None) -> Any:
        """Returns the value; raises Mismatch."""
        raise NotImplementedError


class Anything(Shape):
    """Plain data of any kind."""

    name = "Any"
    kinds = exact = ALL_KINDS

    def read(self, data: Any, tally: Tally | None) -> Any:
        """Returns the data."""
        return data


ANYTHING: Final = Anything()


def reading(shape: Shape) -> Read | None:
    """Returns the function that reads a shape; None when the data is the value."""
    return None if isinstance(shape, Anything) else shape.read


class Scalar(Shape):
    """null, a boolean, an integer or a string: the data is the value."""

    def __init__(self, name: str, cls: type) -> None:
        self.name = name
        self.cls: Final = cls
        self.kinds = self.exact = frozenset({KINDS[cls]})

    def read(self, data: Any, tally: Tally | None) -> Any:
        """Returns the data, if it is of that kind."""
        if type(data) is self.cls:
            return data
        raise mismatch(self.name, data)


class Float(Shape):
    """A float. A whole number is accepted too."""

    name = "float"
    kinds = frozenset({FLOAT, INTEGER})
    exact = frozenset({FLOAT})

    def read(self, data: Any, tally: Tally | None) -> float:
        """Returns the number as a float."""
        if type(data) is float:
            return data
        if type(data) is not int:
            raise mismatch("float", data)
        if tally is not None:
            tally.inexact += 1
        try:
            return float(data)
        except OverflowError as error:
            raise refused("float", error) from error


class ScalarSubclass(Shape):
    """A subclass of str, int or float, constructed from the value of its base."""

    def __init__(self, cls: type, base: Shape) -> None:
        self.name = cls.__name__
        self.cls: Final = cls
        self.base: Final = base
        self.kinds = base.kinds
        self.exact = base.exact

    def read(self, data: Any, tally: Tally | None) -> Any:
        """Returns the value of the subclass."""
        value = self.base.read(data, tally)
        try:
            return self.cls(value)
        except Exception as error:
            raise refused(self.name, error) from error


class Parsed(Shape):
    """A value that is written as a text or a number, such as a datetime or a Decimal."""

    def __init__(
        self,
        cls: type,
        parse: Callable[[Any], Any],
        form: Callable[[Any], Any],
        kinds: Iterable[str] = (STRING,),
        exact: Iterable[str] = (STRING,),
        *,
        any_text: bool = False,
    ) -> None:
        self.name = cls.__name__
        self.cls: Final = cls
        self._parse = parse
        self._form = form
        self.kinds = frozenset(kinds)
        self.exact = frozenset(exact)
        self.any_text: Final = any_text
        """Whether any text may be read, so that a text does not show which type it was written
        for."""

    def read(self, data: Any, tally: Tally | None) -> Any:
        """Returns the value."""
        if KINDS.get(type(data)) not in self.kinds:
            raise mismatch(f"{' or '.join(sorted(self.kinds))} for {self.name}", data)
        try:
            value = self._parse(data)
            if tally is not None and form_key(self._form(value)) != form_key(data):
                tally.inexact += 1  # `json_writer` would write it differently
        except ArithmeticError as error:  # decimal's, whose text names only its own classes
            raise Mismatch(f"no {self.name}: {data!r:.100}") from error
        except Exception as error:
            raise Mismatch(f"no {self.name}: {text_of(error):.200}") from error
        return value


class Choice(Shape):
    """One of a few values: an enum or a Literal."""

    def __init__(
        self,
        name: str,
        forms: Sequence[tuple[Any, Any]],
        more: Callable[[Any], Any] | None = None,
        *,
        inexactly: bool = False,
    ) -> None:
        """`forms` are pairs of JSON and value; `more` makes values of other data."""
        self.name = name
        self.forms: Final = forms
        self.more: Final = more
        self.inexactly: Final = inexactly
        """Whether a value that `more` makes counts as inexact."""
        self._values = {form_key(form): value for form, value in forms}
        self.exact = frozenset(KINDS[type(form)] for form, _ in forms)
        self.kinds = ALL_KINDS if more is not None else self.exact

    def read(self, data: Any, tally: Tally | None) -> Any:
        """Returns the value."""
        try:
            return self._values[form_key(data)]
        except KeyError:
            pass
        if self.more is not None:
            try:
                value = self.more(data)
            except Exception as error:
                raise refused(self.name, error) from error
            if tally is not None and self.inexactly:
                tally.inexact += 1
            return value
        shown = ", ".join(repr(form) for form, _ in self.forms[:_CHOICES_SHOWN])
        raise Mismatch(f"{data!r:.100} is none of {shown} ({self.name})")


class Array(Shape):
    """An array whose items have one shape: a list, a set, a tuple of any length."""

    kinds = exact = frozenset({ARRAY})

    def __init__(self, name: str, make: Callable[[list[Any]], Any], item: Shape) -> None:
        self.name = name
        self.make: Final = make
        self.item: Final = item

    def read(self, data: Any, tally: Tally | None) -> Any:
        """Returns the collection."""
        if type(data) is not list:
            raise mismatch("an array", data)
        items = data
        if not isinstance(self.item, Anything):
            items = []
            read = self.item.read
            try:
                for it in data:
                    items.append(read(it, tally))  # in a mismatch, the length is the index
            except Mismatch as error:
                error.path.append(f"[{len(items)}]")
                raise
        if self.make is list:
            return items
        try:
            return self.make(items)
        except Exception as error:  # for example a set with an item that cannot be hashed
            raise refused(self.name, error) from error


class FixedArray(Shape):
    """An array with a shape for each item: a tuple, a NamedTuple."""

    kinds = exact = frozenset({ARRAY})

    def __init__(
        self, name: str, make: Callable[[list[Any]], Any], items: Sequence[Shape], least: int
    ) -> None:
        """`least` is how many items are required; the others have defaults."""
        self.name = name
        self.make: Final = make
        self.items: Final = items
        self.least: Final = least

    def read(self, data: Any, tally: Tally | None) -> Any:
        """Returns the tuple."""
        if type(data) is not list or not self.least <= len(data) <= len(self.items):
            if type(data) is list:
                raise Mismatch(f"expected an array of {len(self.items)}, got one of {len(data)}")
            raise mismatch(f"an array of {len(self.items)}", data)
        if tally is not None:
            tally.inexact += len(self.items) - len(data)
        values: list[Any] = []
        try:
            for shape, it in zip(self.items, data, strict=False):
                values.append(shape.read(it, tally))  # in a mismatch, the length is the index
        except Mismatch as error:
            error.path.append(f"[{len(values)}]")
            raise
        try:
            return self.make(values)
        except Exception as error:
            raise refused(self.name, error) from error


class Map(Shape):
    """An object whose names are the keys of a mapping."""

    kinds = exact = frozenset({OBJECT})

    def __init__(
        self,
        name: str,
        make: Callable[[dict[Any, Any]], Any],
        key: Callable[[str], Any] | None,
        key_name: str,
        value: Shape,
    ) -> None:
        """`key` converts the text of a key; None when the text is the key."""
        self.name = name
        self.make: Final = make
        self.key: Final = key
        self.key_name: Final = key_name
        self.value: Final = value

    def read(self, data: Any, tally: Tally | None) -> Any:
        """Returns the mapping."""
        if type(data) is not dict:
            raise mismatch("an object", data)
        values = data
        key, read = self.key, reading(self.value)
        if read is not None or key is not None:
            values = {}
            name = ""
            try:
                for name, it in data.items():
                    value = it if read is None else read(it, tally)
                    if key is not None:
                        try:
                            made = key(name)
                        except Exception as error:
                            raise Mismatch(
                                f"the key is no {self.key_name}: {text_of(error):.200}"
                            ) from error
                        if made in values:
                            raise Mismatch(f"the key {made!r} is there twice")
                        values[made] = value
                    else:
                        values[name] = value
            except Mismatch as error:
                error.path.append(f"[{name!r}]")
                raise
        return values if self.make is dict else self.make(values)


class Field:
    """A field of a record."""

    __slots__ = ("argument", "name", "required", "shape", "written")

    def __init__(
        self,
        name: str,
        shape: Shape,
        *,
        required: bool,
        argument: str | None = None,
        written: bool = True,
    ) -> None:
        self.name: Final = name
        """Its name in JSON."""
        self.shape: Final = shape
        self.required: Final = required
        """Whether the data must have it."""
        self.argument: Final = name if argument is None else argument
        """The constructor's argument; empty when the attribute is set after construction
        instead."""
        self.written: Final = written
        """Whether every written value has it."""


class Record(Shape):
    """An object whose fields are known: a dataclass, a TypedDict, a class of attrs."""

    kinds = exact = frozenset({OBJECT})

    def __init__(self, cls: type, name: str, *, plain: bool = False) -> None:
        """`plain` is for a TypedDict, whose value is a dict. `fill` sets the fields."""
        self.name = name
        self.cls: Final = cls
        self.plain: Final = plain
        self.fields: dict[str, Field] = {}
        self._reads: list[tuple[str, str, Read | None]] = []
        self._required: frozenset[str] = frozenset()
        self._set: list[str] = []

    def fill(self, fields: Iterable[Field]) -> None:
        """Sets the fields; not in the constructor, because they may contain the record itself."""
        self.fields = {it.name: it for it in fields}
        self._reads = [
            (it.name, it.argument or it.name, reading(it.shape)) for it in self.fields.values()
        ]
        self._required = frozenset(it.name for it in self.fields.values() if it.required)
        self._set = [it.name for it in self.fields.values() if not it.argument]

    def read(self, data: Any, tally: Tally | None) -> Any:
        """Returns the object."""
        if type(data) is not dict:
            raise mismatch(f"an object for {self.name}", data)
        given: dict[str, Any] = {}
        name = ""
        try:
            for name, argument, read in self._reads:
                if name in data:
                    value = data[name]
                    given[argument] = value if read is None else read(value, tally)
        except Mismatch as error:
            error.path.append(f".{name}")
            raise
        if len(given) != len(self._reads):
            missing = self._required - data.keys()
            if missing:
                raise Mismatch(f"{self.name} needs the field {', '.join(sorted(missing))}")
            if tally is not None:
                tally.inexact += sum(
                    it.written and it.name not in data for it in self.fields.values()
                )
        if len(given) != len(data) and (tally is not None or self.plain):
            unknown = [it for it in data if it not in self.fields]
            if tally is not None:
                raise Mismatch(f"{self.name} has no field {', '.join(map(str, unknown))}")
            given |= {it: data[it] for it in unknown}
        if self.plain:
            return given
        late = {it: given.pop(it) for it in self._set if it in given} if self._set else None
        try:
            made = self.cls(**given)
            if late:
                for it, value in late.items():
                    object.__setattr__(made, it, value)
        except Exception as error:
            raise refused(self.name, error) from error
        return made


class ThirdParty(Shape):
    """A type of a third-party library, which reads and writes its values itself."""

    def __init__(
        self,
        cls: Any,
        name: str,
        make: Callable[[Any], Any],
        form: Callable[[Any], Any],
        *,
        kinds: Iterable[str] = (OBJECT,),
        fields: Mapping[str, Shape] | None = None,
        schema: Callable[[], Mapping[str, Any]] | None = None,
        described: Callable[[], Mapping[str, Any]] | None = None,
        native: bool = False,
    ) -> None:
        self.cls: Final = cls
        self.name = name
        self._make = make
        self._form = form
        self.kinds = self.exact = frozenset(kinds)
        self.fields: Final = fields
        """The fields that are always written; None when they are not known."""
        self.schema: Final = schema
        """Returns a JSON Schema that accepts everything that is read; None when there is none."""
        self.described: Final = described
        """Returns the JSON Schema of its library, where that is stricter than `schema`."""
        self.native: Final = native
        """Whether a whole payload has its own encoding, whose content type names the type
        (protobuf)."""

    def read(self, data: Any, tally: Tally | None) -> Any:
        """Returns the value."""
        try:
            value = self._make(data)
            if tally is not None and form_key(self._form(value)) != form_key(data):
                tally.inexact += 1
        except Exception as error:
            raise refused(self.name, error) from error
        return value


class Union(Shape):
    """One of several shapes: the one that fits best."""

    def __init__(self, members: Sequence[Shape], in_json: Sequence[Shape]) -> None:
        """`in_json` are the members that JSON is read as; the others come in their own encoding."""
        self.name = " | ".join(it.name for it in members)
        self.members: Final = members
        self._in_json: Final = in_json
        self.kinds = frozenset[str]().union(*(it.kinds for it in members))
        self.exact = frozenset[str]().union(*(it.exact for it in members))
        self._by_kind: dict[str, list[Shape]] | None = None
        self._discriminator: tuple[str, dict[Any, Shape]] | None = None

    def _prepare(self) -> dict[str, list[Shape]]:
        # Done at the first use, because the members of a recursive type are not complete before.
        by_kind = {
            kind: [it for it in self._in_json if kind in it.kinds] for kind in sorted(ALL_KINDS)
        }
        self._discriminator = discriminator(by_kind[OBJECT])
        self._by_kind = by_kind
        return by_kind

    def read(self, data: Any, tally: Tally | None) -> Any:
        """Returns the value of the member that fits best."""
        by_kind = self._by_kind or self._prepare()
        members = by_kind.get(KINDS.get(type(data), ""), [])
        if len(members) == 1:
            return members[0].read(data, tally)
        if not members:
            raise mismatch(self.name, data)
        if (
            self._discriminator is not None
            and type(data) is dict
            and self._discriminator[0] in data
        ):
            name, choices = self._discriminator
            member = choices.get(form_key(data[name]))
            if member is not None:
                return member.read(data, tally)
        best: list[tuple[Shape, Any]] = []
        least = 0
        problems: list[str] = []
        for it in members:
            own = Tally()
            try:
                value = it.read(data, own)
            except Mismatch as error:
                problems.append(f"{it.name}: {error.place}{': ' if error.path else ''}{error}")
                continue
            if not own.inexact:
                return value
            if not best or own.inexact < least:
                best, least = [(it, value)], own.inexact
            elif own.inexact == least:
                best.append((it, value))
        if not best:
            raise Mismatch(f"fits none of {self.name} ({'; '.join(problems)})")
        if len(best) > 1:
            names = " and ".join(it.name for it, _ in best)
            raise Mismatch(f"fits {names} alike, and none of them exactly")
        if tally is not None:
            tally.inexact += least
        return best[0][1]


class Deferred(Shape):
    """A placeholder for the shape of a type that contains itself, until that shape is complete."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.kinds = self.exact = ALL_KINDS
        self.target: Shape = ANYTHING

    def resolve(self, target: Shape) -> None:
        """Sets the shape that it stands for."""
        self.target = target
        self.kinds, self.exact = target.kinds, target.exact

    def read(self, data: Any, tally: Tally | None) -> Any:
        """Reads with the shape that it stands for."""
        return self.target.read(data, tally)


def discriminator(members: Sequence[Shape]) -> tuple[str, dict[Any, Shape]] | None:
    """Returns the discriminator of some objects: its name, and the members by its values."""
    if len(members) < 2:
        return None
    first = fields_of(members[0])
    for name in first or ():
        choices: dict[Any, Shape] = {}
        for member in members:
            shape = (fields_of(member) or {}).get(name)
            if not isinstance(shape, Choice) or shape.more is not None:
                break
            keys = [form_key(form) for form, _ in shape.forms]
            if any(key in choices for key in keys):
                break
            choices |= dict.fromkeys(keys, member)
        else:
            return name, choices
    return None


def fields_of(shape: Shape) -> Mapping[str, Shape] | None:
    """Returns the fields of an object by name; None where they are not known."""
    if isinstance(shape, Record):
        return {it.name: it.shape for it in shape.fields.values()}
    return shape.fields if isinstance(shape, ThirdParty) else None
