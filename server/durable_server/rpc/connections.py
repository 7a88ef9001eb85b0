"""The connections of the gRPC server, found among the open files of this process.

gRPC has no way to end one connection of a server. So its socket is found by the address of the other
side, and shut down; gRPC then finds the connection broken, and ends its calls.
"""

from __future__ import annotations

import os
import socket
import stat
from urllib.parse import unquote


def cut(peer: str) -> bool:
    """Ends the connection to a peer, as gRPC names it; returns whether there was one.

    It looks at every open file of the process.
    """
    kind, _, address = peer.partition(":")
    if kind not in ("ipv4", "ipv6"):
        return False
    host, _, port = unquote(address).rpartition(":")
    wanted = (host.strip("[]"), port)
    for name in os.listdir("/dev/fd"):
        try:
            # A copy, because the number may soon belong to another file.
            copy = os.dup(int(name))
        except OSError:
            continue  # it is closed by now
        try:
            if stat.S_ISSOCK(os.fstat(copy).st_mode) and _shut_down(copy, wanted):
                return True
        finally:
            os.close(copy)
    return False


def _shut_down(number: int, wanted: tuple[str, str]) -> bool:
    """Shuts a socket down if its other side is the wanted one; returns whether it is."""
    found = socket.socket(fileno=number)
    try:
        other = found.getpeername()
        if not isinstance(other, tuple):
            return False
        # gRPC listens with IPv6 for IPv4 too, and names such a peer by its IPv4 address.
        if (other[0].removeprefix("::ffff:"), str(other[1])) != wanted:
            return False
        found.shutdown(socket.SHUT_RDWR)
        return True
    except OSError:
        return False  # it listens, or is not connected any more
    finally:
        found.detach()
