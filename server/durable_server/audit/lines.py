"""The lines of the audit: one audited call as one line of JSON.

    {"time":"2026-11-29T20:01:57.123000Z","identity":"ops","kind":"token","method":"Cancel",...,"code":"OK"}

Fields without a value are left out. A reader ignores fields that it does not know, so a later version
can add some. The text of a line never contains a line break, because JSON escapes it.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from ..access.audit import AuditedCall


class _Line(msgspec.Struct, omit_defaults=True):
    time: datetime
    identity: str = ""
    kind: str = ""
    source: str = ""
    method: str = ""
    subject: str = ""
    handler: str = ""
    reason: str = ""
    request_id: str = ""
    code: str = ""
    error: str = ""
    node: str = ""


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(_Line)


class DamagedLineError(ValueError):
    """A line is not that of an audited call."""


def encode(call: AuditedCall) -> bytes:
    """Returns the line of a call, with its line break."""
    time = datetime.fromtimestamp(call.time_ms // 1000, UTC)
    line = _Line(time.replace(microsecond=call.time_ms % 1000 * 1000), *call[1:])
    return _ENCODER.encode(line) + b"\n"


def decode(line: bytes) -> AuditedCall:
    """Returns the call of a line. Raises DamagedLineError."""
    try:
        found = _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DamagedLineError(str(error)) from error
    time, *texts = msgspec.structs.astuple(found)
    if time.tzinfo is None:
        raise DamagedLineError("the time has no time zone")
    return AuditedCall(round(time.timestamp() * 1000), *texts)
