"""The forming of a cluster: waits until enough embedded nats-servers are connected and have a leader.

JetStream writes nothing before a majority of the servers is connected and has elected a leader, and
until then it does not answer, or with an error that looks like any other. So a node that starts asks
its own nats-server which others it is connected to, and tells the operator whom it waits for. It waits
without a limit, because the others may be started much later.

A name that cannot be resolved is told too and is not an error: in Kubernetes the name of a pod exists
only once the pod does. nats-server itself resolves it again for each try.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from .api import ApiError, call_api
from .connection import Connection
from .embedded import EmbeddedNats
from .routes import Routes, split

FIRST_REPORT = 2.0
"""Seconds until the first report."""
REPORT_EVERY = 10.0
"""Seconds from one report to the next."""
_POLL = 0.1
_ANSWER_SECONDS = 1.0


async def until_formed(server: EmbeddedNats, routes: Routes, report: Callable[[str], None]) -> None:
    """Returns when a majority of the cluster is connected and has a leader.

    Calls `report` with a line that says whom it waits for. Raises NatsStartError when the server is
    given up.
    """
    loop = asyncio.get_running_loop()
    next_report = loop.time() + FIRST_REPORT
    while True:
        connected: set[str] = set()
        try:
            connected = await _connected(server, routes)
            if len(connected) >= routes.majority and await _has_leader(server):
                return
        except (ApiError, OSError):
            # It does not answer yet, or is just restarted. If it is given up, this raises it:
            await server.endpoint()
        if loop.time() >= next_report:
            report(await _describe(routes, connected))
            next_report = loop.time() + REPORT_EVERY
        await asyncio.sleep(_POLL)


async def _connected(server: EmbeddedNats, routes: Routes) -> set[str]:
    """Returns the names of the servers that are connected to this one, and its own."""
    connection = await Connection.open(await server.system_endpoint(), name="durable routes")
    try:
        subject = f"$SYS.REQ.SERVER.{connection.server_id}.ROUTEZ"
        answer = await connection.call(subject.encode(), b"", _ANSWER_SECONDS)
    finally:
        connection.abort()
    found = json.loads(answer.payload)["data"].get("routes") or ()
    return {routes.node} | {it["remote_name"] for it in found} & set(routes.peers)


async def _has_leader(server: EmbeddedNats) -> bool:
    connection = await Connection.open(await server.endpoint(), name="durable routes")
    try:
        await call_api(connection, "INFO", {}, _ANSWER_SECONDS)
    finally:
        connection.abort()
    return True


async def _describe(routes: Routes, connected: set[str]) -> str:
    count = len(routes.peers)
    missing = routes.majority - len(connected)
    if missing <= 0:
        return f"waits for the leader of the {count} NATS servers; an election takes some seconds"
    away = [name for name in routes.peers if name not in connected]
    hosts = await asyncio.gather(*(_problem(routes.peers[it]) for it in away))
    where = ", ".join(
        f"{name} at {routes.peers[name]}{problem}"
        for name, problem in zip(away, hosts, strict=True)
    )
    return f"waits for {missing} more of {count} NATS servers: {where}"


async def _problem(address: str) -> str:
    host, port = split(address)
    try:
        await asyncio.get_running_loop().getaddrinfo(host, port)
    except OSError as error:
        return f" (the name cannot be resolved: {error.strerror})"
    return ""
