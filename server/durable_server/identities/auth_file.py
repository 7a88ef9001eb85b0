"""The auth file: the issuers of JWTs and the client certificates that a control plane trusts, as TOML.

    [[issuer]]
    issuer = "https://login.example.com"      # the claim `iss`
    audience = "durable"                      # one of the claim `aud`; a text or a list
    jwks_url = "https://login.example.com/jwks.json"        # or jwks_file
    scopes_claim = "durable_scopes"           # SCOPE:PATTERN, a list or a text with spaces
    map.groups.payments = ["invoke:pay.*"]    # and what a value of another claim gives

    [[certificate]]
    san = "spiffe://example.com/payments/*"   # or subject, the common name
    scopes = ["worker:pay.*"]

Reading is pure: a text in, `AuthFile` out. Whatever is wrong is one AuthFileError that names the
key. An unknown key is wrong too, because a misspelt one would otherwise be a restriction that does
not hold.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from ..access.access import GRANTS_MAX, AccessError, Grant, check_pattern

ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
"""The signature algorithms of JWTs that are accepted by default."""
PERMITTED_ALGORITHMS: Final = frozenset(
    {
        *(f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)),
        *("EdDSA", "Ed25519"),
    }
)
"""Those that can be chosen. None has a shared secret: with a public JWKS that would sign nothing."""
FILE_BYTES: Final = 1024 * 1024
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
"""The hosts of issuers on this machine."""


class AuthFileError(Exception):
    """The auth file is malformed; the message names the key and says what to do."""


class _Issuer(msgspec.Struct, forbid_unknown_fields=True):
    issuer: str
    audience: str | list[str]
    jwks_file: str = ""
    jwks_url: str = ""
    algorithms: tuple[str, ...] = ALGORITHMS
    name_claim: str = "sub"
    scopes_claim: str = "durable_scopes"
    namespace_claim: str = ""
    map: dict[str, dict[str, list[str]]] = {}
    name: str = ""
    client_id: str = ""
    client_secret_file: str = ""
    login_scopes: str = "openid"


class _Certificate(msgspec.Struct, forbid_unknown_fields=True):
    scopes: list[str]
    subject: str = ""
    san: str = ""
    namespace: str = ""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    issuer: list[_Issuer] = []
    certificate: list[_Certificate] = []


class Mapped(NamedTuple):
    """What a value of a claim gives."""

    claim: str
    value: str
    grants: tuple[Grant, ...]


class Issuer(NamedTuple):
    """An issuer of JWTs, and what its JWTs permit."""

    url: str
    """The claim `iss`, compared as it is."""
    audiences: tuple[str, ...]
    """One of them must be in the claim `aud`."""
    keys_at: str
    """The URL of its JWKS; empty for a file."""
    keys_in: Path | None
    """The file of its JWKS."""
    algorithms: frozenset[str]
    name_claim: str = "sub"
    """The claim with the name of the caller."""
    scopes_claim: str = "durable_scopes"
    """The claim with scopes; absent is none."""
    namespace_claim: str = ""
    """The claim with the namespace, which every JWT must have then; empty for no namespace."""
    mapped: tuple[Mapped, ...] = ()
    """The grants by values of other claims."""
    label: str = ""
    """What the page calls it."""
    client_id: str = ""
    """The id under which the control plane is registered there, for the page; empty for no sign-in."""
    client_secret: Path | None = None
    """A file with the secret of that registration; None for a public client."""
    login_scopes: str = "openid"
    """What the page's sign-in asks for."""


class Certified(NamedTuple):
    """Which client certificates are an identity, and what it may do."""

    subject: str
    """The pattern of the common name; empty for any."""
    san: str
    """The pattern of one of the DNS names and URIs; empty for any."""
    grants: tuple[Grant, ...]
    namespace: str = ""


class AuthFile(NamedTuple):
    """What an auth file says."""

    issuers: tuple[Issuer, ...] = ()
    certificates: tuple[Certified, ...] = ()


