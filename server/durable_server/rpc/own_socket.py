"""The address at which a process reaches its own gRPC server: a socket in the file system.

The HTTP surface is a gRPC client of the process that it is part of. Where the address for clients has
TLS, or is shared with other processes, it needs one that leads to this process without a certificate. A
port on loopback is open to every user of the machine. A socket in a folder that only this user may
enter is not, and it opens no port.

The folder is in the directory for temporary files, because the path of a socket may have no more than
about 100 characters, and a data dir may be deeper than that. A process that is killed leaves its folder
behind; the next one that starts removes it.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
from pathlib import Path

_PREFIX = "durable-own-"
_NAME = "grpc"


class OwnSocket:
    """A new address in a folder of its own, for as long as the process serves."""

    def __init__(self) -> None:
        _remove_left()
        # Mode 0700, and a name that nobody can take before.
        self._folder = tempfile.mkdtemp(prefix=_PREFIX)
        self.address = f"unix:{self._folder}/{_NAME}"
        """The address in the form of gRPC."""

    def remove(self) -> None:
        """Removes the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _remove_left() -> None:
    """Removes the folders of processes that were killed: nobody listens at their sockets."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_NAME}"):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.setblocking(False)
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                shutil.rmtree(path.parent, ignore_errors=True)
            except OSError:  # Of another user, or so busy that nothing can be said.
                continue
