"""The TLS of the gRPC server: credentials that take up new certificates while it serves.

gRPC asks for the configuration at the beginning of every handshake, in a thread of its own. So the
next connection uses a new certificate, and the open ones go on. What is given to gRPC was checked
when it was read (`tls.material`).
"""

from __future__ import annotations

import grpc

from ..tls.certificates import Certificates
from ..tls.material import Material


def server_credentials(certificates: Certificates) -> grpc.ServerCredentials:
    """Returns the credentials for one address. With a `client_ca`, clients must have a certificate."""
    used = certificates.current

    def newer() -> grpc.ServerCertificateConfiguration | None:
        nonlocal used
        current = certificates.current
        if current is used:
            return None
        used = current
        return _configuration(current)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(used),
        newer,  # type: ignore[arg-type]  # None means no change, which the stubs do not know
        require_client_authentication=used.client_ca is not None,
    )


def _configuration(material: Material) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(material.key, material.chain)], root_certificates=material.client_ca
    )
