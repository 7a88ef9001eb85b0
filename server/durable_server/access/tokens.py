"""API tokens: their text, the hash that is kept of it, their names, and when they are valid. No
I/O.

The text of a token is `durable_<id>_<secret>`. The id, 12 lower case letters and digits, finds the
token and is no secret. The secret is 32 random bytes in URL-safe base64. The form is fixed, so that
scanners of source code find a token that was committed by mistake:
`durable_[a-z0-9]{12}_[A-Za-z0-9_-]{43}`.

Of the secret only SHA-256 of a random salt and the secret is kept. A slow hash, as passwords need,
would add nothing: a password is guessed because few are likely, and of 2^256 equally likely secrets
none is ever guessed, however fast the hash is. It is computed at each call, so it had better be
fast.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import NamedTuple

from .access import Access, Grant

NAME_CHARACTERS = 64
"""The longest name of a token."""
TOKENS_MAX = 10_000
"""The most tokens of a system, with those that have ended and are kept."""
KEPT_MS = 30 * 24 * 3600 * 1000
"""How long a token stays in the list after it was revoked or has expired, in milliseconds."""
BOOTSTRAP_NAME = "bootstrap"
"""The name of the first token of a system."""
BOOTSTRAP_FILE = "admin-token"
"""The file in the data dir with its text."""
ID_CHARACTERS = 12
SECRET_BYTES = 32
SALT_BYTES = 16
PREFIX = "durable_"
"""What the text of a token begins with."""
_ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_TEXT = re.compile(r"durable_([a-z0-9]{12})_([A-Za-z0-9_-]{43})")
_NAME = re.compile(rf"[A-Za-z0-9_.-]{{1,{NAME_CHARACTERS}}}")


class TokenNameError(ValueError):
    """A name is none that a token can have; the message says why."""


class TokenTextError(ValueError):
    """A text is not that of a token. The message does not have it."""


class TokenText(NamedTuple):
    """The text of a token, in its parts."""

    id: str
    secret: bytes

    def __str__(self) -> str:
        secret = base64.urlsafe_b64encode(self.secret).rstrip(b"=").decode()
        return f"{PREFIX}{self.id}_{secret}"

    def __repr__(self) -> str:
        return f"TokenText(id={self.id!r})"

    @classmethod
    def new(cls) -> TokenText:
        """Returns the text of a new token."""
        letters = (secrets.choice(_ID_ALPHABET) for _ in range(ID_CHARACTERS))
        return cls("".join(letters), secrets.token_bytes(SECRET_BYTES))

    @classmethod
    def parse(cls, text: str) -> TokenText:
        """Reads the text of a token. Raises TokenTextError."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise TokenTextError(
                f"is not the text of an API token: {PREFIX}, {ID_CHARACTERS} lower case letters and"
                " digits, an underscore, and 43 characters of URL-safe base64"
            )
        return cls(match[1], base64.urlsafe_b64decode(match[2] + "="))


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of an API token. Nothing in it is a secret that opens anything."""

    name: str
    id: str
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)
    """SHA-256 of the salt and the secret."""
    grants: tuple[Grant, ...]
    namespace: str = ""
    """The prefix of the names of handlers to which it is bound; empty for none."""
    create_ms: int = 0
    """When it was made, in milliseconds since 1970."""
    creator: str = ""
    expire_ms: int = 0
    """Until when it is valid; 0 for no end."""
    revoke_ms: int = 0
    """When it was revoked; 0 while it is not."""
    replaced: tuple[str, ...] = ()
    """The ids of revoked tokens that had this name before. They never return."""

    def ended_ms(self, now_ms: int) -> int:
        """Returns since when it is not valid any more; 0 if it still is."""
        ends = [it for it in (self.expire_ms, self.revoke_ms) if 0 < it <= now_ms]
        return min(ends, default=0)

    def removable(self, now_ms: int) -> bool:
        """Returns whether it has ended so long ago that it is not kept any more.

        The first token of a system is kept for good: without its record, a file with its text that
        was forgotten somewhere would make it valid again (see `tokens.bootstrap`).
        """
        ended = self.ended_ms(now_ms)
        return self.name != BOOTSTRAP_NAME and 0 < ended <= now_ms - KEPT_MS

    def matches(self, secret: bytes) -> bool:
        """Returns whether this is its secret, in a time that does not depend on the secret."""
        return hmac.compare_digest(_digest(self.salt, secret), self.digest)

    def access(self, source: str = "") -> Access:
        """Returns the access of who presents it from the address `source`."""
        return Access(
            self.name,
            "token",
            self.grants,
            self.namespace,
            self.id,
            source,
            self.expire_ms / 1000,
        )


class TokenExistsError(Exception):
    """Another token has the name; `token` is it."""

    def __init__(self, token: Token) -> None:
        super().__init__(token.name)
        self.token = token


class TokenNotFoundError(Exception):
    """There is no token of the name."""


class TokensFullError(Exception):
    """There are as many tokens as a system may have, or as its stream has room for."""


def new_token(
    text: TokenText,
    name: str,
    grants: tuple[Grant, ...],
    *,
    now_ms: int,
    namespace: str = "",
    creator: str = "",
    expire_ms: int = 0,
) -> Token:
    """Returns what is kept of a token with this text."""
    salt = secrets.token_bytes(SALT_BYTES)
    return Token(
        *(name, text.id, salt, _digest(salt, text.secret), grants),
        *(namespace, now_ms, creator, expire_ms),
    )


def check_token_name(name: str) -> str:
    """Returns a name that a token can have. Raises TokenNameError."""
    if _NAME.fullmatch(name) is None:
        raise TokenNameError(
            f"{name[:40]!r} is no name of a token: 1 to {NAME_CHARACTERS} letters, digits, '-', '_'"
            " and '.'"
        )
    return name


def _digest(salt: bytes, secret: bytes) -> bytes:
    return hashlib.sha256(salt + secret).digest()