def parse(text: str, folder: Path) -> AuthFile:
    """Returns what a text says; names of files are relative to `folder`. Raises AuthFileError."""
    try:
        found = msgspec.convert(tomllib.loads(text), _File)
    except tomllib.TOMLDecodeError as error:
        raise AuthFileError(f"it is no TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise AuthFileError(_problem(str(error))) from None
    issuers = tuple(
        _issuer(it, f"issuer[{number}]", folder) for number, it in enumerate(found.issuer)
    )
    urls = [it.url for it in issuers]
    for number, url in enumerate(urls):
        if url in urls[:number]:
            raise AuthFileError(f"issuer[{number}].issuer: {url} is there twice; keep one of them")
    return AuthFile(
        issuers,
        tuple(_certified(it, f"certificate[{n}]") for n, it in enumerate(found.certificate)),
    )


def _problem(words: str) -> str:
    """Returns what is wrong with a key, with the keys that there are if it is none of them."""
    problem, _, place = words.partition(" - at `$")
    where = place.strip("`").lstrip(".")
    if "field" in problem:
        kinds: dict[str, type[msgspec.Struct]] = {
            "": _File,
            "issuer": _Issuer,
            "certificate": _Certificate,
        }
        known = msgspec.structs.fields(kinds[where.partition("[")[0]])
        problem += f"; the keys there are {', '.join(it.name for it in known)}"
    return f"{where}: {problem}" if where else problem


def read(path: Path) -> AuthFile:
    """Returns what a file says. Raises AuthFileError."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES + 1)
        if len(data) > FILE_BYTES:
            raise AuthFileError(f"--auth-file {path}: it is larger than {FILE_BYTES} bytes")
        return parse(data.decode(), path.parent)
    except (OSError, UnicodeDecodeError) as error:
        raise AuthFileError(f"--auth-file {path} cannot be read: {error}") from error
    except AuthFileError as error:
        raise AuthFileError(f"--auth-file {path}: {error}") from None


def check_url(url: str, where: str) -> str:
    """Returns a URL from which keys or tokens may come. Raises AuthFileError.

    It is https://; on loopback, where nobody is in between, also http://.
    """
    parts = urlsplit(url)
    local = parts.scheme == "http" and parts.hostname in LOOPBACK
    if not parts.hostname or not (parts.scheme == "https" or local) or parts.username is not None:
        raise AuthFileError(
            f"{where}: {url[:200]!r} is not https://HOST[:PORT]/PATH; what comes without TLS could be"
            " anybody's"
        )
    return url


def _issuer(it: _Issuer, where: str, folder: Path) -> Issuer:
    audiences = (it.audience,) if isinstance(it.audience, str) else tuple(it.audience)
    if not it.issuer:
        raise AuthFileError(f"{where}.issuer: is empty; it is the claim `iss` of its JWTs")
    if not audiences or "" in audiences:
        raise AuthFileError(
            f"{where}.audience: is empty; without one, a JWT for another service would be accepted"
        )
    if bool(it.jwks_file) == bool(it.jwks_url):
        raise AuthFileError(
            f"{where}: its keys come from jwks_url or from jwks_file; give one of the two"
        )
    if it.jwks_url:
        check_url(it.jwks_url, f"{where}.jwks_url")
    for name in it.algorithms:
        if name not in PERMITTED_ALGORITHMS:
            raise AuthFileError(
                f"{where}.algorithms: {name[:40]!r} is not one of"
                f" {', '.join(sorted(PERMITTED_ALGORITHMS))}"
            )
    if not it.algorithms:
        raise AuthFileError(f"{where}.algorithms: is empty; leave it out for {ALGORITHMS}")
    if it.client_id:
        check_url(it.issuer, f"{where}.issuer")
        if "openid" not in it.login_scopes.split():
            raise AuthFileError(
                f"{where}.login_scopes: has no `openid`, without which it is no OIDC"
            )
    elif it.client_secret_file:
        raise AuthFileError(f"{where}.client_secret_file: is for a client_id; add that")
    return Issuer(
        it.issuer,
        audiences,
        it.jwks_url,
        folder / it.jwks_file if it.jwks_file else None,
        frozenset(it.algorithms),
        it.name_claim,
        it.scopes_claim,
        it.namespace_claim,
        tuple(
            Mapped(claim, value, _grants(scopes, f"{where}.map.{claim}.{value}"))
            for claim, values in it.map.items()
            for value, scopes in values.items()
        ),
        it.name or urlsplit(it.issuer).hostname or it.issuer,
        it.client_id,
        folder / it.client_secret_file if it.client_secret_file else None,
        it.login_scopes,
    )


def _certified(it: _Certificate, where: str) -> Certified:
    if not it.subject and not it.san:
        raise AuthFileError(
            f"{where}: has neither subject nor san, so it would be any certificate; write"
            " subject = '*' if it is to be"
        )
    if it.namespace:
        try:
            check_pattern(it.namespace)
        except AccessError as error:
            raise AuthFileError(f"{where}.namespace: {error}") from None
    return Certified(it.subject, it.san, _grants(it.scopes, f"{where}.scopes"), it.namespace)


def _grants(scopes: Sequence[str], where: str) -> tuple[Grant, ...]:
    if not scopes:
        raise AuthFileError(f"{where}: has no scopes, so that nothing would be permitted")
    try:
        return parse_grants(scopes)
    except AccessError as error:
        raise AuthFileError(f"{where}: {error}") from None


def parse_grants(scopes: Iterable[str]) -> tuple[Grant, ...]:
    """Returns the grants of some texts `SCOPE` or `SCOPE:PATTERN`. Raises AccessError."""
    found = tuple(dict.fromkeys(map(Grant.parse, scopes)))
    if len(found) > GRANTS_MAX:
        raise AccessError(f"{len(found)} scopes are more than {GRANTS_MAX}")
    return found
