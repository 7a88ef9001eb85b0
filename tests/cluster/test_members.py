"""Members over a real nats-server: who is seen, who is missed, who may have a name."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from durable_server.cluster.member import encode
from durable_server.cluster.members import (
    RENEWALS,
    MemberNameTakenError,
    Members,
    MembersLiveError,
    check_no_members,
    forget_members,
    tell_gone,
)
from durable_server.cluster.records import STREAM, Record, read_record, write_record
from durable_server.log.preflight import NatsUnsuitableError
from durable_server.nats.api import call_api
from durable_server.nats.connection import Connection
from durable_server.nats.endpoint import Endpoint, parse_urls

from ..log.proxy import Proxy, ProxyFault
from ..support.external_nats import JETSTREAM, External, external_nats
from ..support.processes import until
from ..support.waiting import eventually
from .nodes import LEASE, PARTITIONS, Node, at, make_system, member, node_process, with_nats

SUBJECT_OF_B = b"durable.cluster.members.b"
SUBJECT_OF_A = "durable.cluster.members.a"


async def test_members_see_each_other_their_roles_and_who_leaves(nats: External) -> None:
    async with Node(at(nats.url), member("a", leads={0: (3, 30)})) as a:
        assert a.members.current
        assert a.members.live.keys() == {"a"}
        async with Node(at(nats.url), member("b", follows={0: 29})) as b:
            assert b.members.live["a"] == a.own
            await a.until_live("a", "b")
            assert a.members.live["b"] == b.own
            assert b.members.leader(0) == a.own
            assert b.members.leader(1) is None
            b.now_has(leads={0: (4, 31)}, follows={}, draining=True)
            assert b.members.leader(0) == b.own
            await a.until(lambda it: it.leader(0) == b.own)
            assert a.members.live["b"].draining
        assert not b.members.current
        assert await record_of(nats.url, "b") is None
        await a.until_live("a")
        assert a.members.leader(0) == a.own


async def test_a_parent_tells_that_a_process_has_ended(nats: External) -> None:
    """Nobody waits for its lease, which is long."""
    ended = replace(member("b", leads={0: (3, 30)}), lease=60.0)

    async def write(connection: Connection) -> None:
        await write_record(connection, SUBJECT_OF_B.decode(), encode(ended), expected=0)

    async with Node(at(nats.url), member("a")) as a:
        await with_nats(nats.url, write)
        await a.until_live("a", "b")
        await tell_gone(at(nats.url), "b", PARTITIONS)
        await a.until_live("a")
        told = await record_of(nats.url, "b")
        await tell_gone(at(nats.url), "b", PARTITIONS)
        await tell_gone(at(nats.url), "c", PARTITIONS)
        assert await record_of(nats.url, "b") == told is not None
        async with Node(at(nats.url), member("b")) as b:
            await a.until(lambda it: it.live.get("b") == b.own)
    await forget_members(at(nats.url))
    assert await record_of(nats.url, "b") is None


async def test_positions_are_heard_and_are_no_change(nats: External) -> None:
    async with (
        Node(at(nats.url), member("a", leads={0: (3, 30)})) as a,
        Node(at(nats.url), member("b")) as b,
    ):
        await a.until_live("a", "b")
        changes: list[None] = []
        positions: asyncio.Queue[int] = asyncio.Queue()
        b.members.listen(lambda: changes.append(None))
        end = b.members.heard(lambda it: positions.put_nowait(it.leads[0][1]))
        a.now_has(leads={0: (3, 31)})
        while await positions.get() != 31:
            pass
        assert b.members.live["a"] == a.own
        assert not changes
        end()
        a.now_has(leads={0: (3, 31), 1: (1, 1)})
        await b.until(lambda it: it.leader(1) == a.own)
        assert changes
        assert positions.empty()


async def test_a_node_that_is_not_heard_lives_while_its_record_is_renewed(nats: External) -> None:
    silent = member("a", leads={0: (3, 30)})

    async def renew(number: int) -> None:
        # What a stream takes from another one is not heard by those who subscribe to its subject.
        async def write(connection: Connection) -> None:
            data = encode(replace(silent, renewal=number))
            assert b"seq" in (await connection.call(b"elsewhere.a", data, 5.0)).payload

        await with_nats(nats.url, write)

    await with_nats(nats.url, add_source)
    await renew(0)

    await eventually(lambda: record_of(nats.url, "a"))
    async with Node(at(nats.url), member("b")) as b:
        assert b.members.live["a"] == silent
        lost: list[None] = []
        end = b.members.listen(lambda: None if "a" in b.members.live else lost.append(None))
        number = 0
        while b.members.live["a"].renewal < 20:
            number += 1
            await renew(number)
            await asyncio.sleep(LEASE / RENEWALS)
        assert not lost
        end()
        await b.until_live("b")


async def test_a_node_that_takes_a_partition_over_reads_who_else_claims_it(nats: External) -> None:
    """One of two that have both taken it over, and do not hear each other, serves it."""
    other = member("b", leads={0: (1, 10)})
    await with_nats(nats.url, add_source)
    async with Node(at(nats.url), member("a")) as a:

        async def write(connection: Connection) -> None:
            # What a stream takes from another one is not heard by those who subscribe to its subject.
            data = encode(other)
            assert b"seq" in (await connection.call(b"elsewhere.b", data, 5.0)).payload

        await with_nats(nats.url, write)
        await eventually(lambda: record_of(nats.url, "b"))
        assert a.members.live.keys() == {"a"}
        a.now_has(takes={0: 2})
        await a.until_live("a", "b")
        await a.until_kept(nats.url)
        assert not a.members.may_serve(0)

        async def yielded(connection: Connection) -> None:
            data = encode(replace(other, leads={}, renewal=1))
            assert b"seq" in (await connection.call(SUBJECT_OF_B, data, 5.0)).payload

        await with_nats(nats.url, yielded)
        await a.until(lambda it: it.may_serve(0))


async def record_of(url: str, name: str) -> Record | None:
    """Returns the record of a node as the stream has it."""
    connection = await Connection.open(parse_urls(url), name="test")
    try:
        return await read_record(connection, f"durable.cluster.members.{name}")
    finally:
        connection.abort()


async def add_source(connection: Connection) -> None:
    """Lets the stream of the records take what is published to `elsewhere.<name>`."""
    elsewhere = {"name": "ELSEWHERE", "subjects": ["elsewhere.*"], "storage": "file"}
    await call_api(connection, "STREAM.CREATE.ELSEWHERE", elsewhere, 5.0)
    found = await call_api(connection, f"STREAM.INFO.{STREAM}", {}, 5.0)
    transform = {"src": "elsewhere.*", "dest": "durable.cluster.members.$1"}
    source = {"name": "ELSEWHERE", "subject_transforms": [transform]}
    await call_api(
        connection, f"STREAM.UPDATE.{STREAM}", {**found["config"], "sources": [source]}, 5.0
    )


async def test_a_killed_node_is_missed_after_a_lease(nats: External, tmp_path: Path) -> None:
    async with Node(at(nats.url), member("a")) as a:
        with node_process(tmp_path, "b", nats.url) as b:
            await a.until_live("a", "b")
            assert a.members.leader(3) == a.members.live["b"]
            b.kill()
            await a.until_live("a")
            assert a.members.leader(3) is None
        assert a.members.current


async def test_a_stopped_node_is_missed_and_comes_back(nats: External, tmp_path: Path) -> None:
    async with Node(at(nats.url), member("a")) as a:
        with node_process(tmp_path, "b", nats.url) as b:
            await a.until_live("a", "b")
            b.process.send_signal(signal.SIGSTOP)
            await a.until_live("a")
            b.process.send_signal(signal.SIGCONT)
            await a.until_live("a", "b")


async def test_a_record_that_is_only_read_lives_for_a_lease(nats: External) -> None:
    async def write(connection: Connection) -> None:
        await write_record(connection, "durable.cluster.members.b", encode(member("b")), expected=0)
        gone = member("c").gone()
        await write_record(connection, "durable.cluster.members.c", encode(gone), expected=0)

    await with_nats(nats.url, write)
    async with Node(at(nats.url), member("a")) as a:
        assert a.members.live.keys() == {"a", "b"}
        await a.until_live("a")


async def test_a_name_that_lives_is_refused(nats: External) -> None:
    async with Node(at(nats.url), member("a", internal_address="10.0.0.1:7234")) as first:
        second = Node(at(nats.url), member("a"))
        with pytest.raises(MemberNameTakenError, match=r"name a .*10\.0\.0\.1:7234.*--node"):
            await second.members.join()
        assert first.members.current
        assert not first.members.failed.done()
    async with Node(at(nats.url), member("a")) as third:  # at once, because the first one has left
        assert third.members.current


async def test_of_two_that_start_at_once_one_has_the_name(nats: External) -> None:
    nodes = [Node(at(nats.url), member("a")) for _ in range(2)]
    results = await asyncio.gather(*(it.members.join() for it in nodes), return_exceptions=True)
    assert sorted(type(it).__name__ for it in results) == ["MemberNameTakenError", "NoneType"]
    for node in nodes:
        await node.members.leave()


async def test_a_restart_after_sigkill_has_its_name_again(nats: External, tmp_path: Path) -> None:
    with node_process(tmp_path, "a", nats.url) as first:
        until(lambda: "joined" in first.text(), "member", first)
        first.kill()
        async with Node(at(nats.url), member("a")) as second:
            assert second.members.current


async def test_a_process_whose_name_was_taken_while_it_was_silent_fails(
    nats: External, tmp_path: Path
) -> None:
    with node_process(tmp_path, "a", nats.url) as first:
        until(lambda: "joined" in first.text(), "member", first)
        first.process.send_signal(signal.SIGSTOP)
        async with Node(at(nats.url), member("a")) as second:
            first.process.send_signal(signal.SIGCONT)
            await eventually(lambda: first.process.poll() is not None)
            assert "MemberNameTakenError" in first.text()
            assert second.members.current


async def test_a_restart_of_nats_ends_nobody(tmp_path: Path) -> None:
    async with external_nats(tmp_path / "nats", JETSTREAM) as nats:
        await make_system(nats.url)
        a = Node(at(nats.url), member("a"))
        b = Node(at(nats.url), member("b", leads={2: (1, 9)}))
        await a.members.join()
        await b.members.join()
        await a.until_live("a", "b")
    seen: list[frozenset[str]] = []
    a.members.listen(lambda: seen.append(frozenset(a.members.live)))
    returning: list[bool] = []
    a.members.returning(lambda: returning.append(a.members.current))
    await a.until(lambda it: not it.current)
    await b.until(lambda it: not it.current)
    assert not returning
    assert a.members.leader(2) == b.own
    async with external_nats(tmp_path / "nats", JETSTREAM, nats.port):
        await a.until(lambda it: it.current)
        assert returning
        assert not any(returning)
        await b.until(lambda it: it.current)
        heard = asyncio.Event()
        a.members.heard(lambda _: heard.set())
        await heard.wait()
        assert set(seen) == {frozenset("ab")}
        await a.members.leave()
        await b.members.leave()


@pytest.mark.parametrize("fault", [ProxyFault.MUTE_ACK, ProxyFault.CUT_ACK, ProxyFault.CUT_APPEND])
async def test_a_renewal_without_an_answer_is_repeated(nats: External, fault: ProxyFault) -> None:
    async with (
        Proxy(at(nats.url)) as proxy,
        Node(at(nats.url), member("a")) as a,
        Node(proxy.endpoint, member("b", lease=4.0)) as b,
    ):
        b.now_has(leads={5: (1, 1)})
        await a.until(lambda it: it.leader(5) == b.own)  # so it only renews from now on
        connections = proxy.connections
        proxy.fault = fault
        await proxy.injection.wait()
        b.now_has(leads={5: (2, 2)})
        await b.until_kept(nats.url)
        await a.until(lambda it: it.leader(5) == b.own)
        await b.until(lambda it: it.current)
        assert (proxy.connections == connections) == (fault is ProxyFault.MUTE_ACK)
        assert not b.members.failed.done()


async def test_a_renewal_of_a_lost_connection_that_arrives_late_does_no_harm(
    nats: External,
) -> None:
    async with (
        Proxy(at(nats.url)) as proxy,
        Node(at(nats.url), member("a")) as a,
        Node(proxy.endpoint, member("b")) as b,
    ):
        await a.until_live("a", "b")
        proxy.fault = ProxyFault.HOLD_APPEND
        await proxy.injection.wait()
        b.now_has(leads={5: (1, 1)})
        await a.until(lambda it: it.leader(5) == b.own)  # by another connection
        assert b"wrong last sequence" in await proxy.release()
        b.now_has(leads={5: (2, 2)})
        await b.until_kept(nats.url)
        await a.until(lambda it: it.leader(5) == b.own)
        assert b.members.current


async def test_a_node_that_is_cut_off_keeps_its_view_and_knows_that_it_is_old(
    nats: External,
) -> None:
    routes: list[Proxy] = []

    async def route() -> Endpoint:
        if not routes:
            raise OSError("no route")
        return await routes[0].endpoint()

    async with Node(at(nats.url), member("a")) as a:
        b = Node(route, member("b"))
        async with Proxy(at(nats.url)) as first:
            routes.append(first)
            await b.members.join()
            await a.until_live("a", "b")
            routes.clear()
        await a.until_live("a")
        await b.until(lambda it: not it.current)
        assert b.members.live.keys() == {"a", "b"}
        async with Proxy(at(nats.url)) as second:
            routes.append(second)
            await b.until(lambda it: it.current)
            await a.until_live("a", "b")
            await b.members.leave()


async def test_a_node_that_cannot_say_that_it_leaves_stops_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with external_nats(tmp_path / "nats", JETSTREAM) as nats:
        await make_system(nats.url)
        a = Node(at(nats.url), member("a"))
        await a.members.join()
    await a.members.leave()
    assert "node a: NATS does not take that this node leaves" in caplog.text
    assert not a.members.current


async def test_a_damaged_record_is_ignored_with_one_warning(
    nats: External, caplog: pytest.LogCaptureFixture
) -> None:
    subject = "durable.cluster.members.b"

    async def write(data: bytes) -> None:
        async def use(connection: Connection) -> None:
            await write_record(connection, subject, data, expected=None)

        await with_nats(nats.url, use)

    await write(b"{")
    async with Node(at(nats.url), member("a")) as a:
        await write(b"{}")
        await write(encode(member("c")))
        assert a.members.live.keys() == {"a"}
        good = member("b")
        await write(encode(good))
        await a.until(lambda it: it.live.get("b") == good)
    assert caplog.text.count(f"the record {subject} is damaged and ignored: it is not JSON") == 1
    assert caplog.text.count("damaged") == 1


async def test_a_damaged_record_of_this_node_is_replaced(nats: External) -> None:
    async with Node(at(nats.url), member("a")) as a:

        async def use(connection: Connection) -> None:
            sequence = await write_record(connection, SUBJECT_OF_A, b"{", expected=None)

            async def replaced() -> bool:
                record = await read_record(connection, SUBJECT_OF_A)
                return record is not None and record.sequence > sequence

            await eventually(replaced)

        await with_nats(nats.url, use)
        assert a.members.current


@pytest.mark.parametrize(
    "permissions",
    [
        'subscribe: ["_INBOX.>"]',
        'publish: { deny: ["durable.cluster.members.*"] }',
        'publish: { deny: ["$JS.API.STREAM.MSG.GET.>"] }',
    ],
)
async def test_a_missing_permission_is_named(tmp_path: Path, permissions: str) -> None:
    config = f"""{JETSTREAM}
