"""Exported runs: an invocation with all that its replay elsewhere needs, and its form in a file.

The file is JSON: the protocol's message in its JSON form, with a field `format` that names the format.
A file may hold several runs, one after the other; those that are written here have a line each. Values
are in it as the control plane has them: with a codec they stay encoded, unless the client that
exported the run has decoded them.

A field that this version does not know is refused, because a replay without it could be another one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from json import JSONDecodeError, JSONDecoder
from os import PathLike
from pathlib import Path
from typing import Any, Final

from google.protobuf import json_format

from durable_proto.v1 import control_pb2, invocation_pb2

from .._common.codecs.interface import Codec
from .._common.codecs.messages import decode_message, note_all
from .redaction import redact

FORMAT: Final = "durable.run/1"
"""The name of the format, with its version."""
_SHOWN: Final = 60
_FINAL: Final = frozenset(
    {
        invocation_pb2.INVOCATION_STATE_COMPLETED,
        invocation_pb2.INVOCATION_STATE_FAILED,
        invocation_pb2.INVOCATION_STATE_CANCELLED,
    }
)


class ExportedRun:
    """An invocation as it was when it was exported, with its journal and state."""

    __slots__ = ("message",)

    def __init__(self, message: control_pb2.ExportInvocationResponse) -> None:
        self.message: Final = message
        """The protocol's message."""

    @property
    def invocation_id(self) -> str:
        """The invocation's id."""
        return self.message.invocation.invocation_id

    @property
    def handler(self) -> str:
        """The handler's registered name."""
        return self.message.start.handler

    @property
    def attempt(self) -> int:
        """The attempt that ran, or the last one; at least 1."""
        return max(1, self.message.invocation.attempt)

    @property
    def finished(self) -> bool:
        """Whether the invocation had ended: completed, failed or cancelled."""
        return self.message.invocation.state in _FINAL

    @property
    def journal_length(self) -> int:
        """How many entries its journal has."""
        return len(self.message.start.journal)

    @property
    def export_time(self) -> datetime:
        """When it was exported, in UTC."""
        return self.message.export_time.ToDatetime(tzinfo=UTC)

    def decoded(self, codec: Codec | None) -> ExportedRun:
        """Returns a copy whose values a codec has decoded; this one if there is no codec.

        A value that it cannot decode stays as it is, and holds the replay that reads it.
        """
        if codec is None:
            return self
        message = control_pb2.ExportInvocationResponse()
        message.CopyFrom(self.message)
        try:
            decode_message(codec, message)
        except Exception as error:  # noqa: BLE001  # whatever a user's codec raises
            note_all(codec, message, error)
        return ExportedRun(message)

    def redacted(self) -> ExportedRun:
        """Returns a copy without what users have put in: see `durable export --redact`.

        In values, each string becomes as many `x`, each number 0; null, booleans, the lengths of
        lists and the keys of objects stay, and so do the names of steps, signals, awakeables and state
        values. Values that are not JSON become empty. Its replay may take another way than the
        invocation has, where the program's way depends on its values.
        """
        message = control_pb2.ExportInvocationResponse()
        message.CopyFrom(self.message)
        redact(message)
        return ExportedRun(message)

    def to_json(self) -> str:
        """Returns it in the file's form, on one line."""
        data = json_format.MessageToDict(self.message, preserving_proto_field_name=True)
        return json.dumps({"format": FORMAT, **data}, separators=(",", ":"), ensure_ascii=True)

    @staticmethod
    def from_json(text: str) -> ExportedRun:
        """Returns the only run in a text. Raises ValueError for what is not one."""
        runs = list(_parse(text, "the text"))
        if len(runs) != 1:
            raise ValueError(f"the text has {len(runs)} runs, not one")
        return runs[0]

    @staticmethod
    def read(path: str | PathLike[str]) -> list[ExportedRun]:
        """Returns the runs in a file.

        Raises OSError when it cannot be read, ValueError for what is no file of runs; the message says
        where and why.
        """
        name = Path(path)
        try:
            text = name.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise ValueError(f"{str(path)!r} has no exported runs: it is not text") from None
        return list(_parse(text, repr(str(path))))

    @staticmethod
    def write(path: str | PathLike[str], runs: Iterable[ExportedRun]) -> None:
        """Writes runs into a file, each on a line. Raises OSError when it cannot be written."""
        with Path(path).open("w", encoding="utf-8") as file:
            file.writelines(run.to_json() + "\n" for run in runs)

    def __repr__(self) -> str:
        return f"<ExportedRun {self.invocation_id} of {self.handler}>"


def _parse(text: str, where: str) -> Iterator[ExportedRun]:
    """Yields the runs of a text: documents of JSON, one after the other."""
    decoder, place, number = JSONDecoder(), 0, 0
    text = text.removeprefix("\ufeff")
    while True:
        while place < len(text) and text[place].isspace():
            place += 1
        if place == len(text):
            break
        number += 1
        what = f"{where}, line {text.count(chr(10), 0, place) + 1}"
        try:
            data, place = decoder.raw_decode(text, place)
        except JSONDecodeError as error:
            line = text.count("\n", 0, error.pos) + 1
            raise ValueError(
                f"{where} has no exported runs: line {line} is not JSON ({error.msg})"
            ) from None
        except (ValueError, RecursionError):  # a number or a nesting that Python does not read
            raise ValueError(
                f"{what}: this is no exported run: it has a number that is too long, or too many"
                " brackets within one another"
            ) from None
        yield _run(data, what)
    if not number:
        raise ValueError(f"{where} has no exported runs: it is empty")


def _run(data: Any, what: str) -> ExportedRun:
    found = data.pop("format", None) if isinstance(data, dict) else None
    if found != FORMAT:
        has = "no field 'format'" if found is None else f"the format {str(found)[:_SHOWN]!r}"
        raise ValueError(
            f"{what}: this is no exported run: it has {has}, not {FORMAT!r}; `durable export ID` makes"
            " one"
        )
    try:
        message = json_format.ParseDict(data, control_pb2.ExportInvocationResponse())
    except json_format.ParseError as error:
        first = str(error).partition("\n")[0].strip()
        raise ValueError(
            f"{what}: this run cannot be read: {first}; it may be of a newer version"
        ) from None
    if not (message.start.handler and message.invocation.invocation_id):
        raise ValueError(f"{what}: this run has no `start.handler` or `invocation.invocation_id`")
    return ExportedRun(message)
