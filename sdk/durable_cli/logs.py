"""What the command line logs, and in which form: lines for people, or JSON for programs.

Logs go to stderr; stdout is for answers. In JSON each record is one object on one line: `time` (UTC),
`level`, `logger`, `message`, and where they are known `invocation_id`, `attempt`, `handler`, `error`
(the traceback) and whatever else the caller gave as `extra`.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import Any, Final

import click

ENVIRONMENT: Final = "DURABLE_LOG_FORMAT"
"""The choice for a process and for those that it starts."""
_TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {
    "message",
    "asctime",
    "taskName",
}
"""What every record has; the rest was given as `extra`."""


class JsonFormatter(logging.Formatter):
    """Makes one line of JSON of each record."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        message = record.getMessage()
        invocation_id = getattr(record, "invocation_id", None)
        if isinstance(invocation_id, str):
            # What tells people which invocation it is; here that is a field.
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
    """Sets logging up for a command; `verbose` is how often -v was given."""
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.basicConfig(level=level, stream=sys.stderr, format=_TEXT)


def _choose(_context: click.Context, _parameter: click.Parameter, chosen: str) -> None:
    formatter = JsonFormatter() if chosen == "json" else logging.Formatter(_TEXT)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stderr:
            handler.setFormatter(formatter)
    # The worker of `durable dev` is a child and logs alike.
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
