"""The sessions of the page: signed texts in a cookie, which every node of a system accepts.

A session is a JWS (HS256) with a key that all nodes derive from the secret of their system, so
nothing is stored. It has the access of the credential with which it began, and lasts
SESSION_SECONDS, but no longer than that credential. It carries the id of an API token, so the
revocation of the token ends its sessions.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from ..access.access import Access, Grant
from ..access.interface import Revocations, UnauthenticatedError

SESSION_SECONDS: Final = 8 * 3600
"""How long a session lasts at most."""
SESSION_CHARACTERS: Final = 3800
"""The longest session: browsers keep cookies of 4,096 bytes, with their name and attributes."""
SESSION_LABEL: Final = "durable session of the page"
"""The label with which the key is derived."""
_ALGORITHM: Final = "HS256"
_TYPE: Final = "durable-session+jwt"


class SessionTooLargeError(Exception):
    """An access does not fit into a cookie; the message says what to do."""


class Sessions:
    """Makes sessions and reads them."""

    def __init__(
        self,
        key: bytes,
        revocations: Revocations | None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`key` has 32 bytes; `now` is in seconds since 1970."""
        self._key = OctKey.import_key(key)
        self._revocations = revocations
        self._now = now

    def begin(self, access: Access) -> tuple[str, float]:
        """Returns a new session and its end, in seconds since 1970. Raises SessionTooLargeError."""
        end = self._now() + SESSION_SECONDS
        if access.expires:
            end = min(end, access.expires)
        claims = {
            "sub": access.name,
            "scopes": list(map(str, access.grants)),
            "ns": access.namespace,
            "id": access.id,
            "exp": end,
        }
        text = jws.serialize_compact(
            {"alg": _ALGORITHM, "typ": _TYPE},
            json.dumps(claims, separators=(",", ":")),
            self._key,
            algorithms=[_ALGORITHM],
        )
        if len(text) > SESSION_CHARACTERS:
            raise SessionTooLargeError(
                f"{access.name} has {len(access.grants)} scopes, which are too many for the page's"
                " cookie; sign in with a credential that has fewer, with patterns"
            )
        return text, end

    def read(self, text: str, source: str = "") -> Access:
        """Returns the access of a session of a caller at `source`. Raises UnauthenticatedError."""
        claims = self._claims(text)
        if self._now() >= claims["exp"]:
            raise UnauthenticatedError("expired", "the session has ended; sign in again")
        if (
            claims["id"]
            and self._revocations is not None
            and self._revocations.revoked(claims["id"])
        ):
            raise UnauthenticatedError(
                "revoked", "the token of this session was revoked; sign in with another one"
            )
        access = Access(
            claims["sub"],
            "session",
            tuple(map(Grant.parse, claims["scopes"])),
            claims["ns"],
            claims["id"],
            expires=claims["exp"],
        )
        return replace(access, source=source)

    def _claims(self, text: str) -> dict[str, Any]:
        try:
            found = jws.deserialize_compact(text, self._key, algorithms=[_ALGORITHM])
            if found.headers().get("typ") == _TYPE and found.payload is not None:
                claims: dict[str, Any] = json.loads(found.payload)
                return claims
        except (JoseError, ValueError, TypeError):
            pass
        raise UnauthenticatedError("malformed", "the session is not one of this system; sign in")
