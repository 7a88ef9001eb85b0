"""A control plane process's end of the link to its parent (`processes`).

The parent tells what the processes have in common, answers where its NATS server listens, and asks all
to stop. When it ends, in whatever way, the process ends at once: NATS has ended with it, and whatever
was acknowledged is in the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import threading

from durable_processes.link import DRAIN, SERVING, STOP, Message, Started

from .config import Config
from .nats.endpoint import Endpoint, EndpointSource


class ProcessLink:
    """The link to the parent. Implements `app.Parent`; belongs to the event loop that runs."""

    def __init__(self, started: Started) -> None:
        """Waits for the first message of the parent."""
        self.stopping = asyncio.Event()
        """Set when all processes are to stop."""
        self._number = started.number
        self._link = started.link
        self._messages = started.link.received()
        self._first = self._receive()
        self._asked: list[asyncio.Future[Endpoint]] = []
        threading.Thread(
            target=self._listen, args=(asyncio.get_running_loop(),), name="parent", daemon=True
        ).start()

    @property
    def source(self) -> EndpointSource | None:
        """The NATS server that the parent runs; None if there is an external one."""
        return self._endpoint if self._first["embedded"] else None

    def settings(self, config: Config) -> Config:
        """Returns the settings of this process, out of those of the command line."""
        first = self._first
        own = config.of_process(self._number, first["listen"], first["http"])
        return dataclasses.replace(own, webhook_key=first["webhook_key"])

    def serving(self) -> None:
        """Tells the parent that this process serves."""
        self._link.send(SERVING)

    async def _endpoint(self) -> Endpoint:
        """Returns where NATS listens. Raises ConnectionError as the parent's server does."""
        answer: asyncio.Future[Endpoint] = asyncio.get_running_loop().create_future()
        self._asked.append(answer)
        self._link.send({"endpoint": True})
        try:
            return await answer
        finally:
            with contextlib.suppress(ValueError):
                self._asked.remove(answer)

    def _receive(self) -> Message:
        """Returns the next message; ends this process when there is no parent any more."""
        message = next(self._messages, None)
        if message is None:
            os._exit(1)
        return message

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Passes each message on to the event loop; in a thread, because that may be busy."""
        while True:
            message = self._receive()
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._take, message)

    def _take(self, message: Message) -> None:
        if message in (DRAIN, STOP):
            self.stopping.set()
            return
        asked, self._asked = self._asked, []
        for answer in asked:
            if answer.done():
                continue
            if "unavailable" in message:
                answer.set_exception(ConnectionError(message["unavailable"]))
            else:
                servers, user, password = message["endpoint"]
                answer.set_result(
                    Endpoint(tuple((host, port) for host, port in servers), user, password)
                )
