"""What the check of calls needs: who tells the access of a credential, and who is told of each call."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, Protocol

from .access import Access


class UnauthenticatedError(Exception):
    """A call has no valid credential. The text says why, and what to do; never the credential."""

    def __init__(self, problem: str, message: str) -> None:
        super().__init__(message)
        self.problem = problem
        """`missing`, `malformed`, `unknown`, `expired` or `revoked`."""


class CredentialUncheckedError(Exception):
    """A credential cannot be checked now, and may be valid: the call may be made again."""


class Credential(NamedTuple):
    """What a caller has shown."""

    bearer: str = ""
    """The token of `authorization: Bearer TOKEN`; empty without."""
    certificate: bytes = b""
    """The client certificate in PEM, verified by TLS; empty without."""
    source: str = ""
    """The address that the call came from."""

    def __repr__(self) -> str:
        return f"Credential(source={self.source!r})"


class Authenticator(Protocol):
    """One way for a caller to show who it is: API tokens, JWTs, certificates, sessions of the page."""

    async def access(self, credential: Credential) -> Access | None:
        """Returns the access of a caller; None if the credential is not of this kind.

        Raises UnauthenticatedError if it is, and is not valid; CredentialUncheckedError.
        """
        ...


class Revocations(Protocol):
    """Who hears that a token is not valid any more."""

    def revoked(self, access_id: str) -> bool:
        """Returns whether the token with this id was revoked, or does not exist any more."""
        ...

    def listen(self, changed: Callable[[Collection[str]], None]) -> Callable[[], None]:
        """Calls `changed` with the ids of tokens that were revoked; returns what ends this."""
        ...


class Refusals(Protocol):
    """Who counts the calls that do not get in, and keeps the audit of them."""

    def unauthenticated(self, problem: str) -> None:
        """Notes a call without a valid credential; `problem` is that of UnauthenticatedError."""
        ...

    def denied(self, method: str, access: Access) -> None:
        """Notes a call of an RPC, by its full name, for which the caller has no scope at all."""
        ...


async def authenticate(authenticators: Sequence[Authenticator], credential: Credential) -> Access:
    """Returns the access of a caller by the first way that knows its credential.

    Raises UnauthenticatedError, CredentialUncheckedError.
    """
    for it in authenticators:
        found = await it.access(credential)
        if found is not None:
            return found
    if not credential.bearer:
        raise UnauthenticatedError(
            "missing",
            "this control plane authenticates its callers, and the call has no credential; set"
            " DURABLE_TOKEN or DURABLE_TOKEN_FILE, or run `durable login`",
        )
    raise UnauthenticatedError(
        "malformed",
        "the credential is neither an API token nor a JWT of an issuer that this control plane knows",
    )
