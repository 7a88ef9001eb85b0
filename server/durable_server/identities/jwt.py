"""JWTs as credentials: verified against the keys of a configured issuer, and turned into an access.

A JWT is chosen an issuer by its claim `iss`, and must have

- one of the issuer's algorithms, and a signature by one of its keys,
- one of its audiences in `aud`,
- `exp` in the future; `nbf` and `iat`, if there, in the past; SKEW_SECONDS are tolerated,
- a name, and at least one scope, from the claims that the auth file says.

Each refusal is an UnauthenticatedError whose message says which of these it is. Nothing of the
payload is believed before the signature is verified, except the issuer, which only selects the
keys. What is verified is kept until it expires, by a hash of the text, so that a caller with many
calls costs one verification.
"""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import Key

from ..access.access import GRANTS_MAX, Access, AccessError, Grant, check_pattern
from ..access.interface import Credential, CredentialUncheckedError, UnauthenticatedError
from .auth_file import Issuer
from .key_sets import KeySetError, KeySource

SKEW_SECONDS: Final = 60.0
"""How much the clocks of the issuer and of this machine may differ."""
JWT_CHARACTERS: Final = 16 * 1024
"""The longest JWT."""
CACHE_MAX: Final = 4096
"""How many verified JWTs are kept."""
NAME_CHARACTERS: Final = 256
_TRIED_MAX: Final = 8
"""How many keys are tried for a JWT that names none."""

Claims = Mapping[str, Any]


class Trusted(NamedTuple):
    """An issuer with its keys."""

    issuer: Issuer
    keys: KeySource


class _Kept(NamedTuple):
    access: Access
    keys: KeySource
    version: int
    until: float


class JwtAuthenticator:
    """Implements `access.interface.Authenticator` for JWTs."""

    def __init__(self, trusted: Collection[Trusted], now: Callable[[], float] = time.time) -> None:
        """`now` is in seconds since 1970."""
        self._trusted = {it.issuer.url: it for it in trusted}
        self._now = now
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()

    async def access(self, credential: Credential) -> Access | None:
        """See Authenticator."""
        text = credential.bearer
        if text.count(".") != 2 or not self._trusted:
            return None
        digest = hashlib.sha256(text.encode()).digest()
        kept = self._kept.get(digest)
        if kept is not None:
            kept.keys.look()
            if kept.version == kept.keys.version and self._now() < kept.until:
                self._kept.move_to_end(digest)
                return replace(kept.access, source=credential.source)
            del self._kept[digest]
        header, claims = _unverified(text)
        trusted = self._trusted.get(str(claims.get("iss")))
        if trusted is None:
            raise UnauthenticatedError(
                "unknown",
                f"the JWT is of the issuer {_shown(claims.get('iss'))}, which --auth-file does not"
                " name",
            )
        version = trusted.keys.version
        verified = await verified_claims(text, header, trusted)
        check_claims(verified, trusted.issuer, trusted.issuer.audiences, self._now())
        found = access_of(verified, trusted.issuer)
        self._kept[digest] = _Kept(found, trusted.keys, version, found.expires)
        if len(self._kept) > CACHE_MAX:
            self._kept.popitem(last=False)
        return replace(found, source=credential.source)


def _unverified(text: str) -> tuple[Mapping[str, Any], Claims]:
    """Returns the header and the claims of a JWT without a check of its signature."""
    problem = "it is no JWT"
    if len(text) <= JWT_CHARACTERS:
        try:
            found = jws.extract_compact(text.encode("ascii"))
            claims = json.loads(found.payload)
            if isinstance(claims, dict):
                return found.headers(), claims
        except (JoseError, ValueError, TypeError, RecursionError):
            pass
    else:
        problem = f"it has {len(text)} characters, more than {JWT_CHARACTERS}"
    raise UnauthenticatedError("malformed", f"the bearer token is no valid credential: {problem}")


async def verified_claims(text: str, header: Mapping[str, Any], trusted: Trusted) -> Claims:
    """Returns the claims of a JWT whose signature is that of an issuer.

    Raises UnauthenticatedError, CredentialUncheckedError.
    """
    issuer = trusted.issuer
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in issuer.algorithms:
        raise UnauthenticatedError(
            "malformed",
            f"the JWT is signed with {_shown(algorithm)}; of {issuer.url} are accepted"
            f" {', '.join(sorted(issuer.algorithms))}",
        )
    key_id = header.get("kid")
    if key_id is not None and not isinstance(key_id, str):
        raise UnauthenticatedError("malformed", "the key id of the JWT is no text")
    try:
        keys = await trusted.keys.candidates(key_id)
    except KeySetError as error:
        raise CredentialUncheckedError(
            f"a JWT of {issuer.url} cannot be verified now: {error}"
        ) from error
    if not keys:
        raise UnauthenticatedError(
            "unknown",
            f"the JWT is signed with the key {_shown(key_id)}, which {issuer.url} has not",
        )
    for key in keys[:_TRIED_MAX]:
        payload = _payload(text, key, algorithm)
        if payload is not None:
            claims = json.loads(payload)
            assert isinstance(claims, dict)  # as in `_unverified`
            return claims
    raise UnauthenticatedError(
        "malformed", f"the signature of the JWT is not by a key of {issuer.url}"
    )


