"""Values compared with the JSON Schema that the program which waits for them has declared.

So a value that the program cannot read is refused where it is given, and the wait goes on. It is
compared with what was committed last, before anything is proposed: the rules know no values. A value
that comes before its declaration, or crosses it, goes through; then it is the program's to handle.

The comparison may not hold up the loop that it runs on: it gives up after so many steps, and lets the
value through. Patterns are not looked at, because one expression can take for ever; nor is anything
fetched that a schema refers to elsewhere.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from durable_proto.v1 import payload_pb2

from ..core.entry_kinds import EntryKind
from ..processor.loop import Processor

SCHEMA_BYTES_MAX: Final = 64 * 1024
"""The longest schema: worker.proto, EntryRecorded."""
STEPS_MAX: Final = 20_000
"""How many keywords of a schema are compared with parts of one value: a tenth of a second."""
_JSON: Final = "application/json"
_PROTOBUF: Final = "application/x-protobuf"
_WORDS_MAX: Final = 300


class Misfit(NamedTuple):
    """Where and why a value does not fit."""

    place: str
    """Within the value: `.items[3].cents`; empty for all of it."""
    problem: str
    rule: str
    """Where the schema says so."""


class Declared:
    """What programs have declared to read, and whether a value is that."""

    def __init__(self, processor: Processor) -> None:
        self._processor = processor

    def awakeable(self, awakeable_id: str, value: payload_pb2.Payload) -> Misfit | None:
        """Compares a value with what waits for an awakeable."""
        found = self._processor.store.awakeable(awakeable_id)
        if found is None or not found.schema or found.resolved_ms:
            return None
        return misfit(found.schema, value)

    def signal(self, invocation_id: str, name: str, value: payload_pb2.Payload) -> Misfit | None:
        """Compares a value with the entry that would take it as a signal."""
        found = self._processor.find(invocation_id)
        if found is None:
            return None
        waiting = [
            index
            for index, entry in found.opened.items()
            if entry.kind == EntryKind.SIGNAL and entry.name == name
        ]
        row = self._processor.store.entry(found.number, min(waiting)) if waiting else None
        return misfit(row.schema, value) if row is not None and row.schema else None


def misfit(schema: str, value: payload_pb2.Payload) -> Misfit | None:
    """Returns where a value does not fit a schema; None if it does, or nobody can say."""
    kind = value.content_type.partition(";")[0].strip()
    validator = None if kind == _PROTOBUF else _validator(schema)
    if validator is None:
        return None
    if kind not in ("", _JSON):
        # A program can have its bytes as they are, and those are a string to a schema.
        if validator("") is None:
            return None
        return Misfit("", f"its content type is {kind!r}, and what waits reads JSON", "")
    try:
        data = json.loads(value.data)
    except (ValueError, RecursionError) as error:
        return Misfit("", f"it is no JSON: {error}", "")
    return validator(data)


@functools.lru_cache(maxsize=1024)
def _validator(schema: str) -> Callable[[Any], Misfit | None] | None:
    """Returns what compares values with a schema; None for what is no schema."""
    # Only here: most control planes never have a schema to look at.
    from jsonschema import Draft202012Validator, SchemaError, ValidationError
    from jsonschema.validators import extend
    from referencing import Registry

    steps = 0

    def counted(check: Callable[..., Any]) -> Callable[..., Iterator[ValidationError]]:
        def checked(*given: Any) -> Iterator[ValidationError]:
            nonlocal steps
            steps += 1
            if steps > STEPS_MAX:
                raise _TooManyError
            yield from check(*given) or ()

        return checked

    checks: dict[str, Any] = {
        name: counted(check)
        for name, check in Draft202012Validator.VALIDATORS.items()
        if name not in ("pattern", "patternProperties")
    }
    checks |= dict.fromkeys(("pattern", "patternProperties"), lambda *_: None)
    try:
        parsed = json.loads(schema)
        Draft202012Validator.check_schema(parsed)
        kind: Any = extend(Draft202012Validator, checks)  # type: ignore[no-untyped-call]  # as it is
        made = kind(parsed, registry=Registry())
    except (ValueError, RecursionError, SchemaError):
        return None

    def compare(data: Any) -> Misfit | None:
        nonlocal steps
        steps = 0
        try:
            error = _closest(list(made.iter_errors(data)))
        except Exception:  # noqa: BLE001  # too long, too deep, or a reference to nothing
            return None
        if error is None:
            return None
        return Misfit(
            _place(error.absolute_path),
            _words(error),
            "/".join(map(str, error.absolute_schema_path)),
        )

    return compare


def _closest(errors: list[Any]) -> Any:
    """Returns the error that helps most; None if there is none.

    Of a union it is that of the member that was meant: the only one of this kind of JSON, and whose
    field with a Literal fits. Its other members would complain of that field.
    """
    from jsonschema.exceptions import best_match, relevance

    while errors:
        error = max(errors, key=relevance)
        if error.validator not in ("anyOf", "oneOf"):
            return best_match([error])
        members: dict[Any, list[Any]] = {}
        for it in error.context:
            members.setdefault(it.schema_path[0], []).append(it)
        meant = [it for it in members.values() if not any(map(_means_another, it))]
        if len(meant) != 1:
            return best_match([error])
        errors = meant[0]
    return None


def _means_another(error: Any) -> bool:
    """Says whether an error within a member of a union shows that another member was meant."""
    if not error.path:
        return error.validator in ("type", "enum", "const")
    return len(error.path) == 1 and error.validator in ("enum", "const")


class _TooManyError(Exception):
    """The comparison takes too long."""


def _place(path: Any) -> str:
    return "".join(f"[{it}]" if isinstance(it, int) else f".{it}" for it in path)


def _words(error: Any) -> str:
    """Returns what is wrong; the value itself only where it is short."""
    text: str = error.message
    if len(text) > _WORDS_MAX:
        text = f"a value of {len(text)} characters does not fit {error.validator}"
        expected = json.dumps(error.validator_value)
        text += f" {expected}" if len(expected) <= _WORDS_MAX else ""
    return text
