"""What an operator trusts: the authenticator for JWTs and certificates, which follows the auth file.

The file is read at the start, where a malformed one is an error, and again when it has changed: a
bad new one keeps what was before, with one warning. The keys of an issuer stay when its place is
the same.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from ..access.access import Access
from ..access.interface import Credential
from .auth_file import AuthFile, AuthFileError, Issuer, read
from .certificates import CertificateAuthenticator
from .jwt import JwtAuthenticator, Trusted
from .key_sets import KeyFile, KeySetError, KeySource, KeyUrl
from .watched_file import WatchedFile

logger = logging.getLogger("durable.identities")


class TrustedIdentities:
    """Implements `access.interface.Authenticator` for what the auth file trusts."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        """Raises AuthFileError."""
        self._now = now
        self._file = WatchedFile(path)
        self._sources: dict[str | Path, KeySource] = {}
        self._trusted: dict[str, Trusted] = {}
        self._left: list[KeySource] = []
        self._take(read(path))

    def _take(self, found: AuthFile) -> None:
        sources: dict[str | Path, KeySource] = {}
        try:
            for it in found.issuers:
                place = it.keys_in or it.keys_at
                known = sources.get(place) or self._sources.get(place)
                sources[place] = known or _source(it)
        except KeySetError as error:
            raise AuthFileError(f"--auth-file {self._file.path}: {error}") from None
        for source in sources.values():
            if isinstance(source, KeyUrl):
                source.start()
        self._left += [it for place, it in self._sources.items() if place not in sources]
        self._sources = sources
        self._trusted = {
            it.url: Trusted(it, sources[it.keys_in or it.keys_at]) for it in found.issuers
        }
        self._jwts = JwtAuthenticator(self._trusted.values(), self._now)
        self._certificates = CertificateAuthenticator(found.certificates)

    def _look(self) -> None:
        if not self._file.changed():
            return
        try:
            self._take(read(self._file.path))
        except AuthFileError as error:
            logger.warning("%s; what it said before stays in use", error)
        else:
            logger.info("--auth-file %s has changed and is in use", self._file.path)

    async def access(self, credential: Credential) -> Access | None:
        """See Authenticator."""
        self._look()
        found = await self._jwts.access(credential)
        return found or await self._certificates.access(credential)

    def signing_in(self) -> list[Trusted]:
        """Returns the issuers with which the page can sign in."""
        self._look()
        return [it for it in self._trusted.values() if it.issuer.client_id]

    async def close(self) -> None:
        """Ends what runs in the background."""
        for it in (*self._sources.values(), *self._left):
            await it.close()


def _source(issuer: Issuer) -> KeySource:
    return KeyFile(issuer.keys_in) if issuer.keys_in is not None else KeyUrl(issuer.keys_at)
