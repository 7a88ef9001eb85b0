"""The ambiguity check: finds unions whose members could be confused when a value is read back.

JSON does not say which member of a union a value was written for. So two shapes are compared by the
data that both would read as exactly theirs: either there is no such data (DISJOINT), or both make
the same value of it (SAME), or another one (DIFFERENT). A union with a DIFFERENT pair is refused
where it is declared, because its values could change silently on the way.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

from .shapes import (
    STRING,
    Anything,
    Array,
    Choice,
    Deferred,
    Field,
    FixedArray,
    Map,
    Mismatch,
    Parsed,
    Record,
    ScalarSubclass,
    Shape,
    Tally,
    ThirdParty,
    Union,
)


class Relation(enum.IntEnum):
    """How two shapes read the data that fits both exactly."""

    DISJOINT = 0
    """No data fits both."""
    SAME = 1
    """The same value."""
    DIFFERENT = 2
    """A different value, or it cannot be known."""


_DISJOINT, _SAME, _DIFFERENT = Relation
_Seen = set[tuple[int, int]]


def ambiguous_pair(members: list[Shape], *, alone: bool) -> tuple[Shape, Shape] | None:
    """Returns two members that could be confused; None when there are none.

    `alone` says that the union is the type of a whole payload. Then bytes and protobuf messages are
    told apart by the content type.
    """
    for number, one in enumerate(members):
        for other in members[number + 1 :]:
            if alone and (_native(one) or _native(other)):
                continue
            if relation(one, other, set()) is _DIFFERENT:
                return one, other
    return None


def _native(shape: Shape) -> bool:
    if isinstance(shape, ThirdParty):
        return shape.native
    return isinstance(shape, Parsed) and shape.cls in (bytes, bytearray)


def relation(one: Shape, other: Shape, seen: _Seen) -> Relation:
    """Compares two shapes; `seen` are the pairs under comparison, as of recursive types."""
    if one is other:
        return _SAME
    if isinstance(one, Deferred):
        one = one.target
    if isinstance(other, Deferred):
        other = other.target
    pair = (id(one), id(other))
    if one is other or pair in seen:
        return _SAME
    seen.add(pair)
    try:
        return _compare(one, other, seen)
    finally:
        seen.discard(pair)


def _compare(one: Shape, other: Shape, seen: _Seen) -> Relation:
    for whole, part in ((one, other), (other, one)):
        if isinstance(whole, Union):
            return max(relation(it, part, seen) for it in whole.members)
    if isinstance(one, Anything) and isinstance(other, Anything):
        return _SAME
    if not one.exact & other.exact:
        return _DISJOINT
    if isinstance(one, Anything) or isinstance(other, Anything):
        return _DIFFERENT
    for choice, free in ((one, other), (other, one)):
        if isinstance(choice, Choice):
            return max((_read_alike(free, it) for it in choice.forms), default=_DISJOINT)
    if isinstance(one, Array | FixedArray) and isinstance(other, Array | FixedArray):
        return _arrays(one, other, seen)
    if isinstance(one, Map) and isinstance(other, Map):
        values = relation(one.value, other.value, seen)
        alike = one.make is other.make and one.key_name == other.key_name
        return max(values, _SAME) if alike else _DIFFERENT
    if STRING in one.exact and STRING in other.exact:
        return _texts(one, other)
    if one.exact == other.exact and not isinstance(one, Record | Map | ThirdParty):
        return _SAME if _identity(one) == _identity(other) else _DIFFERENT
    return _objects(one, other, seen)


def _read_alike(shape: Shape, chosen: tuple[object, object]) -> Relation:
    """Compares how a shape reads one value of a Choice with that value."""
    form, value = chosen
    tally = Tally()
    try:
        read = shape.read(form, tally)
    except Mismatch:
        return _DISJOINT
    if tally.inexact:
        return _DISJOINT
    return _SAME if type(read) is type(value) and read == value else _DIFFERENT


def _identity(shape: Shape) -> object:
    """Returns what identifies the type of a scalar's values."""
    return shape.cls if isinstance(shape, ScalarSubclass | Parsed) else shape.name


def _texts(one: Shape, other: Shape) -> Relation:
    if _identity(one) == _identity(other):
        return _SAME
    return _DIFFERENT if _takes_any_text(one) or _takes_any_text(other) else _DISJOINT


def _takes_any_text(shape: Shape) -> bool:
    return shape.any_text if isinstance(shape, Parsed) else True


def _arrays(one: Array | FixedArray, other: Array | FixedArray, seen: _Seen) -> Relation:
    alike = one.make is other.make
    if isinstance(one, Array) and isinstance(other, Array):
        items = relation(one.item, other.item, seen)
        return max(items, _SAME) if alike else _DIFFERENT  # both read an empty array
    if isinstance(one, Array):
        one, other = other, one
    assert isinstance(one, FixedArray)
    if isinstance(other, FixedArray):
        if len(one.items) != len(other.items):
            return _DISJOINT
        pairs = list(zip(one.items, other.items, strict=True))
    else:
        pairs = [(it, other.item) for it in one.items]
    return _all((relation(a, b, seen) for a, b in pairs), alike=alike)


def _all(parts: Iterable[Relation], *, alike: bool) -> Relation:
    """Returns the relation of two composites from the relations of their parts."""
    found = list(parts)
    if _DISJOINT in found:
        return _DISJOINT
    return max([_SAME, *found]) if alike else _DIFFERENT


def _objects(one: Shape, other: Shape, seen: _Seen) -> Relation:
    plain = all((isinstance(it, Record) and it.plain) or isinstance(it, Map) for it in (one, other))
    for record, mapping in ((one, other), (other, one)):
        if isinstance(mapping, Map):
            if mapping.key is not None:
                return _DIFFERENT if _fields(record) is None else _DISJOINT
            fields = _fields(record)
            if fields is None:
                return _DIFFERENT
            parts = [
                relation(it.shape, mapping.value, seen) for it in fields.values() if it.written
            ]
            return _all(parts, alike=plain and mapping.make is dict)
    mine, theirs = _fields(one), _fields(other)
    if mine is None or theirs is None:
        return _DIFFERENT
    written = {name for fields in (mine, theirs) for name, it in fields.items() if it.written}
    if not written <= mine.keys() & theirs.keys():
        return _DISJOINT
    parts = [relation(mine[it].shape, theirs[it].shape, seen) for it in sorted(written)]
    same_class = isinstance(one, Record) and isinstance(other, Record) and one.cls is other.cls
    return _all(parts, alike=plain or same_class)


def _fields(shape: Shape) -> dict[str, Field] | None:
    if isinstance(shape, Record):
        return shape.fields
    if isinstance(shape, ThirdParty) and shape.fields is not None:
        return {name: Field(name, it, required=True) for name, it in shape.fields.items()}
    return None
