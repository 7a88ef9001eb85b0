"""What a value would lose on its way: an object of a subclass is read as the class that is declared.

Only where the type is known when a value is written: a step's and a workflow's result, a workflow's
arguments. Types without classes of fields in them have nothing to look for and cost nothing here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from .shapes import Array, Deferred, FixedArray, Map, Record, Shape, ThirdParty, Union


def roundtrip_problem(value: Any, shape: Shape) -> str:
    """Says what a value of this shape would lose, and where; an empty string when nothing."""
    if shape.has_classes is None:
        shape.has_classes = _has_records(shape, set())
    return _loss(value, shape, "") if shape.has_classes else ""


def _has_records(shape: Shape, seen: set[int]) -> bool:
    if id(shape) in seen:
        return False
    seen.add(id(shape))
    if (isinstance(shape, Record) and not shape.plain) or _is_model(shape):
        return True
    return any(_has_records(it, seen) for it in _parts(shape))


def _is_model(shape: Shape) -> bool:
    """Says whether a shape is a class of another library that may have subclasses with more fields."""
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


def _loss(value: Any, shape: Shape, place: str) -> str:
    if isinstance(shape, Deferred):
        shape = shape.target
    if shape.has_classes is None:
        shape.has_classes = _has_records(shape, set())
    if not shape.has_classes:
        return ""
    if isinstance(shape, Record):
        return _record_loss(value, shape, place)
    if isinstance(shape, ThirdParty):
        return _subclass_loss(value, shape, place)
    if isinstance(shape, Union):
        return _union_loss(value, shape, place)
    parts: Iterable[tuple[str, Any, Shape]] = ()
    if isinstance(shape, Map) and isinstance(value, Mapping):
        parts = ((f"[{key!r}]", it, shape.value) for key, it in value.items())
    elif isinstance(shape, Array) and isinstance(value, Collection):
        parts = ((f"[{number}]", it, shape.item) for number, it in enumerate(value))
    elif isinstance(shape, FixedArray) and isinstance(value, tuple | list):
        pairs = zip(value, shape.items, strict=False)
        parts = ((f"[{number}]", it, item) for number, (it, item) in enumerate(pairs))
    for step, it, part in parts:
        found = _loss(it, part, place + step)
        if found:
            return found
    return ""


def _record_loss(value: Any, shape: Record, place: str) -> str:
    if shape.plain:
        if not isinstance(value, Mapping):
            return ""
        given = {name: value[name] for name in shape.fields if name in value}
    elif type(value) is not shape.cls:
        return _subclass_loss(value, shape, place)
    else:
        given = {name: getattr(value, name, None) for name in shape.fields}
    for name, it in given.items():
        found = _loss(it, shape.fields[name].shape, f"{place}.{name}")
        if found:
            return found
    return ""


def _subclass_loss(value: Any, shape: Record | ThirdParty, place: str) -> str:
    kind = type(value)
    if kind is shape.cls or not isinstance(value, shape.cls):
        return ""  # a dict, for example: it is read as what is declared
    generic = getattr(kind, "__pydantic_generic_metadata__", None)
    if generic is not None and generic["origin"] is shape.cls:
        return ""  # `Page[Item]` for `Page`: the same fields
    return (
        f"value{place}: a {kind.__name__} would come back as {shape.name};"
        f" declare {shape.name} | {kind.__name__}"
    )


def _union_loss(value: Any, shape: Union, place: str) -> str:
    kind = type(value)
    problem = ""
    for it in shape.members:
        if isinstance(it, Record) and it.cls is kind:
            return _record_loss(value, it, place)
        if isinstance(it, ThirdParty) and it.cls is kind:
            return ""
        found = _loss(value, it, place)
        problem = problem or found
    return problem
