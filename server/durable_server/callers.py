"""Who callers are: the part of the composition root that makes the ways to show it.

    tokens ──────────────────────────┐
    auth file ─► JWTs, certificates ─┐
                                     ├─► the check of gRPC calls, and the HTTP part
    secret of the system ─► sessions ┘

The HTTP part authenticates its own callers in the same ways, and passes them on to gRPC with a
secret that only this process knows.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from .access.access import Access
from .access.interface import Authenticator, Credential, Revocations, authenticate
from .cluster.secret import derive
from .config import Config, ConfigError
from .identities.auth_file import AuthFileError
from .identities.sessions import SESSION_LABEL, Sessions
from .identities.sign_in import ATTEMPT_LABEL, SignIn
from .identities.trusted import TrustedIdentities
from .rpc.caller import ProcessSecret
from .tokens.table import TokenTable


@dataclass
class Callers:
    """The ways for callers of one control plane to show who they are."""

    session_key: bytes = field(repr=False)
    attempt_key: bytes = field(repr=False)
    revocations: Revocations
    """Who knows which tokens were revoked."""
    authenticators: list[Authenticator]
    """They are asked in this order."""
    process_secret: ProcessSecret = field(default_factory=ProcessSecret)
    trusted: TrustedIdentities | None = None

    async def authenticate(self, credential: Credential) -> Access:
        """Returns the access of a credential. Raises UnauthenticatedError."""
        return await authenticate(self.authenticators, credential)

    def sessions(self) -> Sessions:
        """Returns what makes and reads the sessions of the page."""
        return Sessions(self.session_key, self.revocations)

    def sign_in(self) -> SignIn:
        """Returns the page's sign-in with issuers."""
        trusted = self.trusted
        return SignIn(self.attempt_key, lambda: trusted.signing_in() if trusted else [])


def open_callers(
    config: Config, secret: bytes, stack: AsyncExitStack, tokens: TokenTable
) -> Callers:
    """Reads the auth file; `secret` is that of the system. Raises ConfigError."""
    callers = Callers(
        derive(secret, SESSION_LABEL), derive(secret, ATTEMPT_LABEL), tokens, [tokens]
    )
    if config.auth_file is not None:
        try:
            callers.trusted = TrustedIdentities(config.auth_file)
        except AuthFileError as error:
            raise ConfigError(str(error)) from error
        stack.push_async_callback(callers.trusted.close)
        callers.authenticators.append(callers.trusted)
    return callers
