"""The audit in NATS: what the stream keeps, and how it is read back page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from durable_proto.v1 import access_pb2
from durable_server.access.audit import AuditedCall, AuditQuery, AuditUnavailableError
from durable_server.audit import packing
from durable_server.audit import stream as module
from durable_server.audit.collector import AuditWriteError, Batch
from durable_server.audit.stream import STREAM, AuditStream, AuditStreamError
from durable_server.core.limits import Limits
from durable_server.nats.api import ApiError, call_api
from durable_server.nats.connection import Connection
from durable_server.nats.endpoint import fixed, parse_urls
from durable_server.rpc.audit_listing import AuditListing
from durable_server.rpc.refusal import Refusal
from tests.support.external_nats import JETSTREAM, External, external_nats
from tests.support.waiting import eventually

from .calls import call


@pytest.fixture
async def nats(tmp_path: Path) -> AsyncIterator[External]:
    async with external_nats(tmp_path / "nats", JETSTREAM) as server:
        yield server


@pytest.fixture
async def stream(nats: External) -> AsyncIterator[AuditStream]:
    made = stream_at(nats.url)
    await made.prepare()
    yield made
    await made.close()


def stream_at(url: str, days: int = 90) -> AuditStream:
    return AuditStream(fixed(parse_urls(url)), replicas=1, days=days)


async def keep(stream: AuditStream, *batches: list[AuditedCall]) -> None:
    for number, calls in enumerate(batches):
        await stream.write(Batch(f"{id(calls)}-{number}", calls))


async def read_all(stream: AuditStream, query: AuditQuery, size: int) -> list[list[str]]:
    """The subjects of each page."""
    pages: list[list[str]] = []
    page = await stream.page(query, None, size)
    while True:
        pages.append([it.subject for it in page.calls])
        if page.end is None:
            return pages
        page = await stream.page(query, page.end, size)


async def asked(nats: External, verb: str, body: dict[str, object]) -> dict[str, object]:
    connection = await Connection.open(parse_urls(nats.url), name="test")
    try:
        return await call_api(connection, f"{verb}.{STREAM}", body, 5.0)
    finally:
        connection.abort()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
async def test_pages_are_the_whole_list_backwards(stream: AuditStream, size: int) -> None:
    names = [f"{number}" for number in range(60)]
    await keep(stream, *([call(it) for it in names[at : at + 3]] for at in range(0, 60, 3)))
    pages = await read_all(stream, AuditQuery(), size)
    assert [it for page in pages for it in page] == names[::-1]
    assert all(len(it) == size for it in pages[:-1])


async def test_a_new_stream_has_an_empty_list(stream: AuditStream) -> None:
    assert await stream.page(AuditQuery(), None, 10) == ([], None)


async def test_calls_that_come_meanwhile_do_not_shift_the_pages(stream: AuditStream) -> None:
    await keep(stream, [call("1"), call("2")], [call("3")])
    first = await stream.page(AuditQuery(), None, 2)
    assert [it.subject for it in first.calls] == ["3", "2"]
    await keep(stream, [call("4")])
    second = await stream.page(AuditQuery(), first.end, 2)
    assert [it.subject for it in second.calls] == ["1"]


async def test_conditions(stream: AuditStream) -> None:
    made = [
        call("1", identity="eve", method="Cancel"),
        call("2", identity="ops", method="Purge"),
        call("3", identity="ops", method="Cancel"),
    ]
    await keep(stream, made)
    for query, wanted in (
        (AuditQuery(identity="ops"), ["3", "2"]),
        (AuditQuery(method="Cancel"), ["3", "1"]),
        (AuditQuery(identity="ops", method="Cancel"), ["3"]),
        (AuditQuery(subject="2"), ["2"]),
        (AuditQuery(identity="nobody"), []),
    ):
        assert await read_all(stream, query, 10) == [wanted]


async def test_a_list_from_a_time_on_does_not_read_what_is_older(
    stream: AuditStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clocks of the nodes and of NATS may differ: here by nothing."""
    monkeypatch.setattr(module, "_CLOCKS_MS", 0)
    await keep(stream, [call("damaged")])
    read: list[int] = []
    unpacked = packing.unpacked

    def counted(data: bytes) -> list[AuditedCall]:
        read.append(len(data))
        return unpacked(data)

    info = await stream.page(AuditQuery(), None, 1)
    assert info.calls
    monkeypatch.setattr(module, "unpacked", counted)
    later = call().time_ms + 10**12
    await keep(stream, *([call(str(it), time_ms=later)] for it in range(20)))
    page = await stream.page(AuditQuery(time_min_ms=later), None, 100)
    assert page == ([], None)
    assert len(read) == 2


