"""The export of an invocation: everything that its replay elsewhere needs, as one message."""

from __future__ import annotations

from durable_proto.v1 import control_pb2

from .. import __version__
from ..core.model import Invocation
from ..requests.reads import Reads
from . import convert
from .start import fill_start


def exported(reads: Reads, found: Invocation) -> control_pb2.ExportInvocationResponse:
    """Returns an invocation as it is now. Raises JournalTooLargeError."""
    response = control_pb2.ExportInvocationResponse(
        invocation=convert.invocation(found),
        server_version=__version__,
        export_time=convert.timestamp(reads.now_ms(found)),
    )
    convert.failing_steps(found, response.invocation)
    for attempt in reads.attempts(found):
        convert.attempt(attempt, response.invocation.attempts.add())
    fill_start(response.start, found, reads.journal(found), *reads.attempt_state(found))
    return response
