"""The public keys of issuers, from a JWKS in a file or at a URL.

A file is read again when it has changed. A URL is asked in the background: at the start, when a JWT
names a key that is not there, and when the keys are used and older than AGE_SECONDS. It is asked at
most every PAUSE_SECONDS, so that nobody can make the control plane flood an issuer with invented
key ids. While the issuer is away, the keys of before stay in use. Keys that cannot verify (shared
secrets, keys for encryption, unknown types) are left out.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key

from .fetching import FETCH_BYTES, FetchError, fetch
from .watched_file import WatchedFile

PAUSE_SECONDS: Final = 10.0
"""The shortest time between two requests to an issuer."""
AGE_SECONDS: Final = 600.0
"""After this time the keys are asked for again, if they are used."""
KEYS_MAX: Final = 100
_KINDS: Final = ("RSA", "EC", "OKP")

logger = logging.getLogger("durable.identities")


class KeySetError(Exception):
    """A JWKS is malformed, or there is none; the message says why."""


class KeySource(Protocol):
    """The keys of an issuer."""

    @property
    def version(self) -> int:
        """Another number whenever the keys are others."""
        ...

    def look(self) -> None:
        """Notices, at once or in the background, that the keys may have changed."""
        ...

    async def candidates(self, key_id: str | None) -> Sequence[Key]:
        """Returns the keys with an id, or all if there is no id. Raises KeySetError."""
        ...

    async def close(self) -> None:
        """Ends what runs in the background."""
        ...


def parse_keys(data: bytes) -> tuple[Key, ...]:
    """Returns the keys of a JWKS with which signatures can be verified. Raises KeySetError."""
    try:
        listed = json.loads(data)["keys"]
        given = [it for it in listed if isinstance(it, dict)][:KEYS_MAX]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise KeySetError('it is no JWKS: {"keys": [...]}') from None
    found: list[Key] = []
    for it in given:
        if it.get("kty") not in _KINDS or it.get("use", "sig") != "sig":
            continue
        try:
            found.append(JWKRegistry.import_key(it))
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    if not found:
        raise KeySetError("it has no key of the types RSA, EC and OKP for signatures")
    return tuple(found)


def _with_id(keys: Sequence[Key], key_id: str | None) -> Sequence[Key]:
    return keys if key_id is None else [it for it in keys if it.get("kid") == key_id]


class KeyFile:
    """The keys in a file. Implements KeySource."""

    def __init__(self, path: Path) -> None:
        """Raises KeySetError."""
        self.version = 0
        self._file = WatchedFile(path)
        self._keys = self._read()

    def _read(self) -> tuple[Key, ...]:
        path = self._file.path
        try:
            with path.open("rb") as file:
                return parse_keys(file.read(FETCH_BYTES))
        except OSError as error:
            raise KeySetError(f"jwks_file {path} cannot be read: {error}") from error
        except KeySetError as error:
            raise KeySetError(f"jwks_file {path}: {error}") from None

    def look(self) -> None:
        """See KeySource. A bad new file keeps the keys of before."""
        if not self._file.changed():
            return
        try:
            self._keys = self._read()
        except KeySetError as error:
            logger.warning("%s; the keys of before stay in use", error)
        else:
            self.version += 1

    async def candidates(self, key_id: str | None) -> Sequence[Key]:
        """See KeySource."""
        self.look()
        return _with_id(self._keys, key_id)

    async def close(self) -> None:
        """See KeySource."""


class KeyUrl:
    """The keys at a URL. Implements KeySource."""

    def __init__(self, url: str) -> None:
        self.version = 0
        self._url = url
        self._keys: tuple[Key, ...] = ()
        self._asking: asyncio.Task[None] | None = None
        self._asked = self._answered = -float("inf")
        self._away = False

    def start(self) -> None:
        """Asks for the keys in the background, once."""
        self._ask()

    def look(self) -> None:
        """See KeySource."""
        if time.monotonic() - self._answered > AGE_SECONDS:
            self._ask()

    async def candidates(self, key_id: str | None) -> Sequence[Key]:
        """See KeySource."""
        found = _with_id(self._keys, key_id)
        if not found:
            self._ask()
            if self._asking is not None:
                await asyncio.wait({self._asking})
            found = _with_id(self._keys, key_id)
        self.look()
        if not self._keys:
            raise KeySetError("its keys could not be fetched yet; try again")
        return found

    def _ask(self) -> None:
        now = time.monotonic()
        if self._asking is None and now - self._asked >= PAUSE_SECONDS:
            self._asked = now
            self._asking = asyncio.create_task(self._load())

    async def _load(self) -> None:
        try:
            keys = parse_keys(await fetch(self._url))
        except (FetchError, KeySetError) as error:
            if not self._away:
                logger.warning(
                    "the keys of an issuer at %s: %s; %s",
                    *(self._url, error),
                    "those of before stay in use" if self._keys else "its JWTs are refused so far",
                )
            self._away = True
        else:
            self._away = False
            self._answered = time.monotonic()
            if [it.as_dict(private=False) for it in keys] != [
                it.as_dict(private=False) for it in self._keys
            ]:
                self._keys = keys
                self.version += 1
        finally:
            self._asking = None

    async def close(self) -> None:
        """See KeySource."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})