authorization {{ users: [
    {{ user: admin, password: pw }},
    {{ user: me, password: pw, permissions: {{ {permissions} }} }}
] }}"""
    async with external_nats(tmp_path / "nats", config) as nats:
        await make_system(nats.url.replace("//", "//admin:pw@"))
        a = Node(at(nats.url.replace("//", "//me:pw@")), member("a"))
        with pytest.raises(
            NatsUnsuitableError, match=r"subscribe to .*durable\.cluster\.members\.\*"
        ):
            await a.members.join()


@pytest.mark.parametrize("name", ["", "a.b", "a b", "*", "x" * 64])
async def test_a_name_that_is_no_token_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="letters, digits"):
        Members(at("nats://127.0.0.1:1"), lambda: member(name), PARTITIONS)


async def test_a_process_that_leads_everything_does_not_start_beside_nodes(nats: External) -> None:
    source = at(nats.url)
    await check_no_members(source, PARTITIONS)
    async with Node(source, member("a")):
        with pytest.raises(MembersLiveError, match=r"led by the nodes a: .* --node NAME"):
            await check_no_members(source, PARTITIONS)
    await check_no_members(source, PARTITIONS)


async def test_nodes_that_have_ended_do_not_keep_such_a_process_away(
    nats: External, tmp_path: Path
) -> None:
    with node_process(tmp_path, "a", nats.url) as child:
        until(lambda: "joined" in child.text(), "member", child)
        child.kill()
        await check_no_members(at(nats.url), PARTITIONS)
