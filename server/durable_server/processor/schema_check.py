"""The schema check: compares a value with the JSON Schema declared by the program that waits for it.

A value that the program cannot read is thus refused where it is given, and the program goes on waiting.
Only the leader of the program's partition knows the schema. So it checks the values that clients give,
those of its own programs, and those in messages of other partitions before it proposes their record.

The check uses the committed state and comes before anything is proposed, because the core's rules treat
values as opaque. A value that comes before its schema, or at the same time, is not checked; the program
has to handle it.

The check must not block the event loop on which it runs: it gives up after a number of steps and
accepts the value. It ignores patterns, because one regular expression can take for ever, and it
fetches nothing that a schema refers to elsewhere.
"""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from ..core.entry_kinds import EntryKind
from ..core.messages import REFUSED_BYTES, ResolveAwakeable, SendSignal
from ..core.outcomes import ENCODED, read_value
from ..core.records import Received
from .errors import InvalidFieldError, ProcessorEndedError
from .loop import Processor

SCHEMA_BYTES_MAX: Final = 64 * 1024
"""The longest schema: worker.proto, EntryRecorded."""
STEPS_MAX: Final = 20_000
"""How many keywords of a schema are checked for one value: about a tenth of a second."""
_TURN_SECONDS: Final = 0.002
"""How long messages are checked before others have their turn on the event loop."""
_JSON: Final = "application/json"
_PROTOBUF: Final = "application/x-protobuf"
_TEXT_MAX: Final = 300


class Violation(NamedTuple):
    """Where and why a value does not fit a schema."""

    place: str
    """Within the value, like `.items[3].cents`; empty for the whole value."""
    problem: str
    rule: str
    """Within the schema: the path of the keyword that the value violates."""

    def as_error(self) -> InvalidFieldError:
        """Returns the error for the client that gave the value as an outcome."""
        return InvalidFieldError(f"outcome.value{self.place}", self.problem, schema_path=self.rule)

    def as_text(self) -> str:
        """Returns the text for the program that gave the value, of at most REFUSED_BYTES."""
        text = f"value{self.place}: {self.problem}"
        return text.encode()[:REFUSED_BYTES].decode(errors="ignore")


def check_awakeable(
    processor: Processor, awakeable_id: str, content_type: str, data: bytes
) -> Violation | None:
    """Checks a value for an awakeable that is not resolved yet; in the partition of `processor`."""
    found = processor.store.awakeable(awakeable_id)
    if found is None or not found.schema or found.resolved_ms:
        return None
    return check(found.schema, content_type, data)


def check_signal(
    processor: Processor, invocation_id: str, name: str, content_type: str, data: bytes
) -> Violation | None:
    """Checks a value for the first entry that waits for a signal of this name."""
    found = processor.find(invocation_id)
    if found is None:
        return None
    waiting = [
        index
        for index, entry in found.opened.items()
        if entry.kind == EntryKind.SIGNAL and entry.name == name
    ]
    row = processor.store.entry(found.number, min(waiting)) if waiting else None
    if row is None or not row.schema:
        return None
    return check(row.schema, content_type, data)


async def check_received(processor: Processor, received: Received) -> Received:
    """Adds to the messages that give a value to a program here why the value does not fit.

    Raises ProcessorEndedError when the partition ends meanwhile, because its store may be closed then.
    """
    messages = list(received.messages)
    now = asyncio.get_running_loop().time
    until = now() + _TURN_SECONDS
    for index, message in enumerate(messages):
        if not isinstance(message, ResolveAwakeable | SendSignal):
            continue
        if processor.ended.done():
            raise ProcessorEndedError("the partition has ended while messages for it were checked")
        value = read_value(message.outcome)
        if value is None:
            continue
        if isinstance(message, SendSignal):
            found = check_signal(processor, message.target, message.name, *value)
        else:
            found = check_awakeable(processor, message.awakeable_id, *value)
        if found is not None:
            messages[index] = message._replace(outcome=b"", refused=found.as_text())
        if now() >= until:
            # One check is short, but there may be many.
            await asyncio.sleep(0)
            until = now() + _TURN_SECONDS
    return received._replace(messages=tuple(messages))


def check(schema: str, content_type: str, data: bytes) -> Violation | None:
    """Returns how a value violates a schema; None if it does not, or if that cannot be decided."""
    kind = content_type.partition(";")[0].strip()
    if kind == _PROTOBUF or kind.startswith(ENCODED):
        return None
    validator = _validator(schema)
    if validator is None:
        return None
    if kind not in ("", _JSON):
        # A program may want the bytes as they are, and its schema then accepts a string.
        if validator("") is None:
            return None
        return Violation("", f"its content type is {kind!r}, and what waits reads JSON", "")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        return Violation("", f"it is no JSON: {error}", "")
    return validator(value)


@functools.lru_cache(maxsize=1024)
def _validator(schema: str) -> Callable[[Any], Violation | None] | None:
    """Returns the function that checks values against a schema; None if it is not a JSON Schema."""
    # Imported here because most control planes never see a schema.
    from jsonschema import Draft202012Validator, SchemaError, ValidationError
    from jsonschema.validators import extend
    from referencing import Registry

    steps = 0

    def counted(rule: Callable[..., Any]) -> Callable[..., Iterator[ValidationError]]:
        def counting(*given: Any) -> Iterator[ValidationError]:
            nonlocal steps
            steps += 1
            if steps > STEPS_MAX:
                raise _TooManyError
            yield from rule(*given) or ()

        return counting

    rules: dict[str, Any] = {
        name: counted(rule)
        for name, rule in Draft202012Validator.VALIDATORS.items()
        if name not in ("pattern", "patternProperties")
    }
    rules |= dict.fromkeys(("pattern", "patternProperties"), lambda *_: None)
    try:
        parsed = json.loads(schema)
        Draft202012Validator.check_schema(parsed)
        kind: Any = extend(Draft202012Validator, rules)  # type: ignore[no-untyped-call]  # not typed
        made = kind(parsed, registry=Registry())
    except (ValueError, RecursionError, SchemaError):
        return None

    def validate(value: Any) -> Violation | None:
        nonlocal steps
        steps = 0
        try:
            error = _closest(list(made.iter_errors(value)))
        except Exception:  # noqa: BLE001  # too long, too deep, or a reference to nothing
            return None
        if error is None:
            return None
        return Violation(
            _place(error.absolute_path),
            _describe(error),
            "/".join(map(str, error.absolute_schema_path)),
        )

    return validate


def _closest(errors: list[Any]) -> Any:
    """Returns the error that helps most; None if there is none.

    For a union it is an error of the member that the value was meant to be: the only member of this
    JSON type whose fields with constant values fit.
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
    """Returns whether an error within a member of a union shows that another member was meant."""
    if not error.path:
        return error.validator in ("type", "enum", "const")
    return len(error.path) == 1 and error.validator in ("enum", "const")


class _TooManyError(Exception):
    """The check takes too long."""


def _place(path: Any) -> str:
    return "".join(f"[{it}]" if isinstance(it, int) else f".{it}" for it in path)


def _describe(error: Any) -> str:
    """Returns what is wrong, with the value itself only where it is short."""
    text: str = error.message
    if len(text) > _TEXT_MAX:
        text = f"a value of {len(text)} characters does not fit {error.validator}"
        expected = json.dumps(error.validator_value)
        text += f" {expected}" if len(expected) <= _TEXT_MAX else ""
    return text
