"""The first steps of a start, which a control plane takes, or the parent of several processes.

It imports little, so that the parent stays small.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from .cluster.identity import Identity, read_identity
from .config import Config
from .nats.disk_guard import DiskGuard
from .nats.embedded import EmbeddedNats, NatsStartError
from .nats.endpoint import EndpointSource, external_source
from .nats.forming import until_formed
from .store.files import store_partitions
from .tls.certificates import Certificates
from .tokens.bootstrap import ensure_first_token
from .tokens.store import TokenStore

logger = logging.getLogger("durable.app")


async def open_nats(
    config: Config,
    data_dir: Path,
    stack: AsyncExitStack,
    given_up: Callable[[NatsStartError], None],
    certificates: Certificates | None = None,
) -> EndpointSource:
    """Returns where NATS is; starts the embedded server, which is stopped with the stack.

    Its routes take up new `certificates`.
    `given_up` is called when that one does not start again, and when nothing else notices that.
    """
    if config.nats_url:
        return external_source(config.nats_url, config.nats_tls)
    routes = config.routes
    embedded = EmbeddedNats(data_dir / "nats", routes=routes)
    embedded.add_listener(_warn)
    stack.push_async_callback(embedded.stop)
    await embedded.start()
    if routes is not None or config.processes > 1:
        embedded.on_given_up = given_up
    if routes is not None:
        if certificates is not None:
            certificates.on_changed(embedded.reload)
        await until_formed(embedded, routes, _warn)
    return DiskGuard(embedded)


async def open_tokens(
    config: Config, source: EndpointSource, data_dir: Path, *, first: bool
) -> TokenStore:
    """Returns the API tokens of the system, read; `first` makes the first one of a new system."""
    tokens = TokenStore(source, config.copies)
    await tokens.start()
    try:
        if first:
            await ensure_first_token(tokens, data_dir, config.admin_token_file)
    except BaseException:
        await tokens.close()
        raise
    return tokens


def known_identity(data_dir: Path) -> Identity | None:
    """Returns the system of the stores in a data dir. Without stores it may be used for another one."""
    return read_identity(data_dir) if store_partitions(data_dir) else None


def _warn(line: str) -> None:
    logger.warning("%s", line)
