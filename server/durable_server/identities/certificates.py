"""Client certificates as credentials: TLS has verified them, and the auth file says who is who.

The first `[[certificate]]` whose patterns match decides. A pattern is compared as a whole; `*`
stands for any characters. A call with a bearer token too is that of the token: the certificate is
then only what TLS asks for. A certificate is parsed once. TLS checks its expiry when a connection is
opened, and connections last, so it is checked here for each call.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from cryptography import x509

from ..access.access import Access, matches
from ..access.interface import Credential, UnauthenticatedError
from .auth_file import Certified

CACHE_MAX: Final = 1024
"""How many certificates are kept parsed."""


class Names(NamedTuple):
    """What a certificate says of its holder."""

    subject: str
    """The common name; empty for none."""
    sans: tuple[str, ...]
    """The DNS names and URIs."""
    expires: float
    """Until when it is valid, in seconds since 1970."""


@functools.lru_cache(maxsize=CACHE_MAX)
def names_of(pem: bytes) -> Names:
    """Returns the names in a certificate in PEM. Raises UnauthenticatedError."""
    try:
        found = x509.load_pem_x509_certificate(pem)
        common = found.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        sans: list[str] = []
        try:
            other = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            pass
        else:
            sans += other.get_values_for_type(x509.DNSName)
            sans += other.get_values_for_type(x509.UniformResourceIdentifier)
        subject = str(common[0].value) if len(common) == 1 else ""
        return Names(subject, tuple(sans), found.not_valid_after_utc.timestamp())
    except ValueError as error:
        raise UnauthenticatedError(
            "malformed", f"the client certificate cannot be read: {error}"
        ) from None


class CertificateAuthenticator:
    """Implements `access.interface.Authenticator` for client certificates."""

    def __init__(self, certified: Sequence[Certified]) -> None:
        self._certified = tuple(certified)

    async def access(self, credential: Credential) -> Access | None:
        """See Authenticator."""
        if credential.bearer or not credential.certificate or not self._certified:
            return None
        names = names_of(credential.certificate)
        if names.expires <= time.time():
            raise UnauthenticatedError(
                "expired", "the client certificate has expired; connect again with a new one"
            )
        for it in self._certified:
            if it.subject and not (names.subject and matches(it.subject, names.subject)):
                continue
            san = next((one for one in names.sans if it.san and matches(it.san, one)), "")
            if it.san and not san:
                continue
            return Access(
                san or names.subject,
                "certificate",
                it.grants,
                it.namespace,
                source=credential.source,
                expires=names.expires,
            )
        shown = ", ".join((names.subject or "no common name", *names.sans))
        raise UnauthenticatedError(
            "unknown",
            f"the client certificate of {shown[:300]} is not one that --auth-file names, and the call"
            " has no token",
        )
