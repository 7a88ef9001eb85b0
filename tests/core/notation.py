"""The notation of transcripts: records, effects and replies as text that names every field.

    EntryRecorded(invocation=aa attempt=1 entry=0 kind=AWAKEABLE name=approval-1)

A field is left out if it has its default, or its type's empty value where it has no default; only the
number of an entry or a partition is always there. Texts and bytes stand without quotes if they are
plain words. Pairs of a name and a value stand in braces, `{paid=1 old}`; the value of `old` is None.
Several records or messages stand in braces too. The type of a field says how it is read, so
`read(write(record)) == record`.

Outcomes that the rules make themselves are serialized. They are written as what they mean,
`value(null)` or `failure(durable.GivenUp: ...)`, and cannot be read, except in messages between
partitions: there the text in parentheses has quotes if it is no plain word, and `ended(...)` is the
failure of an invocation that the rules have ended.
"""

from __future__ import annotations

import ast
import re
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import IntEnum
from typing import Any, Union, get_args, get_origin, get_type_hints

from google.protobuf.message import DecodeError

from durable_proto.v1 import payload_pb2
from durable_server.core.effects import SetTimer
from durable_server.core.entry_kinds import EntryKind
from durable_server.core.messages import MESSAGE_NUMBERS, CancelInvocation
from durable_server.core.model import (
    UNNUMBERED,
    Deployment,
    Failure,
    Handler,
    HandlerKind,
    Invocation,
    RetryPolicy,
    Route,
)
from durable_server.core.outcomes import (
    failure_outcome,
    make_failure,
    terminal_outcome,
    value_outcome,
)
from durable_server.core.records import (
    DEADLINE,
    NUMBERS,
    WAKE,
    AttemptFailed,
    FailedStep,
    Record,
    TimerFired,
)

_NAMED: dict[str, type[Any]] = {it.__name__: it for it in NUMBERS} | {
    it.__name__: it
    for it in (Deployment, FailedStep, Failure, Handler, RetryPolicy, Route, *MESSAGE_NUMBERS)
}
_SHORT = {
    "awakeable_id": "awakeable",
    "entry_index": "entry",
    "invocation_id": "invocation",
    "source_id": "source",
    "worker_id": "worker",
}
_ALWAYS = ("entry_index", "source", "destination")
"""Numbers that are written even if they are 0."""
_TIMERS = {WAKE: "WAKE", DEADLINE: "DEADLINE"}
_TOKEN = re.compile(r"""\s*('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[\w./#:+-]+|[=(){}])""")
_WORD = re.compile(r"[\w./#:+-]+", re.ASCII)


def write(value: Any) -> str:
    """Writes a record, an effect, a reply, or another value of the core with named fields."""
    return f"{type(value).__name__}({write_fields(value)})"


def write_fields(value: Any, *, without: str = "") -> str:
    """Writes the fields of such a value."""
    # Most of these are not about an entry.
    no_entry = isinstance(value, AttemptFailed | CancelInvocation)
    return " ".join(
        f"{_SHORT.get(name, name)}={_field(type(value), name, getattr(value, name))}"
        for name, default in _defaults(type(value)).items()
        if name != without
        and (getattr(value, name) != default or (name in _ALWAYS and not no_entry))
    )


def write_pairs(pairs: Mapping[Any, Any]) -> str:
    """Writes names with values."""
    shown = (str(name) if it is None else f"{name}={_any(it)}" for name, it in pairs.items())
    return "{" + " ".join(shown) + "}"


def write_failure(failure: Failure) -> str:
    """Writes a failure; its serialized form only where that says more than type and message."""
    text = f"{failure.type}: {failure.message}"
    try:
        message = payload_pb2.Failure.FromString(failure.data)
    except DecodeError:
        return f"{_text(text)} data={_any(failure.data)}"
    plain = payload_pb2.Failure(type=failure.type, message=failure.message)
    return _text(text) if message == plain else f"{_text(text)} data={_any(failure.data)}"


def write_outcome(outcome: bytes) -> str:
    """Writes a serialized outcome as what it means, and any other bytes as they are."""
    try:
        message = payload_pb2.Outcome.FromString(outcome)
    except DecodeError:
        return _any(outcome)
    result = message.WhichOneof("result")
    if result == "value":
        return f"value({message.value.data.decode()})"
    if result == "failure":
        failure = message.failure
        word = "failure" if failure.terminal else "failure that is not terminal"
        return f"{word}({failure.type}: {failure.message})"
    return _any(outcome)


def write_scope(owner: str) -> str:
    """Writes the owner of a state: an invocation, or an object and its key."""
    return _text(owner.replace("\0", "/"))


def _field(of: type[Any], name: str, value: Any) -> str:
    if name == "kind":
        kinds: type[IntEnum] = HandlerKind if of is Handler else EntryKind
        return kinds(value).name
    if name == "entry_index" and of in (TimerFired, SetTimer):
        return _TIMERS.get(value, str(value))
    if name == "completion" and value == UNNUMBERED:
        return "UNNUMBERED"
    if name == "outcome" and of in MESSAGE_NUMBERS:
        return _readable_outcome(value)
    if name == "outcome" and of not in NUMBERS:
        return write_outcome(value)
    if name == "owner":
        return write_scope(value)
    return _any(value)


