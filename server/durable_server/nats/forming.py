"""The forming of a cluster: waits until enough embedded nats-servers are connected and have a leader.

JetStream writes nothing before a majority of the servers is connected and has elected a leader, and
until then it does not answer, or with an error that looks like any other. So a node that starts asks
its own nats-server which others it is connected to, and tells the operator whom it waits for. It waits
without a limit, because the others may be started much later.

At the very first start a majority is not enough: a server without a log has no vote, unless none of all
servers has one. Otherwise two servers that have lost their disks could begin a new log without the
third, which has the old one.

A server that was away must then catch up with the others. A node that served before would let an
operator, or Kubernetes, restart the next one while a log has one complete copy, and so no majority.
This wait has a limit: a replica that cannot be repaired here must not keep the node from serving what
the others have.

A name that cannot be resolved is told too and is not an error: in Kubernetes the name of a pod exists
only once the pod does. nats-server itself resolves it again for each try.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, TypeVar

from .api import ApiError, call_api
from .connection import Connection
from .embedded import EmbeddedNats
from .routes import Routes, split

FIRST_REPORT = 2.0
"""Seconds until the first report."""
REPORT_EVERY = 10.0
"""Seconds from one report to the next."""
CATCH_UP_SECONDS = 30.0
"""How long a node waits, at most, until its server has what the others have."""
_MISMATCHES = {
    "authentication error": "secret (DURABLE_CLUSTER_SECRET, --cluster-secret-file)",
    "Cluster Name Conflict": "--cluster",
}
"""What differs at another server, by the words of nats-server's log."""

T = TypeVar("T")

_POLL = 0.1
_ANSWER_SECONDS = 1.0


async def until_formed(server: EmbeddedNats, routes: Routes, report: Callable[[str], None]) -> None:
    """Returns when a majority of the cluster is connected and has a leader, and this server is current.

    Calls `report` with a line that says what it waits for. Raises NatsStartError when the server is
    given up.
    """
    loop = asyncio.get_running_loop()
    next_report = loop.time() + FIRST_REPORT
    limit = None
    while True:
        connected: set[str] = set()
        behind = ""
        try:
            connected = await _connected(server, routes)
            if len(connected) >= routes.majority and await _has_leader(server):
                behind = await _ask(server, "HEALTHZ", _problem_in_health)
                limit = limit or loop.time() + CATCH_UP_SECONDS
                if not behind:
                    return
                if loop.time() >= limit:
                    report(f"goes on with a NATS server that is behind the others: {behind}")
                    return
        except (ApiError, OSError):
            # It does not answer yet, or is just restarted. If it is given up, this raises it:
            await server.endpoint()
        if loop.time() >= next_report:
            report(await _describe(server, routes, connected, behind))
            next_report = loop.time() + REPORT_EVERY
        await asyncio.sleep(_POLL)


async def _connected(server: EmbeddedNats, routes: Routes) -> set[str]:
    """Returns the names of the servers that are connected to this one, and its own."""
    names = await _ask(server, "ROUTEZ", lambda it: {one["remote_name"] for one in it["routes"]})
    return {routes.node} | names & set(routes.peers)


async def _ask(server: EmbeddedNats, what: str, read: Callable[[dict[str, Any]], T]) -> T:
    """Asks the server itself, and returns what `read` finds in the answer."""
    connection = await Connection.open(await server.system_endpoint(), name="durable routes")
    try:
        subject = f"$SYS.REQ.SERVER.{connection.server_id}.{what}"
        answer = await connection.call(subject.encode(), b"", _ANSWER_SECONDS)
    finally:
        connection.abort()
    return read(json.loads(answer.payload)["data"])


def _problem_in_health(health: dict[str, Any]) -> str:
    return "" if health["status"] == "ok" else str(health.get("error") or health["status"])


async def _has_leader(server: EmbeddedNats) -> bool:
    connection = await Connection.open(await server.endpoint(), name="durable routes")
    try:
        await call_api(connection, "INFO", {}, _ANSWER_SECONDS)
    finally:
        connection.abort()
    return True


async def _describe(server: EmbeddedNats, routes: Routes, connected: set[str], behind: str) -> str:
    if behind:
        return f"waits for its NATS server to catch up with the others: {behind}"
    count = len(routes.peers)
    missing = routes.majority - len(connected)
    away = [name for name in routes.peers if name not in connected]
    hosts = await asyncio.gather(*(_problem(routes.peers[it]) for it in away))
    where = ", ".join(
        f"{name} at {routes.peers[name]}{problem}"
        for name, problem in zip(away, hosts, strict=True)
    )
    lines = server.log_end()
    reasons = "".join(
        f"; one of them has another {what} than this one"
        for words, what in _MISMATCHES.items()
        if any(words in line for line in lines)
    )
    if missing > 0:
        return f"waits for {missing} more of {count} NATS servers: {where}{reasons}"
    election = f"waits until the {count} NATS servers have a leader, which takes some seconds"
    if not away:
        return election
    return f"{election}; at the first start of a cluster it takes all of them: {where}{reasons}"


async def _problem(address: str) -> str:
    host, port = split(address)
    try:
        await asyncio.get_running_loop().getaddrinfo(host, port)
    except OSError as error:
        return f" (the name cannot be resolved: {error.strerror})"
    return ""
