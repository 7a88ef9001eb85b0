"""Opens the audit of a control plane: the places that were asked for, each with its collector."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

from ..access.audit import Audit, AuditReader
from ..nats.endpoint import EndpointSource
from .collector import Audits, Collector
from .file import AuditFile
from .stream import STREAM, AuditStream


class AuditFileError(Exception):
    """The file of the audit cannot be opened. The message says why."""


class OpenAudit(NamedTuple):
    """The audit of a control plane, once it is open."""

    audit: Audit
    reader: AuditReader | None
    """Who reads the calls back; None if they are not kept in NATS."""
    file: AuditFile | None
    collectors: Sequence[Collector]


async def open_audit(
    stack: AsyncExitStack,
    source: EndpointSource,
    *,
    file: Path | None,
    stdout: bool,
    log: bool,
    replicas: int,
    days: int,
) -> OpenAudit | None:
    """Opens the audit; it is closed with the stack. None if it is kept nowhere.

    `file` and `stdout` ask for lines of JSON, `log` for NATS, where calls are kept for so many days.
    Raises AuditFileError, and what `AuditStream.prepare` raises.
    """
    collectors: list[Collector] = []
    written = stream = None
    if file is not None or stdout:
        written = AuditFile(file)
        stack.callback(written.close)
        try:
            written.open()
        except OSError as error:
            raise AuditFileError(
                f"--audit {file} cannot be opened: {error.strerror}; name a file in a folder that is"
                " there and can be written to"
            ) from error
        collectors.append(
            Collector("stdout" if file is None else "file", written.name, written.write)
        )
    if log:
        stream = AuditStream(source, replicas=replicas, days=days)
        stack.push_async_callback(stream.close)
        await stream.prepare()
        collectors.append(Collector("nats", f"the stream {STREAM}", stream.write))
    if not collectors:
        return None
    for it in collectors:
        stack.push_async_callback(it.close)
    audit = collectors[0] if len(collectors) == 1 else Audits(collectors)
    return OpenAudit(audit, stream, written, collectors)
