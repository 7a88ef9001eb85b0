"""The certificates of this process, as their files have them now.

A timer looks at the files every few seconds: at their inodes, times and sizes, behind all symbolic
links. So it sees a file that was replaced, one that was written in place, and the swap of a directory's
link with which Kubernetes changes a secret. It is a timer, and no notification of the kernel, because
those miss a link further up the path and do not exist on every file system; four `stat` calls cost some
microseconds.

What has changed is loaded and checked as a whole, and then serves every connection that begins from
then on. Open connections keep what they have begun with. Files that do not fit are not taken: the old
ones stay in use, and one line says why, unless it was only the moment between the writing of two
files, after which the next look finds them whole.

An SSL context of a listening socket cannot be exchanged. `serving` and `serving_nodes` are therefore
contexts whose handshakes go on with the newest one (`sni_callback`, which runs also without a name).
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable

from ..files import file_state
from .material import CertificateError, Material, TlsFiles, load

LOOK_SECONDS = 2.0
"""The time between two looks at the files: an operator who has replaced them sees it soon."""

logger = logging.getLogger("durable.tls")


class Certificates:
    """The certificate of this process and the authorities that it trusts.

    Raises CertificateError for files that cannot be used. `current` may be read from any thread, and
    all else belongs to the event loop.
    """

    def __init__(self, files: TlsFiles, look_seconds: float = LOOK_SECONDS) -> None:
        self.files = files
        # Before they are read, so that a change in between is seen later.
        self._seen = self._state()
        self._refused: object = None
        self.current: Material = load(files)
        """What new connections use."""
        self.serving = _following(lambda: self.current.serving, self.current.serving)
        """The context for an HTTP server."""
        nodes = self.current.serving_nodes
        self.serving_nodes = nodes and _following(lambda: self.current.serving_nodes, nodes)
        """The context for links that other nodes open; None without other nodes."""
        self._look_seconds = look_seconds
        self._timer: asyncio.TimerHandle | None = None
        self._listeners: list[Callable[[], None]] = []

    def dialling_nodes(self) -> ssl.SSLContext:
        """Returns the context for a link to another node. Needs a `node_ca`."""
        context = self.current.dialling_nodes
        assert context is not None
        return context

    def on_changed(self, listener: Callable[[], None]) -> None:
        """Calls `listener` whenever other files are in use."""
        self._listeners.append(listener)

    def watch(self) -> None:
        """Looks at the files from now on, until `close`."""
        self._timer = asyncio.get_running_loop().call_later(self._look_seconds, self._look)

    def close(self) -> None:
        """Looks no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self.watch()
        state = self._state()
        if state == self._seen:
            return
        try:
            material = load(self.files)
        except CertificateError as error:
            # Said at the second look at the same files, and once.
            if state == self._refused:
                self._seen = state
                logger.warning("the certificates in use stay, because %s", error)
            self._refused = state
            return
        if self._state() != state:
            return  # They are being written; the next look takes them.
        self._seen = state
        self.current = material
        logger.info("new connections use the certificate that is in %s now", self.files.cert)
        for listener in self._listeners:
            listener()

    def _state(self) -> tuple[tuple[int, ...], ...]:
        """Returns what differs after a change of the files."""
        return tuple(file_state(it) for it in self.files if it is not None)


def _following(
    newest: Callable[[], ssl.SSLContext | None], context: ssl.SSLContext
) -> ssl.SSLContext:
    """Makes the handshakes of a context go on with the newest one; returns it."""

    def follow(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        context = newest()
        assert context is not None
        connection.context = context

    context.sni_callback = follow
    return context
