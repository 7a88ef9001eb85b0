"""The round-trip check: finds values that would come back as another class than they were.

A value is read as the class that its type declares. So an object of a subclass would lose its
class, and the fields that only the subclass has. `encode_as` refuses such a value, for the results
of steps and workflows and for a workflow's arguments, where the type is known when the value is
written.

Types without classes in them have nothing to check; `Shape.has_classes` keeps that, so that they
cost nothing here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from .shapes import Array, Deferred, FixedArray, Map, Record, Shape, ThirdParty, Union


def roundtrip_problem(value: Any, shape: Shape) -> str:
    """Returns what would not come back of a value, and where; an empty text when all would."""
    if shape.has_classes is None:
        shape.has_classes = _has_classes(shape, set())
    return _problem(value, shape, "") if shape.has_classes else ""


def _has_classes(shape: Shape, seen: set[int]) -> bool:
    if id(shape) in seen:
        return False
    seen.add(id(shape))
    if (isinstance(shape, Record) and not shape.plain) or _is_model(shape):
        return True
    return any(_has_classes(it, seen) for it in _parts(shape))


def _is_model(shape: Shape) -> bool:
    """Returns whether a shape is a class of pydantic or msgspec, which may have subclasses."""
    return isinstance(shape, ThirdParty) and not shape.native and isinstance(shape.cls, type)


def _parts(shape: Shape) -> Iterable[Shape]:
    if isinstance(shape, Record):
        return [it.shape for it in shape.fields.values()]
    if isinstance(shape, Array):
        return [shape.item]
    if isinstance(shape, Map):
        return [shape.value]
    if isinstance(shape, FixedArray):
        return shape.items
    if isinstance(shape, Deferred):
        return [shape.target]
    return shape.members if isinstance(shape, Union) else ()


def _problem(value: Any, shape: Shape, place: str) -> str:
    if isinstance(shape, Deferred):
        shape = shape.target
    if shape.has_classes is None:
        shape.has_classes = _has_classes(shape, set())
    if not shape.has_classes:
        return ""
    if isinstance(shape, Record):
        return _record_problem(value, shape, place)
    if isinstance(shape, ThirdParty):
        return _subclass_problem(value, shape, place)
    if isinstance(shape, Union):
        return _union_problem(value, shape, place)
    parts: Iterable[tuple[str, Any, Shape]] = ()
    if isinstance(shape, Map) and isinstance(value, Mapping):
        parts = ((f"[{key!r}]", it, shape.value) for key, it in value.items())
    elif isinstance(shape, Array) and isinstance(value, Collection):
        parts = ((f"[{number}]", it, shape.item) for number, it in enumerate(value))
    elif isinstance(shape, FixedArray) and isinstance(value, tuple | list):
        pairs = zip(value, shape.items, strict=False)
        parts = ((f"[{number}]", it, item) for number, (it, item) in enumerate(pairs))
    for step, it, part in parts:
        found = _problem(it, part, place + step)
        if found:
            return found
    return ""


def _record_problem(value: Any, shape: Record, place: str) -> str:
    if shape.plain:
        if not isinstance(value, Mapping):
            return ""
        given = {name: value[name] for name in shape.fields if name in value}
    elif type(value) is not shape.cls:
        return _subclass_problem(value, shape, place)
    else:
        given = {name: getattr(value, name, None) for name in shape.fields}
    for name, it in given.items():
        found = _problem(it, shape.fields[name].shape, f"{place}.{name}")
        if found:
            return found
    return ""


def _subclass_problem(value: Any, shape: Record | ThirdParty, place: str) -> str:
    kind = type(value)
    if kind is shape.cls or not isinstance(value, shape.cls):
        return ""  # for example a dict, which is read as the declared class
    generic = getattr(kind, "__pydantic_generic_metadata__", None)
    if generic is not None and generic["origin"] is shape.cls:
        return ""  # `Page[Item]` for `Page`, which has the same fields
    return (
        f"value{place}: a {kind.__name__} would come back as {shape.name};"
        f" declare {shape.name} | {kind.__name__}"
    )


def _union_problem(value: Any, shape: Union, place: str) -> str:
    kind = type(value)
    problem = ""
    for it in shape.members:
        if isinstance(it, Record) and it.cls is kind:
            return _record_problem(value, it, place)
        if isinstance(it, ThirdParty) and it.cls is kind:
            return ""
        found = _problem(value, it, place)
        problem = problem or found
    return problem
