"""An issuer of JWTs for tests: keys, a JWKS, and JWTs of every kind, also wrong ones."""

from __future__ import annotations

import json
import time
import warnings
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

AUDIENCE = "durable"


def make_key(algorithm: str, key_id: str) -> Key:
    """Returns a new private key for an algorithm."""
    parameters: Any = {"kid": key_id}
    if algorithm.startswith("ES"):
        return ECKey.generate_key("P-256", parameters)
    if algorithm.startswith("Ed"):
        return OKPKey.generate_key("Ed25519", parameters)
    if algorithm.startswith("HS"):
        return OctKey.generate_key(256, parameters)
    return RSAKey.generate_key(2048, parameters)


class Issuer:
    """An issuer with one key."""

    def __init__(
        self, url: str = "https://login.example.com", algorithm: str = "RS256", key_id: str = "one"
    ) -> None:
        self.url = url
        self.algorithm = algorithm
        self.key = make_key(algorithm, key_id)

    def jwks(self) -> bytes:
        return json.dumps({"keys": [self.key.as_dict(private=False)]}).encode()

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Returns the claims of a good JWT, with changes; None removes one."""
        now = int(time.time())
        found = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "ada",
            "iat": now,
            "exp": now + 300,
            "durable_scopes": ["read"],
            **changed,
        }
        return {name: value for name, value in found.items() if value is not None}

    def token(self, header: dict[str, Any] | None = None, **changed: Any) -> str:
        """Returns a JWT, which is good unless something is changed."""
        return self.signed(self.claims(**changed), header)

    def signed(self, claims: dict[str, Any], header: dict[str, Any] | None = None) -> str:
        head = {"alg": self.algorithm, "kid": self.key.kid, **(header or {})}
        head = {name: value for name, value in head.items() if value is not None}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            return jwt.encode(head, claims, self.key, algorithms=[head["alg"]])


def write_auth_file(folder: Path, issuer: Issuer, more: str = "") -> Path:
    """Writes an auth file that trusts an issuer, and the file with its keys."""
    (folder / "keys.json").write_bytes(issuer.jwks())
    path = folder / "auth.toml"
    path.write_text(
        f'[[issuer]]\nissuer = "{issuer.url}"\naudience = "{AUDIENCE}"\n'
        f'jwks_file = "keys.json"\n{more}'
    )
    return path
