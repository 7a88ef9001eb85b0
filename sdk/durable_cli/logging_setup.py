"""Logging of the command line: text for people, or JSON for programs.

Logs go to stderr, because stdout is for results. In JSON each record is one object on one line:
`time` (UTC), `level`, `logger`, `message`, and where known `invocation_id`, `attempt`, `handler`,
`error` (the traceback) and everything that the caller gave as `extra`.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import click

ENVIRONMENT: Final = "DURABLE_LOG_FORMAT"
"""The format for this process and its child processes."""
_TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_TEXT_NUMBERED: Final = "%(asctime)s %(levelname)s process %(process_number)d %(name)s: %(message)s"
_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {
    "message",
    "asctime",
    "taskName",
}
"""The attributes that every record has; others were given as `extra`."""


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        message = record.getMessage()
        invocation_id = getattr(record, "invocation_id", None)
        if isinstance(invocation_id, str):
            # The text form begins with the short id; here the id is a field.
            message = message.removeprefix(f"[{invocation_id[:8]}] ")
        shown: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message,
        }
        for name, value in record.__dict__.items():
            if name not in _STANDARD and name not in shown:
                shown[name] = value
        if record.exc_info:
            shown["error"] = self.formatException(record.exc_info)
        return json.dumps(shown, default=str, skipkeys=True, ensure_ascii=False)


def begin(verbose: int) -> None:
    """Configures logging for a command; `verbose` is how often -v was given."""
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.basicConfig(level=level, stream=sys.stderr, format=_TEXT)


def number_lines(number: int) -> None:
    """Adds the number of this process to all further lines, in JSON as `process_number`."""

    def add(record: logging.LogRecord) -> bool:
        record.process_number = number
        return True

    for handler in _handlers():
        handler.addFilter(add)
        if not isinstance(handler.formatter, JsonFormatter):
            handler.setFormatter(logging.Formatter(_TEXT_NUMBERED))


def _handlers() -> Iterator[logging.Handler]:
    """Yields the handlers that write to stderr."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stderr:
            yield handler


def _choose(_context: click.Context, _parameter: click.Parameter, chosen: str) -> None:
    formatter = JsonFormatter() if chosen == "json" else logging.Formatter(_TEXT)
    for handler in _handlers():
        handler.setFormatter(formatter)
    # The worker of `durable dev` is a child process and must use the same format.
    os.environ[ENVIRONMENT] = chosen


FORMAT: Final = click.Option(
    ["--log-format"],
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    envvar=ENVIRONMENT,
    expose_value=False,
    callback=_choose,
    help="Log lines for people, or a JSON object on each line.",
)
