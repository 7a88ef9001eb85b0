"""Exit codes, and errors as one line of text.

0    success
1    the invocation failed, was cancelled or is paused; or any error without a code of its own
2    wrong usage, or an argument that the control plane refuses
3    there is no such invocation, handler, awakeable or node
4    the control plane is unreachable or overloaded: try again later
5    the status does not allow it: ended already, not paused, resolved with another outcome; or no other
     node can take over
6    the timeout is over and the invocation continues
7    the control plane asks for a valid token, or the one that is shown does not permit this
130  interrupted
"""

from __future__ import annotations

import re
import sys
from typing import Final

import click

from .streams import FULL

FAILED: Final = 1
USAGE: Final = 2
NOT_FOUND: Final = 3
UNAVAILABLE: Final = 4
STATE: Final = 5
UNFINISHED: Final = 6
DENIED: Final = 7
INTERRUPTED: Final = 130

_LONG_WORD: Final = re.compile(r"\S{200,}")
"""A word that is too long to show in an error."""
_HTTP_PACKAGES: Final = ("starlette", "uvicorn", "prometheus_client")
SERVER_PACKAGES: Final = (
    "nats",
    "msgspec",
    "grpc_health",
    "grpc_reflection",
    "watchfiles",
    "zstandard",
    "obstore",
    "cryptography",
)


class CommandError(click.ClickException):
    """Ends a command with a line and a code."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code


def exit_code(error: BaseException) -> int:
    """Returns the exit code of an error."""
    if isinstance(error, CommandError):
        return error.code
    if "durable" not in sys.modules:
        return FAILED
    import durable

    codes: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], int], ...] = (
        (durable.InvalidArgumentError, USAGE),
        (durable.NotFoundError, NOT_FOUND),
        ((durable.UnavailableError, durable.LimitError), UNAVAILABLE),
        ((durable.PreconditionError, durable.AlreadyExistsError), STATE),
        (durable.WaitTimeoutError, UNFINISHED),
        ((durable.UnauthenticatedError, durable.PermissionDeniedError), DENIED),
    )
    return next((code for kinds, code in codes if isinstance(error, kinds)), FAILED)


def usage_line(error: click.UsageError) -> str:
    """Returns the message for wrong usage, with a hint where to look."""
    hint = ""
    if error.ctx is not None and error.ctx.command.get_help_option(error.ctx) is not None:
        hint = f" ('{error.ctx.command_path} {error.ctx.help_option_names[-1]}' shows what is possible)"
    text = " ".join(error.format_message().split())
    return f"Error: {_LONG_WORD.sub(lambda it: it[0][:60] + '…', text)}{hint}"


def one_line(error: BaseException) -> str:
    """Returns the message of an error: what happened, and what to do."""
    if isinstance(error, click.ClickException):
        text = error.format_message()
    elif isinstance(error, OSError) and error.errno in FULL:
        text = (
            f"cannot write{' ' + repr(error.filename) if error.filename else ''}: {error.strerror}"
        )
    else:
        text = str(error) or type(error).__name__
    missing = error.name or "" if isinstance(error, ModuleNotFoundError) else ""
    if missing.split(".")[0] in SERVER_PACKAGES:
        text += "; the control plane needs: pip install 'durable-grpc[server]'"
    if missing.split(".")[0] in _HTTP_PACKAGES:
        text += "; --http and --metrics need: pip install 'durable-grpc[http]'"
    if missing.split(".")[0] == "grpc_channelz":
        text += "; --channelz needs: pip install 'durable-grpc[channelz]'"
    return " ".join(text.split())