async def test_a_page_that_finds_little_is_bounded_and_says_that_there_is_more(
    stream: AuditStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MESSAGES_MAX", 5)
    await keep(stream, [call("old")], *([call("new")] for _ in range(29)))
    pages = await read_all(stream, AuditQuery(subject="old"), 10)
    assert pages[-1] == ["old"]
    assert len(pages) > 1
    assert not any(pages[:-1])


async def test_a_batch_that_is_sent_again_is_kept_once(stream: AuditStream) -> None:
    batch = Batch("an id", [call("1")])
    await stream.write(batch)
    await stream.write(batch)
    assert await read_all(stream, AuditQuery(), 10) == [["1"]]


async def test_a_message_that_cannot_be_read_is_named_and_hides_no_other(
    nats: External, stream: AuditStream
) -> None:
    await keep(stream, [call("1")])
    connection = await Connection.open(parse_urls(nats.url), name="test")
    await connection.call(b"durable.audit.calls", b"nonsense", 5.0)
    connection.abort()
    await keep(stream, [call("2")])
    page = await stream.page(AuditQuery(), None, 10)
    assert [it.subject for it in page.calls] == ["2", f"message 2 of {STREAM}", "1"]
    assert page.calls[1].code == "DATA_LOSS"


async def test_messages_cannot_be_removed_one_by_one(nats: External, stream: AuditStream) -> None:
    await keep(stream, [call("1")])
    with pytest.raises(ApiError):
        await asked(nats, "STREAM.MSG.DELETE", {"seq": 1})
    with pytest.raises(ApiError):
        await asked(nats, "STREAM.PURGE", {})
    assert await read_all(stream, AuditQuery(), 10) == [["1"]]


async def test_the_retention_follows_the_setting(nats: External, stream: AuditStream) -> None:
    await keep(stream, [call("1")])
    other = stream_at(nats.url, days=7)
    await other.prepare()
    found = await asked(nats, "STREAM.INFO", {})
    config = found["config"]
    assert isinstance(config, dict)
    assert config["max_age"] == 7 * 24 * 3600 * 10**9
    assert (config["discard"], config["max_bytes"]) == ("old", 1 << 30)
    assert await read_all(stream, AuditQuery(), 10) == [["1"]]


async def test_a_lost_server_is_an_error_and_is_found_again(tmp_path: Path) -> None:
    async with external_nats(tmp_path / "nats", JETSTREAM) as server:
        stream = stream_at(server.url)
        await stream.prepare()
        await keep(stream, [call("1")])
        port = server.port
        server.kill()
        with pytest.raises(AuditWriteError):
            await keep(stream, [call("2")])
        with pytest.raises(AuditUnavailableError):
            await stream.page(AuditQuery(), None, 1)
    async with external_nats(tmp_path / "nats", JETSTREAM, port):

        async def written() -> bool:
            try:
                await stream.write(Batch("3", [call("3")]))
            except AuditWriteError:
                return False
            return True

        await eventually(written)
        assert await read_all(stream, AuditQuery(), 10) == [["3", "1"]]
        await stream.close()


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (
            "authorization { users: [{ user: u, password: p,"
            ' permissions: { publish: ["$JS.API.>"] } }] }',
            r"publish to \$JS.API.> and durable.audit.>",
        ),
        ("", "no room for"),
    ],
)
async def test_a_nats_system_that_cannot_keep_it_is_refused_with_advice(
    tmp_path: Path, config: str, text: str
) -> None:
    small = "" if config else ", max_file_store: 1MB"
    jetstream = f"jetstream {{ store_dir: DIR{small} }}\n{config}"
    async with external_nats(tmp_path / "nats", jetstream) as server:
        url = server.url.replace("//", "//u:p@") if config else server.url
        with pytest.raises(AuditStreamError, match=text) as caught:
            await stream_at(url).prepare()
        assert "--no-audit-log" in str(caught.value)


# ListAudit


async def test_list_audit_translates_pages_and_binds_their_tokens(stream: AuditStream) -> None:
    await keep(stream, [call(str(it), reason="why", error="E", node="a") for it in range(5)])
    listing = AuditListing(stream, Limits())
    request = access_pb2.ListAuditRequest(identity="ops", page_size=3)
    first = await listing.list(request)
    assert [it.subject for it in first.entries] == ["4", "3", "2"]
    assert first.entries[0].time.ToMilliseconds() == call().time_ms
    assert (first.entries[0].reason, first.entries[0].error) == ("why", "E")
    request.page_token = first.next_page_token
    second = await listing.list(request)
    assert ([it.subject for it in second.entries], second.next_page_token) == (["1", "0"], "")
    request.identity = "eve"
    with pytest.raises(Refusal, match="does not belong to this query"):
        await listing.list(request)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"page_size": -1}, "must not be negative"),
        ({"page_token": "x"}, "does not belong"),
        ({"subject": "s" * 300}, "id_bytes"),
        ({"time_min": {"seconds": 10**12}}, "years"),
    ],
)
async def test_bad_fields_are_refused(
    stream: AuditStream, fields: dict[str, object], problem: str
) -> None:
    request = access_pb2.ListAuditRequest(**fields)  # type: ignore[arg-type]  # any field
    with pytest.raises(Refusal, match=problem):
        await AuditListing(stream, Limits()).list(request)


async def test_without_an_audit_the_list_says_how_to_keep_one() -> None:
    with pytest.raises(Refusal, match="--audit-log") as caught:
        await AuditListing(None, Limits()).list(access_pb2.ListAuditRequest())
    assert caught.value.code.name == "UNIMPLEMENTED"
