"""The first API token of a system: a file with its text, and the record that makes it valid.

A system that has no token gets one with the scope `admin`, named `bootstrap`. Its text is in a file
that only this user can read, by default `admin-token` in the data dir. With it an operator makes
the others.

    file ─► record, on condition that there is none

The file comes first, and appears whole or not at all. So after a crash between the two the next
start finds the file and writes its record. Of several nodes that start at once, one writes the
record, and the others remove the files that they have made. What is left is one file and one record
that fit each other.

A file that the operator names may have been put there before the first start, as a secret of
Kubernetes is. Its token is made valid if the system has no token `bootstrap`, or one that is
revoked: so a new file and a restart also help an operator who has lost all others. What was revoked
does not come back: the record keeps the ids that it had, and is itself kept for good.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from ..access.access import Grant, Scope
from ..access.tokens import (
    BOOTSTRAP_FILE,
    BOOTSTRAP_NAME,
    Token,
    TokenExistsError,
    TokenText,
    TokenTextError,
    new_token,
)
from ..files import write_new
from .store import TokenStore
from .table import now_ms

_FILE_BYTES = 4096
"""The largest file that is read."""

logger = logging.getLogger("durable.tokens")


class TokenFileError(Exception):
    """A file does not have the text of a token, or cannot be read or written. The message names it."""


async def ensure_first_token(store: TokenStore, data_dir: Path, named: Path | None) -> None:
    """Makes the first token of a system that has none, and takes the one in a file that is `named`.

    Raises TokenFileError, TokensUnavailableError.
    """
    path = named or data_dir / BOOTSTRAP_FILE
    text = await asyncio.to_thread(_read, path)
    known = None if text is None else _known(store, text)
    if known is not None:
        if known.revoke_ms and named is None:
            await asyncio.to_thread(path.unlink, missing_ok=True)
        return
    if not len(store.table):
        await _make(store, path, text, named is not None)
    elif text is not None and named is None:
        await _lost(path, text)
    elif text is not None:
        await _take(store, path, text)


async def _make(store: TokenStore, path: Path, found: TokenText | None, named: bool) -> None:
    """Makes the first token, with the text that the file has if there is one."""
    text, made = found or TokenText.new(), False
    if found is None:
        made = await asyncio.to_thread(_write, path, text)
        if not made:
            # Another process has made it meanwhile.
            there = await asyncio.to_thread(_read, path)
            text = there or text
    try:
        await store.create(_first(text))
    except TokenExistsError as error:
        if error.token.id == text.id:
            return
        if made or not named:
            await _lost(path, text)
        else:
            _warn_of_other(path)
        return
    # As a warning, because without it nobody gets in, and a log shows no less by default.
    logger.warning(
        "this system had no API token: the first one, %s with the scope admin, is in %s",
        *(BOOTSTRAP_NAME, path),
    )


async def _take(store: TokenStore, path: Path, text: TokenText) -> None:
    """Makes the token in a named file valid, in a system that has others."""
    before = store.table.get(BOOTSTRAP_NAME)
    try:
        if before is None:
            await store.create(_first(text))
        else:
            await store.replace_revoked(_first(text))
    except TokenExistsError as error:
        if text.id in error.token.replaced:
            logger.warning("the API token in %s was revoked: put another one there", path)
        elif error.token.id != text.id:
            _warn_of_other(path)
        return
    logger.warning("the API token in %s is now %s, with the scope admin", path, BOOTSTRAP_NAME)


async def _lost(path: Path, text: TokenText) -> None:
    """Removes a file whose token is not valid, because another node has made the first token."""
    if await asyncio.to_thread(_read, path) == text:
        await asyncio.to_thread(path.unlink, missing_ok=True)
        logger.info("another node has made the API token %s; %s is removed", BOOTSTRAP_NAME, path)


def _warn_of_other(path: Path) -> None:
    logger.warning(
        "the API token in %s is not valid: the system has another token %s; to make this one valid,"
        " revoke that one and start again",
        *(path, BOOTSTRAP_NAME),
    )


def _known(store: TokenStore, text: TokenText) -> Token | None:
    """Returns the token of a text; None if the system does not have it."""
    found = next((it for it in store.table if it.id == text.id), None)
    return found if found is not None and found.matches(text.secret) else None


def _first(text: TokenText) -> Token:
    return new_token(text, BOOTSTRAP_NAME, (Grant(Scope.ADMIN),), now_ms=now_ms())


def _read(path: Path) -> TokenText | None:
    """Returns the text of the token in a file; None if there is no file."""
    try:
        with path.open("rb") as file:
            data = file.read(_FILE_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TokenFileError(
            f"the file {path} with the first API token: {error.strerror}"
        ) from error
    try:
        return TokenText.parse(data.decode("ascii", "replace").strip())
    except TokenTextError as error:
        raise TokenFileError(
            f"what is in {path} {error}; remove the file, so that one is made, or write such a text"
        ) from error


def _write(path: Path, text: TokenText) -> bool:
    """Writes a new file; returns False if there is one."""
    try:
        return write_new(path, f"{text}\n".encode())
    except OSError as error:
        raise TokenFileError(
            f"the first API token cannot be written to {path}: {error.strerror}; name another place"
            " with --admin-token-file"
        ) from error