def _payload(text: str, key: Key, algorithm: str) -> bytes | None:
    """Returns the payload if a key has signed it, else None."""
    try:
        with warnings.catch_warnings():
            # RFC 9864 has a new name for it, and issuers still use this one.
            warnings.filterwarnings("ignore", "EdDSA is deprecated", SecurityWarning)
            return jws.deserialize_compact(text, key, algorithms=[algorithm]).payload
    except (JoseError, ValueError, TypeError):
        return None


def unverified_header(text: str) -> Mapping[str, Any]:
    """Returns the header of a JWT. Raises UnauthenticatedError for what is none."""
    return _unverified(text)[0]


def check_claims(claims: Claims, issuer: Issuer, audiences: Collection[str], now: float) -> None:
    """Raises UnauthenticatedError for a JWT for others, or of another time."""
    given = claims.get("aud")
    aud = given if isinstance(given, list) else [given]
    if not any(it in audiences for it in aud if isinstance(it, str)):
        raise UnauthenticatedError(
            "unknown",
            f"the JWT is for the audience {_shown(given)} and not for {' or '.join(audiences)}",
        )
    expires = _time(claims, "exp")
    if expires is None:
        raise UnauthenticatedError("malformed", "the JWT has no expiry (`exp`)")
    if now >= expires + SKEW_SECONDS:
        raise UnauthenticatedError("expired", f"the JWT has expired at {_moment(expires)}")
    for name in ("nbf", "iat"):
        begins = _time(claims, name)
        if begins is not None and now < begins - SKEW_SECONDS:
            raise UnauthenticatedError(
                "unknown", f"the JWT is not valid before {_moment(begins)} (`{name}`)"
            )


def access_of(claims: Claims, issuer: Issuer) -> Access:
    """Returns what verified claims permit. Raises UnauthenticatedError, as for no scopes."""
    name = _text(claims, issuer.name_claim, "name_claim", issuer)
    namespace = ""
    if issuer.namespace_claim:
        namespace = _text(claims, issuer.namespace_claim, "namespace_claim", issuer)
    try:
        if namespace:
            check_pattern(namespace)
        grants = tuple(dict.fromkeys((*_own(claims, issuer), *_mapped(claims, issuer))))
    except AccessError as error:
        raise UnauthenticatedError("malformed", f"the JWT of {name}: {error}") from None
    if not grants:
        claims_read = [issuer.scopes_claim, *dict.fromkeys(it.claim for it in issuer.mapped)]
        raise UnauthenticatedError(
            "unknown",
            f"the JWT of {name} has no scopes: its claims {', '.join(claims_read)} give none; see"
            " --auth-file",
        )
    if len(grants) > GRANTS_MAX:
        raise UnauthenticatedError(
            "malformed", f"the JWT of {name} has {len(grants)} scopes, more than {GRANTS_MAX}"
        )
    expires = _time(claims, "exp") or 0.0
    return Access(name, "jwt", grants, namespace, expires=expires + SKEW_SECONDS)


def _own(claims: Claims, issuer: Issuer) -> Sequence[Grant]:
    return [Grant.parse(it) for it in _texts(claims.get(issuer.scopes_claim), issuer.scopes_claim)]


def _mapped(claims: Claims, issuer: Issuer) -> Sequence[Grant]:
    return [
        grant
        for it in issuer.mapped
        if it.value in _texts(claims.get(it.claim), it.claim)
        for grant in it.grants
    ]


def _texts(value: object, claim: str) -> Sequence[str]:
    """Returns the values of a claim: a list of texts, or one text with spaces between."""
    if value is None:
        return []
    if isinstance(value, str):
        return value.split()
    if isinstance(value, list) and all(isinstance(it, str) for it in value):
        return value
    raise AccessError(f"the claim {claim} is neither a list of texts nor a text")


def _text(claims: Claims, claim: str, setting: str, issuer: Issuer) -> str:
    found = claims.get(claim)
    if isinstance(found, str) and 0 < len(found) <= NAME_CHARACTERS and found.isprintable():
        return found
    raise UnauthenticatedError(
        "malformed",
        f"the JWT has no claim {claim} with a text of 1 to {NAME_CHARACTERS} characters, which"
        f" {setting} of {issuer.url} says",
    )


def _time(claims: Claims, claim: str) -> float | None:
    found = claims.get(claim)
    if found is None:
        return None
    # Beyond this bound it is not in seconds, and no date; NaN is in no bounds.
    if isinstance(found, int | float) and not isinstance(found, bool) and 0 <= found < 1e11:
        return float(found)
    raise UnauthenticatedError("malformed", f"the claim {claim} of the JWT is no time in seconds")


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _shown(value: object) -> str:
    return repr(value)[:100]
