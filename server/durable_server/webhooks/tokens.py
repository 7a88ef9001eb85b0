"""Tokens: the signed permission in a webhook's URL, so that nothing needs to be stored.

    token = base64url(mac ‖ claim)      mac = HMAC-SHA256(key, "durable webhook" ‖ claim)
    claim = version (1 byte) ‖ expiry (8 bytes, seconds since 1970) ‖ nonce (8 bytes)
          ‖ length ‖ scheme ‖ length ‖ secret's name ‖ awakeable id

The nonce makes each token another one, so that one can be revoked and the next one works. The claims of
version 1, which are still accepted, have none. A webhook's id is a hash of its claim; it names the
webhook, in a revocation for example, and permits nothing.

Rules.
- No part of a token is used before its MAC has been verified. Whatever is wrong with a token, the
answer
  is the same None, so there is nothing to learn by trying.
- One claim and key have exactly one token: another spelling of the same base64 is refused.
- The first key signs and all keys are accepted, so keys are rotated without breaking URLs.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

_VERSION: Final = 2
_PURPOSE: Final = b"durable webhook"
_MAC_BYTES: Final = 32
NONCE_BYTES: Final = 8
_HEAD: Final = struct.Struct(">BQ")
_SEPARATOR: Final = "#"
_DIGEST_DIGITS: Final = 24
_DIGEST: Final = re.compile(rf"[0-9a-f]{{{_DIGEST_DIGITS}}}")
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,2048}")


class Claim(NamedTuple):
    """What a token permits."""

    awakeable_id: str
    """The awakeable that it resolves."""
    expires_s: int
    """Its expiry, in seconds since 1970."""
    scheme: str = ""
    """The sender's signature scheme; empty for none."""
    secret_name: str = ""
    """The name of the sender's secret."""
    nonce: bytes = b""
    """Random, NONCE_BYTES long; empty in claims of version 1."""

    @property
    def webhook_id(self) -> str:
        """The id of the webhook: the awakeable's with a hash of the claim."""
        digest = hashlib.sha256(_pack(self)).hexdigest()
        return f"{self.awakeable_id}{_SEPARATOR}{digest[:_DIGEST_DIGITS]}"


def awakeable_of(webhook_id: str) -> str:
    """Returns the awakeable of a webhook's id; empty if it is none."""
    awakeable_id, _, digest = webhook_id.rpartition(_SEPARATOR)
    return awakeable_id if _DIGEST.fullmatch(digest) else ""


class Keyring:
    """The keys of a control plane: makes tokens and reads them."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """At least one key; the first one signs."""
        self._keys: Final = tuple(keys)

    def sign(self, claim: Claim) -> str:
        """Returns the token of a claim."""
        data = _pack(claim)
        return _text(_mac(self._keys[0], data) + data)

    def read(self, token: str) -> Claim | None:
        """Returns the claim of a token that was signed with one of the keys, else None."""
        if _TOKEN.fullmatch(token) is None or len(token) % 4 == 1:
            return None
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        mac, data = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        signed = [hmac.compare_digest(mac, _mac(key, data)) for key in self._keys]
        if not any(signed) or _text(raw) != token or not 1 <= data[0] <= _VERSION:
            return None
        return _unpack(data)


def _mac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, _PURPOSE + data, hashlib.sha256)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _pack(claim: Claim) -> bytes:
    parts = [_HEAD.pack(_VERSION if claim.nonce else 1, claim.expires_s), claim.nonce]
    for text in (claim.scheme, claim.secret_name):
        data = text.encode()
        parts += [bytes([len(data)]), data]
    return b"".join((*parts, claim.awakeable_id.encode()))


def _unpack(data: bytes) -> Claim:
    version, expires_s = _HEAD.unpack_from(data)
    at = _HEAD.size + (NONCE_BYTES if version > 1 else 0)
    nonce = data[_HEAD.size : at]
    texts = []
    for _ in range(2):
        end = at + 1 + data[at]
        texts.append(data[at + 1 : end].decode())
        at = end
    scheme, secret_name = texts
    return Claim(data[at:].decode(), expires_s, scheme, secret_name, nonce)
