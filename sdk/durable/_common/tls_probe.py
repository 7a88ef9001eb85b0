"""A second try at a TLS handshake, to learn why gRPC's own has failed where it does not say so.

gRPC tells only the error of the last address of a name. `localhost` mostly has two, and a control plane
listens at one of them: then "connection refused" of the other one hides what is wrong. `hidden_problem`
connects to each address of `localhost` and answers in gRPC's words, for `tls.handshake_problem`. It
runs only after a failure, and reaches this machine only, so it takes a few milliseconds.
"""

from __future__ import annotations

import socket
import ssl
from typing import Final

from .tls import TlsFiles

_HOST: Final = "localhost"
_SECONDS: Final = 0.5
"""How long a program of this machine may take to answer a handshake."""
_CLOSED: Final = "failed to connect to all addresses: Socket closed"


def hidden_problem(message: str, target: str, files: TlsFiles | None) -> str:
    """Returns gRPC's message, or the one that it hides. `files` is None where there is no TLS."""
    host, _, port = target.rpartition(":")
    if "Connection refused" not in message or host != _HOST:
        return message
    for family, kind, _, _, where in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        with socket.socket(family, kind) as plain:
            plain.settimeout(_SECONDS)
            try:
                plain.connect(where)
            except OSError:  # This address is the one that refuses.
                continue
            return (_plain(plain) if files is None else _with_tls(plain, files)) or message
    return message


def _plain(connected: socket.socket) -> str:
    """Returns the message if the other side speaks TLS; "" if not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        context.wrap_socket(connected).close()
    except OSError:  # ssl.SSLError is one
        return ""
    return _CLOSED


def _with_tls(connected: socket.socket, files: TlsFiles) -> str:
    try:
        context = ssl.create_default_context(cafile=files.ca)
        if files.cert is not None:
            context.load_cert_chain(files.cert, files.key)
        # A gRPC server closes connections of those who do not name HTTP/2.
        context.set_alpn_protocols(["h2"])
        with context.wrap_socket(connected, server_hostname=_HOST) as wrapped:
            # A server that refuses the client closes the connection; one that takes it waits.
            return "" if wrapped.recv(1) else _CLOSED
    except TimeoutError:
        return ""
    except ssl.SSLCertVerificationError as error:
        if "Hostname mismatch" in error.verify_message:
            return "Hostname Verification Check failed."
        return f"CERTIFICATE_VERIFY_FAILED: {error.verify_message}: OK"
    except ssl.SSLError as error:
        # An alert is of a side that speaks TLS. What is none is nothing that TLS can read.
        return _CLOSED if "ALERT" in (error.reason or "") else "WRONG_VERSION_NUMBER"
    except OSError:
        return _CLOSED
