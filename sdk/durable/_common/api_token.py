"""The token with which a client or a worker shows who it is, and where that comes from.

In this order: what the program gives (`token=`), the environment (`DURABLE_TOKEN`, or a file that
`DURABLE_TOKEN_FILE` names), and what `durable login` has kept for the address. A token is an API token
or a JWT. It goes with each call as the metadata `authorization`. Plain text leaves the machine only
with `insecure` (`addresses`), so a token does too.

A file, and a function of the program, are read again when a worker connects and when a call is refused
as unauthenticated. So a token that was replaced is taken up without a restart, and costs nothing until
then.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

TOKEN_VARIABLE: Final = "DURABLE_TOKEN"
TOKEN_FILE_VARIABLE: Final = "DURABLE_TOKEN_FILE"
TOKEN_CHARACTERS_MAX: Final = 8_000
"""The longest token: more than a JWT has, and as much as gRPC takes as metadata."""

TokenSource: TypeAlias = str | Callable[[], str]
"""A token, or a function that returns it."""

_FILE_BYTES_MAX: Final = 16_384
_TEXT: Final = re.compile(r"[\x21-\x7e]+")

logger = logging.getLogger("durable.client")


class ApiToken:
    """The token of one connection. Thread-safe. No text or error of it shows the token."""

    def __init__(self, read: Callable[[], str], *, fixed: bool = False) -> None:
        """`read` returns the token or raises ValueError; one that is `fixed` is read once."""
        self._read: Final = read
        self._fixed: Final = fixed
        self._text = ""
        self._lock: Final = threading.Lock()

    def text(self) -> str:
        """Returns the token as it was last read. Raises ValueError if it was never read."""
        if not self._text:
            self._text = self._read()
        return self._text

    def refresh(self) -> None:
        """Reads the token again; keeps the one before if that is not possible."""
        if self._fixed:
            return
        try:
            self._text = self._read()
        except Exception as error:
            # A function of the program may raise anything, as when its issuer is away.
            if not self._text:
                raise
            why = str(error) if isinstance(error, ValueError) else repr(error)
            logger.warning("the token in use stays, because %s", why)

    def renew(self, used: str) -> bool:
        """Returns whether there is another token now than the one that was `used`."""
        with self._lock:
            if self._text == used:
                self.refresh()
            return self._text != used


def find_token(given: TokenSource | None, addresses: list[str]) -> list[ApiToken | None]:
    """Returns the token for each of the addresses of a control plane, as `login_key` names them.

    Raises ValueError for one that cannot be read or is none.
    """
    found = _given(given) if given is not None else _of_environment()
    if found is not None:
        return [found] * len(addresses)
    kept = kept_tokens()
    return [_of_login(it) if it in kept else None for it in addresses]


def check_token(text: object, place: str) -> str:
    """Returns a token without the white space around it. Raises ValueError, which names the place."""
    if not isinstance(text, str):
        raise ValueError(f"{place} is not a str but {type(text).__name__}")
    token = text.strip()
    if not token:
        raise ValueError(f"{place} is empty")
    if len(token) > TOKEN_CHARACTERS_MAX or _TEXT.fullmatch(token) is None:
        raise ValueError(
            f"{place} is no token: 1 to {TOKEN_CHARACTERS_MAX} visible ASCII characters on one line"
        )
    return token


def login_file() -> Path | None:
    """Returns the file in which `durable login` keeps tokens; None where there is no home folder."""
    folder = os.environ.get("XDG_CONFIG_HOME")
    if folder:
        return Path(folder) / "durable" / "credentials.json"
    try:
        return Path.home() / ".config" / "durable" / "credentials.json"
    except RuntimeError:
        return None


def kept_tokens() -> dict[str, str]:
    """Returns the tokens that `durable login` has kept, by address.

    Raises ValueError for a file that cannot be read or is damaged.
    """
    path = login_file()
    if path is None:
        return {}
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise ValueError(f"the tokens of `durable login`: {path}: {error.strerror}") from error
    try:
        fields: Any = json.loads(data)["tokens"]
        return {str(key): check_token(value, f"{path}: {key}") for key, value in fields.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"the file {path} is damaged; remove it, and run `durable login` again"
        ) from error


def _given(given: TokenSource) -> ApiToken:
    if callable(given):
        return ApiToken(lambda: check_token(given(), "what token() has returned"))
    return _fixed(check_token(given, "token"))


def _of_environment() -> ApiToken | None:
    text, name = os.environ.get(TOKEN_VARIABLE), os.environ.get(TOKEN_FILE_VARIABLE)
    if text and name:
        raise ValueError(f"{TOKEN_VARIABLE} and {TOKEN_FILE_VARIABLE} are both set; keep one")
    if text:
        return _fixed(check_token(text, TOKEN_VARIABLE))
    if not name:
        return None
    path = Path(name)

    def read() -> str:
        try:
            with path.open("rb") as file:
                data = file.read(_FILE_BYTES_MAX)
        except OSError as error:
            raise ValueError(
                f"{TOKEN_FILE_VARIABLE} {path} cannot be read: {error.strerror}"
            ) from error
        return check_token(data.decode(errors="replace"), f"{TOKEN_FILE_VARIABLE} {path}")

    return _read_once(ApiToken(read))


def _of_login(address: str) -> ApiToken:
    def read() -> str:
        kept = kept_tokens()
        if address not in kept:
            raise ValueError(f"`durable logout` has removed the token for {address}")
        return kept[address]

    return _read_once(ApiToken(read))


def _fixed(text: str) -> ApiToken:
    return _read_once(ApiToken(lambda: text, fixed=True))


def _read_once(token: ApiToken) -> ApiToken:
    token.text()  # so that one that cannot be read is found here
    return token