def _readable_outcome(outcome: bytes) -> str:
    """Writes an outcome in the form that `read_outcome` reads."""
    _, _, text = write_outcome(outcome).partition("(")
    for word in ("value", "failure", "ended") if text else ():
        if read_outcome(word, text[:-1]) == outcome:
            return f"{word}({_text(text[:-1])})"
    return _any(outcome)


def read_outcome(word: str, text: str) -> bytes:
    """Returns an outcome that the rules make, from its two parts in the notation.

    Those of an entry and of an invocation that the rules have ended are serialized differently.
    """
    kind, _, message = text.partition(": ")
    if word == "value":
        return value_outcome(payload_pb2.Payload(data=text.encode()).SerializeToString())
    if word == "ended":
        return terminal_outcome(make_failure(kind, message))
    assert word == "failure", word
    return failure_outcome(kind, message)


def _any(value: Any) -> str:
    if isinstance(value, Invocation):
        return value.id
    if isinstance(value, IntEnum):
        return value.name
    if isinstance(value, bytes):
        return _text(value.decode("latin-1"))
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        if value and isinstance(value[0], tuple) and not hasattr(value[0], "_fields"):
            return write_pairs(dict(value))
        return "{" + " ".join(map(_any, value)) + "}"
    if hasattr(value, "_fields") or is_dataclass(value):
        return write(value)
    return repr(value)


def _text(text: str) -> str:
    return text if _WORD.fullmatch(text) else repr(text)


def _defaults(of: type[Any]) -> dict[str, Any]:
    """Returns the fields of a type with the values that are left out."""
    if is_dataclass(of):
        known = {it.name: it.default for it in fields(of) if it.default is not MISSING}
    else:
        known = of._field_defaults
    hints = get_type_hints(of)
    return {name: known[name] if name in known else _empty(hint) for name, hint in hints.items()}


def _empty(hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        return None
    kind = get_origin(hint) or hint
    return kind() if kind in (str, bytes, int, float, bool, tuple) else MISSING


def read(text: str) -> Record:
    """Reads a record."""
    reader = _Reader(text)
    record: Record = reader.named()
    assert reader.done, f"after the record: {text!r}"
    return record


class _Reader:
    """Reads one value after the other."""

    def __init__(self, text: str) -> None:
        self._tokens = [match[1] for match in _TOKEN.finditer(text)]
        assert "".join(self._tokens).replace(" ", "") == text.replace(" ", ""), text
        self._next = 0

    @property
    def done(self) -> bool:
        return self._next == len(self._tokens)

    def _take(self, expected: str = "") -> str:
        token = self._tokens[self._next]
        assert not expected or token == expected, f"{token!r} where {expected!r} should be"
        self._next += 1
        return token

    def _skip(self, expected: str) -> bool:
        found = not self.done and self._tokens[self._next] == expected
        self._next += found
        return found

    def named(self) -> Any:
        """Reads `Type(field=value ...)`."""
        of = _NAMED[self._take()]
        self._take("(")
        given = {}
        hints = get_type_hints(of)
        long = {short: name for name, short in _SHORT.items() if name in hints}
        while not self._skip(")"):
            word = self._take()
            name = long.get(word, word)
            self._take("=")
            given[name] = self._value(of, name, hints[name])
        return of(**(_defaults(of) | given))

    def _value(self, of: type[Any], name: str, hint: Any) -> Any:
        if name == "kind":
            return int((HandlerKind if of is Handler else EntryKind)[self._take()])
        if name == "entry_index" and self._tokens[self._next] in _TIMERS.values():
            return {word: timer for timer, word in _TIMERS.items()}[self._take()]
        if name == "outcome" and of in MESSAGE_NUMBERS:
            word = self._word()
            if not self._skip("("):
                return word.encode("latin-1")
            outcome = read_outcome(word, self._word())
            self._take(")")
            return outcome
        if name == "owner":
            return self._word().replace("/", "\0")
        return self._typed(hint)

    def _typed(self, hint: Any) -> Any:
        if get_origin(hint) in (Union, types.UnionType):
            hint = next(it for it in get_args(hint) if it is not type(None))
        if get_origin(hint) is tuple:
            item = get_args(hint)[0]
            if item is str:
                return tuple(name for name, _ in self._pairs(str, str))
            named = hasattr(item, "_fields") or get_origin(item) in (Union, types.UnionType)
            return self._named_tuple() if named else self._pairs(*get_args(item))
        if hint.__name__ in _NAMED:
            return self.named()
        word = self._word()
        if hint is bytes:
            return word.encode("latin-1")
        return word == "True" if hint is bool else hint(word)

    def _word(self) -> str:
        token = self._take()
        return ast.literal_eval(token) if token[0] in "'\"" else token

    def _named_tuple(self) -> tuple[Any, ...]:
        self._take("{")
        values = []
        while not self._skip("}"):
            values.append(self.named())
        return tuple(values)

    def _pairs(self, key: Any, hint: Any) -> tuple[tuple[Any, Any], ...]:
        self._take("{")
        pairs = []
        while not self._skip("}"):
            name = key(self._word())
            pairs.append((name, self._typed(hint) if self._skip("=") else None))
        return tuple(pairs)
