"""Signature schemes: how senders sign deliveries. One pure function per scheme, and one table of them.

    stripe    Stripe-Signature: t=SECONDS,v1=HEX[,v1=HEX]    HMAC-SHA256 of "SECONDS.BODY"
    github    X-Hub-Signature-256: sha256=HEX                HMAC-SHA256 of the body

Both sign the bytes of the body, so they are checked before the body is parsed. Several secrets may be
valid at once, and Stripe sends a signature for each while one is being replaced: one matching pair is
enough. Stripe's signatures are refused after TOLERANCE_SECONDS, so a recorded delivery cannot be sent
again. GitHub's have no time, but the awakeable itself accepts only one outcome.

To add a scheme: a `check`, a line in SCHEMES, and a test with a vector from the sender's own documents.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

TOLERANCE_SECONDS: Final = 300
"""The greatest age of a delivery that has a time: Stripe's own default."""


class BadSignature(NamedTuple):
    """Why a delivery is not from the sender."""

    problem: str


Headers: TypeAlias = Mapping[str, str]
Check: TypeAlias = Callable[[Headers, bytes, Sequence[bytes], float], BadSignature | None]
"""Headers by lower-case name, the body, the secrets, the time in seconds since 1970."""


class SignatureScheme(NamedTuple):
    """One signature scheme."""

    check: Check
    """Returns what is wrong with a delivery; None when it was signed with one of the secrets."""
    is_ping: Callable[[Headers], bool]
    """Returns whether a delivery only tests the address and has no event."""


def _stripe(
    headers: Headers, body: bytes, secrets: Sequence[bytes], now: float
) -> BadSignature | None:
    given = headers.get("stripe-signature")
    if given is None:
        return BadSignature("there is no Stripe-Signature header")
    parts = [part.strip().partition("=") for part in given.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    if len(times) != 1 or not (times[0].isdecimal() and times[0].isascii() and len(times[0]) < 16):
        return BadSignature("the Stripe-Signature header has no time: t=SECONDS is missing")
    signed = times[0].encode() + b"." + body
    if not _fits(signed, secrets, (value for name, _, value in parts if name == "v1")):
        return BadSignature("no v1 signature of the Stripe-Signature header fits")
    if now - int(times[0]) > TOLERANCE_SECONDS:
        return BadSignature(f"it was signed more than {TOLERANCE_SECONDS} seconds ago")
    return None


def _github(
    headers: Headers, body: bytes, secrets: Sequence[bytes], now: float
) -> BadSignature | None:
    given = headers.get("x-hub-signature-256")
    if given is None:
        return BadSignature("there is no X-Hub-Signature-256 header: the sender has no secret set")
    name, _, value = given.partition("=")
    if name != "sha256" or not _fits(body, secrets, (value,)):
        return BadSignature("the X-Hub-Signature-256 header does not fit")
    return None


def _fits(signed: bytes, secrets: Sequence[bytes], signatures: Iterable[str]) -> bool:
    """Returns whether one of the signatures was made with one of the secrets.

    Each comparison takes constant time; the number of comparisons is not secret.
    """
    given = [text.encode() for text in signatures]
    made = [hmac.new(secret, signed, hashlib.sha256).hexdigest().encode() for secret in secrets]
    return any(hmac.compare_digest(one, other) for one in made for other in given)


SCHEMES: Final[Mapping[str, SignatureScheme]] = MappingProxyType(
    {
        "stripe": SignatureScheme(_stripe, lambda headers: False),
        # GitHub sends a ping when a hook is set up; it must not count as the event.
        "github": SignatureScheme(_github, lambda headers: headers.get("x-github-event") == "ping"),
    }
)
"""The schemes by name."""
